//! Members as rules name them: `say`, `add::(ii)`, `read:volume`, `register`.

use std::fmt;

use keyway_value::Signature;

use crate::{Glob, GlobError};

/// What is done with a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A method is called.
    Call,
    /// A signal is emitted by a client.
    Emit,
    /// Statistics and traces are read or switched.
    Manage,
    /// A property is read, or its changes are followed.
    Read,
    /// A service is registered.
    Register,
    /// A signal is subscribed to.
    Subscribe,
    /// A property is written.
    Write,
}

/// Why a text names no member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemberError {
    /// The name is no pattern.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// `hear:x`
    #[error("`{0}:` is unknown; there are `call:`, `subscribe:`, `signal:`, `emit:`, `read:`, `write:`, `property:`")]
    Prefix(String),
    /// `add::(`
    #[error("`{0}` is no tuple of parameters, such as `(is)`")]
    Signature(String),
    /// `read:volume::(f)`
    #[error("only methods have parameters")]
    NoMethod,
}

/// Whether a rule allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// Which members a rule speaks of.
#[derive(Debug, Clone)]
pub(crate) struct Selector {
    kinds: &'static [Kind],
    name: Glob,
    signature: Option<Signature>,
}

/// A member that is asked about. Methods of which no signature is known are asked about as a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
    pub(crate) signature: Option<&'a Signature>,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Call, Self::Emit, Self::Manage, Self::Read, Self::Register, Self::Subscribe, Self::Write];

    /// The word in rules and audit logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Emit => "emit",
            Self::Manage => "manage",
            Self::Read => "read",
            Self::Register => "register",
            Self::Subscribe => "subscribe",
            Self::Write => "write",
        }
    }

    /// The kind of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether it has a member; the others are about a service.
    pub const fn has_member(self) -> bool {
        !matches!(self, Self::Manage | Self::Register)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Selector {
    pub(crate) fn parse(text: &str, effect: Effect) -> Result<Self, MemberError> {
        let of = |kinds, name| Ok(Self { kinds, name: Glob::parse(name)?, signature: None });
        match text {
            "*" if effect == Effect::Deny => return of(&Kind::ALL, "*"),
            "*" => return of(USE, "*"),
            "register" => return of(&[Kind::Register], "*"),
            "manage" => return of(&[Kind::Manage], "*"),
            _ => {}
        }
        let (head, parameters) = match text.split_once("::") {
            Some((head, parameters)) => (head, Some(parameters)),
            None => (text, None),
        };
        let (kinds, name): (&'static [Kind], _) = match head.split_once(':') {
            None | Some(("call", _)) => (&[Kind::Call], head.strip_prefix("call:").unwrap_or(head)),
            Some(("subscribe" | "signal", name)) => (&[Kind::Subscribe], name),
            Some(("emit", name)) => (&[Kind::Emit], name),
            Some(("read", name)) => (&[Kind::Read], name),
            Some(("write", name)) => (&[Kind::Write], name),
            Some(("property", name)) => (&[Kind::Read, Kind::Write], name),
            Some((prefix, _)) => return Err(MemberError::Prefix(prefix.to_owned())),
        };
        if parameters.is_some() && kinds != [Kind::Call] {
            return Err(MemberError::NoMethod);
        }
        let signature = parameters.map(parameters_of).transpose()?;
        Ok(Self { kinds, name: Glob::parse(name)?, signature })
    }

    /// All kinds, and all names.
    pub(crate) fn is_everything(&self) -> bool {
        self.kinds == Kind::ALL && self.name.is_everything()
    }

    /// Whether what it means comes with arguments.
    pub(crate) fn has_arguments(&self) -> bool {
        self.kinds.iter().all(|kind| matches!(kind, Kind::Call | Kind::Write))
    }

    pub(crate) const fn kinds(&self) -> &'static [Kind] {
        self.kinds
    }

    /// Whether a member is meant. An overload that is not known is meant by what denies, and not by what allows.
    pub(crate) fn covers(&self, target: &Target<'_>, effect: Effect) -> bool {
        let signature = match (&self.signature, target.signature) {
            (None, _) => true,
            (Some(wanted), Some(signature)) => wanted == signature,
            (Some(_), None) => effect == Effect::Deny,
        };
        signature && self.kinds.contains(&target.kind) && self.name.matches(target.name)
    }
}

