//! Policies, and calls that they judge.

use std::{sync::LazyLock, time::Instant};

use bytes::Bytes;
use keyway_policy::{Arguments, Decision, Policy, RateId, RateLimiter};
use keyway_value::{ActionId, MetaMethodParameter, MetaObject, Signature};

/// A policy as text; behind a byte that no text has, the arguments of calls. A text that is no policy is refused with places in it.
/// By action id and by name a policy says the same, and what it does not allow it refuses with a reason.
pub fn policy(data: &[u8]) {
    let (text, payload) = data.split_at(data.iter().position(|byte| *byte == BEHIND).unwrap_or(data.len()));
    let Ok(text) = std::str::from_utf8(text) else { return };
    let payload = Bytes::copy_from_slice(payload.get(1..).unwrap_or_default());
    let policy = match Policy::parse("policy.toml", text) {
        Ok(policy) => policy,
        Err(error) => {
            assert!(!error.problems.is_empty(), "refused without a reason");
            let lines = text.split('\n').count();
            for problem in &error.problems {
                assert!((1..=lines).contains(&problem.line) && problem.column > 0, "{error}");
            }
            drop(error.to_string());
            return;
        }
    };
    let (mut limiter, now) = (RateLimiter::new(&policy), Instant::now());
    let mut count = |rates: &[RateId]| {
        let _ = limiter.take(now, rates, Default::default).map_err(|refused| refused.to_string());
    };
    let strangers = ["nobody"];
    for role in policy.roles().take(8).chain(strangers) {
        for service in SERVICES {
            judge(&policy, role, service, &payload, &mut count);
        }
    }
}

fn judge(policy: &Policy, role: &str, service: &str, payload: &Bytes, count: &mut impl FnMut(&[RateId])) {
    let _ = policy.may_register(role, service).map_err(|refusal| refusal.to_string());
    let (access, of_objects) = (policy.access(role, service, &BOT), policy.object_access(role, service, &BOT));
    let shown = access.filter_metaobject(&BOT);
    for (id, method) in BOT.methods.range(ActionId::FIRST_USER.0..) {
        let member = format!("{}::{}", method.name, method.parameters_signature);
        for (access, service) in [(&access, service.to_owned()), (&of_objects, format!("{service}.object"))] {
            let explained =
                policy.explain(role, &service, &member).expect("a method's name and parameters are a member");
            drop(explained.to_string());
            let decision = access.call(ActionId(*id));
            assert_eq!(!matches!(decision, Decision::Deny(_)), explained.is_allowed(), "{explained}");
            weigh(decision, payload, count);
        }
        assert_eq!(
            shown.methods.contains_key(id),
            !matches!(access.call(ActionId(*id)), Decision::Deny(_)),
            "{member}"
        );
    }
    for (id, signal) in BOT.signals.range(ActionId::FIRST_USER.0..) {
        for kind in ["subscribe", "emit"] {
            drop(
                policy.explain(role, service, &format!("{kind}:{}", signal.name)).expect("a signal's name").to_string(),
            );
        }
        weigh(access.subscribe(ActionId(*id)), payload, count);
        weigh(access.emit(ActionId(*id)), payload, count);
    }
    for id in BOT.properties.keys() {
        weigh(access.read(ActionId(*id)), payload, count);
        weigh(access.write(ActionId(*id)), payload, count);
    }
    // Members that every object has, and those that this one has not.
    for id in (0..ActionId::FIRST_USER.0).chain([ActionId::FIRST_USER.0 + 50, u32::MAX]) {
        weigh(access.call(ActionId(id)), payload, count);
        weigh(access.post(ActionId(id)), payload, count);
    }
}

fn weigh(decision: Decision<'_>, payload: &Bytes, count: &mut impl FnMut(&[RateId])) {
    match decision {
        Decision::Allow { rates } => count(rates),
        Decision::AllowIfArguments(checker) => {
            let dynamic = Signature::dynamic();
            for signature in [None, Some(&dynamic)] {
                match checker.check(&Arguments { signature, ..Arguments::new(payload) }) {
                    Ok(rates) => count(&rates),
                    Err(refusal) => drop(refusal.to_string()),
                }
            }
        }
        Decision::Deny(refusal) => drop(refusal.to_string()),
        Decision::Inspect(_) => {}
    }
}

/// Has members with the names that the kept policies speak of.
static BOT: LazyLock<MetaObject> = LazyLock::new(|| {
    let signature = |text: &str| text.parse().expect("a signature");
    let mut object = MetaObject::builder();
    for (name, parameters) in METHODS {
        object.method(name, signature(parameters), Signature::void());
    }
    object.signal("touched", signature("(i)"));
    object.property("volume", signature("f"));
    let mut object = object.build();
    let named = |name: &str| MetaMethodParameter { name: name.to_owned(), description: String::new() };
    for method in object.methods.values_mut().filter(|method| method.name == "set") {
        method.parameters = vec![named("name"), named("value")];
    }
    object
});

const METHODS: [(&str, &str); 8] = [
    ("say", "(s)"),
    ("set", "(sf)"),
    ("set", "(mm)"),
    ("add", "(ii)"),
    ("move", "([f])"),
    ("names", "([s])"),
    ("map", "({si})"),
    ("stop", "()"),
];
const SERVICES: [&str; 3] = ["Robot", "ALMotion", "s"];
/// No byte of UTF-8.
const BEHIND: u8 = 0xff;
