//! The file as it is written.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use toml::Spanned;

use crate::{Policy, PolicyError, parse};

/// Roles and rules as they are written, to be part of a larger file. Its places are those of the text it was read from.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySource {
    /// Roles, which users, certificates and rules name. `admin` (everything) and `none` (nothing) are there already.
    #[serde(default, rename = "role")]
    pub(crate) roles: Vec<RoleSource>,
    /// What roles may do; what no rule allows is refused.
    #[serde(default, rename = "rule")]
    #[schemars(with = "Vec<RuleSource>")]
    pub(crate) rules: Vec<Spanned<RuleSource>>,
}

/// A role.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleSource {
    /// Its name.
    #[schemars(with = "String")]
    pub(crate) name: Spanned<String>,
    /// Roles whose rules it has too.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(crate) inherits: Vec<Spanned<String>>,
    /// For people.
    #[serde(default, rename = "description")]
    _description: Option<String>,
}

/// A rule.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSource {
    /// By which refusals name it; its line otherwise.
    pub(crate) name: Option<String>,
    /// The role, or roles, it is for.
    #[schemars(with = "OneOrMany")]
    pub(crate) role: Spanned<OneOrMany>,
    /// The services it is about, as a pattern; `"ALVideo.object"` for the objects that a service returns.
    #[schemars(with = "String")]
    pub(crate) service: Spanned<String>,
    /// Members that may be used.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(crate) allow: Vec<Spanned<String>>,
    /// Members that may not be used, whatever other rules allow.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(crate) deny: Vec<Spanned<String>>,
    /// `"allow"` or `"deny"`: everything of the objects that the service returns.
    #[schemars(with = "Option<String>")]
    pub(crate) objects: Option<Spanned<String>>,
    /// Limits of arguments: `"setStiffnesses: #1 <= 0.5"`.
    #[schemars(with = "Option<OneOrMany>")]
    pub(crate) when: Option<Spanned<OneOrMany>>,
    /// How often each client may use what the rule allows: `"10/s"`.
    #[schemars(with = "Option<String>")]
    pub(crate) rate: Option<Spanned<String>>,
    /// How many uses may come at once; as many as `rate` counts if it is missing.
    #[schemars(with = "Option<u32>")]
    pub(crate) burst: Option<Spanned<i64>>,
}

/// `"a"` or `["a", "b"]`.
#[derive(Debug, Clone)]
pub(crate) struct OneOrMany(pub(crate) Vec<String>);

impl JsonSchema for OneOrMany {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (one, many) = (String::json_schema(generator), <Vec<String>>::json_schema(generator));
        json_schema!({ "anyOf": [one, many] })
    }
}

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
