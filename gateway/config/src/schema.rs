//! The keys there are, from the types that read them.

use std::sync::LazyLock;

use keyway_auth::AuthSource;
use keyway_policy::PolicySource;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

use crate::config::Settings;

/// A key of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// As `limits.connections`, or `listen[].url` in one of several tables.
    pub path: String,
    /// What it holds.
    pub kind: KeyKind,
    /// What it is for.
    pub description: String,
    /// What counts if it is missing, in JSON.
    pub default: Option<Value>,
}

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A list, or a list or a text.
    List,
    /// Keys of its own.
    Table,
    /// A text, sizes, durations and names of choices among them.
    Text,
}

impl Key {
    /// The environment variable that overrides it: for single values outside of lists of tables.
    pub fn variable(&self) -> Option<String> {
        let is_single = matches!(self.kind, KeyKind::Boolean | KeyKind::Integer | KeyKind::Text);
        let is_overridable = is_single && !self.path.contains("[]");
        is_overridable.then(|| format!("{PREFIX}{}", self.path.replace('.', "_").to_uppercase()))
    }

    /// The table it is in, unless it is outside of all.
    pub(crate) fn section(&self) -> Option<&str> {
        self.path.rsplit_once('.').map(|(section, _)| section)
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit_once('.').map_or(&self.path, |(_, name)| name)
    }
}

/// Every key, tables before what is in them.
pub fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
        let root = inlined::<Document>();
        let mut keys = Vec::new();
        collect(&root, "", &mut keys);
        keys
    });
    &KEYS
}

/// The JSON schema of the file, for editors.
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>();
    schema.insert("title".to_owned(), "keyway.toml".into());
    schema.to_value()
}

/// All top-level keys.
pub(crate) fn top_level() -> Vec<&'static str> {
    keys().iter().map(|key| key.path.as_str()).filter(|path| !path.contains('.')).collect()
}

/// The top-level keys of roles and rules.
pub(crate) fn policy_keys() -> &'static [String] {
    static KEYS: LazyLock<Vec<String>> = LazyLock::new(properties::<PolicySource>);
    &KEYS
}

/// The top-level keys of identities.
pub(crate) fn auth_keys() -> &'static [String] {
    static KEYS: LazyLock<Vec<String>> = LazyLock::new(properties::<AuthSource>);
    &KEYS
}

/// What an environment variable is about.
pub(crate) enum Named {
    Key(&'static Key),
    /// Why it is about nothing.
    Unknown(String),
}

/// The key that a variable overrides. `None` for variables that are about none of the sections.
pub(crate) fn named(variable: &str) -> Option<Named> {
    let rest = variable.strip_prefix(PREFIX)?;
    if let Some(key) = keys().iter().find(|key| key.variable().is_some_and(|name| name == variable)) {
        return Some(Named::Key(key));
    }
    let rest = rest.to_lowercase();
    let sections = keys().iter().filter(|key| key.kind == KeyKind::Table && key.section().is_none());
    let section =
        sections.map(Key::name).find(|section| rest.strip_prefix(section).is_some_and(|rest| rest.starts_with('_')))?;
    let is_in_section = |key: &&Key| key.path.split('.').next() == Some(section);
    let in_section = keys().iter().filter(is_in_section);
    let known: Vec<_> = in_section.filter_map(Key::variable).collect();
    let reason = format!("it overrides no key of [{section}]; there are {}", known.join(", "));
    Some(Named::Unknown(reason))
}

/// All of the file.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its fields are read by the derive only")]
struct Document {
    #[serde(flatten)]
    settings: Settings,
    #[serde(flatten)]
    roles: PolicySource,
    #[serde(flatten)]
    identities: AuthSource,
}

/// Without references.
fn inlined<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

fn properties<T: JsonSchema>() -> Vec<String> {
    let schema = inlined::<T>();
    schema["properties"].as_object().into_iter().flat_map(Map::keys).cloned().collect()
}

fn collect(schema: &Value, prefix: &str, keys: &mut Vec<Key>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let description = property["description"].as_str().unwrap_or_default().replace('\n', " ");
        let default = property.get("default").filter(|default| !default.is_null()).cloned();
        let property = some(property);
        let (kind, path) = (kind(property), format!("{prefix}{name}"));
        keys.push(Key { path: path.clone(), kind, description, default });
        match kind {
            KeyKind::Table => collect(property, &format!("{path}."), keys),
            KeyKind::List => collect(&property["items"], &format!("{path}[]."), keys),
            _ => {}
        }
    }
}

/// What is there of an optional value.
fn some(schema: &Value) -> &Value {
    let choices = schema["anyOf"].as_array();
    let is_some = |choice: &&Value| choice["type"] != "null";
    match choices {
        Some(choices) if choices.len() == 2 && choices.iter().any(|choice| !is_some(&choice)) => {
            choices.iter().find(is_some).unwrap_or(schema)
        }
        _ => schema,
    }
}

fn kind(schema: &Value) -> KeyKind {
    let of = match &schema["type"] {
        Value::Array(types) => types.iter().find(|of| *of != "null").and_then(Value::as_str),
        of => of.as_str(),
    };
    match of {
        Some("boolean") => KeyKind::Boolean,
        Some("integer") => KeyKind::Integer,
        Some("array") => KeyKind::List,
        Some("object") => KeyKind::Table,
        // One of several texts, or of a text and a list of texts.
        None if schema["anyOf"].is_array() => KeyKind::List,
        _ => KeyKind::Text,
    }
}

/// What the environment variables of the file begin with.
const PREFIX: &str = "KEYWAY_";
