//! Frames and time, for both ends of a connection.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use keyway_session::{
    AuthMap, AuthOutcome, ClientAuthenticator, ClientConfig, CloseReason, Connection, Credentials, Input,
    ObjectRequest, ServerAuthentication, ServerAuthenticator, ServerConfig,
};
use keyway_value::{Decoder, Value};
use keyway_wire::{Frame, FrameDecoder, FrameLimits, Header, MessageKind};

/// The kind of frames that are not for the connection: so many milliseconds pass as their id says.
pub const PASS: u8 = 0xF0;
/// The kind of frames that are not for the connection: the layer above has judged, as their id says.
pub const JUDGE: u8 = 0xF1;

/// A byte that chooses the settings, and a stream of frames. Both ends take them without harm; nobody is let in without
/// proof, and nothing reaches the layer above before.
pub fn handshake(data: &[u8]) {
    let Some((&settings, stream)) = data.split_first() else { return };
    let mut buffer = BytesMut::from(stream);
    let mut decoder = FrameDecoder::new(FrameLimits { max_payload: 64 << 10 });
    let mut ends = [End::server(settings), End::client(settings)];
    while let Ok(Some(frame)) = decoder.decode(&mut buffer) {
        for end in &mut ends {
            match u8::from(frame.header.kind) {
                PASS => end.pass(frame.header.id.0),
                JUDGE => end.judged(frame.header.id.0),
                _ => end.take(&frame),
            }
        }
    }
}

/// One end, and what it said of itself so far.
struct End {
    connection: Connection,
    now: Instant,
    opened: bool,
    ended: bool,
    /// Whether the layer above is asked for a judgement.
    asked: bool,
    /// Whether it may be open by now.
    may_open: bool,
}

impl End {
    fn server(settings: u8) -> Self {
        let (authentication, may_open) = match settings % 4 {
            0 => (ServerAuthentication::None, true),
            1 => (ServerAuthentication::Provider(Box::new(Never { steps: settings >> 4 })), false),
            _ => (ServerAuthentication::Deferred { version: (1, 2) }, false),
        };
        let failure_delay = Duration::from_millis(if settings & 4 == 0 { 0 } else { 100 });
        let now = Instant::now();
        let connection =
            Connection::server(ServerConfig { authentication, failure_delay, ..ServerConfig::default() }, now);
        Self { connection, now, opened: false, ended: false, asked: false, may_open }
    }

    fn client(settings: u8) -> Self {
        let credentials: Box<dyn ClientAuthenticator> = Box::new(Credentials::new("user", "token"));
        let authenticator = (settings & 8 != 0).then_some(credentials);
        let config =
            ClientConfig { authenticator, require_authentication: settings & 4 != 0, ..ClientConfig::default() };
        let now = Instant::now();
        let mut connection = Connection::client(config, now);
        let mut first = Vec::new();
        connection.start(now, &mut |frame| first.push(frame));
        assert!(matches!(&first[..], [frame] if frame.header.kind == MessageKind::Call), "a client asks to be let in");
        Self { connection, now, opened: false, ended: false, asked: false, may_open: true }
    }

    fn take(&mut self, frame: &Frame) {
        let call = (frame.header.kind == MessageKind::Call).then_some(frame.header);
        let taken = self.connection.handle_frame(self.now, frame.clone(), &mut |sent| is_sane(&sent, call.as_ref()));
        match taken {
            Ok(input) => self.saw(&input),
            Err(reason) => self.end(&reason),
        }
        self.check();
    }

    fn pass(&mut self, milliseconds: u32) {
        self.now += Duration::from_millis(u64::from(milliseconds % 20_000));
        let due = self.connection.poll_timeout().is_some_and(|at| at <= self.now);
        if let Err(reason) = self.connection.handle_timeout(self.now, &mut |sent| is_sane(&sent, None)) {
            assert!(due, "ended before the time it named: {reason}");
            self.end(&reason);
        }
        self.check();
    }

    fn judged(&mut self, verdict: u32) {
        let words = || AuthMap::from([("word".to_owned(), Value::from(verdict))]);
        let outcome = match verdict % 3 {
            0 => AuthOutcome::Done(words()),
            1 => AuthOutcome::Continue(words()),
            _ => AuthOutcome::Failed { reason: verdict.to_string() },
        };
        self.may_open |= self.asked && matches!(outcome, AuthOutcome::Done(_));
        self.asked = false;
        match self.connection.authenticate(self.now, outcome, &mut |sent| is_sane(&sent, None)) {
            Ok(inputs) => inputs.iter().for_each(|input| self.saw(input)),
            Err(reason) => self.end(&reason),
        }
        self.check();
    }

    fn saw(&mut self, input: &Input) {
        match input {
            Input::Opened => {
                assert!(!self.opened && !self.ended, "opened once");
                assert!(self.may_open, "nobody is let in without proof");
                self.opened = true;
            }
            Input::None => {}
            Input::Authenticate(_) => {
                assert!(!self.opened && !self.asked && !self.ended, "one judgement at a time");
                self.asked = true;
            }
            Input::Call(frame) | Input::Post(frame) => {
                assert!(self.opened && !self.ended, "nothing passes before authentication: {frame:?}");
                assert_eq!(frame.header.version, 0);
                let _ = ObjectRequest::read(frame.header.action, &mut Decoder::new(frame.payload_bytes()));
            }
            other => assert!(self.opened && !self.ended, "nothing passes before authentication: {other:?}"),
        }
    }

    fn end(&mut self, reason: &CloseReason) {
        assert!(!self.ended, "ended once: {reason}");
        self.ended = true;
        self.asked = false;
    }

    fn check(&self) {
        assert_eq!(self.connection.is_open(), self.opened && !self.ended);
        assert!(!self.ended || self.connection.poll_timeout().is_none(), "what ended waits for nothing");
        assert!(self.connection.remote_capabilities().iter().count() <= 64, "a peer cannot fill the memory");
    }
}

/// What goes out can be read, and an answer names its call.
fn is_sane(sent: &Frame, call: Option<&Header>) {
    let mut bytes = BytesMut::from(&sent.to_bytes()[..]);
    let read = FrameDecoder::new(FrameLimits::default()).decode(&mut bytes);
    assert_eq!(read.as_ref(), Ok(&Some(sent.clone())));
    let is_answer = matches!(sent.header.kind, MessageKind::Reply | MessageKind::Error);
    if let (true, Some(call)) = (is_answer, call) {
        assert_eq!((sent.header.id, sent.header.action), (call.id, call.action));
    }
}

/// Is never convinced, and asks a few times before it says so.
struct Never {
    steps: u8,
}

impl ServerAuthenticator for Never {
    fn step(&mut self, said: &AuthMap) -> AuthOutcome {
        match self.steps.checked_sub(1) {
            Some(left) => {
                self.steps = left;
                AuthOutcome::Continue(said.clone())
            }
            None => AuthOutcome::Failed { reason: String::new() },
        }
    }
}
