//! Raw connections: they say whatever a test wants said.

use std::{
    collections::VecDeque,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
};

use bytes::{BufMut, Bytes, BytesMut};
use keyway_value::{
    ActionId, Decoder, MessageId, ObjectId, Payload, QiValue, ServiceId, Value, from_payload, to_payload,
};
use keyway_wire::{Frame, FrameDecoder, FrameLimits, MessageKind, Url};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{eventually, gateway::token_of};

/// Service, object and action.
pub type Address = (u32, u32, u32);

/// `authenticate`.
pub const AUTHENTICATE: Address = (0, 0, 8);
/// `machineId` of the directory, which every connection may call.
pub const MACHINE_ID: Address = (1, 1, 108);

/// A connection without manners.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    decoder: FrameDecoder,
    buffer: BytesMut,
    /// Read while waiting for something else.
    aside: VecDeque<Frame>,
    last: u32,
}

impl Raw {
    /// Connects, and says nothing.
    pub async fn connect(url: &str) -> Self {
        Self::connect_with(url, None).await
    }

    /// Connects with a receive buffer of the system of about this size.
    ///
    /// # Panics
    ///
    /// When nobody listens there.
    pub async fn connect_with(url: &str, receive_buffer: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().unwrap_or_else(|error| panic!("no socket: {error}"));
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap_or_else(|error| panic!("{bytes} bytes: {error}"));
        }
        let stream = eventually("connecting", socket.connect(address(url))).await;
        Self::over(stream.unwrap_or_else(|error| panic!("nobody listens at {url}: {error}")))
    }

    /// Connects from another address of this machine.
    ///
    /// # Panics
    ///
    /// When nobody listens there.
    pub async fn connect_from(source: Ipv4Addr, url: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap_or_else(|error| panic!("no socket: {error}"));
        socket.bind((source, 0).into()).unwrap_or_else(|error| panic!("{source}: {error}"));
        let stream = eventually("connecting", socket.connect(address(url))).await;
        Self::over(stream.unwrap_or_else(|error| panic!("nobody listens at {url}: {error}")))
    }

    /// The end of a connection that was accepted.
    pub fn over(stream: TcpStream) -> Self {
        // Refused only when the connection is gone, which the test will see.
        let _ = stream.set_nodelay(true);
        let decoder = FrameDecoder::new(FrameLimits { max_payload: u32::MAX });
        Self { stream, decoder, buffer: BytesMut::new(), aside: VecDeque::new(), last: 0 }
    }

    /// Connects and authenticates with libqi's capabilities.
    pub async fn authenticated(url: &str) -> Self {
        let mut raw = Self::connect(url).await;
        raw.authenticate().await;
        raw
    }

    /// Authenticates with libqi's capabilities.
    ///
    /// # Panics
    ///
    /// When it is refused.
    pub async fn authenticate(&mut self) {
        let answer = self.call(AUTHENTICATE, keyway::CapabilityMap::libqi().encode()).await;
        assert_eq!(answer.header.kind, MessageKind::Reply, "{}", text_of(&answer));
    }

    /// Connects and authenticates as a [`user`](crate::gateway::user) of a gateway.
    pub async fn authenticated_as(url: &str, user: &str) -> Self {
        let mut raw = Self::connect(url).await;
        let answer = raw.show(user, &token_of(user)).await;
        assert_eq!(answer.header.kind, MessageKind::Reply, "{}", text_of(&answer));
        raw
    }

    /// Shows a name and a token, and waits for the answer.
    pub async fn show(&mut self, user: &str, token: &str) -> Frame {
        let mut words = keyway::CapabilityMap::libqi();
        words.set("auth_user", user).set("auth_token", token);
        self.call(AUTHENTICATE, words.encode()).await
    }

    /// A frame with an id of its own.
    pub fn frame(
        &mut self,
        kind: MessageKind,
        (service, object, action): Address,
        payload: impl Into<Payload>,
    ) -> Frame {
        self.last += 1;
        let id = MessageId(self.last);
        Frame::new(kind, id, ServiceId(service), ObjectId(object), ActionId(action), payload.into())
    }

    /// Sends a frame with an id of its own, which it returns.
    pub async fn send(&mut self, kind: MessageKind, address: Address, payload: impl Into<Payload>) -> MessageId {
        let frame = self.frame(kind, address, payload);
        self.send_bytes(&frame.to_bytes()).await;
        frame.header.id
    }

    /// Sends bytes as they are. That the other side has closed is no error: it shows when reading.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = eventually("sending", self.stream.write_all(bytes)).await;
    }

    /// Calls and waits for the answer; what else arrives is kept for [`read`](Self::read).
    pub async fn call(&mut self, address: Address, payload: impl Into<Payload>) -> Frame {
        let id = self.send(MessageKind::Call, address, payload).await;
        self.answer(id).await
    }

    /// Calls with typed arguments, and reads the result.
    ///
    /// # Panics
    ///
    /// When it is not a result.
    pub async fn call_typed<R: QiValue>(&mut self, address: Address, arguments: &impl QiValue) -> R {
        let answer = self.call(address, payload(arguments)).await;
        assert_eq!(answer.header.kind, MessageKind::Reply, "{}", text_of(&answer));
        from_payload(answer.payload_bytes()).unwrap_or_else(|error| panic!("the result cannot be read: {error}"))
    }

    /// Calls, and expects an Error with its text as the answer.
    ///
    /// # Panics
    ///
    /// When the call succeeds.
    pub async fn refused(&mut self, address: Address, payload: impl Into<Payload>) -> String {
        let answer = self.call(address, payload).await;
        assert_eq!(answer.header.kind, MessageKind::Error, "the call was to be refused");
        text_of(&answer)
    }

    /// Waits for the answer to a call.
    ///
    /// # Panics
    ///
    /// When the connection is closed instead.
    pub async fn answer(&mut self, id: MessageId) -> Frame {
        let is_it = |frame: &Frame| frame.header.id == id && is_answer(frame);
        if let Some(position) = self.aside.iter().position(is_it) {
            return self.aside.remove(position).unwrap_or_else(|| unreachable!("it is there"));
        }
        loop {
            match self.read_new().await {
                Some(frame) if is_it(&frame) => return frame,
                Some(frame) => self.aside.push_back(frame),
                None => panic!("the connection was closed instead of an answer"),
            }
        }
    }

    /// The next frame; `None` when the other side has closed.
    pub async fn read(&mut self) -> Option<Frame> {
        match self.aside.pop_front() {
            Some(frame) => Some(frame),
            None => self.read_new().await,
        }
    }

    /// The next frame of a kind, passing over others; `None` when the other side has closed.
    pub async fn read_kind(&mut self, kind: MessageKind) -> Option<Frame> {
        loop {
            let frame = self.read().await?;
            if frame.header.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Waits until the other side closes, and returns what it still said.
    pub async fn closed(&mut self) -> Vec<Frame> {
        let mut last_words = Vec::new();
        while let Some(frame) = self.read().await {
            last_words.push(frame);
        }
        last_words
    }

    /// Reads so many frames, or fewer when the other side closes.
    pub async fn read_many(&mut self, count: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.len() < count {
            match self.read().await {
                Some(frame) => frames.push(frame),
                None => break,
            }
        }
        frames
    }

    /// The other side closes without another word.
    ///
    /// # Panics
    ///
    /// When it does say something.
    pub async fn expect_closed(&mut self) {
        let last_words = self.closed().await;
        assert!(last_words.is_empty(), "closed, but not without a word: {last_words:?}");
    }

    /// What was sent before has no answer: the next thing to arrive is the answer to a call sent now.
    ///
    /// # Panics
    ///
    /// When something else arrives.
    pub async fn expect_silence(&mut self) {
        let id = self.send(MessageKind::Call, MACHINE_ID, Payload::new()).await;
        let frame = self.read().await.unwrap_or_else(|| panic!("the connection was closed"));
        assert!(frame.header.id == id && is_answer(&frame), "unexpected: {frame:?}");
    }

    /// Sends nothing more, but goes on reading.
    pub async fn finish_sending(&mut self) {
        // Refused only when the connection is gone.
        let _ = self.stream.shutdown().await;
    }

    async fn read_new(&mut self) -> Option<Frame> {
        loop {
            match self.decoder.decode(&mut self.buffer) {
                Ok(Some(frame)) => return Some(frame),
                Ok(None) => {}
                Err(error) => panic!("the other side sends what is no frame: {error}"),
            }
            match eventually("reading", self.stream.read_buf(&mut self.buffer)).await {
                Ok(0) => return None,
                Ok(_) => {}
                // Closed with bytes of ours unread.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                    return None;
                }
                Err(error) => panic!("reading: {error}"),
            }
        }
    }
}

