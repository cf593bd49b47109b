//! `#[keyway::service]`.

mod arguments;
mod method;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ImplItem, ItemImpl, Result};

use crate::{
    attributes::{collect, documentation},
    names::Case,
};
use arguments::Field;
pub(crate) use arguments::{Arguments, Reading};
use method::Method;

/// The impl block itself, and what is generated for it or what is wrong with it.
pub(crate) fn expand(arguments: Result<Arguments>, mut block: ItemImpl) -> TokenStream {
    let generated = generate(arguments, &mut block).unwrap_or_else(Error::into_compile_error);
    quote! {
        #block
        #generated
    }
}

fn generate(arguments: Result<Arguments>, block: &mut ItemImpl) -> Result<TokenStream> {
    let case = arguments.as_ref().map_or_else(|_| Case::default(), |arguments| arguments.case);
    let methods = methods(case, block);
    let arguments = arguments?;
    if let Some((_, path, _)) = &block.trait_ {
        return Err(Error::new_spanned(path, "#[service] goes on the `impl` of the type itself, not of a trait"));
    }
    let methods = methods?;
    let sdk = arguments.sdk();
    let describe = description(&arguments, block).map(|text| quote!(__builder.description(#text);));
    let methods = methods.iter().map(|method| method.generate(&sdk));
    let signals = arguments.signals.iter().map(Field::generate_signal);
    let properties = arguments.properties.iter().map(Field::generate_property);
    let service = &block.self_ty;
    let (generics, _, where_clause) = block.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, deprecated, unused_qualifications)]
        impl #generics #sdk::Service for #service #where_clause {
            fn object(self: ::std::sync::Arc<Self>) -> #sdk::Object {
                let mut __builder = #sdk::Object::builder();
                #describe
                #(#methods)*
                let __service = &*self;
                #(#signals)*
                #(#properties)*
                __builder.build()
            }
        }

        #[automatically_derived]
        impl #generics #sdk::IntoObject for #service #where_clause {
            fn into_object(self) -> #sdk::Object {
                #sdk::Service::object(::std::sync::Arc::new(self))
            }
        }
    })
}

/// What is exported of the block, which loses its `#[qi(…)]` whatever happens.
fn methods(case: Case, block: &mut ItemImpl) -> Result<Vec<Method>> {
    let mut errors = None;
    let mut methods = Vec::new();
    for item in &mut block.items {
        let ImplItem::Fn(function) = item else { continue };
        match Method::read(function, case) {
            Ok(method) => methods.extend(method),
            Err(error) => collect(&mut errors, error),
        }
    }
    errors.map_or(Ok(methods), Err)
}

fn description(arguments: &Arguments, block: &ItemImpl) -> Option<String> {
    let given = arguments.description.clone().unwrap_or_else(|| documentation(&block.attrs));
    (!given.is_empty()).then_some(given)
}
