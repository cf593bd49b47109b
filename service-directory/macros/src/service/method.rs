//! One exported function.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Attribute, Error, FnArg, Ident, ImplItemFn, Lifetime, Pat, PatType, Receiver, Result, ReturnType, Signature, Type,
    ext::IdentExt, parse_quote,
};

use crate::{
    attributes::{Options, collect, conditions, documentation},
    names::Case,
};

/// How a function runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Async,
    Blocking,
    InPlace,
}

/// A function that others can call.
pub(super) struct Method {
    function: Ident,
    name: String,
    mode: Mode,
    description: String,
    conditions: Vec<Attribute>,
    parameters: Vec<Parameter>,
}

/// A parameter of an exported function.
enum Parameter {
    /// One the caller gives, and whether the function only borrows it.
    Argument { name: String, description: String, kind: Box<Type>, borrowed: bool },
    /// Who calls; whether by reference.
    Context { borrowed: bool },
}

impl Method {
    /// Reads a function and takes the `#[qi(…)]` off it; `None` if it is not exported.
    pub(super) fn read(function: &mut ImplItemFn, case: Case) -> Result<Option<Self>> {
        let options = Options::take(&mut function.attrs, &["blocking", "name", "skip"]);
        let parameters = parameters(&mut function.sig);
        let options = options?;
        let signature = &function.sig;
        if options.has("skip") {
            for key in ["blocking", "name"] {
                options.refuse(key, "this function is skipped")?;
            }
            return Ok(None);
        }
        if !shared(signature.receiver())? {
            for key in ["blocking", "name"] {
                options.refuse(key, "only functions that take `&self` are methods of the service")?;
            }
            return Ok(None);
        }
        check(signature)?;
        let parameters = parameters?;
        let mode = match (signature.asyncness.is_some(), options.span("blocking")) {
            (true, Some(span)) => {
                return Err(Error::new(span, "an async function does not block: use one or the other"));
            }
            (true, None) => Mode::Async,
            (false, Some(_)) => Mode::Blocking,
            (false, None) => Mode::InPlace,
        };
        if let Some(span) = options.span("blocking")
            && parameters.iter().any(|parameter| matches!(parameter, Parameter::Context { .. }))
        {
            return Err(Error::new(span, "a blocking method has no context: it cannot be canceled"));
        }
        Ok(Some(Self {
            function: signature.ident.clone(),
            name: case.name(&signature.ident.unraw().to_string(), options.text("name"))?,
            mode,
            description: documentation(&function.attrs),
            conditions: conditions(&function.attrs).into_iter().cloned().collect(),
            parameters,
        }))
    }