fn address(url: &str) -> SocketAddr {
    let url = Url::parse(url);
    let address = format!("{}:{}", url.host.unwrap_or_default(), url.port.unwrap_or_default());
    address.parse().unwrap_or_else(|error| panic!("{address}: {error}"))
}

/// The payload of a typed value.
///
/// # Panics
///
/// When it has none.
pub fn payload(value: &impl QiValue) -> Bytes {
    to_payload(value).unwrap_or_else(|error| panic!("the arguments cannot be written: {error}")).into_bytes()
}

/// A string as it is sent.
pub fn string(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], text.as_bytes()].concat()
}

/// A dynamic as it is sent: a signature, and bytes that need not be of it.
pub fn dynamic(signature: &str, value: &[u8]) -> Vec<u8> {
    [&string(signature), value].concat()
}

/// A map of capabilities with one entry, of any bytes.
pub fn capability(name: &str, dynamic: &[u8]) -> Vec<u8> {
    [&1_u32.to_le_bytes()[..], &string(name), dynamic].concat()
}

/// A dynamic in a dynamic, so many times, with a number inside.
pub fn nested_dynamic(depth: usize) -> Bytes {
    let mut bytes = BytesMut::with_capacity(5 * depth + 9);
    for _ in 0..depth {
        bytes.put_slice(b"\x01\0\0\0m");
    }
    bytes.put_slice(b"\x01\0\0\0i\x07\0\0\0");
    bytes.freeze()
}

/// The text of an Error.
pub fn text_of(frame: &Frame) -> String {
    match Decoder::new(frame.payload_bytes()).read_dynamic() {
        Ok(Value::String(text)) => text.to_string(),
        other => format!("{:?} with {other:?}", frame.header.kind),
    }
}

fn is_answer(frame: &Frame) -> bool {
    matches!(frame.header.kind, MessageKind::Reply | MessageKind::Error | MessageKind::Canceled)
}
