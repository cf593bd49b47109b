//! Both ends of a connection as tests drive them.
#![allow(dead_code, reason = "every test program uses a part of it")]

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use keyway_session::{
    AuthMap, AuthOutcome, CapabilityMap, ClientConfig, CloseReason, Connection, Input, ServerAuthentication,
    ServerAuthenticator, ServerConfig,
};
use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId, Value};
use keyway_wire::{Frame, FrameDecoder, FrameLimits, MessageKind};

/// One end under test, and what it sent since somebody looked.
pub(crate) struct End {
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<Frame>,
}

impl End {
    pub(crate) fn server(config: ServerConfig) -> Self {
        let now = Instant::now();
        Self { connection: Connection::server(config, now), now, sent: Vec::new() }
    }

    pub(crate) fn client(config: ClientConfig) -> Self {
        let now = Instant::now();
        let mut end = Self { connection: Connection::client(config, now), now, sent: Vec::new() };
        end.connection.start(now, &mut |frame| end.sent.push(frame));
        end
    }

    pub(crate) fn feed(&mut self, frame: Frame) -> Result<Input, CloseReason> {
        self.connection.handle_frame(self.now, frame, &mut |frame| self.sent.push(frame))
    }

    /// Lets time pass; calls the end only when it asked to be called.
    pub(crate) fn pass(&mut self, time: Duration) -> Result<(), CloseReason> {
        self.now += time;
        match self.connection.poll_timeout() {
            Some(at) if at <= self.now => self.connection.handle_timeout(self.now, &mut |frame| self.sent.push(frame)),
            _ => Ok(()),
        }
    }

    pub(crate) fn judge(&mut self, outcome: AuthOutcome) -> Result<Vec<Input>, CloseReason> {
        self.connection.authenticate(self.now, outcome, &mut |frame| self.sent.push(frame))
    }

    /// What was sent since the last look.
    pub(crate) fn take(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.sent)
    }

    /// The one frame that was sent since the last look.
    pub(crate) fn take_one(&mut self) -> Frame {
        let mut sent = self.take();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }
}

/// Bob with the token `pw` is let in and welcomed, after a challenge if there is one. Version 1.2, as in vector 17.
pub(crate) struct Bob {
    pub(crate) challenge: Option<&'static str>,
}

impl Bob {
    pub(crate) fn wanted(challenge: Option<&'static str>) -> ServerConfig {
        let authentication = ServerAuthentication::Provider(Box::new(Self { challenge }));
        ServerConfig { authentication, failure_delay: Duration::ZERO, ..ServerConfig::default() }
    }
}

impl ServerAuthenticator for Bob {
    fn step(&mut self, said: &AuthMap) -> AuthOutcome {
        let said = |key| said.get(key).and_then(Value::as_str);
        if let Some(challenge) = self.challenge.take() {
            return AuthOutcome::Continue(words(&[("challenge", challenge)]));
        }
        match (said("user"), said("token")) {
            (Some("bob"), Some("pw")) => AuthOutcome::Done(words(&[("welcome", "hello")])),
            _ => AuthOutcome::Failed { reason: "bad credentials".to_owned() },
        }
    }

    fn version(&self) -> (u32, u32) {
        (1, 2)
    }
}

pub(crate) fn words(entries: &[(&str, &str)]) -> AuthMap {
    entries.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect()
}

pub(crate) fn frame(kind: MessageKind, id: u32, (service, object, action): (u32, u32, u32), payload: Payload) -> Frame {
    Frame::new(kind, MessageId(id), ServiceId(service), ObjectId(object), ActionId(action), payload)
}

/// A call of authenticate.
pub(crate) fn authenticate(id: u32, map: &CapabilityMap) -> Frame {
    frame(MessageKind::Call, id, (0, 0, 8), map.encode())
}

/// The text of a frame that is an Error.
pub(crate) fn error_text(frame: &Frame) -> String {
    assert_eq!(frame.header.kind, MessageKind::Error, "{frame:?}");
    keyway_session::errors::text_of(frame)
}

/// The map in a frame.
pub(crate) fn map_of(frame: &Frame) -> CapabilityMap {
    CapabilityMap::decode(&frame.payload.clone().into_bytes()).unwrap()
}

/// A frame of a capture, and whether the client sent it.
pub(crate) struct Captured {
    pub(crate) from_client: bool,
    pub(crate) frame: Frame,
    pub(crate) bytes: Bytes,
}

/// The frames of one connection of a file in `tests/data/vectors/qi`.
pub(crate) fn captured(file: &str, connection: u64) -> Vec<Captured> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors/qi");
    let text = fs::read_to_string(folder.join(file).with_extension("json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let entries = json["frames"].as_array().unwrap().iter();
    let frames: Vec<_> = entries
        .filter(|entry| entry["connection"] == connection && !entry["hex"].is_null())
        .map(|entry| {
            let bytes = hex(entry["hex"].as_str().unwrap());
            let frame = decoded([&bytes[..]]).remove(0);
            Captured { from_client: entry["direction"] == "client->server", frame, bytes }
        })
        .collect();
    assert!(!frames.is_empty(), "{file} has no connection {connection}");
    frames
}

fn hex(text: &str) -> Bytes {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The frames in bytes that arrive in pieces.
pub(crate) fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    let (mut decoder, mut buffer) = (FrameDecoder::new(FrameLimits::default()), BytesMut::new());
    let mut found = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(frame) = decoder.decode(&mut buffer).unwrap() {
            found.push(frame);
        }
    }
    assert!(buffer.is_empty());
    found
}
