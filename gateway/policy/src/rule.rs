//! A rule that was checked.

use std::{fmt, sync::Arc};

use crate::{
    Glob, Kind, RateId,
    selector::{Effect, Selector, Target, USE},
    when::When,
};

/// What people know a rule by: its name, if it has one, and its place in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId {
    pub(crate) file: Arc<str>,
    pub(crate) line: usize,
    pub(crate) name: Option<Arc<str>>,
}

/// What the members of a rule belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// A service.
    Service,
    /// The objects a service returns.
    Objects,
}

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) id: RuleId,
    pub(crate) scope: Scope,
    pub(crate) service: Glob,
    pub(crate) allow: Vec<Selector>,
    pub(crate) deny: Vec<Selector>,
    /// Opens or closes the objects of a service.
    pub(crate) objects: Option<Effect>,
    pub(crate) when: Vec<When>,
    pub(crate) rate: Option<RateId>,
    /// The one rule of `admin`.
    pub(crate) everything: bool,
}

impl RuleId {
    /// The name the file gives it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where it starts, counted from 1; 0 for what is built in.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The file it is in.
    pub fn file(&self) -> &str {
        &self.file
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "rule {name:?} ({}:{})", self.file, self.line),
            None if self.line == 0 => write!(f, "the built-in rule of {}", self.file),
            None => write!(f, "the rule at {}:{}", self.file, self.line),
        }
    }
}

impl Rule {
    /// What `admin` has.
    pub(crate) fn of_admin() -> Self {
        Self {
            id: RuleId { file: "admin".into(), line: 0, name: None },
            scope: Scope::Service,
            service: Glob::parse("*").unwrap_or_else(|_| unreachable!("`*` is a pattern")),
            allow: Vec::new(),
            deny: Vec::new(),
            objects: None,
            when: Vec::new(),
            rate: None,
            everything: true,
        }
    }

    /// Whether it says something about a member, with an effect.
    pub(crate) fn covers(&self, scope: Scope, service: &str, target: &Target<'_>, effect: Effect) -> bool {
        if self.everything {
            return effect == Effect::Allow;
        }
        if !self.service.matches(service) {
            return false;
        }
        if scope == self.scope {
            let selectors = if effect == Effect::Allow { &self.allow } else { &self.deny };
            return selectors.iter().any(|selector| selector.covers(target, effect));
        }
        // A rule on objects says nothing of their service.
        scope == Scope::Objects
            && self.objects == Some(effect)
            && (effect == Effect::Deny || USE.contains(&target.kind))
    }

    /// Whether it lets something of a service be used.
    pub(crate) fn shows(&self, service: &str) -> bool {
        let uses = |selector: &Selector| selector.kinds().iter().any(|kind| *kind != Kind::Register);
        let opens = self.objects == Some(Effect::Allow) || self.allow.iter().any(uses);
        self.everything || (opens && self.service.matches(service))
    }

    /// Whether it takes nothing away, by a denial or by a rate.
    pub(crate) fn only_allows(&self) -> bool {
        self.deny.is_empty() && self.objects != Some(Effect::Deny) && self.rate.is_none()
    }

    /// Whether it closes a service altogether.
    pub(crate) fn hides(&self, service: &str) -> bool {
        self.scope == Scope::Service
            && self.when.is_empty()
            && self.service.matches(service)
            && self.deny.iter().any(Selector::is_everything)
    }
}
