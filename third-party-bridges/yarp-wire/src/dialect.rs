//! The two numberings of types (spec 1).

use std::{fmt, str::FromStr};

/// Which YARP is spoken. Nothing on the wire tells them apart, and one tag means floats of different width.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// YARP 3.
    #[default]
    V3,
    /// YARP 4 and later: vocabs of eight characters, and other tags for floats.
    V4,
}

impl Dialect {
    /// How many characters a vocab has at most.
    pub(crate) const fn vocab_length(self) -> usize {
        match self {
            Self::V3 => 4,
            Self::V4 => 8,
        }
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(text: &str) -> Result<Self, UnknownDialect> {
        match text {
            "3" => Ok(Self::V3),
            "4" => Ok(Self::V4),
            _ => Err(UnknownDialect),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3 => "3",
            Self::V4 => "4",
        })
    }
}

/// A text that names no dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such dialect: it is 3 or 4, as the first number of your YARP's version")]
pub struct UnknownDialect;
