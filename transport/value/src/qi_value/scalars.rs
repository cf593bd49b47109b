//! What has no elements.

use bytes::Bytes;

use super::QiValue;
use crate::{CodecError, Decoder, Encoder, ObjectValue, QiString, Signature, Value};

macro_rules! numbers {
    ($($type:ty, $signature:ident, $size:literal, $write:ident, $read:ident;)*) => {$(
        impl QiValue for $type {
            const MIN_SIZE: usize = $size;

            fn signature() -> Signature {
                Signature::$signature()
            }

            #[inline]
            fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
                encoder.$write(*self);
                Ok(())
            }

            #[inline]
            fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
                decoder.$read()
            }
        }
    )*};
}

numbers! {
    bool, bool, 1, write_bool, read_bool;
    i8, int8, 1, write_i8, read_i8;
    u8, uint8, 1, write_u8, read_u8;
    i16, int16, 2, write_i16, read_i16;
    u16, uint16, 2, write_u16, read_u16;
    i32, int32, 4, write_i32, read_i32;
    u32, uint32, 4, write_u32, read_u32;
    i64, int64, 8, write_i64, read_i64;
    u64, uint64, 8, write_u64, read_u64;
    f32, float, 4, write_f32, read_f32;
    f64, double, 8, write_f64, read_f64;
}

impl QiValue for String {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::string()
    }

    #[inline]
    fn size_hint(&self) -> usize {
        4 + self.len()
    }

    #[inline]
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_str(self.as_bytes())
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let bytes = decoder.read_str()?;
        std::str::from_utf8(bytes).map(ToOwned::to_owned).map_err(|_| CodecError::InvalidUtf8)
    }
}

/// Text that is only ever sent; it is received as a [`String`], or read in place as a [`QiView`](crate::QiView).
impl QiValue for &str {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::string()
    }

    #[inline]
    fn size_hint(&self) -> usize {
        4 + self.len()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_str(self.as_bytes())
    }

    fn decode(_: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Err(CodecError::Custom("a &str cannot be received; use String".into()))
    }
}

impl QiValue for QiString {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::string()
    }

    #[inline]
    fn size_hint(&self) -> usize {
        4 + self.as_bytes().len()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_raw(self.as_shared())
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        decoder.read_raw().map(Self::from)
    }
}

impl QiValue for Bytes {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::raw()
    }

    #[inline]
    fn size_hint(&self) -> usize {
        4 + self.len()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_raw(self)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        decoder.read_raw()
    }
}

impl QiValue for () {
    const MIN_SIZE: usize = 0;

    /// `v` as a result; as arguments, no arguments.
    fn signature() -> Signature {
        Signature::void()
    }

    fn encode(&self, _: &mut Encoder<'_>) -> Result<(), CodecError> {
        Ok(())
    }

    fn decode(_: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(())
    }
}

impl QiValue for Signature {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Self::string()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_signature(self);
        Ok(())
    }

    /// A signature that does not parse becomes `X`: one member that cannot be used must not take the others with it.
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self::parse_bytes(decoder.read_str()?).unwrap_or_else(|_| Self::unknown()))
    }
}

impl QiValue for Value {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::dynamic()
    }

    #[inline]
    fn size_hint(&self) -> usize {
        let content = match self {
            Self::Dynamic(content) => content,
            other => other,
        };
        5 + match content {
            Self::Bool(_) | Self::Int8(_) | Self::UInt8(_) => 1,
            Self::Int32(_) | Self::UInt32(_) | Self::Float(_) => 4,
            Self::Int64(_) | Self::UInt64(_) | Self::Double(_) => 8,
            Self::String(text) => 4 + text.as_bytes().len(),
            Self::Raw(bytes) => 4 + bytes.len(),
            _ => 0,
        }
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        match self {
            Self::Dynamic(inner) => encoder.write_dynamic(inner),
            other => encoder.write_dynamic(other),
        }
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        decoder.read_dynamic()
    }
}

impl QiValue for ObjectValue {
    const MIN_SIZE: usize = 13;

    fn signature() -> Signature {
        Signature::object()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_object(self)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        decoder.read_object()
    }
}
