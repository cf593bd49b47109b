//! Policies from audit logs, and what a change would have done.

use keyway_policy::{Kind, Observed, Outcome, Policy, learn, replay};
use proptest::prelude::*;

#[test]
fn what_was_observed_is_allowed_and_nothing_else() {
    let observed = [
        observed("web", "ALTextToSpeech", "say::(s)", Kind::Call),
        observed("web", "ALTextToSpeech", "say::(s)", Kind::Call),
        observed("web", "ALTextToSpeech", "volume", Kind::Read),
        observed("web", "ALVideo.object", "stop", Kind::Call),
        observed("host", "Ext[1]", "", Kind::Register),
        observed("admin", "ALMotion", "move", Kind::Call),
    ];
    let text = learn(&observed).unwrap();
    assert_eq!(
        text,
        "[[role]]\nname = \"host\"\n\n[[role]]\nname = \"web\"\n\n[[rule]]\nrole = \"host\"\nservice = \"Ext[[]1]\"\n\
         allow = [\"register\"]\n\n[[rule]]\nrole = \"web\"\nservice = \"ALTextToSpeech\"\n\
         allow = [\"call:say::(s)\", \"read:volume\"]\n\n[[rule]]\nrole = \"web\"\nservice = \"ALVideo.object\"\n\
         allow = [\"call:stop\"]\n"
    );
    let policy = Policy::parse("learned.toml", &text).unwrap();
    let rows = [
        ("web", "ALTextToSpeech", "say::(s)", true),
        ("web", "ALTextToSpeech", "say::(i)", false),
        ("web", "ALTextToSpeech", "write:volume", false),
        ("web", "ALVideo.object", "stop", true),
        ("web", "ALVideo", "stop", false),
        ("host", "Ext[1]", "register", true),
        ("host", "Ext1", "register", false),
        ("host", "ALTextToSpeech", "say::(s)", false),
    ];
    for (role, service, member, allowed) in rows {
        assert_eq!(policy.explain(role, service, member).unwrap().is_allowed(), allowed, "{role} {service} {member}");
    }
}

#[test]
fn differences_between_policies_are_listed_once() {
    let start = "[[role]]\nname = 'r'\n[[rule]]\nrole = 'r'\nservice = 'S'\n";
    let before = Policy::parse("old", &format!("{start}allow = ['a', 'b']")).unwrap();
    let limited = "[[rule]]\nrole = 'r'\nservice = 'S'\nallow = ['b']\nwhen = '#0 < 1'";
    let after = Policy::parse("new", &format!("{start}allow = ['a', 'c']\n{limited}")).unwrap();
    let log = ["a", "b", "b", "c", "d"].map(|member| observed("r", "S", member, Kind::Call));
    let differences = replay(&before, &after, &log).unwrap();
    let found: Vec<_> = differences
        .iter()
        .map(|difference| (difference.observed.member.as_str(), difference.before.outcome, difference.after.outcome))
        .collect();
    assert_eq!(found, [("b", Outcome::Allowed, Outcome::Conditional), ("c", Outcome::Denied, Outcome::Allowed)]);
    assert!(replay(&after, &after, &log).unwrap().is_empty());
    let moved = Policy::parse("new", &format!("\n\n{start}allow = ['a', 'c']\n{limited}")).unwrap();
    assert!(replay(&after, &moved, &log).unwrap().is_empty());
    let wider = Policy::parse("new", &format!("{start}allow = ['a', 'c']\n{}", limited.replace("< 1", "< 2"))).unwrap();
    assert_eq!(replay(&after, &wider, &log).unwrap().len(), 1);
}

proptest! {
    #[test]
    fn learned_policies_allow_exactly_what_was_observed(
        log in prop::collection::vec(accesses(), 1..12),
        other in accesses(),
    ) {
        let policy = Policy::parse("learned.toml", &learn(&log).unwrap()).unwrap();
        let all = replay(&Policy::default(), &policy, &log).unwrap();
        let unique: std::collections::BTreeSet<_> = log.iter().collect();
        prop_assert_eq!(all.len(), unique.len());
        if !unique.contains(&other) {
            prop_assert!(replay(&Policy::default(), &policy, &[other]).unwrap().is_empty());
        }
    }
}

fn accesses() -> impl Strategy<Value = Observed> {
    let name = "[ab*?\\[\\]!\"\\\\-]{1,3}";
    let kinds = prop::sample::select(Kind::ALL.to_vec());
    ("[rq]", name, name, kinds, any::<bool>()).prop_map(|(role, service, member, kind, object)| {
        let service = if object { format!("{service}.object") } else { service };
        observed(&role, &service, if kind.has_member() { &member } else { "" }, kind)
    })
}

fn observed(role: &str, service: &str, member: &str, kind: Kind) -> Observed {
    Observed { role: role.into(), service: service.into(), member: member.into(), kind }
}
