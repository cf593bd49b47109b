//! Rust types that are read in place: strings, buffers and dynamics borrow from the bytes they came in.

mod dynamic;
mod pairs;

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, Hash},
};

use crate::{CodecError, Decoder, QiValue, Signature, qi_value::collect};

pub use dynamic::DynamicView;
pub use pairs::Pairs;

/// A type with a fixed signature that borrows what it can from the bytes it is read from.
///
/// It is for readers in a hurry: nothing is allocated for a string, and a dynamic is only taken apart when asked for.
/// Such types are written as [`QiValue`]s, as far as they are.
///
/// ```
/// use std::collections::BTreeMap;
/// use keyway_value::{DynamicView, Value, to_payload, view_payload};
///
/// let settings = BTreeMap::from([("volume".to_owned(), Value::from(40)), ("voice".to_owned(), Value::from("Tom"))]);
/// let bytes = to_payload(&settings)?.into_bytes();
/// let read: BTreeMap<&str, DynamicView<'_>> = view_payload(&bytes)?;
/// assert_eq!(read["volume"].as_i64(), Some(40));
/// assert_eq!(read["voice"].as_str(), Some("Tom"));
/// # Ok::<(), keyway_value::CodecError>(())
/// ```
pub trait QiView<'a>: Sized {
    /// The least number of bytes it takes (H4).
    const MIN_VIEW_SIZE: usize;

    /// Its type on the wire.
    fn view_signature() -> Signature;

    /// Reads a value.
    fn view(decoder: &mut Decoder<'a>) -> Result<Self, CodecError>;
}

/// The value in some bytes, borrowing from them; what follows it is ignored (spec 2.4).
#[inline]
pub fn view_payload<'a, T: QiView<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    T::view(&mut Decoder::of_slice(bytes))
}

macro_rules! owned {
    ($($type:ty)*) => {$(
        impl<'a> QiView<'a> for $type {
            const MIN_VIEW_SIZE: usize = <$type as QiValue>::MIN_SIZE;

            fn view_signature() -> Signature {
                <$type as QiValue>::signature()
            }

            #[inline]
            fn view(decoder: &mut Decoder<'a>) -> Result<Self, CodecError> {
                <$type as QiValue>::decode(decoder)
            }
        }
    )*};
}

owned! { () bool i8 u8 i16 u16 i32 u32 i64 u64 f32 f64 String crate::QiString crate::Value crate::ObjectValue }

impl<'a> QiView<'a> for &'a str {
    const MIN_VIEW_SIZE: usize = 4;

    fn view_signature() -> Signature {
        Signature::string()
    }

    #[inline]
    fn view(decoder: &mut Decoder<'a>) -> Result<Self, CodecError> {
        std::str::from_utf8(decoder.read_str()?).map_err(|_| CodecError::InvalidUtf8)
    }
}

/// `r`
impl<'a> QiView<'a> for &'a [u8] {
    const MIN_VIEW_SIZE: usize = 4;

    fn view_signature() -> Signature {
        Signature::raw()
    }

    #[inline]
    fn view(decoder: &mut Decoder<'a>) -> Result<Self, CodecError> {
        decoder.read_str()
    }
}

impl<'a, T: QiView<'a>> QiView<'a> for Option<T> {
    const MIN_VIEW_SIZE: usize = 1;

    fn view_signature() -> Signature {
        Signature::optional(T::view_signature())
    }

    fn view(decoder: &mut Decoder<'a>) -> Result<Self, CodecError> {
        if decoder.read_bool()? { T::view(decoder).map(Some) } else { Ok(None) }
    }
}

impl<'a, T: QiView<'a>> QiView<'a> for Vec<T> {
    const MIN_VIEW_SIZE: usize = 4;

    fn view_signature() -> Signature {
        Signature::list(T::view_signature())
    }

    #[inline]
    fn view(decoder: &mut Decoder<'a>) -> Result<Self, CodecError> {
        collect(decoder, T::MIN_VIEW_SIZE, T::view)
    }
}

/// The last of equal keys wins (spec 4).
impl<'a, K: QiView<'a> + Ord, V: QiView<'a>> QiView<'a> for BTreeMap<K, V> {
    const MIN_VIEW_SIZE: usize = 4;

    fn view_signature() -> Signature {
        Signature::map(K::view_signature(), V::view_signature())
    }

