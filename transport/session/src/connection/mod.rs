//! The state machine of one connection: who may say what, and when (spec 5, 2.4).

mod authentication;
mod client;
mod server;

use std::time::Instant;

use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};
use keyway_wire::{Frame, Header, MessageKind};

pub use authentication::{AuthMap, AuthOutcome, AuthRequest, ClientAuthenticator, Credentials, ServerAuthenticator};
pub use client::ClientConfig;
use server::Step;
pub use server::{ServerAuthentication, ServerConfig};

use crate::{CapabilityMap, CloseReason, SharedCapabilities, errors};

/// The largest payload accepted after authentication, unless configured otherwise (spec 2.8).
pub const DEFAULT_MAX_PAYLOAD: u32 = 256 << 20;
/// The largest payload accepted before authentication (spec 2.8), unless a server says otherwise.
pub const UNAUTHENTICATED_MAX_PAYLOAD: u32 = 64 << 10;

/// One end of a connection.
///
/// Frames that arrive go into [`handle_frame`](Self::handle_frame), which answers what the protocol answers and returns
/// what is for the layer above. What it hands to `out` is to be sent in that order, before acting on what it returns.
#[derive(Debug)]
pub struct Connection {
    phase: Phase,
    own: CapabilityMap,
    remote: CapabilityMap,
    shared: SharedCapabilities,
    max_payload: u32,
}

#[derive(Debug)]
enum Phase {
    /// This side asked to be let in.
    Client(Box<client::Handshake>),
    /// This side lets in.
    Server(Box<server::Handshake>),
    /// Both sides may call. A server still answers repeated authentication.
    Open { server: bool },
    /// Ended by an error; nothing means anything any more.
    Failed,
}

/// What a frame means to the layer above.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// Nothing: it was the connection's own, or nothing anybody waits for.
    None,
    /// The connection is open from now on.
    Opened,
    /// The client wants to be let in; answer with [`Connection::authenticate`]. Only with `ServerAuthentication::Deferred`.
    Authenticate(AuthRequest),
    /// A method is called: to be answered exactly once (8.1).
    Call(Frame),
    /// A method or signal is posted.
    Post(Frame),
    /// The caller does not want the answer of a call any more (8.5).
    Cancel {
        /// The call.
        call: MessageId,
        /// The frame that says so, addressed as the call was.
        frame: Frame,
    },
    /// A Reply, Error or Canceled.
    Answer(Frame),
    /// A signal was emitted.
    Event(Frame),
}

/// Where frames to send go.
type Out<'a> = &'a mut dyn FnMut(Frame);

impl Connection {
    /// The end that asks. [`start`](Self::start) sends its first frame.
    pub fn client(config: ClientConfig, _now: Instant) -> Self {
        let ClientConfig { capabilities, authenticator, require_authentication, max_payload } = config;
        let handshake = client::Handshake::new(authenticator, require_authentication);
        Self::new(Phase::Client(Box::new(handshake)), capabilities, max_payload)
    }

    /// The end that lets in.
    pub fn server(config: ServerConfig, now: Instant) -> Self {
        let capabilities = config.capabilities.clone();
        let max_payload = config.max_payload;
        Self::new(Phase::Server(Box::new(server::Handshake::new(config, now))), capabilities, max_payload)
    }

    /// An end of a connection whose handshake was somebody else's, as that of the native protocol: open from the start, and the
    /// other end has announced `remote`. `server` is whether this end lets in.
    pub fn opened(server: bool, own: CapabilityMap, remote: &CapabilityMap, max_payload: u32) -> Self {
        let mut connection = Self::new(Phase::Open { server }, own, max_payload);
        connection.remember(remote);
        connection
    }

    /// This end again, at a server that has begun anew and announces `remote`.
    pub fn reopened(&self, remote: &CapabilityMap) -> Self {
        Self::opened(false, self.own.clone(), remote, self.max_payload)
    }

    fn new(phase: Phase, own: CapabilityMap, max_payload: u32) -> Self {
        let remote = CapabilityMap::empty();
        Self { phase, own, remote, shared: SharedCapabilities::default(), max_payload }
    }

    /// Sends what this end sends unasked: a client its authentication, a server nothing.
    pub fn start(&mut self, _now: Instant, out: Out<'_>) {
        if let Phase::Client(handshake) = &mut self.phase {
            out(handshake.first_frame(&self.own));
        }
    }

    /// Takes a frame that arrived. After an error the connection is to be closed, once what it sent is out.
    #[inline]
    pub fn handle_frame(&mut self, now: Instant, frame: Frame, out: Out<'_>) -> Result<Input, CloseReason> {
        if let Phase::Open { server } = self.phase {
            self.open(server, frame, out)
        } else {
            self.opening(now, frame, out)
        }
    }

    /// Answers [`Input::Authenticate`]. Returns what this and the frames that came meanwhile mean, in order.
    pub fn authenticate(
        &mut self,
        now: Instant,
        outcome: AuthOutcome,
        out: Out<'_>,
    ) -> Result<Vec<Input>, CloseReason> {
        let Phase::Server(handshake) = &mut self.phase else {
            return Ok(Vec::new());
        };
        let judged = handshake.judged(now, outcome, out);
        let (step, held) = judged.map_err(|reason| self.fail(reason))?;
        let mut inputs = vec![self.step(step)];
        for frame in held {
            inputs.push(self.handle_frame(now, frame, out)?);
        }
        inputs.retain(|input| !matches!(input, Input::None));
        Ok(inputs)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Server(handshake) => Some(handshake.timeout()),
            _ => None,
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant, out: Out<'_>) -> Result<(), CloseReason> {
        match &self.phase {
            Phase::Server(handshake) => handshake.handle_timeout(now, out).map_err(|reason| self.fail(reason)),
            _ => Ok(()),
        }
    }

