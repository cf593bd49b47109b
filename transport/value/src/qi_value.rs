//! Rust types with a fixed signature: the fast path, straight between fields and bytes.

mod containers;
mod scalars;

use bytes::Bytes;

use crate::{CodecError, Decoder, Encoder, Limits, ObjectImporter, ObjectLayout, Payload, Signature, convert::convert};

pub(crate) use containers::collect;

/// A type that is always written with the same signature. Derive it for structs with `#[derive(QiValue)]` of `keyway`.
pub trait QiValue: Sized {
    /// The least number of bytes it takes (H4).
    const MIN_SIZE: usize;

    /// Its type on the wire.
    fn signature() -> Signature;

    /// About how many bytes it takes, to reserve them at once; exact where that is cheap to know.
    #[inline]
    fn size_hint(&self) -> usize {
        Self::MIN_SIZE
    }

    /// Writes the value, without its signature.
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError>;

    /// Reads a value.
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError>;
}

/// The bytes of a value.
pub fn to_payload<T: QiValue>(value: &T) -> Result<Payload, CodecError> {
    let mut encoder = Encoder::new();
    encoder.reserve(value.size_hint());
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
