//! What can be wrong with what a peer sends.

/// A bottle that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BottleError {
    /// The bytes end before the bottle does.
    #[error("the bottle goes on for at least {needed} bytes, and there are fewer")]
    Truncated {
        /// How many bytes there must be at least, from the beginning of the bottle.
        needed: usize,
    },
    /// Bytes are left behind the bottle.
    #[error("{0} bytes follow the bottle")]
    Trailing(usize),
    /// No type has this tag in the dialect.
    #[error("there is no type with the tag {0}; is the dialect right?")]
    UnknownTag(i32),
    /// A length or count below zero.
    #[error("a length of {0}")]
    NegativeLength(i32),
    /// An entry of a dict that is not a key and a value.
    #[error("an entry of a dict is not a key and a value")]
    NoPair,
    /// Nested deeper than the limit.
    #[error("the bottle nests deeper than {} levels", crate::MAX_DEPTH)]
    TooDeep,
    /// More values than the limit.
    #[error("the bottle has more than {} values", crate::MAX_ITEMS)]
    TooManyItems,
    /// A bracket or quote in text that is not closed, or closed without having been opened.
    #[error("the text has a {0:?} without its other half")]
    Unbalanced(char),
    /// A blob in text that holds something else than numbers from 0 to 255.
    #[error("a blob is numbers from 0 to 255")]
    BadBlob,
}

/// A peer that does not keep to the protocol; its connection ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The first eight bytes select no carrier that is spoken here.
    #[error("the first bytes {0:02x?} select no carrier that is spoken here")]
    UnknownCarrier([u8; 8]),
    /// A port name that is empty, too long or not text.
    #[error("a port name of {0} bytes")]
    BadName(i64),
    /// Something else where a YARP number has to be.
    #[error("{0:02x?} instead of {1}")]
    Unexpected([u8; 8], &'static str),
    /// A text line where another is due.
    #[error("{0:?} instead of {1}")]
    UnexpectedLine(String, &'static str),
    /// A message larger than the limit.
    #[error("a message of {size} bytes, and {limit} are allowed")]
    TooLarge {
        /// Its size, or what has come of it.
        size: u64,
        /// The limit.
        limit: usize,
    },
    /// A message without a command head that can be read.
    #[error("a message without a command")]
    NoCommand,
    /// A command that cannot be done on this connection.
    #[error("the command {0:?} is not for binary connections")]
    NotHere(String),
    /// A reply that cannot be read.
    #[error(transparent)]
    Bottle(#[from] BottleError),
}