    /// The statement that adds it to the builder.
    pub(super) fn generate(&self, sdk: &TokenStream) -> TokenStream {
        let Self { function, name, mode, description, conditions, parameters } = self;
        let mut patterns = Vec::new();
        let mut types = Vec::new();
        let mut documents = Vec::new();
        let mut passed = Vec::new();
        for (i, parameter) in parameters.iter().enumerate() {
            match parameter {
                Parameter::Argument { name, description, kind, borrowed } => {
                    let pattern = format_ident!("__argument_{i}", span = Span::mixed_site());
                    passed.push(if *borrowed { quote!(&#pattern) } else { quote!(#pattern) });
                    patterns.push(pattern);
                    types.push(kind);
                    documents.push(quote!((#name, #description)));
                }
                Parameter::Context { borrowed } => passed.push(match (mode, borrowed) {
                    (Mode::Async, true) => quote!(&__context),
                    (Mode::Async, false) | (_, true) => quote!(__context),
                    (_, false) => quote!(::core::clone::Clone::clone(__context)),
                }),
            }
        }
        // What does not fit the builder is the function's fault, and is shown there.
        let at = function.span().resolved_at(Span::call_site());
        let arguments = quote_spanned!(at=> (#(#patterns,)*): (#(#types,)*));
        // By its path: an `Arc` has methods of its own, such as `clone`.
        let call = quote_spanned!(at=> Self::#function(&__this #(, #passed)*));
        let future = quote_spanned! {at=> {
            let __this = ::std::sync::Arc::clone(&__this);
            async move { #call.await }
        }};
        let context = parameters.iter().any(|parameter| matches!(parameter, Parameter::Context { .. }));
        let (add, run) = match (mode, context) {
            (Mode::Async, false) => ("method_async", quote_spanned!(at=> |#arguments| #future)),
            (Mode::Async, true) => {
                ("method_async_with_context", quote_spanned!(at=> |__context: #sdk::CallContext, #arguments| #future))
            }
            (Mode::Blocking, _) => ("method_blocking", quote_spanned!(at=> |#arguments| #call)),
            (Mode::InPlace, false) => ("method", quote_spanned!(at=> |#arguments| #call)),
            (Mode::InPlace, true) => {
                ("method_with_context", quote_spanned!(at=> |__context: &#sdk::CallContext, #arguments| #call))
            }
        };
        let add = Ident::new(add, at);
        let add = quote_spanned!(at=> __builder.#add(#name, move #run););
        quote! {
            #(#conditions)*
            {
                let __this = ::std::sync::Arc::clone(&self);
                #add
                __builder.document(#name, #description, &[#(#documents),*], "");
            }
        }
    }
}

/// Whether a function works on a shared service; one that takes it whole, or none, is no method of it.
fn shared(receiver: Option<&Receiver>) -> Result<bool> {
    let Some(receiver) = receiver else { return Ok(false) };
    let exclusive = match &*receiver.ty {
        Type::Reference(reference) => reference.mutability.is_some(),
        _ => return Ok(false),
    };
    if exclusive {
        let message = "a service is shared by its callers: take `&self`, or leave this function out with `#[qi(skip)]`";
        return Err(Error::new_spanned(receiver, message));
    }
    Ok(true)
}

/// What no method of a service can be.
fn check(signature: &Signature) -> Result<()> {
    let mut parameters = signature.generics.params.iter();
    if let Some(parameter) = parameters.find(|parameter| !matches!(parameter, syn::GenericParam::Lifetime(_))) {
        let message = "a method of a service has fixed types; leave this function out with `#[qi(skip)]`";
        return Err(Error::new_spanned(parameter, message));
    }
    if let ReturnType::Type(_, result) = &signature.output
        && let Type::Reference(reference) = &**result
        && !is_static(reference.lifetime.as_ref())
    {
        let message = "a result is sent as a value: return an owned type, such as `String`";
        return Err(Error::new_spanned(reference, message));
    }
    Ok(())
}

/// The parameters, which lose their `#[qi(…)]` and their documentation: Rust allows neither there.
fn parameters(signature: &mut Signature) -> Result<Vec<Parameter>> {
    let mut errors = None;
    let mut parameters = Vec::new();
    for input in &mut signature.inputs {
        if let FnArg::Typed(typed) = input {
            match parameter(typed, parameters.len()) {
                Ok(parameter) => parameters.push(parameter),
                Err(error) => collect(&mut errors, error),
            }
        }
    }
    let arguments = parameters.iter().filter(|parameter| matches!(parameter, Parameter::Argument { .. })).count();
    if arguments > crate::MAX_PARAMETERS {
        collect(&mut errors, Error::new_spanned(&signature.inputs, crate::too_many_parameters()));
    }
    if parameters.len() > arguments + 1 {
        collect(&mut errors, Error::new_spanned(&signature.inputs, "a method has one context"));
    }
    errors.map_or(Ok(parameters), Err)
}

fn parameter(typed: &mut PatType, index: usize) -> Result<Parameter> {
    let options = Options::take(&mut typed.attrs, &["context"]);
    let description = documentation(&typed.attrs);
    typed.attrs.retain(|attribute| !attribute.path().is_ident("doc"));
    if options?.has("context") {
        return Ok(Parameter::Context { borrowed: matches!(&*typed.ty, Type::Reference(_)) });
    }
    let name = match &*typed.pat {
        Pat::Ident(pattern) => pattern.ident.unraw().to_string(),
        _ => format!("argument{}", index + 1),
    };
    let (kind, borrowed) = received(&typed.ty)?;
    Ok(Parameter::Argument { name, description, kind: Box::new(kind), borrowed })
}

/// The type a parameter is received as, and whether it is then lent to the function.
fn received(declared: &Type) -> Result<(Type, bool)> {
    if let Type::ImplTrait(kind) = declared {
        let message = "a method of a service has fixed types; leave this function out with `#[qi(skip)]`";
        return Err(Error::new_spanned(kind, message));
    }
    let Type::Reference(reference) = declared else { return Ok((declared.clone(), false)) };
    if reference.mutability.is_some() || is_static(reference.lifetime.as_ref()) {
        let message = "an argument is lent for the time of the call: take a value or a plain `&`";
        return Err(Error::new_spanned(reference, message));
    }
    let owned = match &*reference.elem {
        Type::Path(path) if path.path.is_ident("str") => parse_quote!(::std::string::String),
        Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "CallContext") => {
            return Err(Error::new_spanned(reference, "mark the context with `#[qi(context)]`"));
        }
        Type::Slice(slice) => {
            let element = &slice.elem;
            parse_quote!(::std::vec::Vec<#element>)
        }
        other => other.clone(),
    };
    Ok((owned, true))
}

fn is_static(lifetime: Option<&Lifetime>) -> bool {
    lifetime.is_some_and(|lifetime| lifetime.ident == "static")
}
