//! The bytes of messages, requests and responses: as ROS 1 lays them out (spec 4.2), and as ROS 2 does (spec 5.1).

mod read;
mod write;

use bytes::Bytes;
use keyway_value::Value;

use crate::Shape;

/// The value in the bytes of ROS 1, which are to be used up.
pub fn decode(shape: &Shape, bytes: &Bytes) -> Result<Value, BodyError> {
    read::decode(Layout::Ros1, shape, bytes)
}

/// The bytes of a value in ROS 1. Numbers of other widths are taken if they fit.
pub fn encode(shape: &Shape, value: &Value) -> Result<Vec<u8>, BodyError> {
    write::encode(Layout::Ros1, shape, value)
}

/// The bytes of ROS 2: CDR, little endian, without the four bytes in front that say so.
///
/// Numbers are aligned to their size; a text ends with a zero byte, which its length counts; a message without fields is one byte;
/// a `std_msgs/Header` has no `seq`. The types of times have other signs than in ROS 1, which makes no difference in this century.
pub mod cdr {
    use super::{BodyError, read, write};
    use super::{Bytes, Layout, Shape, Value};

    /// The value in the bytes; up to three more may fill up the last word.
    pub fn decode(shape: &Shape, bytes: &Bytes) -> Result<Value, BodyError> {
        read::decode(Layout::Cdr, shape, bytes)
    }

    /// The bytes of a value. Numbers of other widths are taken if they fit.
    pub fn encode(shape: &Shape, value: &Value) -> Result<Vec<u8>, BodyError> {
        write::encode(Layout::Cdr, shape, value)
    }
}

/// Whose bytes they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// One after the other.
    Ros1,
    /// [`cdr`]
    Cdr,
}

/// Bytes that are not a message, or a value that a message cannot hold.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}{kind}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct BodyError {
    /// The field, such as `poses[2].position.x`; empty for the message itself.
    pub path: String,
    /// What is wrong there.
    pub kind: BodyErrorKind,
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyErrorKind {
    /// The bytes end too early, or an array says that it is longer than they are.
    #[error("the bytes end too early")]
    TooShort,
    /// Bytes are left over.
    #[error("{0} bytes are left over")]
    TooLong(usize),
    /// More elements without bytes than anybody needs.
    #[error("there are too many parts that take no space")]
    TooManyParts,
    /// An array of a fixed length has another one.
    #[error("{wanted} elements are wanted, and there are {found}")]
    Length {
        /// As defined.
        wanted: usize,
        /// As given.
        found: usize,
    },
    /// A value that may be missing is there more than once.
    #[error("one element or none is wanted, and there are {0}")]
    NotOptional(usize),
    /// A value of another type.
    #[error("{wanted} is wanted, not {found}")]
    Type {
        /// The type in ROS.
        wanted: String,
        /// What the value is, in the directory's words.
        found: String,
    },
    /// A number that is too large or too small.
    #[error("{value} does not fit into {wanted}")]
    Range {
        /// The type in ROS.
        wanted: &'static str,
        /// The number.
        value: String,
    },
    /// A text that is to be JSON, and is not.
    #[error(transparent)]
    Json(#[from] crate::json::JsonError),
    /// A text that ROS 2 would cut off.
    #[error("a text of ROS 2 holds no zero byte")]
    ZeroByte,
    /// More than 2³²−1 bytes or elements.
    #[error("it is too large for ROS")]
    TooLarge,
}

impl BodyError {
    /// Whether the bytes are a message, and one of its values is not what it should be.
    pub const fn is_of_a_value(&self) -> bool {
        matches!(self.kind, BodyErrorKind::Json(_) | BodyErrorKind::NotOptional(_))
    }

    fn new(kind: BodyErrorKind) -> Self {
        Self { path: String::new(), kind }
    }

    /// The same, seen from the message around it.
    fn in_field(mut self, name: &str) -> Self {
        let separator = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{separator}{}", self.path);
        self
    }

    fn at(mut self, position: usize) -> Self {
        let separator = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{position}]{separator}{}", self.path);
        self
    }
}

#[cfg(test)]
mod tests;
