//! The compiled form: every id, reserved ones included.

use keyway_policy::{Code, Decision, Inspection, Policy, ServiceAccess};
use keyway_value::{ActionId, MetaMethod, MetaObject, MetaSignal, Signature};

#[test]
fn a_role_that_may_say_can_do_that_and_nothing_else() {
    let (metaobject, ids) = speech();
    let policy = policy("allow = ['say']");
    let access = policy.access("r", "ALTextToSpeech", &metaobject);
    assert!(matches!(access.call(ids.say), Decision::Allow { rates: [] }));
    assert!(matches!(access.post(ids.say), Decision::Allow { rates: [] }));
    for decision in [
        access.call(ids.stop),
        access.post(ids.stop),
        access.call(ids.done),
        access.post(ids.done),
        access.emit(ids.done),
        access.subscribe(ids.done),
        access.subscribe(ids.volume),
        access.read(ids.volume),
        access.write(ids.volume),
        access.post(ids.volume),
        access.subscribe(ActionId::TRACE_OBJECT),
        access.emit(ActionId::TRACE_OBJECT),
        access.post(ActionId::TRACE_OBJECT),
        access.call(ActionId::TRACE_OBJECT),
    ] {
        let Decision::Deny(refusal) = decision else { panic!("{decision:?}") };
        assert!(refusal.rule.is_none());
    }
    for id in (80..=85).chain([4, 9, 50, 79, 86, 87, 99]) {
        assert!(matches!(access.call(ActionId(id)), Decision::Deny(_)), "{id}");
        assert!(matches!(access.post(ActionId(id)), Decision::Deny(_)), "{id}");
    }
    assert_eq!(code(access.call(ActionId(4_000_000_000))), Code::UnknownMember);
    assert_eq!(code(access.call(ActionId::STATS)), Code::Manage);
    let objects = policy.object_access("r", "ALTextToSpeech", &metaobject);
    assert_eq!(code(objects.call(ids.say)), Code::Objects);
    assert!(matches!(objects.call(ActionId::TERMINATE), Decision::Allow { .. }));
}

#[test]
fn members_of_every_object_are_decided_by_what_they_are_about() {
    let (metaobject, _) = speech();
    let access = policy("allow = ['say']").access("r", "ALTextToSpeech", &metaobject);
    let rows = [
        (ActionId::REGISTER_EVENT, Some(Inspection::Subscription)),
        (ActionId::REGISTER_EVENT_WITH_SIGNATURE, Some(Inspection::Subscription)),
        (ActionId::UNREGISTER_EVENT, None),
        (ActionId::META_OBJECT, Some(Inspection::MetaObject)),
        (ActionId::TERMINATE, None),
        (ActionId::PROPERTY, Some(Inspection::Read)),
        (ActionId::SET_PROPERTY, Some(Inspection::Write)),
        (ActionId::PROPERTIES, Some(Inspection::PropertyNames)),
    ];
    for (action, expected) in rows {
        match access.call(action) {
            Decision::Inspect(inspection) => assert_eq!(Some(inspection), expected, "{action}"),
            Decision::Allow { rates: [] } => assert_eq!(None, expected, "{action}"),
            other => panic!("{action}: {other:?}"),
        }
    }
    let hidden = policy("allow = ['say']").access("r", "Other", &metaobject);
    for (action, _) in rows {
        assert_eq!(code(hidden.call(action)), Code::HiddenService, "{action}");
    }
    assert_eq!(hidden.filter_metaobject(&metaobject), MetaObject::default());
}

#[test]
fn statistics_and_traces_need_manage() {
    let (metaobject, _) = speech();
    let access = policy("allow = ['manage']").access("r", "ALTextToSpeech", &metaobject);
    assert!((80..=85).all(|id| allowed(access.call(ActionId(id)))));
    assert!(allowed(access.subscribe(ActionId::TRACE_OBJECT)));
    let shown = access.filter_metaobject(&metaobject);
    assert!(shown.methods.contains_key(&82) && shown.signals.contains_key(&86) && !shown.methods.contains_key(&100));
    let access = policy("allow = ['*']").access("r", "ALTextToSpeech", &metaobject);
    assert!(!(80..=85).any(|id| allowed(access.call(ActionId(id)))));
    assert!(!allowed(access.subscribe(ActionId::TRACE_OBJECT)));
    let shown = access.filter_metaobject(&metaobject);
    assert!(!shown.methods.contains_key(&82) && !shown.signals.contains_key(&86) && shown.methods.contains_key(&100));
}

