//! Files that are refused, with place and reason.

use keyway_policy::{Policy, ProblemCode};
use proptest::prelude::*;

#[test]
fn each_mistake_is_reported_with_its_place() {
    let rows = [
        ("[[role]]\nname = 'a'\ncolour = 1", ProblemCode::Syntax, 3, 1, "unknown field"),
        ("[[rule]]\nrole = 'a'", ProblemCode::Syntax, 1, 1, "missing field"),
        ("[[role]\nname = 'a'", ProblemCode::Syntax, 1, 8, ""),
        ("[[rule]]\nrole = 3\nservice = 's'", ProblemCode::Syntax, 2, 8, "a text or a list"),
        ("[[role]]\nname = 'a'\n[[role]]\nname = 'a'", ProblemCode::DuplicateRole, 4, 8, "defined already"),
        ("[[role]]\nname = 'admin'", ProblemCode::DuplicateRole, 2, 8, "built in"),
        ("[[role]]\nname = 'a'\ninherits = ['a']", ProblemCode::Cycle, 3, 13, "inherit itself"),
        ("[[role]]\nname = 'a'\ninherits = ['x']", ProblemCode::UnknownRole, 3, 13, "\"x\""),
        ("[[rule]]\nrole = 'x'\nservice = 's'\nallow = ['m']", ProblemCode::UnknownRole, 2, 8, "\"x\""),
        ("[[rule]]\nrole = 'admin'\nservice = 's'\nallow = ['m']", ProblemCode::UnknownRole, 2, 8, "built in"),
        ("[[rule]]\nrole = []\nservice = 's'\nallow = ['m']", ProblemCode::Empty, 2, 8, "no role"),
        (r#"service = "a[b" # R"#, ProblemCode::Glob, 5, 11, "not closed"),
        (r#"allow = ["ok", "hear:x"] # R"#, ProblemCode::Member, 6, 16, "hear"),
        ("allow = ['add::(']", ProblemCode::Member, 6, 10, "parameters"),
        ("allow = ['m']\nwhen = 'x'", ProblemCode::Condition, 7, 8, "operator"),
        ("allow = ['m']\nwhen = []", ProblemCode::Condition, 7, 8, "empty"),
        ("allow = ['m']\nwhen = 'n: x < 1'", ProblemCode::Condition, 7, 8, "none of the rule's"),
        ("allow = ['m']\nwhen = 'T.m: x < 1'", ProblemCode::Condition, 7, 8, "another service"),
        ("allow = ['*']\nwhen = 'x < 1'", ProblemCode::Condition, 7, 8, "methods"),
        ("allow = ['m']\ndeny = ['n']\nwhen = 'x < 1'", ProblemCode::Condition, 8, 8, "two rules"),
        ("allow = ['m']\nrate = '10'", ProblemCode::Rate, 7, 8, "10/s"),
        ("allow = ['m']\nrate = '0/s'", ProblemCode::Rate, 7, 8, "at least 1"),
        ("allow = ['m']\nburst = 3", ProblemCode::Rate, 7, 9, "without"),
        ("allow = ['m']\nrate = '1/s'\nburst = 0", ProblemCode::Rate, 8, 9, "at least 1"),
        ("deny = ['m']\nrate = '1/s'", ProblemCode::Rate, 7, 8, "no `allow`"),
        ("objects = 'maybe'", ProblemCode::Value, 6, 11, "\"allow\""),
        ("allow = []", ProblemCode::Empty, 5, 11, "says nothing"),
    ];
    for (text, code, line, column, reason) in rows {
        let text = complete(text);
        let error = Policy::parse("p.toml", &text).unwrap_err();
        let problem = &error.problems[0];
        assert_eq!((problem.code, problem.line, problem.column), (code, line, column), "{error}\n{text}");
        assert!(problem.reason.contains(reason), "{error}");
        assert!(error.to_string().starts_with(&format!("p.toml:{line}:{column}: {}: ", code.code())), "{error}");
    }
}

#[test]
fn a_cycle_of_several_roles_is_found() {
    let text =
        "[[role]]\nname='a'\ninherits=['b']\n[[role]]\nname='b'\ninherits=['c']\n[[role]]\nname='c'\ninherits=['a']";
    let error = Policy::parse("p.toml", text).unwrap_err();
    assert_eq!(error.problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [3, 6, 9]);
    assert!(error.problems.iter().all(|problem| problem.code == ProblemCode::Cycle));
}

#[test]
fn all_mistakes_are_reported_at_once_in_order() {
    let text = "[[rule]]\nrole='x'\nservice='['\nallow=['hear:x']\nrate='x'\n[[role]]\nname='none'\n";
    let error = Policy::parse("p.toml", text).unwrap_err();
    let lines: Vec<_> = error.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 3, 4, 7], "{error}");
}

#[test]
fn an_empty_file_has_the_built_in_roles() {
    assert_eq!(Policy::parse("p.toml", "").unwrap().roles().collect::<Vec<_>>(), ["admin", "none"]);
}

/// Rows that start a rule are the whole file; others are keys of a rule of role `r`.
fn complete(text: &str) -> String {
    if text.starts_with("[[") {
        return text.to_owned();
    }
    if text.starts_with("service") {
        return format!("[[role]]\nname = 'r'\n[[rule]]\nrole = 'r'\n{text}\nallow = ['m']\n");
    }
    format!("[[role]]\nname = 'r'\n[[rule]]\nrole = 'r'\nservice = 'S'\n{text}\n")
}

/// Texts that look like a policy, and are mostly none.
fn nearly_policies() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "[[role]]\n",
        "[[rule]]\n",
        "name = ",
        "role = ",
        "service = ",
        "allow = [",
        "]",
        "when = ",
        "rate = ",
        "burst = ",
        "objects = ",
        "inherits = [",
        "\"a\"",
        "'admin'",
        "\n",
        ",",
        "'x <= 1'",
        "'#9 ~ \"*\"'",
        "\"é[\"",
        "'1/s'",
        "'m: length(x) < 2'",
        "'read:x'",
        "7",
        "-1",
        "'*'",
        "'add::(ii)'",
        "\0",
        "'allow'",
        "deny = [",
    ]);
    prop::collection::vec(words, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn the_parser_survives_any_text(text in ".*") {
        let _ = Policy::parse("p.toml", &text).map_err(|error| error.to_string());
    }

    #[test]
    fn the_parser_survives_nearly_policies(text in nearly_policies()) {
        let _ = Policy::parse("p.toml", &text).map_err(|error| error.to_string());
    }

    #[test]
    fn any_text_in_each_place_is_read_or_refused(text in "[ -~é\u{1F600}]{0,20}", key in 0_usize..6) {
        let text = toml::Value::String(text).to_string();
        let key = ["name", "service", "allow", "when", "rate", "objects"][key];
        let value = if key == "allow" { format!("[{text}]") } else { text };
        let service = if key == "service" { "" } else { "service = 'S'\n" };
        let file = format!("[[role]]\nname = 'r'\n[[rule]]\nrole = 'r'\n{service}deny = ['m']\n{key} = {value}\n");
        let _ = Policy::parse("p.toml", &file).map_err(|error| error.to_string());
    }
}
