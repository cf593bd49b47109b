//! What is written about the configuration is what it is.

use std::collections::BTreeSet;

use keyway_config::{ProblemCode, keys, schema};

const GUIDE: &str = include_str!("../../../docs/configuration.md");

#[test]
fn every_key_is_documented_with_its_default_and_nothing_else_is() {
    let expected: Vec<_> = keys().iter().map(row).collect();
    let documented: BTreeSet<_> = GUIDE.lines().filter(|line| line.starts_with("| `")).collect();
    let missing: Vec<_> = expected.iter().filter(|row| !documented.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "docs/configuration.md lacks these rows:\n{}", lines(&missing));
    let stale: Vec<_> = documented.iter().filter(|row| !expected.iter().any(|wanted| wanted == **row)).collect();
    assert!(stale.is_empty(), "docs/configuration.md has rows of keys that are not so:\n{}", lines(&stale));
}

#[test]
fn every_key_says_what_it_is_for() {
    let silent: Vec<_> = keys().iter().filter(|key| key.description.is_empty()).map(|key| &key.path).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn every_code_is_documented() {
    let list = include_str!("../../../docs/errors.md");
    for code in ProblemCode::ALL {
        assert_eq!(list.matches(&format!("| `{}` |", code.code())).count(), 1, "{}", code.code());
    }
}

#[test]
fn the_schema_knows_every_section_and_refuses_others() {
    let schema = schema();
    let sections: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let top: BTreeSet<_> = keys().iter().map(|key| key.path.as_str()).filter(|path| !path.contains('.')).collect();
    assert_eq!(sections, top);
    assert!(["listen", "limits", "rule", "user", "policy"].iter().all(|section| sections.contains(section)));
    assert!([&schema["additionalProperties"], &schema["unevaluatedProperties"]].contains(&&false.into()), "{schema}");
}

fn row(key: &keyway_config::Key) -> String {
    let default = key.default.as_ref().filter(|default| !default.is_array() && !default.is_object());
    let default = default.map_or_else(|| "–".to_owned(), |default| format!("`{default}`"));
    format!("| `{}` | {default} | {} |", key.path, key.description)
}

fn lines(rows: &[impl ToString]) -> String {
    rows.iter().map(|row| row.to_string() + "\n").collect()
}
