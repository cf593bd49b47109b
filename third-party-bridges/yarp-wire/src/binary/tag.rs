//! Types as numbers (spec 5.1).

use crate::{Dialect, Item};

/// The types of values that hold no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Blob,
    Float32,
    Float64,
    Int16,
    Int32,
    Int64,
    Int8,
    String,
    Vocab32,
    Vocab64,
}

/// What a tag says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Scalar(Scalar),
    /// With the type of all elements, if they have no tags of their own.
    List(Option<Scalar>),
    Dict,
}

/// Of lists, with the tag of the elements added to it.
pub(super) const LIST: i32 = 256;
/// Of dicts.
const DICT: i32 = 512;

impl Tag {
    pub(super) fn of(tag: i32, dialect: Dialect) -> Option<Self> {
        if let Some(scalar) = Scalar::of(tag, dialect) {
            return Some(Self::Scalar(scalar));
        }
        match tag {
            LIST => Some(Self::List(None)),
            257..DICT => Scalar::of(tag - LIST, dialect).map(|scalar| Self::List(Some(scalar))),
            // Whatever their entries are said to be, they are lists.
            DICT..=1023 => Some(Self::Dict),
            _ => None,
        }
    }
}

impl Scalar {
    pub(super) const fn of(tag: i32, dialect: Dialect) -> Option<Self> {
        Some(match (tag, dialect) {
            (1, _) => Self::Int32,
            (4, _) => Self::String,
            (9, _) => Self::Vocab32,
            (10, Dialect::V3) | (20, Dialect::V4) => Self::Float64,
            (10, Dialect::V4) | (128, Dialect::V3) => Self::Float32,
            (12, _) => Self::Blob,
            (17, _) => Self::Int64,
            (18, Dialect::V4) => Self::Vocab64,
            (32, _) => Self::Int8,
            (64, _) => Self::Int16,
            _ => return None,
        })
    }

    pub(super) const fn tag(self, dialect: Dialect) -> i32 {
        match (self, dialect) {
            (Self::Int32, _) => 1,
            (Self::String, _) => 4,
            (Self::Vocab32, _) => 9,
            (Self::Float32, Dialect::V4) | (Self::Float64, Dialect::V3) => 10,
            (Self::Blob, _) => 12,
            (Self::Int64, _) => 17,
            (Self::Vocab64, _) => 18,
            (Self::Float64, Dialect::V4) => 20,
            (Self::Int8, _) => 32,
            (Self::Int16, _) => 64,
            (Self::Float32, Dialect::V3) => 128,
        }
    }

    /// What a value takes, of a string or blob its length.
    pub(super) const fn size(self) -> usize {
        match self {
            Self::Int8 => 1,
            Self::Int16 => 2,
            Self::Blob | Self::Float32 | Self::Int32 | Self::String | Self::Vocab32 => 4,
            Self::Float64 | Self::Int64 | Self::Vocab64 => 8,
        }
    }

    /// The type that an item is written as.
    pub(super) const fn of_item(item: &Item, dialect: Dialect) -> Option<Self> {
        Some(match item {
            Item::Int8(_) => Self::Int8,
            Item::Int16(_) => Self::Int16,
            Item::Int32(_) => Self::Int32,
            Item::Int64(_) => Self::Int64,
            Item::Float32(_) => Self::Float32,
            Item::Float64(_) => Self::Float64,
            Item::Vocab(vocab) if vocab.is_short() || matches!(dialect, Dialect::V3) => Self::Vocab32,
            Item::Vocab(_) => Self::Vocab64,
            Item::String(_) => Self::String,
            Item::Blob(_) => Self::Blob,
            Item::List(_) | Item::Dict(_) => return None,
        })
    }
}
