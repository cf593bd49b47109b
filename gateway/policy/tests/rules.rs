//! What each kind of rule allows, and which rule wins.

use keyway_policy::{Code, Outcome, Policy};

#[test]
fn each_kind_of_rule_allows_what_it_says() {
    let policy = policy(
        r#"
        role = "r"
        service = "S"
        allow = ["say", "add::(ii)", "get*", "subscribe:touched", "signal:moved", "emit:hint", "read:level",
                 "write:gain", "property:volume", "call:manage", "call:register"]
        "#,
    );
    let rows = [
        ("S", "say", true),
        ("S", "say::(s)", true),
        ("S", "sayAll", false),
        ("S", "add::(ii)", true),
        ("S", "add::(ff)", false),
        ("S", "add", false),
        ("S", "getName", true),
        ("S", "subscribe:touched", true),
        ("S", "signal:moved", true),
        ("S", "emit:touched", false),
        ("S", "emit:hint", true),
        ("S", "subscribe:hint", false),
        ("S", "read:level", true),
        ("S", "write:level", false),
        ("S", "write:gain", true),
        ("S", "read:gain", false),
        ("S", "read:volume", true),
        ("S", "write:volume", true),
        ("S", "call:manage", true),
        ("S", "manage", false),
        ("S", "register", false),
        ("T", "say", false),
        ("S.object", "say", false),
    ];
    for (service, member, allowed) in rows {
        let explanation = policy.explain("r", service, member).unwrap();
        assert_eq!(explanation.is_allowed(), allowed, "{explanation}");
    }
}

#[test]
fn a_star_allows_use_and_denies_everything() {
    let policy = policy(
        "role = 'r'\nservice = '*'\nallow = ['*', 'register', 'manage']\n[[rule]]\nrole='r'\nservice='X*'\ndeny=['*']",
    );
    for (member, allowed) in
        [("m", true), ("read:p", true), ("write:p", true), ("subscribe:s", true), ("emit:s", false), ("manage", true)]
    {
        assert_eq!(policy.explain("r", "S", member).unwrap().is_allowed(), allowed, "{member}");
        assert_eq!(policy.explain("r", "XS", member).unwrap().code, Some(Code::Denied), "{member}");
    }
    assert!(policy.may_see("r", "S") && !policy.may_see("r", "XS"));
    assert!(policy.may_register("r", "S").is_ok());
    let refusal = policy.may_register("r", "XS").unwrap_err();
    assert_eq!((refusal.code, refusal.rule.as_ref().unwrap().line()), (Code::Denied, 7), "{refusal}");
}

#[test]
fn admin_may_do_everything_and_none_nothing() {
    let policy = Policy::default();
    for service in ["S", "S.object"] {
        for member in ["m", "m::(i)", "read:p", "write:p", "subscribe:s", "emit:s", "manage", "register"] {
            assert_eq!(policy.explain("admin", service, member).unwrap().outcome, Outcome::Allowed);
            assert_eq!(policy.explain("none", service, member).unwrap().outcome, Outcome::Denied);
            assert_eq!(policy.explain("nobody", service, member).unwrap().code, Some(Code::UnknownRole));
        }
    }
    assert!(policy.may_see("admin", "S") && !policy.may_see("none", "S"));
    assert!(policy.may_register("admin", "S").is_ok() && policy.may_register("none", "S").is_err());
}

#[test]
fn deny_wins_whatever_the_order_and_wherever_it_is_inherited_from() {
    let text = r#"
        [[role]]
        name = "base"
        [[role]]
        name = "child"
        inherits = ["base"]
        [[role]]
        name = "boss"
        inherits = ["child", "admin"]
        [[rule]]
        name = "not m"
        role = "base"
        service = "S"
        deny = ["m"]
        [[rule]]
        role = ["child", "base"]
        service = "S"
        allow = ["m", "n"]
        [[rule]]
        role = "child"
        service = "S"
        allow = ["o"]
    "#;
    let policy = Policy::parse("p.toml", text).unwrap();
    let rows = [
        ("base", "n", true),
        ("base", "m", false),
        ("base", "o", false),
        ("child", "n", true),
        ("child", "o", true),
        ("child", "m", false),
        ("boss", "anything", true),
        ("boss", "m", false),
    ];
    for (role, member, allowed) in rows {
        let explanation = policy.explain(role, "S", member).unwrap();
        assert_eq!(explanation.is_allowed(), allowed, "{explanation}");
        if member == "m" {
            assert_eq!(explanation.rule.unwrap().name(), Some("not m"));
        }
    }
    assert_eq!(policy.roles().collect::<Vec<_>>(), ["admin", "base", "boss", "child", "none"]);
}

