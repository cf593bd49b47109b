//! A serde deserializer whose format is a signature.

use serde::{
    Deserializer,
    de::{Error as _, IntoDeserializer, Unexpected, Visitor, value::BorrowedStrDeserializer},
};

use super::read_elements::{Elements, Fields, Pairs, Variant};
use crate::{CodecError, Decoder, Signature, Type};

static BYTE: Signature = Signature::uint8();

/// Reads a value of a type.
#[derive(Debug)]
pub struct ValueDeserializer<'s, 'd, 'de> {
    signature: &'s Signature,
    decoder: &'d mut Decoder<'de>,
}

impl<'s, 'd, 'de> ValueDeserializer<'s, 'd, 'de> {
    /// The next value of `decoder`, of type `signature`.
    pub const fn new(signature: &'s Signature, decoder: &'d mut Decoder<'de>) -> Self {
        Self { signature, decoder }
    }

    /// What is in a dynamic.
    fn inside<R>(
        self,
        read: impl FnOnce(ValueDeserializer<'_, '_, 'de>) -> Result<R, CodecError>,
    ) -> Result<R, CodecError> {
        let signature = self.decoder.read_dynamic_signature()?;
        self.decoder.enter()?;
        let value = read(ValueDeserializer { signature: &signature, decoder: &mut *self.decoder })?;
        self.decoder.leave();
        Ok(value)
    }

    /// One level down, with something that keeps count of what is left.
    fn list<V: Visitor<'de>>(self, element: &Signature, visitor: V) -> Result<V::Value, CodecError> {
        let count = self.decoder.read_count_of(|| element.min_size())?;
        self.decoder.enter()?;
        let mut elements = Elements::repeated(&mut *self.decoder, element, count);
        let value = visitor.visit_seq(&mut elements)?;
        elements.finish()?;
        self.decoder.leave();
        Ok(value)
    }

    fn positions<V: Visitor<'de>>(self, elements: &[Signature], visitor: V) -> Result<V::Value, CodecError> {
        self.decoder.spaceless()?;
        self.decoder.enter()?;
        let mut elements = Elements::each(&mut *self.decoder, elements);
        let value = visitor.visit_seq(&mut elements)?;
        elements.finish()?;
        self.decoder.leave();
        Ok(value)
    }

    fn entries<V: Visitor<'de>>(
        self,
        key: &Signature,
        value: &Signature,
        levels: usize,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        let count = self.decoder.read_count_of(|| key.min_size() + value.min_size())?;
        (0..levels).try_for_each(|_| self.decoder.enter())?;
        let mut pairs = Pairs::new(&mut *self.decoder, key, value, count);
        let map = visitor.visit_map(&mut pairs)?;
        pairs.finish()?;
        (0..levels).for_each(|_| self.decoder.leave());
        Ok(map)
    }

    /// A struct, by names if there are some.
    fn record<V: Visitor<'de>>(self, elements: &[Signature], visitor: V) -> Result<V::Value, CodecError> {
        let Some(names) = self.signature.names() else { return self.positions(elements, visitor) };
        self.decoder.spaceless()?;
        self.decoder.enter()?;
        let mut fields = Fields::new(&mut *self.decoder, names, elements);
        let value = visitor.visit_map(&mut fields)?;
        fields.finish()?;
        self.decoder.leave();
        Ok(value)
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let bytes = self.decoder.read_str()?;
        visitor.visit_borrowed_str(std::str::from_utf8(bytes).map_err(|_| CodecError::InvalidUtf8)?)
    }

    /// Any integer, as the number of a variant.
    fn number(self) -> Result<u32, CodecError> {
        let value = self.decoder.read_value(self.signature)?;
        let number = value.as_i128().and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| {
            CodecError::invalid_value(Unexpected::Other(&format!("integer `{value}`")), &"the number of a variant")
        })
    }
}

macro_rules! as_any {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
            self.deserialize_any(visitor)
        }
    )*};
}