    /// Whether calls may pass.
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    /// What both ends agreed on.
    pub const fn shared(&self) -> SharedCapabilities {
        self.shared
    }

    /// What the other end announced.
    pub const fn remote_capabilities(&self) -> &CapabilityMap {
        &self.remote
    }

    /// The largest payload accepted now (spec 2.8).
    #[inline]
    pub fn max_payload(&self) -> u32 {
        match &self.phase {
            Phase::Open { .. } => self.max_payload,
            Phase::Server(handshake) => self.max_payload.min(handshake.unauthenticated_bytes()),
            Phase::Client(_) | Phase::Failed => self.max_payload.min(UNAUTHENTICATED_MAX_PAYLOAD),
        }
    }

    #[inline]
    fn open(&mut self, server: bool, frame: Frame, out: Out<'_>) -> Result<Input, CloseReason> {
        let header = &frame.header;
        Ok(match header.kind {
            MessageKind::Call if header.service == ServiceId::SERVER || header.version > 0 => {
                out(refused(server, header));
                Input::None
            }
            MessageKind::Call => Input::Call(frame),
            MessageKind::Post if header.service == ServiceId::SERVER || header.version > 0 => Input::None,
            MessageKind::Post => Input::Post(frame),
            MessageKind::Reply if header.service == ServiceId::SERVER => {
                self.late_reply(server, &frame);
                Input::None
            }
            MessageKind::Reply | MessageKind::Error | MessageKind::Canceled => Input::Answer(frame),
            MessageKind::Event => Input::Event(frame),
            MessageKind::Capability => {
                let capabilities = capabilities_of(&frame).map_err(|reason| self.fail(reason))?;
                self.remember(&capabilities);
                Input::None
            }
            MessageKind::Cancel => match frame.payload_bytes().first_chunk() {
                Some(call) => Input::Cancel { call: MessageId(u32::from_le_bytes(*call)), frame },
                None => Input::None,
            },
            MessageKind::Unknown(_) => Input::None,
        })
    }

    #[cold]
    fn opening(&mut self, now: Instant, frame: Frame, out: Out<'_>) -> Result<Input, CloseReason> {
        let step = match &mut self.phase {
            Phase::Client(handshake) => handshake
                .handle(&frame, &self.own, &mut self.remote, out)
                .map(|opened| if opened { Step::Opened } else { Step::Nothing }),
            Phase::Server(handshake) => handshake.handle(now, frame, &mut self.remote, out),
            Phase::Open { .. } | Phase::Failed => Ok(Step::Nothing),
        };
        match step {
            Ok(step) => Ok(self.step(step)),
            Err(reason) => Err(self.fail(reason)),
        }
    }

    fn step(&mut self, step: Step) -> Input {
        match step {
            Step::Nothing => Input::None,
            Step::Judge(request) => Input::Authenticate(request),
            Step::Opened => {
                self.phase = Phase::Open { server: matches!(self.phase, Phase::Server(_)) };
                self.share();
                Input::Opened
            }
        }
    }

    fn fail(&mut self, reason: CloseReason) -> CloseReason {
        self.phase = Phase::Failed;
        reason
    }

    /// A server that announced itself first has answered the authentication too; its state does not matter any more (14.3).
    #[cold]
    fn late_reply(&mut self, server: bool, frame: &Frame) {
        if server || !is_authentication(&frame.header) {
            return;
        }
        if let Ok(map) = CapabilityMap::of_frame(frame) {
            self.remember(&map);
        }
    }

    /// Capabilities may come at any time (spec 5.2).
    fn remember(&mut self, capabilities: &CapabilityMap) {
        self.remote.remember(capabilities);
        self.share();
    }

    fn share(&mut self) {
        self.shared = SharedCapabilities::new(&self.own, &self.remote);
        // Most peers announce the same: idle connections need not keep it twice.
        if self.remote == self.own {
            self.remote = self.own.clone();
        }
    }
}

/// The answer to a call of the connection itself, or of a version that does not exist.
#[cold]
fn refused(server: bool, call: &Header) -> Frame {
    if server && is_authentication(call) {
        // A repeated authentication is answered without capabilities (5.2).
        return Frame::reply_to(call, server::done_again());
    }
    if call.service == ServiceId::SERVER {
        return Frame::error_to(call, errors::CALL_NOT_HANDLED);
    }
    Frame::error_to(call, &errors::version_mismatch(call.version))
}

/// What is not a map of capabilities ends the connection (2.4).
fn capabilities_of(frame: &Frame) -> Result<CapabilityMap, CloseReason> {
    CapabilityMap::of_frame(frame)
        .map_err(|error| CloseReason::Protocol(format!("a Capability frame cannot be read: {error}")))
}

fn is_connections_own(header: &Header) -> bool {
    header.service == ServiceId::SERVER && header.object == ObjectId::NONE
}

fn is_authentication(header: &Header) -> bool {
    is_connections_own(header) && header.action == ActionId::AUTHENTICATE
}
