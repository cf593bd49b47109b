//! Which rules speak of an operation: the one place that compilation, explanation and replay share.

use keyway_value::Signature;

use crate::{
    Code, Kind,
    condition::Condition,
    rule::{Rule, Scope},
    selector::{Effect, Target},
};

/// Something that is done to a member. Where several names could be meant, one of them suffices to deny.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation<'a> {
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
    pub(crate) signature: Option<&'a Signature>,
    /// The name of the property whose changes a signal announces: reading it allows to subscribe, and what denies reading
    /// it denies that; what denies writing it denies to emit.
    pub(crate) property: Option<&'a str>,
}

/// The rules that deny and allow something, each with the conditions under which it does.
#[derive(Debug, Default)]
pub(crate) struct Judgement<'r> {
    pub(crate) denies: Vec<Ground<'r>>,
    pub(crate) allows: Vec<Ground<'r>>,
}

#[derive(Debug)]
pub(crate) struct Ground<'r> {
    pub(crate) rule: &'r Rule,
    pub(crate) conditions: Vec<&'r Condition>,
}

/// Weighs all rules of a role.
pub(crate) fn judge<'r>(
    rules: impl Iterator<Item = &'r Rule>,
    scope: Scope,
    service: &str,
    operation: &Operation<'_>,
) -> Judgement<'r> {
    let mut judgement = Judgement::default();
    for rule in rules {
        for effect in [Effect::Deny, Effect::Allow] {
            let mut targets = operation.targets(effect).into_iter().flatten();
            let Some(target) = targets.find(|target| rule.covers(scope, service, target, effect)) else {
                continue;
            };
            let conditions = rule.when.iter().filter(|when| when.applies(service, &target));
            let ground = Ground { rule, conditions: conditions.map(|when| &when.condition).collect() };
            match effect {
                Effect::Allow => judgement.allows.push(ground),
                // In a rule that denies under conditions for other members only, this one is denied always.
                Effect::Deny => judgement.denies.push(ground),
            }
        }
    }
    judgement
}

impl<'a> Operation<'a> {
    pub(crate) const fn of(target: &Target<'a>) -> Self {
        Self { kind: target.kind, name: target.name, signature: target.signature, property: None }
    }

    /// What rules of an effect may say to be meant.
    fn targets(&self, effect: Effect) -> [Option<Target<'a>>; 2] {
        let own = Target { kind: self.kind, name: self.name, signature: self.signature };
        let other = match (self.kind, effect) {
            (Kind::Subscribe, _) => Some(Kind::Read),
            (Kind::Emit, Effect::Deny) => Some(Kind::Write),
            _ => None,
        };
        let other = self.property.zip(other).map(|(name, kind)| Target { kind, name, signature: None });
        [Some(own), other]
    }

    /// The code of a refusal that no rule caused.
    pub(crate) fn default_code(&self, scope: Scope) -> Code {
        match self.kind {
            Kind::Manage => Code::Manage,
            Kind::Register => Code::Register,
            _ if scope == Scope::Objects => Code::Objects,
            _ => Code::NoRule,
        }
    }

    /// As rules name it.
    pub(crate) fn text(&self) -> String {
        match (self.kind, self.signature) {
            (Kind::Manage | Kind::Register, _) => self.kind.to_string(),
            (Kind::Call, Some(signature)) => format!("{}::{signature}", self.name),
            (Kind::Call, None) => self.name.to_owned(),
            _ => format!("{}:{}", self.kind, self.name),
        }
    }
}
