//! `#[keyway::proxy]`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Attribute, Error, FnArg, Ident, ItemTrait, Pat, PatType, Result, ReturnType, TraitItem, TraitItemFn, Type,
    Visibility, ext::IdentExt, meta::ParseNestedMeta, spanned::Spanned,
};

use crate::{
    attributes::{Options, collect, documentation},
    names::Case,
};

/// The arguments of the macro.
#[derive(Default)]
pub(crate) struct Arguments(Options);

impl Arguments {
    pub(crate) fn add(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        self.0.add(meta, &["crate", "name", "rename_all"])
    }
}

pub(crate) fn expand(arguments: &Arguments, api: ItemTrait) -> Result<TokenStream> {
    plain(&api)?;
    let options = &arguments.0;
    let sdk = options.sdk();
    let case = Case::parse(options.text("rename_all"))?;
    let ItemTrait { attrs: attributes, vis: visibility, ident, items, .. } = api;
    let name = match options.text("name") {
        Some(name) => name.parse::<Ident>().map_err(|_| Error::new(name.span(), "not a name for a struct"))?,
        None => format_ident!("{ident}Proxy"),
    };
    let mut errors = None;
    let mut methods = Vec::new();
    for item in items {
        match Method::read(item, case) {
            Ok(method) => methods.push(method.generate(&visibility)),
            Err(error) => collect(&mut errors, error),
        }
    }
    if let Some(errors) = errors {
        return Err(errors);
    }
    let fallback = fallback(&attributes, &format!("An object with the members of `{ident}`, wherever it lives."));
    Ok(quote! {
        #(#attributes)*
        #fallback
        #[derive(::core::clone::Clone, ::core::fmt::Debug, #sdk::QiValue)]
        #[qi(transparent, crate = #sdk)]
        #visibility struct #name(#sdk::Proxy);

        #[allow(dead_code, reason = "an interface is described whole, also where only a part of it is used")]
        impl #name {
            #(#methods)*

            /// The same object without its types.
            #visibility fn as_proxy(&self) -> &#sdk::Proxy {
                &self.0
            }
        }

        impl ::core::convert::From<#sdk::Proxy> for #name {
            fn from(proxy: #sdk::Proxy) -> Self {
                Self(proxy)
            }
        }

        impl ::core::convert::From<#name> for #sdk::Proxy {
            fn from(typed: #name) -> Self {
                typed.0
            }
        }

        impl ::core::convert::AsRef<#sdk::Proxy> for #name {
            fn as_ref(&self) -> &#sdk::Proxy {
                &self.0
            }
        }
    })
}

/// The trait is only a list of members.
fn plain(api: &ItemTrait) -> Result<()> {
    if !api.generics.params.is_empty() {
        return Err(Error::new_spanned(&api.generics, "a proxy's trait has no parameters"));
    }
    if let Some(supertrait) = api.supertraits.first() {
        return Err(Error::new_spanned(supertrait, "a proxy's trait has no supertraits"));
    }
    Ok(())
}

/// How a member is used.
enum Use {
    Call,
    Get,
    Post,
    Set,
    Subscribe,
}

/// One function of the trait.
struct Method {
    item: TraitItemFn,
    member: String,
    /// What is sent for each parameter.
    arguments: Vec<TokenStream>,
    kind: Use,
}

impl Method {
    fn read(item: TraitItem, case: Case) -> Result<Self> {
        let TraitItem::Fn(mut item) = item else {
            return Err(Error::new_spanned(item, "a proxy's trait has nothing but functions"));
        };
        let options = Options::take(&mut item.attrs, &["name", "post", "property", "signal"])?;
        let signature = &item.sig;
        if let Some(body) = &item.default {
            return Err(Error::new(body.span(), "the body of a proxy's function is generated"));
        }
        if !signature.receiver().is_some_and(|receiver| receiver.reference.is_some() && receiver.mutability.is_none()) {
            return Err(Error::new(signature.ident.span(), "a proxy's function takes `&self`"));
        }
        if matches!(signature.output, ReturnType::Default) {
            return Err(Error::new(signature.ident.span(), "a proxy's function returns a `keyway::Result`"));
        }
        let arguments = arguments(&item)?;
        let kind = kind(&item, &options, arguments.len())?;
        let member = case.name(&member(&item.sig.ident, &kind), options.text("name"))?;
        Ok(Self { item, member, arguments, kind })
    }