macro_rules! as_text {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
            match self.signature.kind() {
                Type::String | Type::Raw => self.text(visitor),
                Type::Dynamic => self.inside(|inner| inner.$method(visitor)),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for ValueDeserializer<'_, '_, 'de> {
    type Error = CodecError;

    /// Addresses, times and the like are text where the signature says so, and bytes elsewhere.
    fn is_human_readable(&self) -> bool {
        matches!(self.signature.kind(), Type::String | Type::Dynamic)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.signature.kind() {
            Type::Void | Type::None => {
                self.decoder.spaceless()?;
                visitor.visit_unit()
            }
            Type::Bool => visitor.visit_bool(self.decoder.read_bool()?),
            Type::Int8 => visitor.visit_i8(self.decoder.read_i8()?),
            Type::UInt8 => visitor.visit_u8(self.decoder.read_u8()?),
            Type::Int16 => visitor.visit_i16(self.decoder.read_i16()?),
            Type::UInt16 => visitor.visit_u16(self.decoder.read_u16()?),
            Type::Int32 => visitor.visit_i32(self.decoder.read_i32()?),
            Type::UInt32 => visitor.visit_u32(self.decoder.read_u32()?),
            Type::Int64 => visitor.visit_i64(self.decoder.read_i64()?),
            Type::UInt64 => visitor.visit_u64(self.decoder.read_u64()?),
            Type::Float => visitor.visit_f32(self.decoder.read_f32()?),
            Type::Double => visitor.visit_f64(self.decoder.read_f64()?),
            Type::String => {
                let bytes = self.decoder.read_str()?;
                match std::str::from_utf8(bytes) {
                    Ok(text) => visitor.visit_borrowed_str(text),
                    Err(_) => visitor.visit_borrowed_bytes(bytes),
                }
            }
            Type::Raw => visitor.visit_borrowed_bytes(self.decoder.read_str()?),
            Type::Dynamic => self.inside(|inner| inner.deserialize_any(visitor)),
            Type::List(element) | Type::VarArgs(element) => self.list(element, visitor),
            Type::Map(pair) => self.entries(&pair.0, &pair.1, 1, visitor),
            Type::Tuple(elements) => self.record(elements, visitor),
            Type::Optional(_) => self.deserialize_option(visitor),
            Type::Object => Err(CodecError::Custom("an object cannot be read as data".into())),
            Type::Unknown | Type::KwArgs(_) => Err(CodecError::CannotDeserialize(self.signature.clone())),
        }
    }

    as_any! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    as_text! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.signature.kind() {
            Type::String | Type::Raw => visitor.visit_borrowed_bytes(self.decoder.read_str()?),
            Type::List(element) | Type::VarArgs(element) if *element.kind() == Type::UInt8 => {
                visitor.visit_borrowed_bytes(self.decoder.read_str()?)
            }
            Type::Dynamic => self.inside(|inner| inner.deserialize_bytes(visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.signature.kind() {
            Type::Optional(element) => {
                if !self.decoder.read_bool()? {
                    return visitor.visit_none();
                }
                self.decoder.enter()?;
                let value = visitor.visit_some(ValueDeserializer::new(element, &mut *self.decoder))?;
                self.decoder.leave();
                Ok(value)
            }
            Type::Void | Type::None => {
                self.decoder.spaceless()?;
                visitor.visit_none()
            }
            Type::Dynamic => self.inside(|inner| inner.deserialize_option(visitor)),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.signature.kind() {
            Type::Tuple(elements) if elements.is_empty() => {
                self.decoder.spaceless()?;
                visitor.visit_unit()
            }
            Type::Dynamic => self.inside(|inner| inner.deserialize_unit(visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, CodecError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.signature.kind() {
            Type::Tuple(elements) => self.positions(elements, visitor),
            Type::Raw => self.list(&BYTE, visitor),
            Type::Map(pair) => {
                let pair = Signature::tuple([pair.0.clone(), pair.1.clone()]);
                self.list(&pair, visitor)
            }
            Type::Dynamic => self.inside(|inner| inner.deserialize_seq(visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, CodecError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.signature.kind() {
            Type::List(element) | Type::VarArgs(element) => match element.kind() {
                Type::Tuple(pair) if pair.len() == 2 => self.entries(&pair[0], &pair[1], 2, visitor),
                _ => self.deserialize_any(visitor),
            },
            Type::Dynamic => self.inside(|inner| inner.deserialize_map(visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        match self.signature.kind() {
            Type::Tuple(elements) => self.record(elements, visitor),
            Type::Dynamic => self.inside(|inner| inner.deserialize_struct("", &[], visitor)),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        match self.signature.kind() {
            Type::String => {
                let text = std::str::from_utf8(self.decoder.read_str()?).map_err(|_| CodecError::InvalidUtf8)?;
                visitor.visit_enum(BorrowedStrDeserializer::new(text))
            }
            kind if kind.is_integer() => {
                let number: serde::de::value::U32Deserializer<CodecError> = self.number()?.into_deserializer();
                visitor.visit_enum(number)
            }
            Type::Map(pair) => {
                let (key, value) = &**pair;
                let count = self.decoder.read_count_of(|| key.min_size() + value.min_size())?;
                if count != 1 {
                    return Err(CodecError::invalid_length(count, &"a map of one variant"));
                }
                self.decoder.enter()?;
                let found = visitor.visit_enum(Variant::new(&mut *self.decoder, key, value))?;
                self.decoder.leave();
                Ok(found)
            }
            Type::Dynamic => self.inside(|inner| inner.deserialize_enum(name, variants, visitor)),
            _ => Err(CodecError::Custom(format!("a value of type {} is no variant of {name}", self.signature))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        self.decoder.skip_value(self.signature)?;
        visitor.visit_unit()
    }
}
