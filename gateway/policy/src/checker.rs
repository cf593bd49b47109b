//! Calls whose arguments decide.

use std::sync::Arc;

use bytes::Bytes;
use keyway_value::{Decoder, Limits, ObjectLayout, Signature, Type};

use crate::{
    Code, RateId, Refusal, RuleId,
    condition::{Condition, Quantifier, Undecidable, holds},
    judge::{Ground, Judgement},
};

/// The rules that allow or deny one member by its arguments.
#[derive(Debug, Clone)]
pub struct Checker {
    denies: Vec<Arm>,
    allows: Vec<Arm>,
    /// The tuple of parameters.
    declared: Signature,
    role: Arc<str>,
    service: Arc<str>,
    member: String,
}

/// The arguments of a call, as they came.
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'a> {
    /// Their bytes.
    pub payload: &'a Bytes,
    /// Their type, if it is another than the declared one: `m` for a payload with a signature of its own.
    pub signature: Option<&'a Signature>,
    /// How objects are written on this connection.
    pub layout: ObjectLayout,
}

#[derive(Debug, Clone)]
struct Arm {
    rule: RuleId,
    rate: Option<RateId>,
    /// With the positions of their parameters, if the method has them.
    conditions: Vec<(Condition, Option<usize>)>,
}

impl<'a> Arguments<'a> {
    /// Of the declared types.
    pub fn new(payload: &'a Bytes) -> Self {
        Self { payload, signature: None, layout: ObjectLayout::default() }
    }
}

impl Checker {
    pub(crate) fn new(
        judgement: &Judgement<'_>,
        declared: &Signature,
        names: &[&str],
        (role, service): (&Arc<str>, &Arc<str>),
        member: String,
    ) -> Self {
        let arm = |ground: &Ground<'_>| Arm {
            rule: ground.rule.id.clone(),
            rate: ground.rule.rate,
            conditions: ground
                .conditions
                .iter()
                .map(|condition| ((*condition).clone(), condition.parameter.position(names)))
                .collect(),
        };
        Self {
            denies: judgement.denies.iter().map(arm).collect(),
            allows: judgement.allows.iter().map(arm).collect(),
            declared: declared.clone(),
            role: Arc::clone(role),
            service: Arc::clone(service),
            member,
        }
    }

    /// The rates that a call counts for, if it is allowed. What cannot be decided is refused.
    pub fn check(&self, arguments: &Arguments<'_>) -> Result<Vec<RateId>, Box<Refusal>> {
        for deny in &self.denies {
            match self.met(deny, arguments, Quantifier::Any) {
                Ok(None) => return Err(self.refusal(Code::Denied, deny, None)),
                Ok(Some(_)) => {}
                Err((condition, error)) => {
                    let detail = format!("{condition}: {error}");
                    return Err(self.refusal(Code::UnreadableArguments, deny, Some(detail)));
                }
            }
        }
        let mut rates = Vec::new();
        let mut allowed = false;
        let mut refusal = None;
        for allow in &self.allows {
            let refused = match self.met(allow, arguments, Quantifier::All) {
                Ok(None) => {
                    allowed = true;
                    rates.extend(allow.rate);
                    continue;
                }
                Ok(Some(missed)) => (Code::Arguments, missed.to_string()),
                Err((condition, error)) => (Code::UnreadableArguments, format!("{condition}: {error}")),
            };
            refusal.get_or_insert_with(|| self.refusal(refused.0, allow, Some(refused.1)));
        }
        match refusal {
            Some(refusal) if !allowed => Err(refusal),
            None if !allowed => Err(Box::new(Refusal {
                code: Code::NoRule,
                rule: None,
                role: self.role.to_string(),
                service: self.service.to_string(),
                member: self.member.clone(),
                detail: None,
            })),
            _ => Ok(rates),
        }
    }

    /// The first condition that is not met, if one is not.
    fn met<'c>(
        &self,
        arm: &'c Arm,
        arguments: &Arguments<'_>,
        quantifier: Quantifier,
    ) -> Result<Option<&'c Condition>, (&'c Condition, Undecidable)> {
        for (condition, position) in &arm.conditions {
            let held = position
                .ok_or(Undecidable::NoParameter)
                .and_then(|position| self.holds(condition, position, arguments, quantifier));
            match held {
                Ok(true) => {}
                Ok(false) => return Ok(Some(condition)),
                Err(error) => return Err((condition, error)),
            }
        }
        Ok(None)
    }

    fn holds(
        &self,
        condition: &Condition,
        position: usize,
        arguments: &Arguments<'_>,
        quantifier: Quantifier,
    ) -> Result<bool, Undecidable> {
        let mut decoder = Decoder::with(arguments.payload, arguments.layout, Limits::default(), None);
        let mut actual = arguments.signature.unwrap_or(&self.declared).clone();
        let mut wraps = 0;
        while let Type::Dynamic = actual.kind() {
            wraps += 1;
            if wraps > MAX_WRAPS {
                return Err(Undecidable::Type(actual));
            }
            actual = decoder.read_signature()?;
        }
        let declared = parameter(&self.declared, position);
        match actual.kind() {
            Type::Tuple(elements) => {
                let wanted = elements.get(position).ok_or(Undecidable::NoParameter)?;
                elements[..position].iter().try_for_each(|element| decoder.skip_value(element))?;
                holds(&mut decoder, wanted, declared, &condition.test, quantifier)
            }
            // A method that takes anything may be called with a list.
            Type::List(element) => {
                let count = decoder.read_count(element.min_size())?;
                if position >= count {
                    return Err(Undecidable::NoParameter);
                }
                (0..position).try_for_each(|_| decoder.skip_value(element))?;
                holds(&mut decoder, element, declared, &condition.test, quantifier)
            }
            _ => Err(Undecidable::Type(actual)),
        }
    }

    fn refusal(&self, code: Code, arm: &Arm, detail: Option<String>) -> Box<Refusal> {
        Box::new(Refusal {
            code,
            rule: Some(arm.rule.clone()),
            role: self.role.to_string(),
            service: self.service.to_string(),
            member: self.member.clone(),
            detail,
        })
    }
}

fn parameter(declared: &Signature, position: usize) -> Option<&Signature> {
    match declared.kind() {
        Type::Tuple(elements) => elements.get(position),
        _ => None,
    }
}

/// Dynamics around the tuple of arguments.
const MAX_WRAPS: usize = 4;
