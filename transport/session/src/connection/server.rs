//! Letting in (spec 5.2, 5.4).

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use keyway_value::{Payload, Value};
use keyway_wire::{Frame, Header, MessageIds, MessageKind};

use super::{
    DEFAULT_MAX_PAYLOAD, Out, UNAUTHENTICATED_MAX_PAYLOAD,
    authentication::{
        AuthMap, AuthOutcome, AuthRequest, CONTINUE, DONE, STATE, ServerAuthenticator, prefixed, said, state,
    },
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
    /// How long a refusal is kept back (5.14).
    pub failure_delay: Duration,
    /// How many steps a client may take to be let in (5.14).
    pub max_attempts: u32,
    /// How many bytes a client may send until it is let in; what is sent behind its authentication counts.
    pub unauthenticated_bytes: u32,
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
    /// Whom the layer above is convinced of: it gets each step as `Input::Authenticate` and answers with
    /// `Connection::authenticate`, when it likes. What the client sends meanwhile is kept back.
    Deferred {
        /// The version that goes into the text of a refusal.
        version: (u32, u32),
    },
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            capabilities: CapabilityMap::libqi(),
            authentication: ServerAuthentication::None,
            authentication_timeout: Duration::from_secs(10),
            failure_delay: Duration::from_millis(100),
            max_attempts: 16,
            unauthenticated_bytes: UNAUTHENTICATED_MAX_PAYLOAD,
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
            Self::Deferred { .. } => "Deferred",
        })
    }
}

#[derive(Debug)]
pub(super) struct Handshake {
    config: ServerConfig,
    deadline: Instant,
    attempts: u32,
    /// Bytes that came.
    received: usize,
    /// Whether the capabilities were sent.
    answered: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The client is to say something.
    Listening,
    /// It did, and the layer above thinks about it.
    Judging { call: Header, held: VecDeque<Frame> },
    /// It is refused, and will hear so.
    Refusing { at: Instant, call: Header, text: String },
}

/// What the handshake made of a frame.
#[derive(Debug)]
pub(super) enum Step {
    Nothing,
    Opened,
    Judge(AuthRequest),
}

impl Handshake {
    pub(super) fn new(config: ServerConfig, now: Instant) -> Self {
        let deadline = now + config.authentication_timeout;
        Self { config, deadline, attempts: 0, received: 0, answered: false, stage: Stage::Listening }
    }

