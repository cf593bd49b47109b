//! What has elements of Rust types.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use super::QiValue;
use crate::{CodecError, Decoder, Encoder, Signature};

impl<T: QiValue> QiValue for Option<T> {
    const MIN_SIZE: usize = 1;

    fn signature() -> Signature {
        Signature::optional(T::signature())
    }

    #[inline]
    fn size_hint(&self) -> usize {
        1 + self.as_ref().map_or(0, T::size_hint)
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

    #[inline]
    fn size_hint(&self) -> usize {
        4 + self.iter().map(T::size_hint).sum::<usize>()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_count(self.len())?;
        self.iter().try_for_each(|item| item.encode(encoder))
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        collect(decoder, T::MIN_SIZE, T::decode)
    }
}

/// Reserved ahead at most, in elements: an element in memory may be larger than on the wire.
const RESERVED: usize = 1024;

/// As many elements as the count says.
#[inline]
pub(crate) fn collect<'a, T>(
    decoder: &mut Decoder<'a>,
    min_size: usize,
    read: impl Fn(&mut Decoder<'a>) -> Result<T, CodecError>,
) -> Result<Vec<T>, CodecError> {
    let count = decoder.read_count(min_size)?;
    decoder.enter()?;
    let mut items = Vec::with_capacity(count.min(RESERVED));
    for _ in 0..count {
        items.push(read(decoder)?);
    }
    decoder.leave();
    Ok(items)
}

impl<K: QiValue + Ord, V: QiValue> QiValue for BTreeMap<K, V> {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::map(K::signature(), V::signature())
    }

    #[inline]
    fn size_hint(&self) -> usize {
        4 + self.iter().map(|(key, value)| key.size_hint() + value.size_hint()).sum::<usize>()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encode_map(self.len(), self.iter(), encoder)
    }

    /// The last of equal keys wins (spec 4).
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        decode_map(decoder).map(Self::from_iter)
    }
}

impl<K: QiValue + Eq + Hash, V: QiValue, S: BuildHasher + Default> QiValue for HashMap<K, V, S> {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::map(K::signature(), V::signature())
    }

    #[inline]
    fn size_hint(&self) -> usize {
        4 + self.iter().map(|(key, value)| key.size_hint() + value.size_hint()).sum::<usize>()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encode_map(self.len(), self.iter(), encoder)
    }

    /// The last of equal keys wins (spec 4).
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        decode_map(decoder).map(Self::from_iter)
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

/// In the order of the wire, which is that of the keys with libqi's maps: what builds a map at once is fast then.
fn decode_map<K: QiValue, V: QiValue>(decoder: &mut Decoder<'_>) -> Result<Vec<(K, V)>, CodecError> {
    collect(decoder, K::MIN_SIZE + V::MIN_SIZE, |decoder| Ok((K::decode(decoder)?, V::decode(decoder)?)))
}

macro_rules! pointers {
    ($($pointer:ident)*) => {$(
        impl<T: QiValue> QiValue for $pointer<T> {
            const MIN_SIZE: usize = T::MIN_SIZE;

            fn signature() -> Signature {
                T::signature()
            }

            #[inline]
            fn size_hint(&self) -> usize {
                T::size_hint(self)
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
            fn size_hint(&self) -> usize {
                let ($($name,)+) = self;
                0 $(+ $name.size_hint())+
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
