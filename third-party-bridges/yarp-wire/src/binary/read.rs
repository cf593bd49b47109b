//! Reading. Nothing is allocated for what has not come: a count is checked against the bytes that are there.

use bytes::Bytes;

use super::tag::{Scalar, Tag};
use crate::{Bottle, BottleError, Dialect, Item, MAX_DEPTH, MAX_ITEMS, Vocab};

/// The bottle that the bytes begin with, and its length.
pub(crate) fn read(bytes: &Bytes, dialect: Dialect) -> Result<(Bottle, usize), BottleError> {
    let mut reader = Reader { bytes, position: 0, dialect, items: 0 };
    let items = reader.list(0)?;
    Ok((Bottle { items }, reader.position))
}

struct Reader<'a> {
    bytes: &'a Bytes,
    position: usize,
    dialect: Dialect,
    /// How many values were read, or are certain to come.
    items: usize,
}

impl Reader<'_> {
    /// A list with its tag.
    fn list(&mut self, depth: usize) -> Result<Vec<Item>, BottleError> {
        match self.tag()? {
            (_, Tag::List(element)) => self.elements(element, depth),
            (tag, _) => Err(BottleError::UnknownTag(tag)),
        }
    }

    fn elements(&mut self, element: Option<Scalar>, depth: usize) -> Result<Vec<Item>, BottleError> {
        if depth > MAX_DEPTH {
            return Err(BottleError::TooDeep);
        }
        let count = self.length()?;
        self.items = self.items.saturating_add(count);
        if self.items > MAX_ITEMS {
            return Err(BottleError::TooManyItems);
        }
        self.there(count.saturating_mul(element.map_or(SMALLEST_TAGGED, Scalar::size)))?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(match element {
                Some(scalar) => self.scalar(scalar)?,
                None => self.item(depth)?,
            });
        }
        Ok(items)
    }

    fn item(&mut self, depth: usize) -> Result<Item, BottleError> {
        match self.tag()?.1 {
            Tag::Scalar(scalar) => self.scalar(scalar),
            Tag::List(element) => self.elements(element, depth + 1).map(Item::List),
            // A list like the outermost one, with a tag of its own.
            Tag::Dict => self.list(depth + 1)?.into_iter().map(pair).collect::<Result<_, _>>().map(Item::Dict),
        }
    }

    fn scalar(&mut self, scalar: Scalar) -> Result<Item, BottleError> {
        Ok(match scalar {
            Scalar::Int8 => Item::Int8(i8::from_le_bytes(self.array()?)),
            Scalar::Int16 => Item::Int16(i16::from_le_bytes(self.array()?)),
            Scalar::Int32 => Item::Int32(i32::from_le_bytes(self.array()?)),
            Scalar::Int64 => Item::Int64(i64::from_le_bytes(self.array()?)),
            Scalar::Float32 => Item::Float32(f32::from_le_bytes(self.array()?)),
            Scalar::Float64 => Item::Float64(f64::from_le_bytes(self.array()?)),
            Scalar::Vocab32 => Item::Vocab(Vocab(u32::from_le_bytes(self.array()?).into())),
            Scalar::Vocab64 => Item::Vocab(Vocab(u64::from_le_bytes(self.array()?))),
            Scalar::String => Item::String(self.counted()?),
            Scalar::Blob => Item::Blob(self.counted()?),
        })
    }

    /// A tag, as number and as what it says.
    fn tag(&mut self) -> Result<(i32, Tag), BottleError> {
        let tag = i32::from_le_bytes(self.array()?);
        Tag::of(tag, self.dialect).map(|kind| (tag, kind)).ok_or(BottleError::UnknownTag(tag))
    }

    fn length(&mut self) -> Result<usize, BottleError> {
        let length = i32::from_le_bytes(self.array()?);
        usize::try_from(length).map_err(|_| BottleError::NegativeLength(length))
    }

    fn counted(&mut self) -> Result<Bytes, BottleError> {
        let length = self.length()?;
        self.there(length)?;
        let begin = self.position;
        self.position += length;
        Ok(self.bytes.slice(begin..self.position))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BottleError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let Some(bytes) = rest.first_chunk() else {
            return Err(BottleError::Truncated { needed: self.position.saturating_add(N) });
        };
        self.position += N;
        Ok(*bytes)
    }

    fn there(&self, length: usize) -> Result<(), BottleError> {
        match self.position.saturating_add(length) {
            needed if needed > self.bytes.len() => Err(BottleError::Truncated { needed }),
            _ => Ok(()),
        }
    }
}

fn pair(item: Item) -> Result<(Item, Item), BottleError> {
    let Item::List(items) = item else {
        return Err(BottleError::NoPair);
    };
    let [key, value] = <[Item; 2]>::try_from(items).map_err(|_| BottleError::NoPair)?;
    Ok((key, value))
}

/// An int8 and its tag.
const SMALLEST_TAGGED: usize = 5;
