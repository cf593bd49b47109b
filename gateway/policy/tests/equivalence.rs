//! The compiled lookup against an interpreter of the rules that was written from their description alone.

use std::collections::BTreeSet;

use keyway_policy::{Decision, Policy};
use keyway_value::{ActionId, MetaObject, Signature};
use proptest::prelude::*;

/// A rule as it is written, of the role with its number.
#[derive(Debug, Clone)]
struct Written {
    role: usize,
    service: &'static str,
    allow: Vec<&'static str>,
    deny: Vec<&'static str>,
    objects: Option<&'static str>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn compiled_lookup_equals_the_naive_interpreter(
        rules in prop::collection::vec(rules(), 0..8),
        parents in prop::collection::vec(prop::collection::vec(any::<bool>(), ROLES), ROLES),
        service in prop::sample::select(vec!["A", "AB", "B", "C"]),
        of_objects: bool,
    ) {
        let text = written(&rules, &parents);
        let policy = Policy::parse("p.toml", &text).unwrap();
        let metaobject = metaobject();
        for role in 0..ROLES {
            let name = format!("r{role}");
            let access = if of_objects {
                policy.object_access(&name, service, &metaobject)
            } else {
                policy.access(&name, service, &metaobject)
            };
            let inherited = inherited(role, &parents);
            let own: Vec<_> = rules.iter().filter(|rule| inherited.contains(&rule.role)).collect();
            let may = |member: (&str, &str, &str)| naive(&own, service, of_objects, &[member], &[member]);
            for (id, method) in metaobject.methods.range(100..) {
                let parameters = method.parameters_signature.to_string();
                let expected = may(("call", &method.name, &parameters));
                prop_assert_eq!(allowed(access.call(ActionId(*id))), expected, "{} {} {}\n{}", name, method.name, parameters, text);
                let shown = format!("{}::{parameters}", method.name);
                let asked = if of_objects { format!("{service}.object") } else { service.to_owned() };
                prop_assert_eq!(policy.explain(&name, &asked, &shown).unwrap().is_allowed(), expected, "{}\n{}", shown, text);
                prop_assert_eq!(access.filter_metaobject(&metaobject).methods.contains_key(id), expected);
            }
            for (id, signal) in metaobject.signals.range(100..) {
                let mut subscribe = vec![("subscribe", signal.name.as_str(), "")];
                let emit = vec![("emit", signal.name.as_str(), "")];
                let mut not_emit = emit.clone();
                if metaobject.properties.contains_key(id) {
                    subscribe.push(("read", &signal.name, ""));
                    not_emit.push(("write", &signal.name, ""));
                }
                let expected = naive(&own, service, of_objects, &subscribe, &subscribe);
                prop_assert_eq!(allowed(access.subscribe(ActionId(*id))), expected, "{} {}\n{}", name, signal.name, text);
                let expected = naive(&own, service, of_objects, &emit, &not_emit);
                prop_assert_eq!(allowed(access.emit(ActionId(*id))), expected, "{} {}\n{}", name, signal.name, text);
            }
            for (id, property) in &metaobject.properties {
                prop_assert_eq!(allowed(access.read(ActionId(*id))), may(("read", &property.name, "")), "{}", text);
                prop_assert_eq!(allowed(access.write(ActionId(*id))), may(("write", &property.name, "")), "{}", text);
            }
            prop_assert_eq!(allowed(access.call(ActionId::STATS)), may(("manage", "", "")), "{}", text);
            let registers = naive(&own, service, false, &[("register", "", "")], &[("register", "", "")]);
            prop_assert_eq!(policy.may_register(&name, service).is_ok(), registers, "{}", text);
        }
    }
}

/// Whether some rule allows one of the first members and none denies one of the others.
fn naive(
    rules: &[&Written],
    service: &str,
    of_objects: bool,
    allow: &[(&str, &str, &str)],
    deny: &[(&str, &str, &str)],
) -> bool {
    let says = |rule: &Written, effect: &str, members: &[(&str, &str, &str)]| {
        let (pattern, on_objects) = match rule.service.strip_suffix(".object") {
            Some(pattern) => (pattern, true),
            None => (rule.service, false),
        };
        if !named(pattern, service) || (on_objects && !of_objects) {
            return false;
        }
        let texts = if effect == "allow" { &rule.allow } else { &rule.deny };
        if on_objects == of_objects {
            return members.iter().any(|member| texts.iter().any(|text| means(text, effect, *member)));
        }
        match effect {
            "deny" => rule.objects == Some("deny") || texts.contains(&"*"),
            _ if rule.deny.contains(&"*") => false,
            _ => {
                let used = members.iter().any(|(kind, ..)| ["call", "read", "subscribe", "write"].contains(kind));
                rule.objects == Some("allow") && used
            }
        }
    };
    rules.iter().any(|rule| says(rule, "allow", allow)) && !rules.iter().any(|rule| says(rule, "deny", deny))
}