/// A member that is written out, as people and audit logs name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) signature: Option<Signature>,
}

impl Member {
    pub(crate) fn new(kind: Kind, member: &str) -> Result<Self, MemberError> {
        let (name, parameters) = match member.split_once("::") {
            Some((name, parameters)) if kind == Kind::Call => (name, Some(parameters)),
            _ => (member, None),
        };
        let signature = parameters.map(parameters_of).transpose()?;
        Ok(Self { kind, name: name.to_owned(), signature })
    }

    /// `say`, `add::(ii)`, `read:volume`, `register`, `manage`.
    pub(crate) fn parse(text: &str) -> Result<Self, MemberError> {
        if let Some(kind) = Kind::from_word(text).filter(|kind| !kind.has_member()) {
            return Self::new(kind, "");
        }
        let head = text.split_once("::").map_or(text, |(head, _)| head);
        let Some((prefix, _)) = head.split_once(':') else {
            return Self::new(Kind::Call, text);
        };
        let kind = match prefix {
            "signal" => Kind::Subscribe,
            prefix => Kind::from_word(prefix)
                .filter(|kind| kind.has_member())
                .ok_or_else(|| MemberError::Prefix(prefix.to_owned()))?,
        };
        Self::new(kind, &text[prefix.len() + 1..])
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target { kind: self.kind, name: &self.name, signature: self.signature.as_ref() }
    }
}

fn parameters_of(text: &str) -> Result<Signature, MemberError> {
    let signature = Signature::parse(text).map_err(|_| MemberError::Signature(text.to_owned()))?;
    match signature.kind() {
        keyway_value::Type::Tuple(_) | keyway_value::Type::Dynamic => Ok(signature),
        _ => Err(MemberError::Signature(text.to_owned())),
    }
}

/// What `*` allows.
pub(crate) const USE: &[Kind] = &[Kind::Call, Kind::Read, Kind::Subscribe, Kind::Write];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named_in_several_ways() {
        let rows = [
            ("say", Kind::Call, "say", None, true),
            ("say", Kind::Call, "sayAll", None, false),
            ("say*", Kind::Call, "sayAll", Some("(s)"), true),
            ("call:manage", Kind::Call, "manage", None, true),
            ("manage", Kind::Call, "manage", None, false),
            ("add::(ii)", Kind::Call, "add", Some("(ii)"), true),
            ("add::(ii)", Kind::Call, "add", Some("(ff)"), false),
            ("call:add::(ii)", Kind::Call, "add", Some("(ii)"), true),
            ("add::(ii)", Kind::Call, "add", None, false),
            ("signal:x", Kind::Subscribe, "x", None, true),
            ("subscribe:x", Kind::Emit, "x", None, false),
            ("emit:x", Kind::Emit, "x", None, true),
            ("property:x", Kind::Write, "x", None, true),
            ("read:x", Kind::Write, "x", None, false),
            ("*", Kind::Write, "x", None, true),
            ("*", Kind::Emit, "x", None, false),
            ("*", Kind::Manage, "", None, false),
            ("*", Kind::Register, "", None, false),
            ("register", Kind::Register, "", None, true),
        ];
        for (text, kind, name, signature, expected) in rows {
            let signature = signature.map(|text| Signature::parse(text).unwrap());
            let target = Target { kind, name, signature: signature.as_ref() };
            let selector = Selector::parse(text, Effect::Allow).unwrap();
            assert_eq!(selector.covers(&target, Effect::Allow), expected, "{text} {target:?}");
        }
        let everything = Selector::parse("*", Effect::Deny).unwrap();
        assert!(Kind::ALL.iter().all(|kind| everything.kinds().contains(kind)));
    }

    #[test]
    fn what_names_no_member_is_refused() {
        for text in ["hear:x", "add::(", "add::i", "read:x::(i)", "", "say[", "read:"] {
            assert!(Selector::parse(text, Effect::Allow).is_err(), "{text}");
        }
    }
}
