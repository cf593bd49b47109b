//! Between any serde type and qi bytes, as a signature says that is only known at run time; no tree in between.
//!
//! [`QiValue`](crate::QiValue) is for types that fix their signature, [`transcode`](crate::transcode) for other formats.
//!
//! | Rust, as serde sees it | qi |
//! |---|---|
//! | bool, integers, floats | `b` and numbers, if the integer is in range; an integer may be read and written as a float |
//! | string, char | `s`; borrowed where `&str` is asked for |
//! | bytes | `r`, `s` or `[C]`; borrowed where `&[u8]` is asked for |
//! | sequence, tuple | `[T]`, `#T`, `(ABC)`, `r` of its bytes, `{KV}` of pairs |
//! | map | `{KV}`, `[(KV)]`, a struct of the protocol |
//! | struct | a struct of the protocol by field names, in any order; `(ABC)` by position; `{sT}` |
//! | `Option` | `+T`; in an `m`, nothing is `v` |
//! | unit | `v`, `()` |
//! | unit variant | `s`, or its number where that is an integer |
//! | other variants | `{sT}` or `m`: a map of the variant's name and content |
//! | anything | `m`: `b`, `l` or `L`, `f` or `d`, `s`, `r`, `[m]`, `{sm}` or `{mm}`, `v` |
//!
//! Fields that the signature has and the Rust struct has not are passed over when read. When written, only options may
//! be missing, and no field may be too many: nothing is lost in silence. Objects are neither read nor written.
//!
//! ```
//! use keyway_value::{Signature, by_signature};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Joint<'a> {
//!     angle: f32,
//!     name: &'a str,
//! }
//!
//! let signature: Signature = "[(sIf)<Joint,name,index,angle>]".parse()?;
//! let bytes = b"\x01\0\0\0\x04\0\0\0Head\x07\0\0\0\0\0\0\x3f";
//! let joints: Vec<Joint<'_>> = by_signature::from_payload(bytes, &signature)?;
//! assert_eq!(joints, [Joint { angle: 0.5, name: "Head" }]);
//!
//! let plain: Signature = "(fs)".parse()?;
//! let bytes = by_signature::to_payload(&joints[0], &plain)?.into_bytes();
//! assert_eq!(&bytes[..], b"\0\0\0\x3f\x04\0\0\0Head");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod read;
mod read_elements;
mod serializer;
#[cfg(test)]
mod tests;
mod write;
mod write_elements;

use serde::{Deserialize, Serialize};

pub use read::ValueDeserializer;
pub use write::ValueSerializer;
pub use write_elements::{Entries, Items};

use crate::{CodecError, Decoder, Encoder, Payload, Signature};

/// The bytes of a value as type `signature`.
pub fn to_payload<T: Serialize + ?Sized>(value: &T, signature: &Signature) -> Result<Payload, CodecError> {
    let mut encoder = Encoder::new();
    value.serialize(ValueSerializer::new(signature, &mut encoder))?;
    Ok(encoder.finish())
}

/// The value in bytes of type `signature`, borrowing what `T` borrows; what follows it is ignored (spec 2.4).
pub fn from_payload<'de, T: Deserialize<'de>>(bytes: &'de [u8], signature: &Signature) -> Result<T, CodecError> {
    T::deserialize(ValueDeserializer::new(signature, &mut Decoder::of_slice(bytes)))
}
