//! The state machine of one connection: who may say what, and when (spec 5, 2.4).

mod authentication;
mod client;
mod server;

use std::time::Instant;

use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};
use keyway_wire::{Frame, Header, MessageIds, MessageKind};

pub use authentication::{AuthMap, AuthOutcome, ClientAuthenticator, Credentials, ServerAuthenticator};
pub use client::ClientConfig;
pub use server::{ServerAuthentication, ServerConfig};

use crate::{CapabilityMap, CloseReason, SharedCapabilities, errors};

/// The largest payload accepted after authentication, unless configured otherwise (spec 2.8).
pub const DEFAULT_MAX_PAYLOAD: u32 = 256 << 20;
/// The largest payload accepted before authentication (spec 2.8).
pub const UNAUTHENTICATED_MAX_PAYLOAD: u32 = 64 << 10;

/// Message ids of this process's connections (spec 2.1).
static IDS: MessageIds = MessageIds::new();

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
    /// Ended by an error.
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
    /// A method is called: to be answered exactly once (8.1).
    Call(Frame),
    /// A method or signal is posted.
    Post(Frame),
    /// The caller does not want the answer of a call any more (8.5).
    Cancel {
        /// The service called.
        service: ServiceId,
        /// The object called.
        object: ObjectId,
        /// The call.
        call: MessageId,
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

    /// Takes a frame that arrived.
    pub fn handle_frame(&mut self, now: Instant, frame: Frame, out: Out<'_>) -> Result<Input, CloseReason> {
        if let Phase::Open { server } = self.phase {
            return self.open(server, frame, out);
        }
        let result = match frame.header.kind {
            MessageKind::Capability => self.capability(&frame).map(|()| Input::None),
            _ => self.handshake(now, &frame, out),
        };
        if result.is_err() {
            self.phase = Phase::Failed;
        }
        result
    }

    fn handshake(&mut self, now: Instant, frame: &Frame, out: Out<'_>) -> Result<Input, CloseReason> {
        let opened = match &mut self.phase {
            Phase::Client(handshake) => handshake.handle(frame, &self.own, &mut self.remote, out)?,
            Phase::Server(handshake) => handshake.handle(now, frame, &mut self.remote, out)?,
            Phase::Open { .. } | Phase::Failed => false,
        };
        Ok(if opened { self.become_open() } else { Input::None })
    }

    fn become_open(&mut self) -> Input {
        let server = matches!(self.phase, Phase::Server(_));
        self.shared = SharedCapabilities::new(&self.own, &self.remote);
        self.phase = Phase::Open { server };
        Input::Opened
    }

    /// Capabilities may come at any time (spec 5.2). What is not a map of them ends the connection (2.4).
    fn capability(&mut self, frame: &Frame) -> Result<(), CloseReason> {
        let capabilities = CapabilityMap::decode(frame.payload_bytes())
            .map_err(|error| CloseReason::Protocol(format!("a Capability frame cannot be read: {error}")))?;
        self.remote.merge(capabilities);
        if matches!(self.phase, Phase::Open { .. }) {
            self.shared = SharedCapabilities::new(&self.own, &self.remote);
        }
        Ok(())
    }

    fn open(&mut self, server: bool, frame: Frame, out: Out<'_>) -> Result<Input, CloseReason> {
        let header = &frame.header;
        Ok(match header.kind {
            MessageKind::Call if is_authentication(header) && server => {
                // A repeated authentication is answered without capabilities (5.2).
                out(Frame::reply_to(header, server::done_again()));
                Input::None
            }
            MessageKind::Call if header.version > 0 => {
                out(Frame::error_to(header, &errors::version_mismatch(header.version)));
                Input::None
            }
            MessageKind::Call => Input::Call(frame),
            MessageKind::Post if header.version == 0 => Input::Post(frame),
            MessageKind::Reply | MessageKind::Error | MessageKind::Canceled => Input::Answer(frame),
            MessageKind::Event => Input::Event(frame),
            MessageKind::Capability => {
                self.capability(&frame)?;
                Input::None
            }
            MessageKind::Cancel => match frame.payload_bytes().first_chunk::<4>() {
                Some(call) => Input::Cancel {
                    service: header.service,
                    object: header.object,
                    call: MessageId(u32::from_le_bytes(*call)),
                },
                None => Input::None,
            },
            MessageKind::Post | MessageKind::Unknown(_) => Input::None,
        })
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Server(handshake) => Some(handshake.deadline()),
            _ => None,
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant, _out: Out<'_>) -> Result<(), CloseReason> {
        match &self.phase {
            Phase::Server(handshake) if now >= handshake.deadline() => {
                self.phase = Phase::Failed;
                Err(CloseReason::AuthenticationTimeout)
            }
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

    /// The largest payload accepted now.
    pub fn max_payload(&self) -> u32 {
        if matches!(self.phase, Phase::Server(_)) {
            self.max_payload.min(UNAUTHENTICATED_MAX_PAYLOAD)
        } else {
            self.max_payload
        }
    }
}

fn is_connections_own(header: &Header) -> bool {
    header.service == ServiceId::SERVER && header.object == ObjectId::NONE
}

fn is_authentication(header: &Header) -> bool {
    is_connections_own(header) && header.action == ActionId::AUTHENTICATE
}
