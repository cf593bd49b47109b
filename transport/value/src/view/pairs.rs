//! Maps without their order and lookup.

use std::borrow::Borrow;

use super::{QiView, entries};
use crate::{CodecError, Decoder, Encoder, QiValue, Signature, qi_value::collect};

/// A map as the pairs that came, in their order: all there is to it for those who go through it once.
///
/// ```
/// use keyway_value::{DynamicView, Pairs, Value, to_payload, view_payload};
///
/// let bytes = to_payload(&Pairs(vec![("volume", Value::from(40)), ("voice", Value::from("Tom"))]))?.into_bytes();
/// let read: Pairs<&str, DynamicView<'_>> = view_payload(&bytes)?;
/// assert_eq!(read.get("volume").and_then(DynamicView::as_i64), Some(40));
/// # Ok::<(), keyway_value::CodecError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs<K, V>(pub Vec<(K, V)>);

impl<K, V> Pairs<K, V> {
    /// The value of a key: the last one, if the key is there more than once (spec 4). It looks at one after the other.
    pub fn get<Q: Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.iter().rev().find(|(other, _)| other.borrow() == key).map(|(_, value)| value)
    }
}

impl<K, V> IntoIterator for Pairs<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, K: QiView<'a>, V: QiView<'a>> QiView<'a> for Pairs<K, V> {
    const MIN_VIEW_SIZE: usize = 4;

    fn view_signature() -> Signature {
        Signature::map(K::view_signature(), V::view_signature())
    }

    #[inline]
    fn view(decoder: &mut Decoder<'a>) -> Result<Self, CodecError> {
        entries(decoder).map(Self)
    }
}

impl<K: QiValue, V: QiValue> QiValue for Pairs<K, V> {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::map(K::signature(), V::signature())
    }

    #[inline]
    fn size_hint(&self) -> usize {
        4 + self.0.iter().map(|(key, value)| key.size_hint() + value.size_hint()).sum::<usize>()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_count(self.0.len())?;
        self.0.iter().try_for_each(|(key, value)| {
            key.encode(encoder)?;
            value.encode(encoder)
        })
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let pair = |decoder: &mut Decoder<'_>| Ok((K::decode(decoder)?, V::decode(decoder)?));
        collect(decoder, K::MIN_SIZE + V::MIN_SIZE, pair).map(Self)
    }
}
