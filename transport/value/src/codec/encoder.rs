//! Writing values.

use std::fmt;

use bytes::Bytes;

use super::{CodecError, ObjectExporter, ObjectLayout, Payload};
use crate::{List, Map, ObjectValue, OptionalValue, QiValue, Signature, Tuple, Value};

/// Writes values one after the other.
pub struct Encoder<'a> {
    tail: Vec<u8>,
    pieces: Vec<Piece>,
    layout: ObjectLayout,
    exporter: Option<&'a mut dyn ObjectExporter>,
}

/// What is complete but for counts.
enum Piece {
    Written(Vec<u8>),
    Linked(Bytes),
}

/// Where a count is written once it is known.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(crate) struct CountMark {
    piece: usize,
    at: usize,
}

/// Buffers of this size and more are linked, not copied.
const LINKED: usize = 16 << 10;

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($type:ty);)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self, value: $type) {
            self.tail.extend_from_slice(&value.to_le_bytes());
        }
    )*};
}

impl<'a> Encoder<'a> {
    /// For values without live objects.
    pub fn new() -> Self {
        Self::with(ObjectLayout::default(), None)
    }

    /// For a connection.
    pub fn with(layout: ObjectLayout, exporter: Option<&'a mut dyn ObjectExporter>) -> Self {
        Self { tail: Vec::new(), pieces: Vec::new(), layout, exporter }
    }

    /// Makes room for so many bytes at least.
    #[inline]
    pub fn reserve(&mut self, bytes: usize) {
        self.tail.reserve(bytes);
    }

    /// The bytes.
    pub fn finish(mut self) -> Payload {
        if self.pieces.is_empty() {
            return self.tail.into();
        }
        if !self.tail.is_empty() {
            self.pieces.push(Piece::Written(self.tail));
        }
        Payload::from_chunks(self.pieces.into_iter().map(Piece::into_bytes).collect())
    }

    fn link(&mut self, bytes: &Bytes) {
        self.pieces.push(Piece::Written(std::mem::take(&mut self.tail)));
        self.pieces.push(Piece::Linked(bytes.clone()));
    }

    numbers! {
        /// `C`
        write_u8(u8);
        /// `c`
        write_i8(i8);
        /// `W`
        write_u16(u16);
        /// `w`
        write_i16(i16);
        /// `I`
        write_u32(u32);
        /// `i`
        write_i32(i32);
        /// `L`
        write_u64(u64);
        /// `l`
        write_i64(i64);
        /// `f`
        write_f32(f32);
        /// `d`
        write_f64(f64);
    }

    /// `b`
    #[inline]
    pub fn write_bool(&mut self, value: bool) {
        self.write_u8(value.into());
    }

    /// The number of elements that follow.
    #[inline]
    pub fn write_count(&mut self, count: usize) -> Result<(), CodecError> {
        self.write_u32(u32::try_from(count).map_err(|_| CodecError::TooLarge)?);
        Ok(())
    }

    /// Leaves room for a count that is only known at the end.
    pub(crate) fn begin_count(&mut self) -> CountMark {
        let mark = CountMark { piece: self.pieces.len(), at: self.tail.len() };
        self.write_u32(0);
        mark
    }

    /// Writes it.
    pub(crate) fn end_count(&mut self, mark: CountMark, count: usize) -> Result<(), CodecError> {
        let count = u32::try_from(count).map_err(|_| CodecError::TooLarge)?.to_le_bytes();
        self.amend(mark, 0, &count);
        Ok(())
    }