    fn generate(&self, visibility: &Visibility) -> TokenStream {
        let Self { item, member, arguments, kind } = self;
        let (attributes, signature) = (&item.attrs, &item.sig);
        // What is not a value is shown at the function that would send it.
        let at = signature.ident.span().resolved_at(Span::call_site());
        let tuple = quote_spanned!(at=> (#(#arguments,)*));
        let wait = signature.asyncness.is_some().then(|| quote_spanned!(at=> .await));
        let (body, verb) = match kind {
            Use::Call => (quote_spanned!(at=> self.0.call(#member, #tuple) #wait), "Calls"),
            Use::Get => (quote_spanned!(at=> self.0.get(#member).await), "Reads"),
            Use::Post => (quote_spanned!(at=> self.0.post(#member, #tuple)), "Posts"),
            Use::Set => (quote_spanned!(at=> self.0.set(#member, #(#arguments)*).await), "Sets"),
            Use::Subscribe => (quote_spanned!(at=> self.0.signal(#member).await), "Subscribes to"),
        };
        let fallback = fallback(attributes, &format!("{verb} `{member}`."));
        quote! {
            #(#attributes)*
            #fallback
            #visibility #signature {
                #body
            }
        }
    }
}

/// What is sent for each parameter: a reference is sent as the value it refers to.
fn arguments(item: &TraitItemFn) -> Result<Vec<TokenStream>> {
    let mut arguments = Vec::new();
    for input in &item.sig.inputs {
        let FnArg::Typed(PatType { pat, ty, attrs, .. }) = input else { continue };
        Options::read(attrs, &[])?;
        let Pat::Ident(name) = &**pat else {
            return Err(Error::new_spanned(pat, "a proxy's parameter is a name"));
        };
        let name = &name.ident;
        arguments.push(match &**ty {
            Type::Reference(_) => quote!(::std::borrow::ToOwned::to_owned(#name)),
            _ => quote!(#name),
        });
    }
    if let Some(excess) = item.sig.inputs.iter().nth(crate::MAX_PARAMETERS + 1) {
        return Err(Error::new_spanned(excess, crate::too_many_parameters()));
    }
    Ok(arguments)
}

fn kind(item: &TraitItemFn, options: &Options, parameters: usize) -> Result<Use> {
    let given: Vec<_> = ["post", "property", "signal"].into_iter().filter(|key| options.has(key)).collect();
    let Some(key) = given.first() else { return Ok(Use::Call) };
    let error = |message| Err(Error::new(item.sig.ident.span(), message));
    if given.len() > 1 {
        return error("a function is one of `post`, `property`, `signal`");
    }
    match (*key, item.sig.asyncness.is_some(), parameters) {
        ("post", false, _) => Ok(Use::Post),
        ("post", true, _) => error("a post waits for nothing: remove `async`"),
        (_, false, _) => error("add `async`: the answer has to be waited for"),
        ("signal", _, 0) => Ok(Use::Subscribe),
        ("signal", ..) => error("subscribing to a signal takes no parameters"),
        (_, _, 0) => Ok(Use::Get),
        (_, _, 1) => Ok(Use::Set),
        _ => error("a property is read without parameters, or set with one"),
    }
}

/// The member a function is named after: `set_level` sets `level`.
fn member(function: &Ident, kind: &Use) -> String {
    let name = function.unraw().to_string();
    match (kind, name.strip_prefix("set_")) {
        (Use::Set, Some(property)) if !property.is_empty() => property.to_owned(),
        _ => name,
    }
}

/// Documentation for what has none.
fn fallback(attributes: &[Attribute], text: &str) -> Option<TokenStream> {
    documentation(attributes).is_empty().then(|| quote!(#[doc = #text]))
}
