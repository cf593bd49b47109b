//! What is wrong with text that is no signature.

use super::{MAX_DEPTH, MAX_LENGTH};

/// Text that is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Empty text, or an element is missing at the end.
    #[error("the signature ends where a type is expected")]
    Truncated,
    /// A character that starts no type.
    #[error("{found:?} at byte {at} starts no type")]
    UnknownType {
        /// The byte.
        found: char,
        /// Where.
        at: usize,
    },
    /// A bracket without its partner, or with the wrong number of elements in it.
    #[error("the brackets at byte {at} do not fit")]
    Brackets {
        /// Where.
        at: usize,
    },
    /// `<` without `>`.
    #[error("the annotation at byte {at} does not end")]
    Annotation {
        /// Where.
        at: usize,
    },
    /// Something follows the type.
    #[error("byte {at} follows a complete signature")]
    Trailing {
        /// Where.
        at: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the signature nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// Longer than [`MAX_LENGTH`].
    #[error("the signature is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the signature is not UTF-8")]
    NotUtf8,
}