    /// Overwrites bytes that stand `offset` after a mark, in one write with it.
    pub(crate) fn amend(&mut self, mark: CountMark, offset: usize, bytes: &[u8]) {
        let written = match self.pieces.get_mut(mark.piece) {
            Some(Piece::Written(written)) => written,
            _ => &mut self.tail,
        };
        let start = mark.at + offset;
        if let Some(place) = written.get_mut(start..start + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// `s`
    #[inline]
    pub fn write_str(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        self.tail.reserve(4 + bytes.len());
        self.write_count(bytes.len())?;
        self.tail.extend_from_slice(bytes);
        Ok(())
    }

    /// `r`, or a string that is already a shared buffer.
    pub fn write_raw(&mut self, bytes: &Bytes) -> Result<(), CodecError> {
        if bytes.len() < LINKED {
            return self.write_str(bytes);
        }
        self.write_count(bytes.len())?;
        self.link(bytes);
        Ok(())
    }

    /// Bytes that are encoded already, copied.
    #[inline]
    pub(crate) fn write_encoded(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
    }

    /// Bytes that are encoded already.
    pub fn append(&mut self, payload: &Payload) {
        for chunk in payload.chunks() {
            if chunk.len() < LINKED {
                self.tail.extend_from_slice(chunk);
            } else {
                self.link(chunk);
            }
        }
    }

    /// A signature, as the string it is.
    pub fn write_signature(&mut self, signature: &Signature) {
        let start = self.tail.len();
        self.write_u32(0);
        signature.write_text(&mut self.tail);
        // A signature is never longer than a count can say.
        let length = u32::try_from(self.tail.len() - start - 4).unwrap_or(u32::MAX);
        self.tail[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// A signature of one letter.
    #[inline]
    pub(crate) fn write_letter(&mut self, letter: u8) {
        self.tail.extend_from_slice(&[1, 0, 0, 0, letter]);
    }

    /// `o`
    pub fn write_object(&mut self, object: &ObjectValue) -> Result<(), CodecError> {
        let exported;
        let reference = match &mut self.exporter {
            Some(exporter) => {
                exported = exporter.export(object)?;
                &exported
            }
            None => &object.reference,
        };
        if self.layout.metaobject_cache {
            // Always transmitted: the number is only there for the reader to skip.
            self.write_bool(true);
            reference.metaobject.encode(self)?;
            self.write_u32(0);
        } else {
            reference.metaobject.encode(self)?;
        }
        self.write_u32(reference.service.0);
        self.write_u32(reference.object.0);
        if self.layout.uid {
            self.tail.extend_from_slice(&reference.uid.unwrap_or_default().0);
        }
        Ok(())
    }

    /// A value without its signature.
    pub fn write_value(&mut self, value: &Value) -> Result<(), CodecError> {
        match value {
            Value::Void => {}
            Value::Bool(value) => self.write_bool(*value),
            Value::Int8(value) => self.write_i8(*value),
            Value::UInt8(value) => self.write_u8(*value),
            Value::Int16(value) => self.write_i16(*value),
            Value::UInt16(value) => self.write_u16(*value),
            Value::Int32(value) => self.write_i32(*value),
            Value::UInt32(value) => self.write_u32(*value),
            Value::Int64(value) => self.write_i64(*value),
            Value::UInt64(value) => self.write_u64(*value),
            Value::Float(value) => self.write_f32(*value),
            Value::Double(value) => self.write_f64(*value),
            Value::String(text) => self.write_raw(text.as_shared())?,
            Value::Raw(bytes) => self.write_raw(bytes)?,
            Value::List(list) => {
                self.write_count(list.items.len())?;
                list.items.iter().try_for_each(|item| self.write_value(item))?;
            }
            Value::Map(map) => {
                self.write_count(map.entries.len())?;
                for (key, value) in &map.entries {
                    self.write_value(key)?;
                    self.write_value(value)?;
                }
            }
            Value::Tuple(tuple) => tuple.items.iter().try_for_each(|item| self.write_value(item))?,
            Value::Optional(optional) => {
                self.write_bool(optional.value.is_some());
                if let Some(value) = &optional.value {
                    self.write_value(value)?;
                }
            }
            Value::Dynamic(inner) => self.write_dynamic(inner)?,
            Value::Object(object) => self.write_object(object)?,
        }
        Ok(())
    }

    /// `m`: the value's signature, then the value.
    pub fn write_dynamic(&mut self, value: &Value) -> Result<(), CodecError> {
        match value {
            Value::Bool(_) => self.write_letter(b'b'),
            Value::Int8(_) => self.write_letter(b'c'),
            Value::UInt8(_) => self.write_letter(b'C'),
            Value::Int16(_) => self.write_letter(b'w'),
            Value::UInt16(_) => self.write_letter(b'W'),
            Value::Int32(_) => self.write_letter(b'i'),
            Value::UInt32(_) => self.write_letter(b'I'),
            Value::Int64(_) => self.write_letter(b'l'),
            Value::UInt64(_) => self.write_letter(b'L'),
            Value::Float(_) => self.write_letter(b'f'),
            Value::Double(_) => self.write_letter(b'd'),
            Value::String(_) => self.write_letter(b's'),
            Value::Raw(_) => self.write_letter(b'r'),
            Value::Void => self.write_letter(b'v'),
            Value::Dynamic(_) => self.write_letter(b'm'),
            Value::Object(_) => self.write_letter(b'o'),
            Value::List(List { signature, .. })
            | Value::Map(Map { signature, .. })
            | Value::Tuple(Tuple { signature, .. })
            | Value::Optional(OptionalValue { signature, .. }) => self.write_signature(signature),
        }
        self.write_value(value)
    }
}

impl Piece {
    fn into_bytes(self) -> Bytes {
        match self {
            Self::Written(bytes) => bytes.into(),
            Self::Linked(bytes) => bytes,
        }
    }
}

impl Default for Encoder<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Encoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("layout", &self.layout).finish_non_exhaustive()
    }
}
