//! `when`: which members of a rule a condition is for.

use crate::{
    Glob, GlobError, MemberError,
    condition::{Condition, ConditionError},
    selector::{Effect, Selector, Target},
};

/// `ALMotion.setStiffnesses: value <= 0.5`, where what stands before the colon may be missing.
#[derive(Debug, Clone)]
pub(crate) struct When {
    service: Option<Glob>,
    member: Option<Selector>,
    /// The member as it was written, to see whether the rule has it.
    pub(crate) member_text: Option<String>,
    pub(crate) condition: Condition,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum WhenError {
    #[error(transparent)]
    Condition(#[from] ConditionError),
    #[error("before the colon: {0}")]
    Glob(#[from] GlobError),
    #[error("before the colon: {0}")]
    Member(#[from] MemberError),
}

impl When {
    pub(crate) fn parse(text: &str) -> Result<Self, WhenError> {
        let named = text.split_once(": ").filter(|(member, _)| !member.contains(['"', '<', '>', '=', '~']));
        let Some((member, condition)) = named else {
            return Ok(Self { service: None, member: None, member_text: None, condition: Condition::parse(text)? });
        };
        let name_end = member.find("::").unwrap_or(member.len());
        let (service, member) = match member[..name_end].rfind('.') {
            Some(dot) => (Some(Glob::parse(member[..dot].trim())?), member[dot + 1..].trim()),
            None => (None, member.trim()),
        };
        Ok(Self {
            service,
            member: Some(Selector::parse(member, Effect::Deny)?),
            member_text: Some(member.to_owned()),
            condition: Condition::parse(condition)?,
        })
    }

    /// Whether the condition is for a member.
    pub(crate) fn applies(&self, service: &str, target: &Target<'_>) -> bool {
        self.service.as_ref().is_none_or(|glob| glob.matches(service))
            && self.member.as_ref().is_none_or(|member| member.covers(target, Effect::Deny))
    }

    /// Whether the service before the colon is one of the rule's.
    pub(crate) fn fits(&self, service: &Glob) -> bool {
        self.service.as_ref().is_none_or(|wanted| wanted == service || service.matches(wanted.as_str()))
    }
}