fn means(text: &str, effect: &str, (kind, name, parameters): (&str, &str, &str)) -> bool {
    match text {
        "*" => effect == "deny" || ["call", "read", "subscribe", "write"].contains(&kind),
        "manage" | "register" => text == kind,
        _ => {
            let (head, wanted) = text.split_once("::").map_or((text, None), |(head, wanted)| (head, Some(wanted)));
            let (prefix, pattern) = head.split_once(':').unwrap_or(("call", head));
            let kinds: &[&str] = match prefix {
                "property" => &["read", "write"],
                "signal" => &["subscribe"],
                _ => &[prefix],
            };
            kinds.contains(&kind) && named(pattern, name) && wanted.is_none_or(|wanted| wanted == parameters)
        }
    }
}

/// Patterns with a star at their end only.
fn named(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

fn inherited(role: usize, parents: &[Vec<bool>]) -> BTreeSet<usize> {
    // A role inherits those with a smaller number only, so that there is no cycle.
    let own = (0..role).filter(|parent| parents[role][*parent]);
    own.flat_map(|parent| inherited(parent, parents)).chain([role]).collect()
}

fn written(rules: &[Written], parents: &[Vec<bool>]) -> String {
    let mut text = String::new();
    for (role, parents) in parents.iter().enumerate() {
        let from: Vec<_> = (0..role).filter(|parent| parents[*parent]).map(|parent| format!("r{parent}")).collect();
        text += &format!("[[role]]\nname = 'r{role}'\ninherits = {from:?}\n");
    }
    for Written { role, service, allow, deny, objects } in rules {
        text += &format!("[[rule]]\nrole = 'r{role}'\nservice = '{service}'\nallow = {allow:?}\ndeny = {deny:?}\n");
        if let Some(objects) = objects {
            text += &format!("objects = '{objects}'\n");
        }
    }
    text
}

fn rules() -> impl Strategy<Value = Written> {
    let members = || {
        prop::sample::select(vec![
            "*",
            "a",
            "a*",
            "ab",
            "add",
            "add::(ii)",
            "call:*",
            "subscribe:*",
            "signal:s",
            "emit:*",
            "emit:p",
            "read:p",
            "write:*",
            "property:p*",
            "manage",
            "register",
            "subscribe:p",
        ])
    };
    let services = prop::sample::select(vec!["*", "A", "A*", "B", "*.object", "A.object", "A*.object"]);
    let objects = prop::sample::select(vec![None, Some("allow"), Some("deny")]);
    let lists = || prop::collection::vec(members(), 0..4);
    (0..ROLES, services, lists(), lists(), objects).prop_filter_map(
        "a rule says something",
        |(role, service, allow, deny, objects)| {
            let objects = objects.filter(|_| !service.ends_with(".object"));
            let says = !allow.is_empty() || !deny.is_empty() || objects.is_some();
            says.then_some(Written { role, service, allow, deny, objects })
        },
    )
}

fn metaobject() -> MetaObject {
    let signature = |text: &str| Signature::parse(text).unwrap();
    let mut builder = MetaObject::builder();
    for (name, parameters) in [("a", "()"), ("ab", "(s)"), ("add", "(ii)"), ("add", "(ff)"), ("manage", "()")] {
        builder.method(name, signature(parameters), Signature::void());
    }
    builder.signal("s", signature("(i)"));
    builder.property("p", signature("f"));
    builder.property("pq", signature("s"));
    let mut metaobject = builder.build();
    // An id far from the others is found too.
    let mut far = metaobject.methods[&100].clone();
    far.uid = 1_000_000;
    metaobject.methods.insert(1_000_000, far);
    metaobject
}

fn allowed(decision: Decision<'_>) -> bool {
    matches!(decision, Decision::Allow { .. })
}

const ROLES: usize = 3;
