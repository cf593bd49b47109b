//! A serde serializer whose format is a signature.

use serde::{Serialize, Serializer, de::Unexpected};

use super::{Entries, Items, ValueSerializer};
use crate::{CodecError, Type};

macro_rules! integers {
    ($($name:ident($type:ty) $kind:ident $write:ident;)*) => {$(
        #[inline]
        fn $name(self, value: $type) -> Result<(), CodecError> {
            match self.signature.kind() {
                Type::$kind => {
                    self.encoder.$write(value);
                    Ok(())
                }
                _ => self.integer(value.into()),
            }
        }
    )*};
}

impl<'s, 'e, 'x> Serializer for ValueSerializer<'s, 'e, 'x> {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Items<'s, 'e, 'x>;
    type SerializeTuple = Items<'s, 'e, 'x>;
    type SerializeTupleStruct = Items<'s, 'e, 'x>;
    type SerializeTupleVariant = Items<'s, 'e, 'x>;
    type SerializeMap = Entries<'s, 'e, 'x>;
    type SerializeStruct = Entries<'s, 'e, 'x>;
    type SerializeStructVariant = Entries<'s, 'e, 'x>;

    /// Addresses, times and the like are text where the signature says so, and bytes elsewhere.
    fn is_human_readable(&self) -> bool {
        matches!(self.signature.kind(), Type::String | Type::Dynamic)
    }

    integers! {
        serialize_i8(i8) Int8 write_i8;
        serialize_i16(i16) Int16 write_i16;
        serialize_i32(i32) Int32 write_i32;
        serialize_i64(i64) Int64 write_i64;
        serialize_u8(u8) UInt8 write_u8;
        serialize_u16(u16) UInt16 write_u16;
        serialize_u32(u32) UInt32 write_u32;
        serialize_u64(u64) UInt64 write_u64;
    }

    fn serialize_i128(self, value: i128) -> Result<(), CodecError> {
        self.integer(value)
    }

    fn serialize_u128(self, value: u128) -> Result<(), CodecError> {
        self.integer(i128::try_from(value).unwrap_or(i128::MAX))
    }

    fn serialize_bool(self, value: bool) -> Result<(), CodecError> {
        let this = self.letter(b'b')?;
        match this.signature.kind() {
            Type::Bool | Type::Dynamic => this.encoder.write_bool(value),
            _ => return this.wrong(Unexpected::Bool(value)),
        }
        Ok(())
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<(), CodecError> {
        let this = self.letter(b'f')?;
        match this.signature.kind() {
            Type::Float | Type::Dynamic => this.encoder.write_f32(value),
            Type::Double => this.encoder.write_f64(value.into()),
            _ => return this.wrong(Unexpected::Float(value.into())),
        }
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), CodecError> {
        let this = self.letter(b'd')?;
        match this.signature.kind() {
            #[expect(clippy::cast_possible_truncation, reason = "asked for in single precision")]
            Type::Float => this.encoder.write_f32(value as f32),
            Type::Double | Type::Dynamic => this.encoder.write_f64(value),
            _ => return this.wrong(Unexpected::Float(value)),
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), CodecError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), CodecError> {
        let this = self.letter(b's')?;
        match this.signature.kind() {
            Type::String | Type::Raw | Type::Dynamic => this.encoder.write_str(text.as_bytes()),
            _ => this.wrong(Unexpected::Str(text)),
        }
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), CodecError> {
        let this = self.letter(b'r')?;
        match this.signature.kind() {
            Type::String | Type::Raw | Type::Dynamic => this.encoder.write_str(bytes),
            Type::List(element) | Type::VarArgs(element) if *element.kind() == Type::UInt8 => {
                this.encoder.write_str(bytes)
            }
            _ => this.wrong(Unexpected::Bytes(bytes)),
        }
    }

    fn serialize_none(self) -> Result<(), CodecError> {
        match self.signature.kind() {
            Type::Optional(_) => self.encoder.write_bool(false),
            Type::Dynamic => self.encoder.write_letter(b'v'),
            Type::Void | Type::None => {}
            _ => return self.wrong(Unexpected::Option),
        }
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CodecError> {
        value.serialize(self.some()?)
    }

    fn serialize_unit(self) -> Result<(), CodecError> {
        let this = self.letter(b'v')?;
        match this.signature.kind() {
            Type::Void | Type::None | Type::Dynamic => Ok(()),
            Type::Tuple(elements) if elements.is_empty() => Ok(()),
            _ => this.wrong(Unexpected::Unit),
        }
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), CodecError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, variant: &'static str) -> Result<(), CodecError> {
        let this = self.set()?;
        match this.signature.kind() {
            Type::String | Type::Dynamic => this.serialize_str(variant),
            kind if kind.is_integer() => this.serialize_u32(index),
            _ => this.wrong(Unexpected::UnitVariant),
        }
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), CodecError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        value.serialize(self.variant(variant)?).map_err(|error| error.in_field(variant))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'s, 'e, 'x>, CodecError> {
        self.items()
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'s, 'e, 'x>, CodecError> {
        self.items()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'s, 'e, 'x>, CodecError> {
        self.items()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'s, 'e, 'x>, CodecError> {
        self.variant(variant)?.items()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'s, 'e, 'x>, CodecError> {
        self.entries()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries<'s, 'e, 'x>, CodecError> {
        self.record()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Entries<'s, 'e, 'x>, CodecError> {
        self.variant(variant)?.record()
    }
}
