//! What stands in the parentheses of `#[service(…)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, Result, ext::IdentExt, meta::ParseNestedMeta, parenthesized, token};

use crate::{attributes::Options, names::Case};

/// The arguments of the macro, once all are read.
pub(crate) struct Arguments {
    options: Options,
    pub(super) case: Case,
    pub(super) description: Option<String>,
    pub(super) signals: Vec<Field>,
    pub(super) properties: Vec<Field>,
}

/// The arguments while they are read: the case of names may come after the names.
#[derive(Default)]
pub(crate) struct Reading {
    options: Options,
    signals: Vec<(Ident, Options)>,
    properties: Vec<(Ident, Options)>,
}

impl Reading {
    pub(crate) fn add(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("signals") {
            read_fields(meta, &["name"], &mut self.signals)
        } else if meta.path.is_ident("properties") {
            read_fields(meta, &["name", "read_only"], &mut self.properties)
        } else {
            self.options.add(meta, &["crate", "description", "rename_all"]).map_err(|mut error| {
                if error.to_string().starts_with("unknown option") {
                    error = meta.error(format!("{error}, `signals(…)`, `properties(…)`"));
                }
                error
            })
        }
    }

    pub(crate) fn finish(self) -> Result<Arguments> {
        let case = Case::parse(self.options.text("rename_all"))?;
        let name = |fields: Vec<(Ident, Options)>| {
            let fields = fields.into_iter().map(|(ident, options)| {
                let name = case.name(&ident.unraw().to_string(), options.text("name"))?;
                Ok(Field { ident, name, read_only: options.has("read_only") })
            });
            fields.collect::<Result<Vec<_>>>()
        };
        Ok(Arguments {
            case,
            description: self.options.text("description").map(syn::LitStr::value),
            signals: name(self.signals)?,
            properties: name(self.properties)?,
            options: self.options,
        })
    }
}

impl Arguments {
    pub(super) fn sdk(&self) -> TokenStream {
        self.options.sdk()
    }
}

/// A field of the struct that is a signal or a property.
pub(super) struct Field {
    ident: Ident,
    name: String,
    read_only: bool,
}

impl Field {
    pub(super) fn generate_signal(&self) -> TokenStream {
        let Self { ident, name, .. } = self;
        quote!(__builder.signal(#name, &__service.#ident);)
    }

    pub(super) fn generate_property(&self) -> TokenStream {
        let Self { ident, name, read_only } = self;
        if *read_only {
            quote!(__builder.read_only_property(#name, &__service.#ident);)
        } else {
            quote!(__builder.property(#name, &__service.#ident);)
        }
    }
}

/// `a, b(name = "wireName")`
fn read_fields(meta: &ParseNestedMeta<'_>, allowed: &[&str], fields: &mut Vec<(Ident, Options)>) -> Result<()> {
    let content;
    parenthesized!(content in meta.input);
    while !content.is_empty() {
        let ident = content.call(Ident::parse_any)?;
        let mut options = Options::default();
        if content.peek(token::Paren) {
            let inner;
            parenthesized!(inner in content);
            let parser = syn::meta::parser(|meta| options.add(&meta, allowed));
            let tokens: TokenStream = inner.parse()?;
            syn::parse::Parser::parse2(parser, tokens)?;
        }
        fields.push((ident, options));
        if !content.is_empty() {
            content.parse::<token::Comma>()?;
        }
    }
    Ok(())
}
