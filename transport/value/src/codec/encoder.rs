//! Writing values.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use super::{CodecError, ObjectExporter, ObjectLayout, Payload};
use crate::{ObjectValue, QiValue, Signature, Value};

/// Writes values one after the other.
pub struct Encoder<'a> {
    tail: BytesMut,
    chunks: Vec<Bytes>,
    layout: ObjectLayout,
    exporter: Option<&'a mut dyn ObjectExporter>,
}

/// Buffers of this size and more are linked, not copied.
const LINKED: usize = 16 << 10;

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($type:ty) => $put:ident;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self, value: $type) {
            self.tail.$put(value);
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
        Self { tail: BytesMut::new(), chunks: Vec::new(), layout, exporter }
    }

    /// The bytes.
    pub fn finish(mut self) -> Payload {
        if self.chunks.is_empty() {
            return self.tail.freeze().into();
        }
        if !self.tail.is_empty() {
            self.chunks.push(self.tail.freeze());
        }
        Payload::from_chunks(self.chunks)
    }

    numbers! {
        /// `C`
        write_u8(u8) => put_u8;
        /// `c`
        write_i8(i8) => put_i8;
        /// `W`
        write_u16(u16) => put_u16_le;
        /// `w`
        write_i16(i16) => put_i16_le;
        /// `I`
        write_u32(u32) => put_u32_le;
        /// `i`
        write_i32(i32) => put_i32_le;
        /// `L`
        write_u64(u64) => put_u64_le;
        /// `l`
        write_i64(i64) => put_i64_le;
        /// `f`
        write_f32(f32) => put_f32_le;
        /// `d`
        write_f64(f64) => put_f64_le;
    }

    /// `b`
    #[inline]
    pub fn write_bool(&mut self, value: bool) {
        self.tail.put_u8(value.into());
    }

    /// The number of elements that follow.
    #[inline]
    pub fn write_count(&mut self, count: usize) -> Result<(), CodecError> {
        self.tail.put_u32_le(u32::try_from(count).map_err(|_| CodecError::TooLarge)?);
        Ok(())
    }

    /// `s`
    #[inline]
    pub fn write_str(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        self.tail.reserve(4 + bytes.len());
        self.write_count(bytes.len())?;
        self.tail.put_slice(bytes);
        Ok(())
    }

    /// `r`, or a string that is already a shared buffer.
    pub fn write_raw(&mut self, bytes: &Bytes) -> Result<(), CodecError> {
        if bytes.len() < LINKED {
            return self.write_str(bytes);
        }
        self.write_count(bytes.len())?;
        self.chunks.push(self.tail.split().freeze());
        self.chunks.push(bytes.clone());
        Ok(())
    }

    /// Bytes that are encoded already.
    pub fn append(&mut self, payload: &Payload) {
        for chunk in payload.chunks() {
            if chunk.len() < LINKED {
                self.tail.put_slice(chunk);
            } else {
                self.chunks.push(self.tail.split().freeze());
                self.chunks.push(chunk.clone());
            }
        }
    }

    /// A signature, as the string it is.
    pub fn write_signature(&mut self, signature: &Signature) {
        let start = self.tail.len();
        self.tail.put_u32_le(0);
        // Writing to memory cannot fail, and a signature is never longer than a count can say.
        let _ = fmt::Write::write_fmt(&mut self.tail, format_args!("{signature}"));
        let length = u32::try_from(self.tail.len() - start - 4).unwrap_or(u32::MAX);
        self.tail[start..start + 4].copy_from_slice(&length.to_le_bytes());
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
            self.tail.put_slice(&reference.uid.unwrap_or_default().0);
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
        self.write_signature(&value.signature());
        self.write_value(value)
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