#[test]
fn metaobjects_hold_what_may_be_used() {
    let (metaobject, ids) = speech();
    let rows: [(&str, [&[ActionId]; 3]); 5] = [
        ("allow = ['say']", [&[ids.say], &[], &[]]),
        ("allow = ['signal:done']", [&[], &[ids.done], &[]]),
        ("allow = ['read:volume']", [&[], &[ids.volume], &[ids.volume]]),
        ("allow = ['write:volume']", [&[], &[], &[ids.volume]]),
        ("allow = ['*']\ndeny = ['stop', 'property:volume']", [&[ids.say], &[ids.done], &[]]),
    ];
    for (rules, [methods, signals, properties]) in rows {
        let shown = policy(rules).access("r", "ALTextToSpeech", &metaobject).filter_metaobject(&metaobject);
        let own = |ids: Vec<u32>| ids.into_iter().filter(|id| *id >= 100).map(ActionId).collect::<Vec<_>>();
        assert_eq!(own(shown.methods.keys().copied().collect()), methods, "{rules}");
        assert_eq!(own(shown.signals.keys().copied().collect()), signals, "{rules}");
        assert_eq!(own(shown.properties.keys().copied().collect()), properties, "{rules}");
        assert!([0, 1, 2, 3, 5, 6, 7, 8].iter().all(|id| shown.methods.contains_key(id)), "{rules}");
    }
}

#[test]
fn changes_of_a_property_are_as_secret_as_its_value() {
    let (metaobject, ids) = speech();
    let access = |rules: &str| policy(rules).access("r", "ALTextToSpeech", &metaobject);
    assert!(allowed(access("allow = ['read:volume']").subscribe(ids.volume)));
    assert!(!allowed(access("allow = ['write:volume']").subscribe(ids.volume)));
    assert!(!allowed(access("allow = ['*']\ndeny = ['read:volume']").subscribe(ids.volume)));
    assert!(!allowed(access("allow = ['*', 'emit:*']\ndeny = ['write:volume']").emit(ids.volume)));
}

#[test]
fn a_metaobject_that_lies_about_its_ids_gains_nothing() {
    let (mut metaobject, ids) = speech();
    let say = metaobject.methods[&ids.say.0].clone();
    for id in [4, 6, 82, u32::MAX] {
        metaobject.methods.insert(id, MetaMethod { uid: id, ..say.clone() });
    }
    metaobject.signals.insert(86, MetaSignal { uid: 86, name: "done".into(), signature: Signature::tuple([]) });
    // Both a method and a signal.
    let signal = MetaSignal { uid: ids.say.0, name: "secret".into(), signature: Signature::tuple([]) };
    metaobject.signals.insert(ids.say.0, signal);
    let access = policy("allow = ['say', 'signal:done', 'emit:done']").access("r", "ALTextToSpeech", &metaobject);
    assert!(!allowed(access.call(ActionId(82))) && !allowed(access.call(ActionId(4))));
    assert!(matches!(access.call(ActionId(6)), Decision::Inspect(Inspection::Write)));
    assert!(!allowed(access.subscribe(ActionId(86))) && !allowed(access.emit(ActionId(86))));
    assert!(allowed(access.call(ActionId(u32::MAX))));
    assert!(allowed(access.call(ids.say)) && !allowed(access.post(ids.say)));
}

#[test]
fn overloads_are_told_apart() {
    let mut builder = MetaObject::builder();
    let ints = builder.method("add", signature("(ii)"), signature("i"));
    let floats = builder.method("add", signature("(ff)"), signature("f"));
    let metaobject = builder.build();
    let access = policy("allow = ['add::(ii)']").access("r", "ALTextToSpeech", &metaobject);
    assert!(allowed(access.call(ints)) && !allowed(access.call(floats)));
    let access = policy("allow = ['add']\ndeny = ['add::(ii)']").access("r", "ALTextToSpeech", &metaobject);
    assert!(!allowed(access.call(ints)) && allowed(access.call(floats)));
}

struct Ids {
    say: ActionId,
    stop: ActionId,
    done: ActionId,
    volume: ActionId,
}

fn speech() -> (MetaObject, Ids) {
    let mut builder = MetaObject::builder();
    let say = builder.method("say", signature("(s)"), signature("v"));
    let stop = builder.method("stop", signature("()"), signature("v"));
    let done = builder.signal("done", signature("(b)"));
    let volume = builder.property("volume", signature("f"));
    (builder.build(), Ids { say, stop, done, volume })
}

fn policy(rules: &str) -> Policy {
    let text = format!("[[role]]\nname = 'r'\n[[rule]]\nrole = 'r'\nservice = 'ALTextToSpeech'\n{rules}\n");
    Policy::parse("p.toml", &text).unwrap()
}

fn signature(text: &str) -> Signature {
    Signature::parse(text).unwrap()
}

fn allowed(decision: Decision<'_>) -> bool {
    matches!(decision, Decision::Allow { .. })
}

fn code(decision: Decision<'_>) -> Code {
    match decision {
        Decision::Deny(refusal) => refusal.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn snapshots_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<ServiceAccess>();
    shared::<Policy>();
}
