//! Which rule decides, in words.

use std::fmt;

use crate::{
    Code, Policy, RuleId,
    judge::{Ground, Operation},
    parse,
    rule::Scope,
    selector::Member,
};

/// The answer to "may this role use that member".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Who asks.
    pub role: String,
    /// Of which service, or `Service.object`.
    pub service: String,
    /// For which member, as rules name it.
    pub member: String,
    /// The answer.
    pub outcome: Outcome,
    /// The code clients are refused with, if they are.
    pub code: Option<Code>,
    /// The rule that decides, if one does.
    pub rule: Option<RuleId>,
    /// What arguments must meet, or must not, each with its rule.
    pub conditions: Vec<String>,
    /// The rules whose rates count.
    pub rates: Vec<RuleId>,
}

/// Yes, no, or depending on the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Always.
    Allowed,
    /// If the arguments are within limits.
    Conditional,
    /// Never.
    Denied,
}

impl Explanation {
    /// Whether it is allowed with some arguments at least.
    pub fn is_allowed(&self) -> bool {
        self.outcome != Outcome::Denied
    }

    pub(crate) fn of(policy: &Policy, role: &str, service: &str, member: &Member) -> Self {
        let (scope, name) = match service.strip_suffix(parse::OBJECTS) {
            Some(name) => (Scope::Objects, name),
            None => (Scope::Service, service),
        };
        let target = member.target();
        let operation = Operation::of(&target);
        let judgement = policy.judge(role, scope, name, &operation);
        let mut explanation = Self {
            role: role.to_owned(),
            service: service.to_owned(),
            member: operation.text(),
            outcome: Outcome::Denied,
            code: None,
            rule: None,
            conditions: Vec::new(),
            rates: Vec::new(),
        };
        let unconditional = |grounds: &[Ground<'_>]| {
            grounds.iter().find(|ground| ground.conditions.is_empty()).map(|ground| ground.rule.id.clone())
        };
        if let Some(rule) = unconditional(&judgement.denies) {
            explanation.code = Some(Code::Denied);
            explanation.rule = Some(rule);
            return explanation;
        }
        let Some(first) = judgement.allows.first() else {
            let known = policy.has_role(role);
            explanation.code = Some(if known { operation.default_code(scope) } else { Code::UnknownRole });
            return explanation;
        };
        let free = unconditional(&judgement.allows);
        let mut conditions: Vec<_> = judgement.denies.iter().map(|ground| described("not if", ground)).collect();
        if free.is_none() {
            let allows = judgement.allows.iter().filter(|ground| !ground.conditions.is_empty());
            conditions.extend(allows.map(|ground| described("if", ground)));
        }
        explanation.outcome = if conditions.is_empty() { Outcome::Allowed } else { Outcome::Conditional };
        explanation.rule = Some(free.unwrap_or_else(|| first.rule.id.clone()));
        explanation.conditions = conditions;
        let limited = judgement.allows.iter().filter(|ground| ground.rule.rate.is_some());
        explanation.rates = limited.map(|ground| ground.rule.id.clone()).collect();
        explanation
    }
}

fn described(word: &str, ground: &Ground<'_>) -> String {
    let conditions: Vec<_> = ground.conditions.iter().map(ToString::to_string).collect();
    format!("{word} {} ({})", conditions.join(" and "), ground.rule.id)
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, service, member, outcome, code, rule, conditions, rates } = self;
        let word = match outcome {
            Outcome::Allowed => "may use",
            Outcome::Conditional => "may, with limits, use",
            Outcome::Denied => "may not use",
        };
        write!(f, "role {role:?} {word} {service} {member}: ")?;
        match (code, rule) {
            (Some(code), Some(rule)) => write!(f, "{code}, {}, by {rule}; {}", code.meaning(), code.next_step())?,
            (Some(code), None) => write!(f, "{code}, {}; {}", code.meaning(), code.next_step())?,
            (None, Some(rule)) => write!(f, "{rule}")?,
            (None, None) => f.write_str("no rule")?,
        }
        conditions.iter().try_for_each(|condition| write!(f, "; {condition}"))?;
        rates.iter().try_for_each(|rule| write!(f, "; with the rate of {rule}"))
    }
}
