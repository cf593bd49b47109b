//! Structs of the protocol itself, written down once.

/// Implements [`QiValue`](crate::QiValue) for a struct whose fields are written in order (spec 3.2).
macro_rules! record {
    ($type:ident, $name:literal, $($field:ident as $wire:literal: $kind:ty),+ $(,)?) => {
        impl $crate::QiValue for $type {
            const MIN_SIZE: usize = 0 $(+ <$kind as $crate::QiValue>::MIN_SIZE)+;

            fn signature() -> $crate::Signature {
                $crate::Signature::named_tuple($name, &[$($wire),+], [$(<$kind as $crate::QiValue>::signature()),+])
            }

            fn encode(&self, encoder: &mut $crate::Encoder<'_>) -> Result<(), $crate::CodecError> {
                $($crate::record::Field::<$kind>::write(&self.$field, encoder)?;)+
                Ok(())
            }

            fn decode(decoder: &mut $crate::Decoder<'_>) -> Result<Self, $crate::CodecError> {
                Ok(Self { $($field: $crate::record::Field::<$kind>::read(decoder)?),+ })
            }
        }
    };
}

pub(crate) use record;

use crate::{CodecError, Decoder, Encoder, QiString, QiValue, Signature};

/// How a field of one Rust type is written as another type of the wire.
pub(crate) trait Field<Wire>: Sized {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError>;
    fn read(decoder: &mut Decoder<'_>) -> Result<Self, CodecError>;
}

impl<T: QiValue> Field<T> for T {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        self.encode(encoder)
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Self::decode(decoder)
    }
}

/// A string that is read even where it is not UTF-8: a foreign name must not make a whole description unusable.
pub(crate) struct LossyText;

impl QiValue for LossyText {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::string()
    }

    fn encode(&self, _: &mut Encoder<'_>) -> Result<(), CodecError> {
        Ok(())
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        decoder.read_str().map(|_| Self)
    }
}

impl Field<LossyText> for String {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_str(self.as_bytes())
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        QiString::decode(decoder).map(|text| text.to_string_lossy().into_owned())
    }
}
