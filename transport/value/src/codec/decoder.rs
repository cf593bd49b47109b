//! Reading values from bytes nobody vouches for (spec 2.4, 2.9, H2–H4).

use std::{fmt, ops::Range, sync::Arc};

use bytes::Bytes;

use super::{CodecError, ObjectImporter, ObjectLayout};
use crate::{
    MetaObject, ObjectId, ObjectReference, ObjectUid, ObjectValue, QiValue, ServiceId, Signature, signature::MAX_DEPTH,
};

/// What a reader refuses, whatever the bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nesting of containers and dynamics.
    pub depth: usize,
    /// Elements of a list whose elements take no space; others are bounded by the bytes that are there. Also how many parts
    /// that take no space, voids and tuples, there may be in all, above one for every byte.
    pub zero_size_count: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: MAX_DEPTH, zero_size_count: 65_536 }
    }
}

/// Reads values one after the other.
pub struct Decoder<'a> {
    rest: &'a [u8],
    length: usize,
    shared: Option<&'a Bytes>,
    depth: usize,
    /// How many more voids and tuples there may be. Lists of lists of them would else make much of few bytes.
    spaceless: usize,
    layout: ObjectLayout,
    limits: Limits,
    pub(super) importer: Option<&'a mut dyn ObjectImporter>,
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident -> $type:ty;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self) -> Result<$type, CodecError> {
            self.array().map(<$type>::from_le_bytes)
        }
    )*};
}

impl<'a> Decoder<'a> {
    /// With default layout and limits, and objects without life.
    pub fn new(source: &'a Bytes) -> Self {
        Self::with(source, ObjectLayout::default(), Limits::default(), None)
    }

    /// For a connection.
    pub fn with(
        source: &'a Bytes,
        layout: ObjectLayout,
        limits: Limits,
        importer: Option<&'a mut dyn ObjectImporter>,
    ) -> Self {
        Self { shared: Some(source), layout, limits, importer, ..Self::over(source, limits) }
    }

    /// Over bytes that are not shared: raw buffers and strings of values are copies.
    pub fn of_slice(source: &'a [u8]) -> Self {
        Self::over(source, Limits::default())
    }

    fn over(source: &'a [u8], limits: Limits) -> Self {
        Self {
            rest: source,
            length: source.len(),
            shared: None,
            depth: 0,
            spaceless: limits.zero_size_count.saturating_add(source.len()),
            layout: ObjectLayout::default(),
            limits,
            importer: None,
        }
    }

    /// How many bytes were read.
    pub const fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    /// Goes back to where [`rest`](Self::rest) was what is given.
    #[inline]
    pub(crate) const fn rewind(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    /// What is left.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes are left.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(CodecError::ReadPastEnd);
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(CodecError::ReadPastEnd);
        };
        self.rest = rest;
        Ok(*taken)
    }

    numbers! {
        /// `C`
        read_u8 -> u8;
        /// `c`
        read_i8 -> i8;
        /// `W`
        read_u16 -> u16;
        /// `w`
        read_i16 -> i16;
        /// `I`
        read_u32 -> u32;
        /// `i`
        read_i32 -> i32;
        /// `L`
        read_u64 -> u64;
        /// `l`
        read_i64 -> i64;
        /// `f`
        read_f32 -> f32;
        /// `d`
        read_f64 -> f64;
    }

    /// `b`; any byte but 0 is true.
    #[inline]
    pub fn read_bool(&mut self) -> Result<bool, CodecError> {
        Ok(self.read_u8()? != 0)
    }

    /// `s`, borrowed from the source.
    #[inline]
    pub fn read_str(&mut self) -> Result<&'a [u8], CodecError> {
        let length = self.read_u32()? as usize;
        self.take(length)
    }

    /// `r` or `s`, sharing the source's buffer if there is one.
    #[inline]
    pub fn read_raw(&mut self) -> Result<Bytes, CodecError> {
        let taken = self.read_str()?;
        Ok(match self.shared {
            Some(shared) => {
                let end = self.position();
                shared.slice(end - taken.len()..end)
            }
            None => Bytes::copy_from_slice(taken),
        })
    }

    /// The number of elements that follow, each of at least `min_element_size` bytes. What is returned is safe to
    /// reserve memory for, up to the size of an element in memory.
    #[inline]
    pub fn read_count(&mut self, min_element_size: usize) -> Result<usize, CodecError> {
        self.read_count_of(|| min_element_size)
    }

    /// Like [`read_count`](Self::read_count). The size is asked for if there are elements only: that of a large type takes
    /// time, which only values of that type pay for.
    #[inline]
    pub(crate) fn read_count_of(&mut self, min_element_size: impl FnOnce() -> usize) -> Result<usize, CodecError> {
        let count = self.read_u32()? as usize;
        if count == 0 {
            return Ok(0);
        }
        let fits = match min_element_size() {
            // Elements without bytes are bounded by a limit of their own; few are fine, many an attack (H4).
            0 if count > self.limits.zero_size_count => {
                return Err(CodecError::CountTooLarge(count));
            }
            0 => true,
            size => count <= self.remaining() / size,
        };
        if fits { Ok(count) } else { Err(CodecError::ReadPastEnd) }
    }

    /// A signature.
    pub fn read_signature(&mut self) -> Result<Signature, CodecError> {
        let text = self.read_str()?;
        Signature::parse_bytes(text).map_err(|_| CodecError::InvalidSignature)
    }

    /// Goes one level down.
    #[inline]
    pub fn enter(&mut self) -> Result<(), CodecError> {
        self.depth += 1;
        if self.depth > self.limits.depth { Err(CodecError::TooDeep(self.limits.depth)) } else { Ok(()) }
    }

    /// Comes one level up.
    #[inline]
    pub fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Accounts for a part that takes no space: a void, or a tuple beside its elements.
    #[inline]
    pub(crate) fn spaceless(&mut self) -> Result<(), CodecError> {
        let Some(left) = self.spaceless.checked_sub(1) else {
            return Err(CodecError::TooManyParts);
        };
        self.spaceless = left;
        Ok(())
    }

    /// `o`, brought to life by the importer if there is one.
    #[inline(never)]
    pub fn read_object(&mut self) -> Result<ObjectValue, CodecError> {
        let (_, reference) = self.read_reference()?;
        Ok(match &mut self.importer {
            Some(importer) => importer.import(reference),
            None => ObjectValue::from_reference(reference),
        })
    }

    /// `o` as it came, and where its metaobject stands.
    pub(super) fn read_reference(&mut self) -> Result<(Range<usize>, ObjectReference), CodecError> {
        let transmitted = !self.layout.metaobject_cache || self.read_bool()?;
        let start = self.position();
        let metaobject = if transmitted { MetaObject::decode(self)? } else { MetaObject::default() };
        let place = start..self.position();
        if self.layout.metaobject_cache {
            self.read_u32()?;
        }
        let service = ServiceId(self.read_u32()?);
        let object = ObjectId(self.read_u32()?);
        let uid = if self.layout.uid { Some(ObjectUid(self.array()?)) } else { None };
        Ok((place, ObjectReference { metaobject: Arc::new(metaobject), service, object, uid }))
    }
}

impl fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("at", &self.position()).field("of", &self.length).finish_non_exhaustive()
    }
}
