//! What has elements, on its way in.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor, value::StrDeserializer,
};

use super::ValueDeserializer;
use crate::{CodecError, Decoder, Signature, Type, signature::Names};

/// What is left must be nothing: the reader stands where the next value begins.
fn all_read(found: usize, left: usize) -> Result<(), CodecError> {
    if left == 0 { Ok(()) } else { Err(CodecError::invalid_length(found + left, &"fewer elements")) }
}

/// The elements of a list, or of a tuple by position.
pub(super) struct Elements<'s, 'd, 'de> {
    decoder: &'d mut Decoder<'de>,
    element: Source<'s>,
    read: usize,
    left: usize,
}

enum Source<'s> {
    Repeated(&'s Signature),
    Each(&'s [Signature]),
}

impl<'s, 'd, 'de> Elements<'s, 'd, 'de> {
    pub(super) const fn repeated(decoder: &'d mut Decoder<'de>, element: &'s Signature, left: usize) -> Self {
        Self { decoder, element: Source::Repeated(element), read: 0, left }
    }

    pub(super) const fn each(decoder: &'d mut Decoder<'de>, elements: &'s [Signature]) -> Self {
        Self { decoder, element: Source::Each(elements), read: 0, left: elements.len() }
    }

    pub(super) fn finish(self) -> Result<(), CodecError> {
        all_read(self.read, self.left)
    }
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, '_, 'de> {
    type Error = CodecError;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, CodecError> {
        if self.left == 0 {
            return Ok(None);
        }
        let position = self.read;
        let signature = match self.element {
            Source::Repeated(element) => element,
            Source::Each(elements) => &elements[position],
        };
        self.left -= 1;
        self.read += 1;
        let value = seed.deserialize(ValueDeserializer::new(signature, self.decoder));
        value.map(Some).map_err(|error| error.in_element(position))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// Keys and values.
pub(super) struct Pairs<'s, 'd, 'de> {
    decoder: &'d mut Decoder<'de>,
    key: &'s Signature,
    value: &'s Signature,
    read: usize,
    left: usize,
    at_key: &'de [u8],
}

impl<'s, 'd, 'de> Pairs<'s, 'd, 'de> {
    pub(super) const fn new(
        decoder: &'d mut Decoder<'de>,
        key: &'s Signature,
        value: &'s Signature,
        left: usize,
    ) -> Self {
        Self { at_key: decoder.rest(), decoder, key, value, read: 0, left }
    }

    pub(super) fn finish(self) -> Result<(), CodecError> {
        all_read(self.read, self.left)
    }

    /// Names the entry: by its key, if that is text.
    #[cold]
    fn place(&self, error: CodecError) -> CodecError {
        match (self.key.kind(), Decoder::of_slice(self.at_key).read_str()) {
            (Type::String, Ok(key)) => error.in_field(&String::from_utf8_lossy(key)),
            _ => error.in_element(self.read.saturating_sub(1)),
        }
    }
}

impl<'de> MapAccess<'de> for &mut Pairs<'_, '_, 'de> {
    type Error = CodecError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, CodecError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.read += 1;
        self.at_key = self.decoder.rest();
        let position = self.read - 1;
        let key = seed.deserialize(ValueDeserializer::new(self.key, self.decoder));
        key.map(Some).map_err(|error| error.in_element(position))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, CodecError> {
        seed.deserialize(ValueDeserializer::new(self.value, self.decoder)).map_err(|error| self.place(error))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The fields of a struct, with their names.
pub(super) struct Fields<'s, 'd, 'de> {
    decoder: &'d mut Decoder<'de>,
    names: Names<'s>,
    elements: &'s [Signature],
    field: &'s str,
    read: usize,
}

impl<'s, 'd, 'de> Fields<'s, 'd, 'de> {
    pub(super) const fn new(decoder: &'d mut Decoder<'de>, names: Names<'s>, elements: &'s [Signature]) -> Self {
        Self { decoder, names, elements, field: "", read: 0 }
    }

    pub(super) fn finish(self) -> Result<(), CodecError> {
        all_read(self.read, self.elements.len() - self.read)
    }
}

impl<'de> MapAccess<'de> for &mut Fields<'_, '_, 'de> {
    type Error = CodecError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, CodecError> {
        let Some(name) = self.names.next() else {
            return Ok(None);
        };
        self.field = name;
        let name: StrDeserializer<'_, CodecError> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, CodecError> {
        let (field, Some(signature)) = (self.field, self.elements.get(self.read)) else {
            return Err(CodecError::Custom("more values than fields".into()));
        };
        self.read += 1;
        seed.deserialize(ValueDeserializer::new(signature, self.decoder)).map_err(|error| error.in_field(field))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.elements.len() - self.read)
    }
}

/// A variant by its name, then its content.
pub(super) struct Variant<'s, 'd, 'de> {
    decoder: &'d mut Decoder<'de>,
    key: &'s Signature,
    value: &'s Signature,
}

impl<'s, 'd, 'de> Variant<'s, 'd, 'de> {
    pub(super) const fn new(decoder: &'d mut Decoder<'de>, key: &'s Signature, value: &'s Signature) -> Self {
        Self { decoder, key, value }
    }

    const fn content(self) -> ValueDeserializer<'s, 'd, 'de> {
        ValueDeserializer::new(self.value, self.decoder)
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, '_, 'de> {
    type Error = CodecError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), CodecError> {
        let variant = seed.deserialize(ValueDeserializer::new(self.key, &mut *self.decoder))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_, 'de> {
    type Error = CodecError;

    fn unit_variant(self) -> Result<(), CodecError> {
        serde::Deserialize::deserialize(self.content())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, CodecError> {
        seed.deserialize(self.content())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, CodecError> {
        self.content().deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.content().deserialize_struct("", fields, visitor)
    }
}
