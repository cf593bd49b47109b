//! What is recorded of a call.

use std::{
    borrow::Cow,
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use keyway_value::Signature;

/// One thing that somebody did, or was refused.
#[derive(Debug, Clone)]
pub struct Record {
    /// When it began.
    pub time: SystemTime,
    /// Who did what. One for all records of a session that are about the same: it is written out once.
    pub operation: Arc<Operation>,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Duration,
    /// The arguments' values, if a rule says so.
    pub arguments: Option<Arguments>,
}

/// Who does what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Who does it.
    pub caller: Arc<Caller>,
    /// The service's name; empty where none is concerned.
    pub service: Arc<str>,
    /// The method, signal or property; empty where none is concerned.
    pub member: Arc<str>,
    /// What is done.
    pub kind: Kind,
}

/// What is the same in all records of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The session.
    pub session: String,
    /// Who was authenticated.
    pub identity: String,
    /// The role this gave.
    pub role: String,
    /// Address and port.
    pub source: String,
    /// The door that was used.
    pub door: String,
}

/// Arguments as they were sent. The log's thread decodes them.
#[derive(Debug, Clone)]
pub struct Arguments(
    /// Elsewhere, as few records have any.
    pub(super) Box<Sent>,
);

#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) signature: Signature,
    pub(super) payload: Bytes,
    /// How many bytes there were.
    pub(super) length: usize,
}

impl Arguments {
    /// The types of all of them, as a tuple, and their bytes.
    #[must_use]
    pub fn new(signature: Signature, payload: Bytes) -> Self {
        let length = payload.len();
        Self(Box::new(Sent { signature, payload, length }))
    }

    /// Lets go of bytes that are too many, so that what waits in the queue is bounded.
    pub(super) fn bound(&mut self, bytes: usize) {
        if self.0.length > bytes {
            self.0.payload = Bytes::new();
        }
    }
}

/// What came of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The service said no, or broke.
    Error,
    /// It was done.
    Ok,
    /// The gateway said no, for the reason with this code (docs/errors.md).
    Refused(Cow<'static, str>),
}

impl Outcome {
    /// As it is written: `ok`, `error` or `refused`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Ok => "ok",
            Self::Refused(_) => "refused",
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A method was called.
    Call,
    /// A property was read.
    Get,
    /// A session began, or was refused.
    Login,
    /// A session ended.
    Logout,
    /// A signal was emitted, or a method called without an answer.
    Post,
    /// A service was registered.
    Register,
    /// A property was written.
    Set,
    /// A signal was subscribed to.
    Subscribe,
    /// A service was taken back.
    Unregister,
    /// A subscription ended.
    Unsubscribe,
}

impl Kind {
    /// Every kind, in the order of their names.
    pub const ALL: [Self; 10] = [
        Self::Call,
        Self::Get,
        Self::Login,
        Self::Logout,
        Self::Post,
        Self::Register,
        Self::Set,
        Self::Subscribe,
        Self::Unregister,
        Self::Unsubscribe,
    ];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Get => "get",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Post => "post",
            Self::Register => "register",
            Self::Set => "set",
            Self::Subscribe => "subscribe",
            Self::Unregister => "unregister",
            Self::Unsubscribe => "unsubscribe",
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| format!("use one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}
