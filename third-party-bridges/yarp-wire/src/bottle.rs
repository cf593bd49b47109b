//! The values of YARP (spec 4, 5).

use std::{borrow::Cow, fmt};

use bytes::Bytes;

use crate::{BottleError, Dialect, Vocab, binary, text};

/// How deep lists may nest.
pub const MAX_DEPTH: usize = 64;

/// How many values a bottle may have. A value takes more memory than the byte that it may take on the wire.
pub const MAX_ITEMS: usize = 1 << 20;

/// A list of values: what a message holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bottle {
    /// The values.
    pub items: Vec<Item>,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// 8 bits.
    Int8(i8),
    /// 16 bits.
    Int16(i16),
    /// 32 bits.
    Int32(i32),
    /// 64 bits.
    Int64(i64),
    /// 32 bits.
    Float32(f32),
    /// 64 bits.
    Float64(f64),
    /// A short word; also `true` and `false`.
    Vocab(Vocab),
    /// Text, as bytes: UTF-8 by custom only.
    String(Bytes),
    /// Bytes.
    Blob(Bytes),
    /// Values.
    List(Vec<Self>),
    /// Keys and values. It is read, and written as a list of pairs.
    Dict(Vec<(Self, Self)>),
}

impl Bottle {
    /// Reads the binary form; every byte must belong to the bottle.
    pub fn from_bytes(bytes: &Bytes, dialect: Dialect) -> Result<Self, BottleError> {
        let (bottle, length) = binary::read(bytes, dialect)?;
        match bytes.len() - length {
            0 => Ok(bottle),
            trailing => Err(BottleError::Trailing(trailing)),
        }
    }

    /// Reads the binary form from the beginning of a stream, and says how many bytes it took.
    pub fn from_prefix(bytes: &Bytes, dialect: Dialect) -> Result<(Self, usize), BottleError> {
        binary::read(bytes, dialect)
    }

    /// The binary form.
    pub fn to_bytes(&self, dialect: Dialect) -> Vec<u8> {
        let mut out = Vec::new();
        binary::write(self, dialect, &mut out);
        out
    }

    /// Appends the binary form.
    pub fn write_to(&self, dialect: Dialect, out: &mut Vec<u8>) {
        binary::write(self, dialect, out);
    }

    /// Reads the text form.
    pub fn parse(text: &[u8], dialect: Dialect) -> Result<Self, BottleError> {
        text::read(text, dialect)
    }

    /// The text form: one line, not necessarily UTF-8.
    pub fn to_text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        text::write(&self.items, &mut out);
        out
    }

    /// The reply that says what went wrong.
    pub fn fail(reason: impl Into<String>) -> Self {
        Self { items: vec![Item::Vocab(Vocab::FAIL), Item::from(reason.into())] }
    }
}

impl Item {
    /// The text of a string or vocab; both name things.
    pub fn word(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::String(text) => Some(String::from_utf8_lossy(text)),
            Self::Vocab(Vocab::TRUE) => Some("true".into()),
            Self::Vocab(Vocab::FALSE) => Some("false".into()),
            Self::Vocab(vocab) => Some(String::from_utf8_lossy(&vocab.word()).into_owned().into()),
            _ => None,
        }
    }

    /// A vocab.
    pub const fn vocab(word: &str) -> Self {
        Self::Vocab(Vocab::new(word))
    }
}

impl From<bool> for Item {
    fn from(value: bool) -> Self {
        Self::Vocab(if value { Vocab::TRUE } else { Vocab::FALSE })
    }
}

impl From<i32> for Item {
    fn from(value: i32) -> Self {
        Self::Int32(value)
    }
}

impl From<&str> for Item {
    fn from(text: &str) -> Self {
        Self::String(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Item {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl<I: Into<Item>> FromIterator<I> for Bottle {
    fn from_iter<T: IntoIterator<Item = I>>(items: T) -> Self {
        Self { items: items.into_iter().map(Into::into).collect() }
    }
}

impl From<Vec<Item>> for Bottle {
    fn from(items: Vec<Item>) -> Self {
        Self { items }
    }
}

impl fmt::Display for Bottle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_text()))
    }
}
