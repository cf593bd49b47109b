//! Rust types with a fixed signature: the fast path, straight between fields and bytes.

mod containers;
mod scalars;

use bytes::Bytes;

use crate::{CodecError, Decoder, Encoder, Payload, Signature};

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
