//! The file as it is written.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use toml::Spanned;

use crate::{Policy, PolicyError, parse};

/// Roles and rules as they are written, to be part of a larger file. Its places are those of the text it was read from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySource {
    #[serde(default, rename = "role")]
    pub(crate) roles: Vec<RoleSource>,
    #[serde(default, rename = "rule")]
    pub(crate) rules: Vec<Spanned<RuleSource>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleSource {
    pub(crate) name: Spanned<String>,
    #[serde(default)]
    pub(crate) inherits: Vec<Spanned<String>>,
    /// For people.
    #[serde(default, rename = "description")]
    _description: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSource {
    pub(crate) name: Option<String>,
    pub(crate) role: Spanned<OneOrMany>,
    pub(crate) service: Spanned<String>,
    #[serde(default)]
    pub(crate) allow: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) deny: Vec<Spanned<String>>,
    pub(crate) objects: Option<Spanned<String>>,
    pub(crate) when: Option<Spanned<OneOrMany>>,
    pub(crate) rate: Option<Spanned<String>>,
    pub(crate) burst: Option<Spanned<i64>>,
}

/// `"a"` or `["a", "b"]`.
#[derive(Debug, Clone)]
pub(crate) struct OneOrMany(pub(crate) Vec<String>);

impl PolicySource {
    /// Checks it as a whole. `text` is what it was read from.
    pub fn check(&self, file: &str, text: &str) -> Result<Policy, PolicyError> {
        parse::check(self, file, text)
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<OneOrMany, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany)
            }
        }

        deserializer.deserialize_any(Either)
    }
}
