//! In: values are written as they are deserialized.

use std::{borrow::Cow, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use crate::{CodecError, Encoder, MAX_DEPTH, Payload, Signature, Type};

/// Writes what a deserializer yields as a value of a type.
#[derive(Debug)]
pub struct FromSerde<'s, 'e, 'x> {
    signature: &'s Signature,
    encoder: &'e mut Encoder<'x>,
    depth: usize,
}

impl<'s, 'e, 'x> FromSerde<'s, 'e, 'x> {
    /// A value of type `signature`, into `encoder`.
    pub const fn new(signature: &'s Signature, encoder: &'e mut Encoder<'x>) -> Self {
        Self { signature, encoder, depth: 0 }
    }

    /// Reads it.
    pub fn read<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn child<'t>(&'t mut self, signature: &'t Signature) -> FromSerde<'t, 't, 'x> {
        FromSerde { signature, encoder: self.encoder, depth: self.depth + 1 }
    }
}

impl<'de> DeserializeSeed<'de> for FromSerde<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.depth > MAX_DEPTH {
            return Err(D::Error::custom(CodecError::TooDeep(MAX_DEPTH)));
        }
        match self.signature.kind() {
            Type::Raw if !deserializer.is_human_readable() => deserializer.deserialize_bytes(self),
            Type::Optional(_) => deserializer.deserialize_option(self),
            Type::Object => Err(D::Error::custom("an object cannot be written down; pass a live one")),
            Type::Unknown | Type::KwArgs(_) => {
                Err(D::Error::custom(CodecError::CannotDeserialize(self.signature.clone())))
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl FromSerde<'_, '_, '_> {
    fn wrong<E: Error>(&self, found: Unexpected<'_>) -> E {
        E::invalid_type(found, self)
    }

    fn integer<E: Error>(self, value: i128) -> Result<(), E> {
        let found = match i64::try_from(value) {
            Ok(value) => Unexpected::Signed(value),
            Err(_) => Unexpected::Other("a large integer"),
        };
        let encoder = &mut *self.encoder;
        macro_rules! put {
            ($write:ident) => {
                match value.try_into() {
                    Ok(value) => encoder.$write(value),
                    Err(_) => return Err(E::invalid_value(found, &self)),
                }
            };
        }
        match self.signature.kind() {
            Type::Int8 => put!(write_i8),
            Type::UInt8 => put!(write_u8),
            Type::Int16 => put!(write_i16),
            Type::UInt16 => put!(write_u16),
            Type::Int32 => put!(write_i32),
            Type::UInt32 => put!(write_u32),
            Type::Int64 => put!(write_i64),
            Type::UInt64 => put!(write_u64),
            Type::Bool if value == 0 || value == 1 => encoder.write_bool(value == 1),
            #[expect(clippy::cast_precision_loss, reason = "an integer becomes the nearest float")]
            Type::Float => encoder.write_f32(value as f32),
            #[expect(clippy::cast_precision_loss, reason = "an integer becomes the nearest float")]
            Type::Double => encoder.write_f64(value as f64),
            Type::Dynamic => match i64::try_from(value) {
                Ok(value) => {
                    encoder.write_signature(&Signature::int64());
                    encoder.write_i64(value);
                }
                Err(_) => {
                    encoder.write_signature(&Signature::uint64());
                    put!(write_u64);
                }
            },
            _ => return Err(self.wrong(found)),
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for FromSerde<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value of type {}", self.signature)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.signature.kind() {
            Type::Bool => self.encoder.write_bool(value),
            Type::Dynamic => {
                self.encoder.write_signature(&Signature::bool());
                self.encoder.write_bool(value);
            }
            _ => return Err(self.wrong(Unexpected::Bool(value))),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.integer(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.integer(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        match self.signature.kind() {
            #[expect(clippy::cast_possible_truncation, reason = "asked for in single precision")]
            Type::Float => self.encoder.write_f32(value as f32),
            Type::Double => self.encoder.write_f64(value),
            Type::Dynamic => {
                self.encoder.write_signature(&Signature::double());
                self.encoder.write_f64(value);
            }
            _ => return Err(self.wrong(Unexpected::Float(value))),
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let written = match self.signature.kind() {
            Type::String => self.encoder.write_str(text.as_bytes()),
            Type::Raw => match STANDARD.decode(text) {
                Ok(bytes) => self.encoder.write_str(&bytes),
                Err(error) => return Err(E::custom(format!("a raw buffer is wanted as base64: {error}"))),
            },
            Type::Dynamic => {
                self.encoder.write_signature(&Signature::string());
                self.encoder.write_str(text.as_bytes())
            }
            _ => return Err(self.wrong(Unexpected::Str(text))),
        };
        written.map_err(E::custom)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<(), E> {
        match self.signature.kind() {
            Type::String | Type::Raw => self.encoder.write_str(bytes).map_err(E::custom),
            _ => Err(self.wrong(Unexpected::Bytes(bytes))),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.signature.kind() {
            Type::Void | Type::None => {}
            Type::Optional(_) => self.encoder.write_bool(false),
            Type::Dynamic => self.encoder.write_signature(&Signature::void()),
            // What is written as null where the format knows no other way.
            Type::Float => self.encoder.write_f32(f32::NAN),
            Type::Double => self.encoder.write_f64(f64::NAN),
            _ => return Err(self.wrong(Unexpected::Unit)),
        }
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<(), D::Error> {
        match self.signature.kind() {
            Type::Optional(element) => {
                self.encoder.write_bool(true);
                self.child(element).deserialize(deserializer)
            }
            _ => self.deserialize(deserializer),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        match self.signature.kind() {
            Type::Tuple(elements) => {
                for (position, element) in elements.iter().enumerate() {
                    if items.next_element_seed(self.child(element))?.is_none() {
                        return Err(A::Error::invalid_length(position, &self));
                    }
                }
                match items.next_element::<serde::de::IgnoredAny>()? {
                    Some(_) => Err(A::Error::invalid_length(elements.len() + 1, &self)),
                    None => Ok(()),
                }
            }
            Type::List(element) | Type::VarArgs(element) => self.counted(element, items),
            Type::Map(pair) => {
                let pair = Signature::tuple([pair.0.clone(), pair.1.clone()]);
                self.counted(&pair, items)
            }
            Type::Dynamic => {
                let list = Signature::list(Signature::dynamic());
                self.encoder.write_signature(&list);
                self.counted(&Signature::dynamic(), items)
            }
            _ => Err(self.wrong(Unexpected::Seq)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let (key, value) = match self.signature.kind() {
            Type::Map(pair) => (pair.0.clone(), pair.1.clone()),
            Type::Dynamic => {
                let pair = (Signature::string(), Signature::dynamic());
                self.encoder.write_signature(&Signature::map(pair.0.clone(), pair.1.clone()));
                pair
            }
            Type::Tuple(elements) => return self.fields(&elements.clone(), entries),
            _ => return Err(self.wrong(Unexpected::Map)),
        };
        // The number of entries is only known at the end: they are written aside.
        let mut aside = Encoder::new();
        let mut count = 0;
        let depth = self.depth + 1;
        while let Some(()) = entries.next_key_seed(FromSerde { signature: &key, encoder: &mut aside, depth })? {
            entries.next_value_seed(FromSerde { signature: &value, encoder: &mut aside, depth })?;
            count += 1;
        }
        self.append(count, &aside.finish()).map_err(A::Error::custom)
    }
}

impl FromSerde<'_, '_, '_> {
    fn counted<'de, A: SeqAccess<'de>>(self, element: &Signature, mut items: A) -> Result<(), A::Error> {
        let mut aside = Encoder::new();
        let mut count = 0;
        let depth = self.depth + 1;
        while let Some(()) = items.next_element_seed(FromSerde { signature: element, encoder: &mut aside, depth })? {
            count += 1;
        }
        self.append(count, &aside.finish()).map_err(A::Error::custom)
    }

    fn append(self, count: usize, items: &Payload) -> Result<(), CodecError> {
        self.encoder.write_count(count)?;
        self.encoder.append(items);
        Ok(())
    }

    /// A struct's fields by name, in any order.
    fn fields<'de, A: MapAccess<'de>>(self, elements: &[Signature], mut entries: A) -> Result<(), A::Error> {
        let Some(names) = self.signature.field_names() else { return Err(self.wrong(Unexpected::Map)) };
        let mut found: Vec<Option<Payload>> = vec![None; names.len()];
        while let Some(name) = entries.next_key::<Cow<'de, str>>()? {
            let Some(position) = names.iter().position(|field| *field == name) else {
                return Err(A::Error::custom(format!("unknown field {name:?}; expected {}", names.join(", "))));
            };
            let mut aside = Encoder::new();
            let depth = self.depth + 1;
            entries.next_value_seed(FromSerde { signature: &elements[position], encoder: &mut aside, depth })?;
            found[position] = Some(aside.finish());
        }
        for (field, name) in found.into_iter().zip(names) {
            match field {
                Some(payload) => self.encoder.append(&payload),
                None => return Err(A::Error::custom(format!("the field {name:?} is missing"))),
            }
        }
        Ok(())
    }
}