    /// The largest payload that may come before the client is let in.
    pub(super) const fn unauthenticated_bytes(&self) -> u32 {
        self.config.unauthenticated_bytes
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(super) fn timeout(&self) -> Instant {
        match self.stage {
            Stage::Refusing { at, .. } => at.min(self.deadline),
            _ => self.deadline,
        }
    }

    pub(super) fn handle_timeout(&self, now: Instant, out: Out<'_>) -> Result<(), CloseReason> {
        match &self.stage {
            Stage::Refusing { at, call, text } if now >= *at => {
                out(Frame::error_to(call, text));
                Err(CloseReason::Refused(text.clone()))
            }
            _ if now >= self.deadline => Err(CloseReason::AuthenticationTimeout),
            _ => Ok(()),
        }
    }

    pub(super) fn handle(
        &mut self,
        now: Instant,
        frame: Frame,
        remote: &mut CapabilityMap,
        out: Out<'_>,
    ) -> Result<Step, CloseReason> {
        self.received += Header::SIZE + frame.payload.len();
        if self.received > self.config.unauthenticated_bytes as usize {
            return Err(CloseReason::TooManyAttempts);
        }
        match &mut self.stage {
            Stage::Listening => self.listen(now, &frame, remote, out),
            // Not dropped, since clients send their first calls right behind the authentication (2.5, 5.12).
            Stage::Judging { held, .. } => {
                held.push_back(frame);
                Ok(Step::Nothing)
            }
            Stage::Refusing { .. } => Ok(Step::Nothing),
        }
    }

    fn listen(
        &mut self,
        now: Instant,
        frame: &Frame,
        remote: &mut CapabilityMap,
        out: Out<'_>,
    ) -> Result<Step, CloseReason> {
        let header = &frame.header;
        match header.kind {
            MessageKind::Capability => {
                remote.remember(&super::capabilities_of(frame)?);
                Ok(Step::Nothing)
            }
            MessageKind::Call if is_authentication(header) => self.authenticate(now, frame, remote, out),
            MessageKind::Error if is_authentication(header) => {
                Err(CloseReason::Protocol("an Error for authenticate, which nobody called".to_owned()))
            }
            _ if is_connections_own(header) => match self.config.authentication {
                // A client from before authentication: let in, told what we can (5.2).
                ServerAuthentication::None => {
                    out(Frame::capability(MessageIds::process().next(), self.config.capabilities.encode()));
                    Ok(Step::Opened)
                }
                _ => {
                    let text = errors::expected_authentication(header);
                    out(Frame::error_to(header, &text));
                    Err(CloseReason::Refused(text))
                }
            },
            MessageKind::Call => {
                out(Frame::error_to(header, errors::CALL_NOT_HANDLED));
                Ok(Step::Nothing)
            }
            _ => Ok(Step::Nothing),
        }
    }

    fn authenticate(
        &mut self,
        now: Instant,
        frame: &Frame,
        remote: &mut CapabilityMap,
        out: Out<'_>,
    ) -> Result<Step, CloseReason> {
        let map = CapabilityMap::of_frame(frame)
            .map_err(|error| CloseReason::Protocol(format!("the call of authenticate cannot be read: {error}")))?;
        self.attempts += 1;
        if self.attempts > self.config.max_attempts {
            return Err(CloseReason::TooManyAttempts);
        }
        remote.remember(&map);
        let outcome = match &mut self.config.authentication {
            ServerAuthentication::None => AuthOutcome::Done(AuthMap::new()),
            ServerAuthentication::Provider(provider) => provider.step(&words(&map, &self.config.remote_endpoint)),
            ServerAuthentication::Deferred { .. } => {
                self.stage = Stage::Judging { call: frame.header, held: VecDeque::new() };
                return Ok(Step::Judge(AuthRequest { data: words(&map, &self.config.remote_endpoint) }));
            }
        };
        self.answer(now, &frame.header, outcome, out)
    }

    /// The layer above has thought about it. Gives back the frames that came meanwhile.
    pub(super) fn judged(
        &mut self,
        now: Instant,
        outcome: AuthOutcome,
        out: Out<'_>,
    ) -> Result<(Step, VecDeque<Frame>), CloseReason> {
        match std::mem::replace(&mut self.stage, Stage::Listening) {
            Stage::Judging { call, held } => Ok((self.answer(now, &call, outcome, out)?, held)),
            other => {
                self.stage = other;
                Ok((Step::Nothing, VecDeque::new()))
            }
        }
    }

    fn answer(&mut self, now: Instant, call: &Header, outcome: AuthOutcome, out: Out<'_>) -> Result<Step, CloseReason> {
        match outcome {
            AuthOutcome::Done(words) => {
                out(self.reply(call, DONE, words));
                Ok(Step::Opened)
            }
            AuthOutcome::Continue(words) => {
                out(self.reply(call, CONTINUE, words));
                Ok(Step::Nothing)
            }
            AuthOutcome::Failed { reason } => {
                let at = now + self.config.failure_delay;
                self.stage = Stage::Refusing { at, call: *call, text: self.refusal(&reason) };
                // Without a delay, at once.
                self.handle_timeout(now, out).map(|()| Step::Nothing)
            }
        }
    }

    /// The capabilities are in the first answer only (5.2).
    fn reply(&mut self, call: &Header, done: u64, words: AuthMap) -> Frame {
        let mut map = if self.answered { CapabilityMap::empty() } else { self.config.capabilities.clone() };
        self.answered = true;
        map.set(STATE, state(done));
        map.merge(prefixed(words));
        Frame::reply_to(call, map.encode())
    }

    fn refusal(&self, reason: &str) -> String {
        let failed = errors::AUTHENTICATION_FAILED;
        let (major, minor) = match &self.config.authentication {
            ServerAuthentication::Provider(provider) => provider.version(),
            ServerAuthentication::Deferred { version } => *version,
            ServerAuthentication::None => return failed.to_owned(),
        };
        if reason.is_empty() { failed.to_owned() } else { format!("{failed}: {reason} [{major}.{minor}]") }
    }
}

/// What the client said; where it speaks from is ours to say (5.4).
fn words(map: &CapabilityMap, remote_endpoint: &str) -> AuthMap {
    let mut words = said(map);
    words.insert("remoteEndpoint".to_owned(), Value::from(remote_endpoint));
    words
}

/// The answer to a repeated authentication (5.2).
pub(super) fn done_again() -> Payload {
    let mut map = CapabilityMap::empty();
    map.set(STATE, state(DONE));
    map.encode()
}
