//! The dialogue in which one end proves who it is (spec 5.4).

use std::{collections::BTreeMap, fmt};

use keyway_value::{QiString, Value};

use crate::CapabilityMap;

/// What one end tells the other, without the `auth_` prefix it has on the wire.
pub type AuthMap = BTreeMap<String, Value>;

/// The end that proves.
pub trait ClientAuthenticator: Send {
    /// What to say first.
    fn initial(&mut self) -> AuthMap;

    /// What to say next, when the other end wants more. An error ends the connection with that text.
    fn next(&mut self, asked: AuthMap) -> Result<AuthMap, String> {
        let _ = asked;
        Err("the server asks for another authentication step, and there is none to give".to_owned())
    }
}

/// A user and a token, as NAOqi 2.9 wants them.
pub struct Credentials {
    user: String,
    token: String,
}

impl Credentials {
    /// Of a user.
    pub fn new(user: impl Into<String>, token: impl Into<String>) -> Self {
        Self { user: user.into(), token: token.into() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a secret.
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

impl ClientAuthenticator for Credentials {
    fn initial(&mut self) -> AuthMap {
        let entries = [("user", self.user.as_str()), ("token", self.token.as_str())];
        entries.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect()
    }
}

/// The end that is to be convinced; a new one for each connection.
pub trait ServerAuthenticator: Send {
    /// Judges what the client says. `remoteEndpoint` is set by this side.
    fn step(&mut self, said: &AuthMap) -> AuthOutcome;

    /// The version that goes into the text of a refusal.
    fn version(&self) -> (u32, u32) {
        (1, 0)
    }
}

/// What a client said, for somebody who takes time to judge it.
#[derive(Clone, PartialEq)]
pub struct AuthRequest {
    /// Its words, and `remoteEndpoint`, which is set by this side.
    pub data: AuthMap,
}

impl fmt::Debug for AuthRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values are secrets.
        f.debug_struct("AuthRequest").field("keys", &self.data.keys()).finish_non_exhaustive()
    }
}

/// A judgement.
#[derive(Debug, Clone, PartialEq)]
pub enum AuthOutcome {
    /// Convinced; the client gets these.
    Done(AuthMap),
    /// Not yet: the client gets these and tries again.
    Continue(AuthMap),
    /// Refused.
    Failed {
        /// Why, for the client.
        reason: String,
    },
}

/// States on the wire (spec 5.4).
pub(super) const ERROR: u64 = 1;
pub(super) const CONTINUE: u64 = 2;
pub(super) const DONE: u64 = 3;

pub(super) const STATE: &str = "__qi_auth_state";
const USER_PREFIX: &str = "auth_";

/// The entries that are one end's words, without their prefix.
pub(super) fn said(map: &CapabilityMap) -> AuthMap {
    map.iter()
        .filter_map(|(key, value)| {
            Some((key.to_str().ok()?.strip_prefix(USER_PREFIX)?.to_owned(), value.peel().clone()))
        })
        .collect()
}

/// Entries with their prefix.
pub(super) fn prefixed(map: AuthMap) -> CapabilityMap {
    map.into_iter().map(|(key, value)| (QiString::from(format!("{USER_PREFIX}{key}")), value)).collect()
}

/// The state as it is sent: an `I` (5.4).
pub(super) fn state(state: u64) -> Value {
    Value::UInt32(state as u32)
}
