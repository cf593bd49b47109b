//! How the messages of a connection are written (spec 3).

use std::{fmt, str::FromStr};

use crate::number;

/// The carriers that are spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// Binary, without acknowledgements.
    FastTcp,
    /// Binary, each message acknowledged.
    Tcp,
    /// Lines of text, without acknowledgements.
    Text,
    /// Lines of text, each message acknowledged.
    TextAck,
}

impl Carrier {
    /// All of them, the usual one first.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::FastTcp, Self::TextAck, Self::Text];

    /// The carrier that the first eight bytes of a connection select.
    pub(crate) fn select(bytes: [u8; number::LENGTH]) -> Option<Self> {
        match &bytes {
            b"CONNECT " => return Some(Self::Text),
            b"CONNACK " => return Some(Self::TextAck),
            _ => {}
        }
        let code = number::decode(bytes)?.checked_sub(BASE)?;
        match (code % 16, code & ACKNOWLEDGED, (0..256).contains(&code)) {
            (TCP, ACKNOWLEDGED, true) => Some(Self::Tcp),
            (TCP, 0, true) => Some(Self::FastTcp),
            _ => None,
        }
    }

    /// The first bytes of a connection.
    pub(crate) const fn selector(self) -> [u8; number::LENGTH] {
        match self {
            Self::FastTcp => number::encode(BASE + TCP),
            Self::Tcp => number::encode(BASE + TCP + ACKNOWLEDGED),
            Self::Text => *b"CONNECT ",
            Self::TextAck => *b"CONNACK ",
        }
    }

    /// Whether messages are lines.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::TextAck)
    }

    /// Whether the receiver acknowledges each message.
    pub const fn is_acknowledged(self) -> bool {
        matches!(self, Self::Tcp | Self::TextAck)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FastTcp => "fast_tcp",
            Self::Tcp => "tcp",
            Self::Text => "text",
            Self::TextAck => "text_ack",
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Carrier {
    type Err = UnknownCarrier;

    fn from_str(name: &str) -> Result<Self, UnknownCarrier> {
        Self::ALL.into_iter().find(|carrier| carrier.name() == name).ok_or(UnknownCarrier)
    }
}

/// A name that is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such carrier here: it is tcp, fast_tcp, text_ack or text")]
pub struct UnknownCarrier;

/// What a connection is told whose first bytes select no carrier, before it is closed.
pub const CONFUSED: &[u8] = b"* Error. Protocol not found. Keyway speaks tcp, fast_tcp, text and text_ack.\r\n";

const BASE: i32 = 7777;
const TCP: i32 = 3;
const ACKNOWLEDGED: i32 = 128;
