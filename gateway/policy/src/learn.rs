//! The narrowest policy for what was observed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{Glob, Kind, MemberError, parse, selector::Member};

/// One access of an audit log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Observed {
    /// Who.
    pub role: String,
    /// Of which service, or `Service.object`; the registered name for [`Kind::Register`].
    pub service: String,
    /// The member: a name, for methods best with parameters (`add::(ii)`). Empty for what is about a service.
    pub member: String,
    /// What was done with it.
    pub kind: Kind,
}

/// Writes a policy that allows what was observed, and nothing else. `admin` needs no rules and gets none.
pub fn learn(observed: &[Observed]) -> Result<String, MemberError> {
    let mut allowed: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for access in observed {
        let member = selector(access)?;
        allowed.entry((&access.role, &access.service)).or_default().insert(member);
    }
    allowed.retain(|(role, _), _| ![parse::ADMIN, parse::NONE].contains(role));
    let names: BTreeSet<_> = allowed.keys().map(|(role, _)| *role).collect();
    let rules = allowed.iter().map(|((role, service), members)| LearnedRule {
        role,
        service: pattern(service),
        allow: members.iter().cloned().collect(),
    });
    let learned = Learned { role: names.into_iter().map(|name| LearnedRole { name }).collect(), rule: rules.collect() };
    // Texts and lists of texts can be written always.
    Ok(toml::to_string(&learned).unwrap_or_default())
}

/// A rule that matches the service only.
fn pattern(service: &str) -> String {
    match service.strip_suffix(parse::OBJECTS) {
        Some(service) => format!("{}{}", Glob::escape(service), parse::OBJECTS),
        None => Glob::escape(service),
    }
}

fn selector(access: &Observed) -> Result<String, MemberError> {
    if !access.kind.has_member() {
        return Ok(access.kind.to_string());
    }
    let member = Member::new(access.kind, &access.member)?;
    let name = Glob::escape(&member.name);
    Ok(match member.signature {
        _ if access.kind != Kind::Call => format!("{}:{name}", access.kind),
        Some(signature) => format!("call:{name}::{signature}"),
        // Names such as `manage` mean something else without it.
        None => format!("call:{name}"),
    })
}

#[derive(Serialize)]
struct Learned<'a> {
    role: Vec<LearnedRole<'a>>,
    rule: Vec<LearnedRule<'a>>,
}

#[derive(Serialize)]
struct LearnedRole<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct LearnedRule<'a> {
    role: &'a str,
    service: String,
    allow: Vec<String>,
}
