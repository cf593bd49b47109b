//! In: values are written as they are deserialized.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{
    Serializer,
    de::{DeserializeSeed, Deserializer, Error, Expected, MapAccess, SeqAccess, Visitor},
};

use crate::{
    Encoder, Signature, Type,
    by_signature::{Entries, Items, ValueSerializer},
};

/// Writes what a deserializer yields as a value of a type.
#[derive(Debug)]
pub struct FromSerde<'s, 'e, 'x>(ValueSerializer<'s, 'e, 'x>);

impl<'s, 'e, 'x> FromSerde<'s, 'e, 'x> {
    /// A value of type `signature`, into `encoder`.
    pub const fn new(signature: &'s Signature, encoder: &'e mut Encoder<'x>) -> Self {
        Self(ValueSerializer::new(signature, encoder))
    }

    /// Reads it.
    pub fn read<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }
}

impl<'de> DeserializeSeed<'de> for FromSerde<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0.signature.kind() {
            Type::Raw if !deserializer.is_human_readable() => deserializer.deserialize_bytes(self),
            Type::Optional(_) => deserializer.deserialize_option(self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

macro_rules! as_serialized {
    ($($visit:ident($type:ty) $serialize:ident;)*) => {$(
        #[inline]
        fn $visit<E: Error>(self, value: $type) -> Result<(), E> {
            self.0.$serialize(value).map_err(E::custom)
        }
    )*};
}

impl<'de> Visitor<'de> for FromSerde<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Expected::fmt(&self.0, f)
    }

    as_serialized! {
        visit_bool(bool) serialize_bool;
        visit_i64(i64) serialize_i64;
        visit_i128(i128) serialize_i128;
        visit_u64(u64) serialize_u64;
        visit_u128(u128) serialize_u128;
        visit_f32(f32) serialize_f32;
        visit_f64(f64) serialize_f64;
        visit_bytes(&[u8]) serialize_bytes;
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match self.0.signature.kind() {
            Type::Raw => match STANDARD.decode(text) {
                Ok(bytes) => self.0.serialize_bytes(&bytes).map_err(E::custom),
                Err(error) => Err(E::custom(format!("a raw buffer is wanted as base64: {error}"))),
            },
            _ => self.0.serialize_str(text).map_err(E::custom),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.0.signature.kind() {
            // What is written as null where the format knows no other way.
            Type::Float | Type::Double => self.0.serialize_f64(f64::NAN),
            Type::Optional(_) => self.0.serialize_none(),
            _ => self.0.serialize_unit(),
        }
        .map_err(E::custom)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0.signature.kind() {
            Type::Optional(_) => Self(self.0.some().map_err(D::Error::custom)?).deserialize(deserializer),
            _ => self.deserialize(deserializer),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<(), A::Error> {
        let mut items = self.0.serialize_seq(source.size_hint()).map_err(A::Error::custom)?;
        while source.next_element_seed(NextItem(&mut items))?.is_some() {}
        items.finish().map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<(), A::Error> {
        let mut entries = self.0.serialize_map(source.size_hint()).map_err(A::Error::custom)?;
        while source.next_key_seed(NextKey(&mut entries))?.is_some() {
            source.next_value_seed(NextValue(&mut entries))?;
        }
        entries.finish().map_err(A::Error::custom)
    }
}

struct NextItem<'i, 's, 'e, 'x>(&'i mut Items<'s, 'e, 'x>);

impl<'de> DeserializeSeed<'de> for NextItem<'_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        FromSerde(self.0.next().map_err(D::Error::custom)?).deserialize(deserializer)
    }
}

struct NextKey<'i, 's, 'e, 'x>(&'i mut Entries<'s, 'e, 'x>);

impl<'de> DeserializeSeed<'de> for NextKey<'_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.key(D::Error::custom, |target| FromSerde(target).deserialize(deserializer))
    }
}

struct NextValue<'i, 's, 'e, 'x>(&'i mut Entries<'s, 'e, 'x>);

impl<'de> DeserializeSeed<'de> for NextValue<'_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.value(D::Error::custom, |target| FromSerde(target).deserialize(deserializer))
    }
}
