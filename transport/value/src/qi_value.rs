//! Rust types with a fixed signature: the fast path, straight between fields and bytes.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    CodecError, Decoder, Encoder, Limits, ObjectImporter, ObjectLayout, ObjectValue, Payload, QiString, Signature,
    Value, convert::convert,
};

/// A type that is always written with the same signature. Derive it for structs with `#[derive(QiValue)]` of `keyway`.
pub trait QiValue: Sized {
    /// The least number of bytes it takes (H4).
    const MIN_SIZE: usize;

    /// Its type on the wire.
    fn signature() -> Signature;

    /// Writes the value, without its signature.
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError>;

    /// Reads a value.
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError>;
}

/// The bytes of a value.
pub fn to_payload<T: QiValue>(value: &T) -> Result<Payload, CodecError> {
    let mut encoder = Encoder::new();
    value.encode(&mut encoder)?;
    Ok(encoder.finish())
}

/// The value in some bytes; what follows it is ignored (spec 2.4).
pub fn from_payload<T: QiValue>(bytes: &Bytes) -> Result<T, CodecError> {
    T::decode(&mut Decoder::new(bytes))
}

/// The value in bytes of type `actual`, converted if that is another type than `T`'s (spec 3.4).
pub fn from_payload_as<'a, T: QiValue>(
    bytes: &'a Bytes,
    actual: &Signature,
    layout: ObjectLayout,
    importer: Option<&'a mut dyn ObjectImporter>,
) -> Result<T, CodecError> {
    let mut decoder = Decoder::with(bytes, layout, Limits::default(), importer);
    if *actual == T::signature() {
        return T::decode(&mut decoder);
    }
    let value = convert(decoder.read_value(actual)?, &T::signature())?;
    let mut encoder = Encoder::new();
    encoder.write_value(&value)?;
    from_payload(&encoder.finish().into_bytes())
}

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
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_str(self.as_bytes())
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let bytes = decoder.read_str()?;
        std::str::from_utf8(bytes).map(ToOwned::to_owned).map_err(|_| CodecError::InvalidUtf8)
    }
}

/// Text that is only ever sent; it is received as a [`String`].
impl QiValue for &'static str {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::string()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_str(self.as_bytes())
    }

    fn decode(_: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Err(CodecError::Custom("a &'static str cannot be received; use String".into()))
    }
}

impl QiValue for QiString {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::string()
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

impl<T: QiValue> QiValue for Option<T> {
    const MIN_SIZE: usize = 1;

    fn signature() -> Signature {
        Signature::optional(T::signature())
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_bool(self.is_some());
        self.as_ref().map_or(Ok(()), |value| value.encode(encoder))
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        if decoder.read_bool()? { T::decode(decoder).map(Some) } else { Ok(None) }
    }
}

impl<T: QiValue> QiValue for Vec<T> {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::list(T::signature())
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_count(self.len())?;
        self.iter().try_for_each(|item| item.encode(encoder))
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let count = decoder.read_count(T::MIN_SIZE)?;
        decoder.enter()?;
        let mut items = Self::with_capacity(count.min(RESERVED));
        for _ in 0..count {
            items.push(T::decode(decoder)?);
        }
        decoder.leave();
        Ok(items)
    }
}

/// Reserved ahead at most, in elements: an element in memory may be larger than on the wire.
const RESERVED: usize = 1024;

impl<K: QiValue + Ord, V: QiValue> QiValue for BTreeMap<K, V> {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::map(K::signature(), V::signature())
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encode_map(self.len(), self.iter(), encoder)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let mut map = Self::new();
        decode_map(decoder, |key, value| drop(map.insert(key, value)))?;
        Ok(map)
    }
}

impl<K: QiValue + Eq + Hash, V: QiValue, S: BuildHasher + Default> QiValue for HashMap<K, V, S> {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::map(K::signature(), V::signature())
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encode_map(self.len(), self.iter(), encoder)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let mut map = Self::default();
        decode_map(decoder, |key, value| drop(map.insert(key, value)))?;
        Ok(map)
    }
}

fn encode_map<'a, K: QiValue + 'a, V: QiValue + 'a>(
    length: usize,
    mut entries: impl Iterator<Item = (&'a K, &'a V)>,
    encoder: &mut Encoder<'_>,
) -> Result<(), CodecError> {
    encoder.write_count(length)?;
    entries.try_for_each(|(key, value)| {
        key.encode(encoder)?;
        value.encode(encoder)
    })
}

/// The last of equal keys wins (spec 4).
fn decode_map<K: QiValue, V: QiValue>(
    decoder: &mut Decoder<'_>,
    mut insert: impl FnMut(K, V),
) -> Result<(), CodecError> {
    let count = decoder.read_count(K::MIN_SIZE + V::MIN_SIZE)?;
    decoder.enter()?;
    for _ in 0..count {
        insert(K::decode(decoder)?, V::decode(decoder)?);
    }
    decoder.leave();
    Ok(())
}

macro_rules! pointers {
    ($($pointer:ident)*) => {$(
        impl<T: QiValue> QiValue for $pointer<T> {
            const MIN_SIZE: usize = T::MIN_SIZE;

            fn signature() -> Signature {
                T::signature()
            }

            fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
                T::encode(self, encoder)
            }

            fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
                T::decode(decoder).map(Self::new)
            }
        }
    )*};
}

pointers! { Box Arc }

macro_rules! tuples {
    ($($($name:ident)+;)*) => {$(
        impl<$($name: QiValue),+> QiValue for ($($name,)+) {
            const MIN_SIZE: usize = 0 $(+ $name::MIN_SIZE)+;

            fn signature() -> Signature {
                Signature::tuple([$($name::signature()),+])
            }

            #[inline]
            #[allow(non_snake_case, reason = "fields are named after their types")]
            fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
                let ($($name,)+) = self;
                $($name.encode(encoder)?;)+
                Ok(())
            }

            #[inline]
            fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
                decoder.enter()?;
                let value = ($($name::decode(decoder)?,)+);
                decoder.leave();
                Ok(value)
            }
        }
    )*};
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
}
