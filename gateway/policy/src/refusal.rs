//! Refusals: a stable code, the rule that decided, and what to do about it.

use std::fmt;

use crate::RuleId;

/// Why something is refused. Codes keep their meaning; `docs/errors.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
    /// No rule allows it.
    NoRule,
    /// A rule denies it.
    Denied,
    /// The arguments are beyond what rules allow.
    Arguments,
    /// A rule limits an argument that cannot be read or compared.
    UnreadableArguments,
    /// A rule's rate is exceeded.
    Rate,
    /// The object has no such member.
    UnknownMember,
    /// Nothing of the service is allowed.
    HiddenService,
    /// The name may not be registered.
    Register,
    /// Statistics and traces need `manage`.
    Manage,
    /// Nothing is allowed of the objects a service returns.
    Objects,
    /// The role does not exist.
    UnknownRole,
}

/// Something a client may not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// The rule that decided, if one did.
    pub rule: Option<RuleId>,
    /// Who asked.
    pub role: String,
    /// Of which service, or `Service.object`.
    pub service: String,
    /// For which member, as rules name it.
    pub member: String,
    /// What exactly, if there is more to say.
    pub detail: Option<String>,
}

impl Code {
    /// All codes, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::NoRule,
        Self::Denied,
        Self::Arguments,
        Self::UnreadableArguments,
        Self::Rate,
        Self::UnknownMember,
        Self::HiddenService,
        Self::Register,
        Self::Manage,
        Self::Objects,
        Self::UnknownRole,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoRule => "KW-P001",
            Self::Denied => "KW-P002",
            Self::Arguments => "KW-P003",
            Self::UnreadableArguments => "KW-P004",
            Self::Rate => "KW-P005",
            Self::UnknownMember => "KW-P006",
            Self::HiddenService => "KW-P007",
            Self::Register => "KW-P008",
            Self::Manage => "KW-P009",
            Self::Objects => "KW-P010",
            Self::UnknownRole => "KW-P011",
        }
    }

    /// What happened.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NoRule => "no rule allows it",
            Self::Denied => "a rule denies it",
            Self::Arguments => "the arguments are beyond what is allowed",
            Self::UnreadableArguments => "an argument that a rule limits cannot be read",
            Self::Rate => "it is called too often",
            Self::UnknownMember => "there is no such member",
            Self::HiddenService => "nothing of this service is allowed",
            Self::Register => "no rule allows to register a service of this name",
            Self::Manage => "statistics and traces are for those who manage the service",
            Self::Objects => "no rule allows it on objects of this service",
            Self::UnknownRole => "the role does not exist",
        }
    }

    /// What to do about it.
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::NoRule => "add the member to `allow` of a rule for this role and service",
            Self::Denied => "narrow or remove the rule's `deny`; no `allow` wins over it",
            Self::Arguments => "call with arguments that meet the rule's `when`, or change it",
            Self::UnreadableArguments => "send the declared types; check the parameter names in the rule's `when`",
            Self::Rate => "call less often, or raise the rule's `rate` or `burst`",
            Self::UnknownMember => "ask for the metaobject again; the service may have changed",
            Self::HiddenService => "add a rule for this role and service",
            Self::Register => "add `allow = [\"register\"]` in a rule whose `service` matches the name",
            Self::Manage => "add `allow = [\"manage\"]` in a rule for this role and service",
            Self::Objects => "add `objects = \"allow\"` to the service's rule, or a rule for `Service.object`",
            Self::UnknownRole => "define it by `[[role]]`, or give the user another role",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, rule, role, service, member, detail } = self;
        write!(f, "{code}: role {role:?} may not use {service} {member}: {}", code.meaning())?;
        if let Some(rule) = rule {
            write!(f, ", by {rule}")?;
        }
        if let Some(detail) = detail {
            write!(f, " ({detail})")?;
        }
        write!(f, "; {}", code.next_step())
    }
}
