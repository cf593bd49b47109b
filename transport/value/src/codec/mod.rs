//! The binary form of values (spec 4).

mod decoder;
mod dynamic;
mod encoder;
mod payload;
mod replace;
mod skip;

pub use decoder::{Decoder, Limits};
pub(crate) use encoder::CountMark;
pub use encoder::Encoder;
pub use payload::Payload;
pub use replace::replace_metaobjects;

use crate::{ConversionError, ObjectReference, ObjectValue, Signature};

/// How object references are written, as the two ends of a connection agreed (spec 5.3, 10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectLayout {
    /// Whether a 20-byte uid follows (ObjectPtrUID).
    pub uid: bool,
    /// Whether metaobjects are sent once and cached (MetaObjectCache).
    pub metaobject_cache: bool,
}

impl Default for ObjectLayout {
    fn default() -> Self {
        Self { uid: true, metaobject_cache: false }
    }
}

/// Gives objects an address on a connection as they are written.
pub trait ObjectExporter {
    /// The reference to write for `object`.
    fn export(&mut self, object: &ObjectValue) -> Result<ObjectReference, CodecError>;
}

/// Makes something of references as they are read.
pub trait ObjectImporter {
    /// The object that `reference` means on this connection.
    fn import(&mut self, reference: ObjectReference) -> ObjectValue;
}

/// Bytes that do not hold what their signature says, or values that cannot be written. The texts of spec 2.4 are
/// libqi's, because its users see and match them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The bytes end too early, or a count is larger than what is left.
    #[error("ISerialization error Status Read Past End")]
    ReadPastEnd,
    /// A signature in the bytes does not parse.
    #[error("Invalid signature")]
    InvalidSignature,
    /// A dynamic without a type where a value is needed.
    #[error("NULL type")]
    NullType,
    /// A dynamic of a type that has no values.
    #[error("Cannot find a type to deserialize signature {0} within a dynamic value.")]
    CannotDeserialize(Signature),
    /// Nested deeper than the limit (spec 2.9).
    #[error("the value nests deeper than {0} levels")]
    TooDeep(usize),
    /// Too many elements of size zero (H4).
    #[error("a list of {0} elements that take no space is refused")]
    CountTooLarge(usize),
    /// Far more voids and tuples than bytes (H4).
    #[error("the value has too many parts that take no space")]
    TooManyParts,
    /// Text is wanted, and the bytes are not UTF-8.
    #[error("the string is not UTF-8")]
    InvalidUtf8,
    /// More than 2³²−1 bytes or elements.
    #[error("the value is too large for the protocol")]
    TooLarge,
    /// Another one, in a part of the value.
    #[error("{path}: {error}")]
    At {
        /// Fields and positions, as in `joints[3].name`.
        path: String,
        /// What is wrong there.
        error: Box<Self>,
    },
    /// A value does not convert.
    #[error(transparent)]
    Conversion(#[from] ConversionError),
    /// An object cannot be passed on.
    #[error("{0}")]
    Object(String),
    /// The reason of a type's own reading or writing.
    #[error("{0}")]
    Custom(String),
}