    fn view(decoder: &mut Decoder<'a>) -> Result<Self, CodecError> {
        entries(decoder).map(Self::from_iter)
    }
}

/// The last of equal keys wins (spec 4).
impl<'a, K: QiView<'a> + Eq + Hash, V: QiView<'a>, S: BuildHasher + Default> QiView<'a> for HashMap<K, V, S> {
    const MIN_VIEW_SIZE: usize = 4;

    fn view_signature() -> Signature {
        Signature::map(K::view_signature(), V::view_signature())
    }

    fn view(decoder: &mut Decoder<'a>) -> Result<Self, CodecError> {
        entries(decoder).map(Self::from_iter)
    }
}

#[inline]
fn entries<'a, K: QiView<'a>, V: QiView<'a>>(decoder: &mut Decoder<'a>) -> Result<Vec<(K, V)>, CodecError> {
    collect(decoder, K::MIN_VIEW_SIZE + V::MIN_VIEW_SIZE, |decoder| Ok((K::view(decoder)?, V::view(decoder)?)))
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {$(
        impl<'a, $($name: QiView<'a>),+> QiView<'a> for ($($name,)+) {
            const MIN_VIEW_SIZE: usize = 0 $(+ $name::MIN_VIEW_SIZE)+;

            fn view_signature() -> Signature {
                Signature::tuple([$($name::view_signature()),+])
            }

            #[inline]
            fn view(decoder: &mut Decoder<'a>) -> Result<Self, CodecError> {
                decoder.enter()?;
                let value = ($($name::view(decoder)?,)+);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Value, to_payload};

    #[test]
    fn lists_of_tuples_borrow_their_strings() {
        let value = vec![("a".to_owned(), 1_u32, 0.5_f32), ("b".to_owned(), 2, 1.5)];
        let bytes = to_payload(&value).unwrap().into_bytes();
        let read: Vec<(&str, u32, f32)> = view_payload(&bytes).unwrap();
        assert_eq!(read, [("a", 1, 0.5), ("b", 2, 1.5)]);
        assert!(bytes.as_ptr_range().contains(&read[1].0.as_ptr()));
        assert_eq!(to_payload(&read).unwrap().into_bytes(), bytes);
        assert_eq!(<Vec<(&str, u32, f32)> as QiView<'_>>::view_signature(), Vec::<(String, u32, f32)>::signature());
    }

    #[test]
    fn the_last_of_equal_keys_wins() {
        let bytes = to_payload(&vec![("k".to_owned(), 1), ("a".to_owned(), 5), ("k".to_owned(), 2)]).unwrap();
        let bytes = bytes.into_bytes();
        assert_eq!(view_payload::<BTreeMap<&str, i32>>(&bytes).unwrap(), BTreeMap::from([("a", 5), ("k", 2)]));
        assert_eq!(view_payload::<HashMap<&str, i32>>(&bytes).unwrap(), HashMap::from([("a", 5), ("k", 2)]));
        let owned = crate::from_payload::<BTreeMap<String, i32>>(&bytes).unwrap();
        assert_eq!(owned["k"], 2);
    }

    #[test]
    fn what_is_cut_off_or_not_text_is_refused() {
        assert_eq!(view_payload::<&str>(b"\x02\0\0\0a"), Err(CodecError::ReadPastEnd));
        assert_eq!(view_payload::<&str>(b"\x01\0\0\0\xff"), Err(CodecError::InvalidUtf8));
        assert_eq!(view_payload::<&[u8]>(b"\x01\0\0\0\xff"), Ok(&b"\xff"[..]));
        assert_eq!(view_payload::<Vec<u32>>(b"\xff\xff\xff\xff"), Err(CodecError::ReadPastEnd));
    }

    #[test]
    fn dynamics_are_read_when_asked_for() {
        let value = vec![Value::from(7_i32), Value::from("x"), Value::from(vec![Value::from(1), Value::from(2)])];
        let bytes = to_payload(&value).unwrap().into_bytes();
        let read: Vec<DynamicView<'_>> = view_payload(&bytes).unwrap();
        assert_eq!(read[0].as_i64(), Some(7));
        assert_eq!(read[0].as_str(), None);
        assert_eq!(read[1].as_str(), Some("x"));
        assert_eq!(read[2].read::<Vec<i32>>(), Ok(vec![1, 2]));
        assert!(read[2].read::<Vec<u8>>().is_err());
        assert_eq!(read[2].to_value().unwrap(), value[2]);
    }
}
