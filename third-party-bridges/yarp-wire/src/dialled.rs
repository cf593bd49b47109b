//! Connections that leave a port.

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    Bottle, BottleError, Carrier, Dialect, Limits, WireError, accepted::ACKNOWLEDGED_LINE, lines::Lines, number,
};

/// What the other side says on a connection that was opened from here. The driver knows what is due, and asks for it until
/// it has come.
#[derive(Debug)]
pub struct Dialled {
    buffer: BytesMut,
    lines: Lines,
    carrier: Carrier,
    dialect: Dialect,
    limits: Limits,
    /// How much a reply takes at least, as far as is known: it is not read again before that much is there.
    needed: usize,
}

impl Dialled {
    /// A connection that is about to say [`hello`](Self::hello).
    pub fn new(carrier: Carrier, dialect: Dialect, limits: Limits) -> Self {
        Self { buffer: BytesMut::new(), lines: Lines::default(), carrier, dialect, limits, needed: 0 }
    }

    /// What the side that dials says first; `name` is that of its port.
    pub fn hello(carrier: Carrier, name: &str) -> Vec<u8> {
        let mut out = carrier.selector().to_vec();
        if carrier.is_text() {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend(i32::try_from(name.len() + 1).unwrap_or(i32::MAX).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
            out.push(0);
        }
        out
    }

    /// How it is written.
    pub const fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// Where what arrives is to be put.
    pub const fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The answer to the hello.
    pub fn welcome(&mut self) -> Result<Option<()>, WireError> {
        if !self.carrier.is_text() {
            return Ok(self.number("a port's number")?.map(|_| ()));
        }
        match self.lines.next(&mut self.buffer, self.limits.line)? {
            Some(line) if line.starts_with(b"Welcome") => Ok(Some(())),
            Some(line) => Err(unexpected(&line, "a welcome")),
            None => Ok(None),
        }
    }

    /// The bottle that answers a message which wants one.
    pub fn reply(&mut self) -> Result<Option<Bottle>, WireError> {
        if self.carrier.is_text() {
            let Some(line) = self.lines.next(&mut self.buffer, self.limits.line)? else { return Ok(None) };
            return Ok(Some(Bottle::parse(&line, self.dialect)?));
        }
        if self.buffer.len() < self.needed {
            return Ok(None);
        }
        let bytes: Bytes = std::mem::take(&mut self.buffer).freeze();
        match Bottle::from_prefix(&bytes, self.dialect) {
            Ok((bottle, length)) => {
                self.needed = 0;
                self.buffer = BytesMut::from(bytes.get(length..).unwrap_or_default());
                Ok(Some(bottle))
            }
            Err(BottleError::Truncated { needed }) if needed <= self.limits.message => {
                self.needed = needed;
                // Nothing else holds on to them.
                self.buffer = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
                Ok(None)
            }
            Err(BottleError::Truncated { needed }) => {
                Err(WireError::TooLarge { size: needed as u64, limit: self.limits.message })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What acknowledges a message, on carriers that do so.
    pub fn acknowledgement(&mut self) -> Result<Option<()>, WireError> {
        match self.carrier {
            Carrier::FastTcp | Carrier::Text => Ok(Some(())),
            Carrier::Tcp => match self.number("an acknowledgement")? {
                Some(number::ACKNOWLEDGEMENT) => Ok(Some(())),
                Some(other) => Err(WireError::Unexpected(number::encode(other), "an acknowledgement")),
                None => Ok(None),
            },
            Carrier::TextAck => match self.lines.next(&mut self.buffer, self.limits.line)? {
                Some(line) if line == ACKNOWLEDGED_LINE.trim_ascii() => Ok(Some(())),
                Some(line) => Err(unexpected(&line, "an acknowledgement")),
                None => Ok(None),
            },
        }
    }

    fn number(&mut self, due: &'static str) -> Result<Option<i32>, WireError> {
        let Some(bytes) = self.buffer.first_chunk() else { return Ok(None) };
        let bytes = *bytes;
        self.buffer.advance(number::LENGTH);
        number::decode(bytes).map(Some).ok_or(WireError::Unexpected(bytes, due))
    }
}

fn unexpected(line: &[u8], due: &'static str) -> WireError {
    let shown = line.get(..SHOWN).unwrap_or(line);
    WireError::UnexpectedLine(String::from_utf8_lossy(shown).into_owned(), due)
}

/// How much of a strange line is quoted.
const SHOWN: usize = 80;
