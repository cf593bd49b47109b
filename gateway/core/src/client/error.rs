//! What a door tells a client that did not get what it asked for.

use std::{fmt, time::Duration};

use keyway_policy::{RateRefused, Refusal};

use crate::lease::Leased;

/// An operation that was not done. Codes keep their meaning (docs/errors.md); doors map kinds to what their protocol has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientError(Box<Said>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    kind: ErrorKind,
    code: &'static str,
    text: String,
    rule: Option<String>,
    next: &'static str,
    retry_after: Option<Duration>,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The arguments do not fit.
    BadArguments,
    /// The call was stopped.
    Canceled,
    /// The service said no, or broke; the text is its own.
    Failed,
    /// There is no such thing, or the client may not know of it.
    NotFound,
    /// Too much at a time.
    Overloaded,
    /// The policy says no.
    Refused,
    /// What is asked for cannot be reached now.
    Unavailable,
}

/// Failures that the gateway itself finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GatewayCode {
    /// Calls of one session that are not answered.
    TooManyCalls,
    /// Calls of one session in a second.
    TooFast,
    /// Arguments that do not fit.
    BadArguments,
    /// The service's own error.
    Failed,
    /// The directory or the service's host is not there.
    Unreachable,
    /// Stopped before it was done.
    Canceled,
    /// Subscriptions of one session.
    TooManySubscriptions,
    /// The reader of a subscription that disconnects.
    TooSlow,
    /// The audit log takes no record, and rules say that then nothing happens.
    NotRecorded,
    /// An object that is not held for this client.
    NoObject,
    /// A result that is no value.
    Unreadable,
    /// No such service, for this role.
    NoService,
    /// Another client has a lease of the service.
    Leased,
    /// The gateway ends.
    Ending,
    /// Who the session belongs to has another role now, or none.
    Revoked,
}

impl GatewayCode {
    /// All codes, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::TooManyCalls,
        Self::TooFast,
        Self::BadArguments,
        Self::Failed,
        Self::Unreachable,
        Self::Canceled,
        Self::TooManySubscriptions,
        Self::TooSlow,
        Self::NotRecorded,
        Self::NoObject,
        Self::Unreadable,
        Self::NoService,
        Self::Leased,
        Self::Ending,
        Self::Revoked,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooManyCalls => "KW-G001",
            Self::TooFast => "KW-G002",
            Self::BadArguments => "KW-G003",
            Self::Failed => "KW-G004",
            Self::Unreachable => "KW-G005",
            Self::Canceled => "KW-G006",
            Self::TooManySubscriptions => "KW-G007",
            Self::TooSlow => "KW-G008",
            Self::NotRecorded => "KW-G009",
            Self::NoObject => "KW-G010",
            Self::Unreadable => "KW-G011",
            Self::NoService => "KW-G012",
            Self::Leased => Leased::CODE,
            Self::Ending => "KW-O001",
            Self::Revoked => "KW-O002",
        }
    }

    /// The kind of failure.
    pub const fn kind(self) -> ErrorKind {
        match self {
            Self::TooManyCalls | Self::TooFast | Self::TooManySubscriptions | Self::TooSlow => ErrorKind::Overloaded,
            Self::NoService | Self::NoObject => ErrorKind::NotFound,
            Self::BadArguments => ErrorKind::BadArguments,
            Self::Failed | Self::Unreadable => ErrorKind::Failed,
            Self::Unreachable | Self::NotRecorded | Self::Ending => ErrorKind::Unavailable,
            Self::Leased | Self::Revoked => ErrorKind::Refused,
            Self::Canceled => ErrorKind::Canceled,
        }
    }

    /// What to do about it.
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::TooManyCalls => "wait for answers, or raise limits.calls_in_flight",
            Self::TooFast => "slow down, or raise limits.calls_per_second",
            Self::NoService => "list the services; the policy hides those of which nothing is allowed",
            Self::BadArguments => "compare the arguments with the method's description",
            Self::Failed => "the service says what it needs",
            Self::Unreachable => "try again; the gateway keeps trying to reach it",
            Self::Canceled => "call again",
            Self::TooManySubscriptions => "end some subscriptions first",
            Self::TooSlow => "subscribe again and read faster, or choose another overflow rule",
            Self::NotRecorded => "make room on the disk of the audit log",
            Self::NoObject => "call the method that returns the object again",
            Self::Leased => "wait until its holder leaves, or have it call Presence.release",
            Self::Ending => "connect again, it may be back soon",
            Self::Revoked => "connect again, and show who you are",
            Self::Unreadable => "the service sent something that is no value of the type it declares",
        }
    }
}

impl ClientError {
    /// A failure that the gateway found.
    pub fn new(code: GatewayCode, text: impl Into<String>) -> Self {
        Self(Box::new(Said {
            kind: code.kind(),
            code: code.code(),
            text: text.into(),
            rule: None,
            next: code.next_step(),
            retry_after: None,
        }))
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What is wrong, without the code and without the next step.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The rule that refused, if one did.
    pub fn rule(&self) -> Option<&str> {
        self.0.rule.as_deref()
    }

    /// What to do about it.
    pub fn next_step(&self) -> &'static str {
        self.0.next
    }

    /// How long to wait before the next attempt, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl From<&Refusal> for ClientError {
    fn from(refusal: &Refusal) -> Self {
        let Refusal { code, rule, role, service, member, detail } = refusal;
        let mut text = format!("role {role:?} may not use {service} {member}: {}", code.meaning());
        if let Some(detail) = detail {
            text.push_str(&format!(" ({detail})"));
        }
        let kind = match code {
            keyway_policy::Code::UnknownMember => ErrorKind::NotFound,
            keyway_policy::Code::Rate => ErrorKind::Overloaded,
            _ => ErrorKind::Refused,
        };
        let rule = rule.as_ref().map(ToString::to_string);
        Self(Box::new(Said { kind, code: code.code(), text, rule, next: code.next_step(), retry_after: None }))
    }
}

impl From<&RateRefused> for ClientError {
    fn from(refused: &RateRefused) -> Self {
        let mut error = Self::from(&*refused.refusal);
        error.0.retry_after = Some(refused.wait);
        error
    }
}

impl From<Leased> for ClientError {
    fn from(leased: Leased) -> Self {
        Self::new(GatewayCode::Leased, leased.text)
    }
}

impl From<keyway::Error> for ClientError {
    fn from(error: keyway::Error) -> Self {
        use keyway::Error;
        let code = match &error {
            Error::Remote(_) => GatewayCode::Failed,
            Error::Canceled => GatewayCode::Canceled,
            Error::NoSuchMember(_) | Error::Conversion(_) => GatewayCode::BadArguments,
            Error::Codec(_) => GatewayCode::Unreadable,
            // Addresses inside are nobody's business outside.
            _ => return Self::new(GatewayCode::Unreachable, "the service cannot be reached now"),
        };
        Self::new(code, error.to_string())
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Said { code, text, rule, next, .. } = &*self.0;
        write!(f, "{code}: {text}")?;
        if let Some(rule) = rule {
            write!(f, ", by {rule}")?;
        }
        write!(f, "; {next}")
    }
}

impl std::error::Error for ClientError {}
