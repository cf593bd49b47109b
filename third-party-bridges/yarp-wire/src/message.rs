//! Messages: a command, and the data that belongs to it (spec 3.2, 3.3).

use bytes::{Buf, Bytes};

use crate::{Bottle, BottleError, Carrier, Dialect, WireError, number};

/// What may come at most, in bytes (spec 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A binary message.
    pub message: usize,
    /// A line of text, with those that continue it.
    pub line: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 16 << 20, line: 1 << 20 }
    }
}

/// What a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `a`: about connections; a reply is wanted.
    Admin,
    /// `D`, `d`: data.
    Data {
        /// Whether the sender waits for a bottle.
        reply: bool,
    },
    /// `*`: what is connected.
    Describe,
    /// `q`: the end of the connection.
    Disconnect,
    /// Anything else, as it came: `/port` to add an output, and commands that do not exist.
    Other(String),
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What it is for.
    pub command: Command,
    /// Text beside the data, by custom a number and a time.
    pub envelope: Option<Bytes>,
    /// The data; empty for commands that have none. Who sends a bottle that cannot be read gets no second chance.
    pub bottle: Result<Bottle, BottleError>,
}

impl Command {
    /// The command, and the envelope, of a line such as `D 7 1234.5`.
    pub(crate) fn parse(line: &[u8]) -> (Self, Option<Bytes>) {
        let (&key, rest) = line.split_first().unwrap_or((&b' ', b""));
        // Names of ports begin like keys; a key stands alone.
        let envelope = match rest.split_first() {
            None => None,
            Some((b' ', envelope)) => Some(Bytes::copy_from_slice(envelope)),
            Some(_) => return (Self::other(line), None),
        };
        let command = match key {
            b'D' => Self::Data { reply: false },
            b'd' => Self::Data { reply: true },
            b'a' => Self::Admin,
            b'q' => Self::Disconnect,
            b'*' => Self::Describe,
            _ => Self::other(line),
        };
        (command, envelope)
    }

    fn other(line: &[u8]) -> Self {
        Self::Other(String::from_utf8_lossy(line).into_owned())
    }

    pub(crate) const fn has_data(&self) -> bool {
        matches!(self, Self::Admin | Self::Data { .. })
    }

    /// The line of text, without its envelope.
    fn key(&self) -> &str {
        match self {
            Self::Admin => "a",
            Self::Data { reply: false } => "D",
            Self::Data { reply: true } => "d",
            Self::Describe => "*",
            Self::Disconnect => "q",
            Self::Other(line) => line,
        }
    }
}

/// The bytes of a message.
pub fn encode_message(
    carrier: Carrier,
    dialect: Dialect,
    command: &Command,
    envelope: Option<&[u8]>,
    bottle: &Bottle,
) -> Vec<u8> {
    let mut line = command.key().as_bytes().to_vec();
    if let Some(envelope) = envelope {
        line.push(b' ');
        line.extend_from_slice(envelope);
    }
    if carrier.is_text() {
        line.extend_from_slice(b"\r\n");
        if command.has_data() {
            line.extend(bottle.to_text());
            line.extend_from_slice(b"\r\n");
        }
        return line;
    }
    let head = head(&line);
    let data = if command.has_data() { bottle.to_bytes(dialect) } else { Vec::new() };
    let blocks: &[&[u8]] = if command.has_data() { &[&head, &data] } else { &[&head] };
    let mut out = number::encode(number::MESSAGE).to_vec();
    // One block, or two: the count fits.
    out.extend_from_slice(&[if command.has_data() { 2 } else { 1 }, 1]);
    out.extend_from_slice(&[0xff; 8]);
    for block in blocks {
        out.extend_from_slice(&length(block.len()));
    }
    out.extend_from_slice(&length(0));
    blocks.iter().for_each(|block| out.extend_from_slice(block));
    out
}

/// The head of a binary message. A disconnection is written in full, as YARP does.
fn head(line: &[u8]) -> Vec<u8> {
    match line {
        [key] if *key != b'q' => vec![0, 0, 0, 0, b'~', *key, 0, 1],
        line => {
            let mut head = length(line.len() + 1).to_vec();
            head.extend_from_slice(&[b'~', 0, 0, 1]);
            head.extend_from_slice(line);
            head.push(0);
            head
        }
    }
}

/// What is longer than the wire can say is longer than any message may be.
fn length(length: usize) -> [u8; 4] {
    i32::try_from(length).unwrap_or(i32::MAX).to_le_bytes()
}

/// How long the message is that the bytes begin with, index included; `None` while the index is not there.
pub(crate) fn binary_length(bytes: &[u8], limits: Limits) -> Result<Option<(usize, usize)>, WireError> {
    let Some(first) = bytes.first_chunk() else { return Ok(None) };
    if number::decode(*first) != Some(number::MESSAGE) {
        return Err(WireError::Unexpected(*first, "the beginning of a message"));
    }
    let (Some(&blocks), Some(&replies)) = (bytes.get(8), bytes.get(9)) else { return Ok(None) };
    let index = INDEX + 4 * (usize::from(blocks) + usize::from(replies));
    let Some(lengths) = bytes.get(INDEX..index) else { return Ok(None) };
    let mut size = 0_u64;
    for length in lengths.chunks_exact(4).take(blocks.into()) {
        // Lengths below zero are very large ones.
        size += u64::from(u32::from_le_bytes([length[0], length[1], length[2], length[3]]));
    }
    match usize::try_from(size) {
        Ok(payload) if payload <= limits.message => Ok(Some((index, payload))),
        _ => Err(WireError::TooLarge { size, limit: limits.message }),
    }
}

/// Number, two counts, and eight bytes that mean nothing.
const INDEX: usize = 18;

/// The message of a payload; block borders mean nothing.
pub(crate) fn binary_message(mut payload: Bytes, dialect: Dialect) -> Result<Message, WireError> {
    let Some(&[a, b, c, d, b'~', key, 0, 1]) = payload.first_chunk() else {
        return Err(WireError::NoCommand);
    };
    payload.advance(8);
    let (command, envelope) = if key == 0 {
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let text = payload.get(..length).and_then(|text| text.strip_suffix(b"\0"));
        let parsed = Command::parse(text.filter(|text| !text.is_empty()).ok_or(WireError::NoCommand)?);
        payload.advance(length);
        parsed
    } else {
        Command::parse(&[key])
    };
    match command {
        Command::Describe => Err(WireError::NotHere("*".to_owned())),
        Command::Other(line) => Err(WireError::NotHere(line)),
        Command::Disconnect => Ok(Message { command, envelope, bottle: Ok(Bottle::default()) }),
        command => Ok(Message { command, envelope, bottle: Bottle::from_bytes(&payload, dialect) }),
    }
}
