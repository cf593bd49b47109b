//! Options in `#[qi(…)]` and in the macros' own arguments, and documentation comments.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, Error, Expr, ExprLit, Lit, LitStr, Meta, Path, Result, meta::ParseNestedMeta, spanned::Spanned};

/// What an option takes.
#[derive(Clone, Copy)]
enum Kind {
    Flag,
    Path,
    Text,
}

/// Every option of every macro. Which of them make sense where is for the place to say.
const OPTIONS: &[(&str, Kind)] = &[
    ("blocking", Kind::Flag),
    ("context", Kind::Flag),
    ("crate", Kind::Path),
    ("description", Kind::Text),
    ("name", Kind::Text),
    ("post", Kind::Flag),
    ("property", Kind::Flag),
    ("read_only", Kind::Flag),
    ("rename", Kind::Text),
    ("rename_all", Kind::Text),
    ("signal", Kind::Flag),
    ("skip", Kind::Flag),
    ("transparent", Kind::Flag),
];

/// The options given at one place.
#[derive(Default)]
pub(crate) struct Options(Vec<Given>);

struct Given {
    key: &'static str,
    span: Span,
    setting: Setting,
}

enum Setting {
    Flag,
    Path(Path),
    Text(LitStr),
}

impl Options {
    /// Reads the `#[qi(…)]` among `attributes`, which may have the `allowed` options.
    pub(crate) fn read(attributes: &[Attribute], allowed: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        for attribute in attributes.iter().filter(|attribute| is_qi(attribute)) {
            attribute.parse_nested_meta(|meta| options.add(&meta, allowed))?;
        }
        Ok(options)
    }

    /// Like [`read`](Self::read), and takes the `#[qi(…)]` away: nothing else would know what they mean.
    pub(crate) fn take(attributes: &mut Vec<Attribute>, allowed: &[&str]) -> Result<Self> {
        let options = Self::read(attributes, allowed);
        attributes.retain(|attribute| !is_qi(attribute));
        options
    }

    /// Reads one option.
    pub(crate) fn add(&mut self, meta: &ParseNestedMeta<'_>, allowed: &[&str]) -> Result<()> {
        let known = OPTIONS.iter().find(|(key, _)| allowed.contains(key) && meta.path.is_ident(key));
        let Some((key, kind)) = known else {
            let given = meta.path.to_token_stream().to_string();
            return Err(Error::new_spanned(&meta.path, unknown(&given, allowed)));
        };
        if self.span(key).is_some() {
            return Err(meta.error(format!("`{key}` is given twice")));
        }
        let setting = match kind {
            Kind::Flag => Setting::Flag,
            Kind::Path => Setting::Path(meta.value()?.parse()?),
            Kind::Text => Setting::Text(meta.value()?.parse()?),
        };
        self.0.push(Given { key, span: meta.path.span(), setting });
        Ok(())
    }

    /// Where an option is given, if it is.
    pub(crate) fn span(&self, key: &str) -> Option<Span> {
        self.0.iter().find(|given| given.key == key).map(|given| given.span)
    }

    /// Whether an option is given.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.span(key).is_some()
    }

    /// The text of an option.
    pub(crate) fn text(&self, key: &str) -> Option<&LitStr> {
        self.0.iter().find(|given| given.key == key).and_then(|given| match &given.setting {
            Setting::Text(text) => Some(text),
            Setting::Flag | Setting::Path(_) => None,
        })
    }

    /// The SDK crate's path.
    pub(crate) fn sdk(&self) -> TokenStream {
        let mut paths = self.0.iter().filter_map(|given| match &given.setting {
            Setting::Path(path) => Some(path.to_token_stream()),
            Setting::Flag | Setting::Text(_) => None,
        });
        paths.next().unwrap_or_else(|| quote!(::keyway))
    }

    /// Refuses an option that says nothing here.
    pub(crate) fn refuse(&self, key: &str, why: &str) -> Result<()> {
        self.span(key).map_or(Ok(()), |span| Err(Error::new(span, why)))
    }
}

/// The text of the documentation comments among `attributes`.
pub(crate) fn documentation(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(meta) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value
        {
            let text = text.value();
            lines.push(text.strip_prefix(' ').unwrap_or(&text).trim_end().to_owned());
        }
    }
    lines.join("\n").trim().to_owned()
}

/// The `#[cfg(…)]` among `attributes`: what is generated for an item is there when the item is.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect()
}

/// Adds an error to those found so far.
pub(crate) fn collect(errors: &mut Option<Error>, error: Error) {
    match errors {
        Some(errors) => errors.combine(error),
        None => *errors = Some(error),
    }
}

fn is_qi(attribute: &Attribute) -> bool {
    attribute.path().is_ident("qi")
}

fn unknown(given: &str, allowed: &[&str]) -> String {
    if allowed.is_empty() {
        return format!("unknown option `{given}`: there are none here");
    }
    let allowed: Vec<_> = allowed.iter().map(|key| format!("`{key}`")).collect();
    format!("unknown option `{given}`, expected {}", allowed.join(", "))
}