#[test]
fn a_denial_of_one_overload_denies_the_name_whose_overload_is_not_known() {
    let policy = policy("role = 'r'\nservice = 'S'\nallow = ['add']\ndeny = ['add::(ff)']");
    assert!(policy.explain("r", "S", "add::(ii)").unwrap().is_allowed());
    assert!(!policy.explain("r", "S", "add::(ff)").unwrap().is_allowed());
    assert!(!policy.explain("r", "S", "add").unwrap().is_allowed());
}

#[test]
fn objects_have_rules_of_their_own() {
    let policy = Policy::parse(
        "p.toml",
        r#"
        [[role]]
        name = "r"
        [[rule]]
        role = "r"
        service = "Open*"
        allow = ["make"]
        objects = "allow"
        [[rule]]
        role = "r"
        service = "*"
        allow = ["*"]
        [[rule]]
        role = "r"
        service = "OpenHalf.object"
        deny = ["stop"]
        [[rule]]
        role = "r"
        service = "Ruled.object"
        allow = ["go", "manage"]
        [[rule]]
        role = "r"
        service = "OpenNot"
        objects = "deny"
        "#,
    )
    .unwrap();
    let rows = [
        ("Open.object", "anything", None),
        ("Open.object", "emit:s", Some(Code::Objects)),
        ("Open.object", "manage", Some(Code::Manage)),
        ("OpenHalf.object", "go", None),
        ("OpenHalf.object", "stop", Some(Code::Denied)),
        ("OpenHalf", "stop", None),
        ("Ruled.object", "go", None),
        ("Ruled.object", "stop", Some(Code::Objects)),
        ("Ruled.object", "manage", None),
        ("Ruled", "manage", Some(Code::Manage)),
        ("OpenNot.object", "go", Some(Code::Denied)),
        ("Other.object", "go", Some(Code::Objects)),
    ];
    for (service, member, code) in rows {
        let explanation = policy.explain("r", service, member).unwrap();
        assert_eq!(explanation.code, code, "{explanation}");
    }
}

#[test]
fn explanations_name_the_rule_and_the_next_step() {
    let policy = policy(
        "name = 'quiet'\nrole = 'r'\nservice = 'S'\ndeny = ['say']\n[[rule]]\nrole = 'r'\nservice = 'S'\nallow = ['set']\nwhen = 'value <= 0.5'\nrate = '1/s'",
    );
    let denied = policy.explain("r", "S", "say").unwrap().to_string();
    assert_eq!(
        denied,
        "role \"r\" may not use S say: KW-P002, a rule denies it, by rule \"quiet\" (p.toml:3); narrow or remove the \
         rule's `deny`; no `allow` wins over it"
    );
    let limited = policy.explain("r", "S", "set").unwrap();
    assert_eq!(limited.outcome, Outcome::Conditional);
    assert_eq!(
        limited.to_string(),
        "role \"r\" may, with limits, use S set: the rule at p.toml:8; if value <= 0.5 (the rule at p.toml:8); with the \
         rate of the rule at p.toml:8"
    );
    let default = policy.explain("r", "S", "go").unwrap().to_string();
    assert!(default.contains("KW-P001") && default.contains("add the member to `allow`"), "{default}");
}

#[test]
fn codes_are_listed_for_people() {
    let list = include_str!("../../../docs/errors.md");
    let codes = Code::ALL.iter().map(|code| code.code());
    for code in codes.chain(keyway_policy::ProblemCode::ALL.iter().map(|code| code.code())) {
        assert_eq!(list.matches(&format!("| `{code}` |")).count(), 1, "{code}");
    }
}

/// Role `r` with rules.
fn policy(rules: &str) -> Policy {
    Policy::parse("p.toml", &format!("[[role]]\nname = 'r'\n[[rule]]\n{rules}")).unwrap()
}
