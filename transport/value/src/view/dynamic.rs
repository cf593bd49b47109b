//! Dynamics that nobody has looked into yet.

use std::{borrow::Cow, fmt};

use super::QiView;
use crate::{CodecError, Decoder, QiValue, Signature, Value};

/// An `m` in the bytes it came in: its extent is known and checked, its content is read when asked for.
#[derive(Clone, Copy)]
pub struct DynamicView<'a> {
    signature: &'a [u8],
    content: &'a [u8],
}

impl<'a> DynamicView<'a> {
    /// The text of the content's signature.
    pub fn signature_text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.signature)
    }

    /// The type of the content.
    pub fn content_signature(&self) -> Result<Signature, CodecError> {
        Signature::parse_bytes(self.signature).map_err(|_| CodecError::InvalidSignature)
    }

    /// The bytes of the content.
    pub const fn content(&self) -> &'a [u8] {
        self.content
    }

    /// The content, as a type that has exactly its signature. Objects are taken to be in the usual layout.
    pub fn read<T: QiView<'a>>(&self) -> Result<T, CodecError> {
        let (signature, wanted) = (self.content_signature()?, T::view_signature());
        if signature != wanted {
            return Err(CodecError::Custom(format!("a {signature} is no {wanted}")));
        }
        T::view(&mut Decoder::of_slice(self.content))
    }

    /// All of it, copied.
    pub fn to_value(&self) -> Result<Value, CodecError> {
        Decoder::of_slice(self.content).read_value(&self.content_signature()?)
    }

    /// What is inside all dynamics around it (spec 4.1).
    fn peel(self) -> Option<Self> {
        let mut view = self;
        while view.signature == b"m" {
            view = <Self as QiView<'a>>::view(&mut Decoder::of_slice(view.content)).ok()?;
        }
        Some(view)
    }

    /// An integer or bool, if it fits.
    pub fn as_i64(&self) -> Option<i64> {
        let view = self.peel()?;
        let mut decoder = Decoder::of_slice(view.content);
        match view.signature {
            b"i" => decoder.read_i32().ok().map(i64::from),
            b"l" => decoder.read_i64().ok(),
            b"b" | b"c" | b"C" | b"w" | b"W" | b"I" | b"L" => view.to_value().ok()?.as_i64(),
            _ => None,
        }
    }

    /// Any number as a float.
    pub fn as_f64(&self) -> Option<f64> {
        let view = self.peel()?;
        let mut decoder = Decoder::of_slice(view.content);
        match view.signature {
            b"d" => decoder.read_f64().ok(),
            b"f" => decoder.read_f32().ok().map(f64::from),
            b"b" | b"c" | b"C" | b"w" | b"W" | b"i" | b"I" | b"l" | b"L" => view.to_value().ok()?.as_f64(),
            _ => None,
        }
    }

    /// A bool.
    pub fn as_bool(&self) -> Option<bool> {
        let view = self.peel()?;
        if view.signature == b"b" { Decoder::of_slice(view.content).read_bool().ok() } else { None }
    }

    /// The text of a string that is UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        let view = self.peel()?;
        if view.signature != b"s" {
            return None;
        }
        std::str::from_utf8(Decoder::of_slice(view.content).read_str().ok()?).ok()
    }

    /// The bytes of a string or raw buffer.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        let view = self.peel()?;
        if let b"s" | b"r" = view.signature { Decoder::of_slice(view.content).read_str().ok() } else { None }
    }
}

impl<'a> QiView<'a> for DynamicView<'a> {
    const MIN_VIEW_SIZE: usize = 4;

    fn view_signature() -> Signature {
        Signature::dynamic()
    }

    #[inline]
    fn view(decoder: &mut Decoder<'a>) -> Result<Self, CodecError> {
        let start = decoder.rest();
        let signature = decoder.read_str()?;
        let content = decoder.rest();
        match signature {
            b"v" => {}
            b"b" | b"c" | b"C" => drop(decoder.read_u8()?),
            b"w" | b"W" => drop(decoder.read_u16()?),
            b"i" | b"I" | b"f" => drop(decoder.read_u32()?),
            b"l" | b"L" | b"d" => drop(decoder.read_u64()?),
            b"s" | b"r" => drop(decoder.read_str()?),
            _ => {
                decoder.rewind(start);
                decoder.skip_value(&Signature::dynamic())?;
            }
        }
        let content = &content[..content.len() - decoder.remaining()];
        Ok(Self { signature, content })
    }
}

/// It is written as it came.
impl QiValue for DynamicView<'_> {
    const MIN_SIZE: usize = 4;

    fn signature() -> Signature {
        Signature::dynamic()
    }

    #[inline]
    fn size_hint(&self) -> usize {
        4 + self.signature.len() + self.content.len()
    }

    #[inline]
    fn encode(&self, encoder: &mut crate::Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_str(self.signature)?;
        encoder.write_encoded(self.content);
        Ok(())
    }

    fn decode(_: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Err(CodecError::Custom("a DynamicView is read in place, by view_payload".into()))
    }
}

impl fmt::Debug for DynamicView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_value() {
            Ok(value) => value.fmt(f),
            Err(error) => write!(f, "<{error}>"),
        }
    }
}
