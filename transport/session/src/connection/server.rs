//! Letting in (spec 5.2, 5.4).

use std::{
    fmt,
    time::{Duration, Instant},
};

use keyway_value::{Payload, Value};
use keyway_wire::{Frame, Header, MessageKind};

use super::{
    DEFAULT_MAX_PAYLOAD, IDS, Out,
    authentication::{AuthMap, AuthOutcome, CONTINUE, DONE, STATE, ServerAuthenticator, prefixed, said},
    is_authentication, is_connections_own,
};
use crate::{CapabilityMap, CloseReason, errors};

/// Settings of a server's end.
#[derive(Debug)]
pub struct ServerConfig {
    /// What it announces.
    pub capabilities: CapabilityMap,
    /// Whom it lets in.
    pub authentication: ServerAuthentication,
    /// How long a client may take to be let in (5.6).
    pub authentication_timeout: Duration,
    /// How many steps a client may take to be let in (5.14).
    pub max_attempts: u32,
    /// The largest payload accepted afterwards, in bytes.
    pub max_payload: u32,
    /// The client's URL, which the authenticator sees as `remoteEndpoint`.
    pub remote_endpoint: String,
}

/// Whom a server lets in.
#[derive(Default)]
pub enum ServerAuthentication {
    /// Everybody.
    #[default]
    None,
    /// Whom this one is convinced of.
    Provider(Box<dyn ServerAuthenticator>),
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            capabilities: CapabilityMap::libqi(),
            authentication: ServerAuthentication::None,
            authentication_timeout: Duration::from_secs(10),
            max_attempts: 16,
            max_payload: DEFAULT_MAX_PAYLOAD,
            remote_endpoint: String::new(),
        }
    }
}

impl fmt::Debug for ServerAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Provider(_) => "Provider",
        })
    }
}

#[derive(Debug)]
pub(super) struct Handshake {
    config: ServerConfig,
    deadline: Instant,
    attempts: u32,
    answered: bool,
}

impl Handshake {
    pub(super) fn new(config: ServerConfig, now: Instant) -> Self {
        let deadline = now + config.authentication_timeout;
        Self { config, deadline, attempts: 0, answered: false }
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// True when the connection is open.
    pub(super) fn handle(
        &mut self,
        _now: Instant,
        frame: &Frame,
        remote: &mut CapabilityMap,
        out: Out<'_>,
    ) -> Result<bool, CloseReason> {
        let header = &frame.header;
        match header.kind {
            MessageKind::Call if is_authentication(header) => self.authenticate(frame, remote, out),
            MessageKind::Error if is_authentication(header) => {
                Err(CloseReason::Protocol("an Error for authenticate, which nobody called".to_owned()))
            }
            _ if is_connections_own(header) => match self.config.authentication {
                // A client from before authentication: let in, told what we can (5.2).
                ServerAuthentication::None => {
                    out(Frame::capability(IDS.next(), self.config.capabilities.encode()));
                    Ok(true)
                }
                ServerAuthentication::Provider(_) => {
                    let text = errors::expected_authentication(header);
                    out(Frame::error_to(header, &text));
                    Err(CloseReason::Refused(text))
                }
            },
            MessageKind::Call => {
                out(Frame::error_to(header, errors::CALL_NOT_HANDLED));
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn authenticate(&mut self, frame: &Frame, remote: &mut CapabilityMap, out: Out<'_>) -> Result<bool, CloseReason> {
        let map = CapabilityMap::decode(frame.payload_bytes())
            .map_err(|error| CloseReason::Protocol(format!("the call of authenticate cannot be read: {error}")))?;
        self.attempts += 1;
        if self.attempts > self.config.max_attempts {
            return Err(CloseReason::TooManyAttempts);
        }
        let header = &frame.header;
        let outcome = match &mut self.config.authentication {
            ServerAuthentication::None => AuthOutcome::Done(AuthMap::new()),
            ServerAuthentication::Provider(provider) => {
                let mut words = said(&map);
                words.insert("remoteEndpoint".to_owned(), Value::from(self.config.remote_endpoint.as_str()));
                provider.step(&words)
            }
        };
        // Credentials are not capabilities: they are not kept.
        remote.merge(
            map.iter().filter(|(key, _)| !is_secret(key.as_bytes())).map(|(k, v)| (k.clone(), v.clone())).collect(),
        );
        match outcome {
            AuthOutcome::Done(words) => {
                out(self.answer(header, DONE, words));
                Ok(true)
            }
            AuthOutcome::Continue(words) => {
                out(self.answer(header, CONTINUE, words));
                Ok(false)
            }
            AuthOutcome::Failed { reason } => {
                let text = self.refusal(&reason);
                out(Frame::error_to(header, &text));
                Err(CloseReason::Refused(text))
            }
        }
    }

    /// The capabilities are in the first answer only (5.2).
    fn answer(&mut self, call: &Header, state: u32, words: AuthMap) -> Frame {
        let mut map = if self.answered { CapabilityMap::empty() } else { self.config.capabilities.clone() };
        self.answered = true;
        map.set(STATE, state);
        map.merge(prefixed(words));
        Frame::reply_to(call, map.encode())
    }

    fn refusal(&self, reason: &str) -> String {
        let failed = errors::AUTHENTICATION_FAILED;
        match &self.config.authentication {
            ServerAuthentication::Provider(provider) if !reason.is_empty() => {
                let (major, minor) = provider.version();
                format!("{failed}: {reason} [{major}.{minor}]")
            }
            _ => failed.to_owned(),
        }
    }
}

/// The answer to a repeated authentication (5.2).
pub(super) fn done_again() -> Payload {
    let mut map = CapabilityMap::empty();
    map.set(STATE, DONE);
    map.encode()
}

fn is_secret(key: &[u8]) -> bool {
    key.starts_with(b"auth_") || key.starts_with(b"__qi_auth_")
}
