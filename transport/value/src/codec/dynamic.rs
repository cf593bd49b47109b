//! Reading values whose types are known at run time only.

use super::{CodecError, Decoder};
use crate::{List, Map, OptionalValue, QiString, Signature, Tuple, Type, Value};

/// Elements reserved ahead at most: a value in memory is larger than on the wire, so the count alone is no bound.
const RESERVED: usize = 1024;

impl Decoder<'_> {
    /// The signature of a dynamic, of a type that has values.
    pub(crate) fn read_dynamic_signature(&mut self) -> Result<Signature, CodecError> {
        let text = self.read_str()?;
        if text.is_empty() {
            return Err(CodecError::NullType);
        }
        let signature = Signature::parse_bytes(text).map_err(|_| CodecError::InvalidSignature)?;
        match signature.kind() {
            Type::Unknown | Type::KwArgs(_) => Err(CodecError::CannotDeserialize(signature)),
            _ => Ok(signature),
        }
    }

    /// `m`: a signature, then its value. A dynamic in a dynamic stays one (spec 4.1).
    pub fn read_dynamic(&mut self) -> Result<Value, CodecError> {
        // What nearly every dynamic holds needs no signature.
        let (letter, rest) = match self.rest() {
            [1, 0, 0, 0, letter, rest @ ..] => (*letter, rest),
            _ => (0, self.rest()),
        };
        let start = self.rest();
        self.rewind(rest);
        Ok(match letter {
            b'b' => Value::Bool(self.read_bool()?),
            b'i' => Value::Int32(self.read_i32()?),
            b'l' => Value::Int64(self.read_i64()?),
            b'f' => Value::Float(self.read_f32()?),
            b'd' => Value::Double(self.read_f64()?),
            b's' => Value::String(QiString::from(self.read_raw()?)),
            _ => {
                self.rewind(start);
                return self.read_nested_dynamic();
            }
        })
    }

    fn read_nested_dynamic(&mut self) -> Result<Value, CodecError> {
        let signature = self.read_dynamic_signature()?;
        self.enter()?;
        let value = self.read_value(&signature)?;
        self.leave();
        Ok(value)
    }

    /// A value of a known type.
    pub fn read_value(&mut self, signature: &Signature) -> Result<Value, CodecError> {
        Ok(match signature.kind() {
            Type::Void | Type::None => {
                self.spaceless()?;
                Value::Void
            }
            Type::Bool => Value::Bool(self.read_bool()?),
            Type::Int8 => Value::Int8(self.read_i8()?),
            Type::UInt8 => Value::UInt8(self.read_u8()?),
            Type::Int16 => Value::Int16(self.read_i16()?),
            Type::UInt16 => Value::UInt16(self.read_u16()?),
            Type::Int32 => Value::Int32(self.read_i32()?),
            Type::UInt32 => Value::UInt32(self.read_u32()?),
            Type::Int64 => Value::Int64(self.read_i64()?),
            Type::UInt64 => Value::UInt64(self.read_u64()?),
            Type::Float => Value::Float(self.read_f32()?),
            Type::Double => Value::Double(self.read_f64()?),
            Type::String => Value::String(QiString::from(self.read_raw()?)),
            Type::Raw => Value::Raw(self.read_raw()?),
            Type::Dynamic => Value::Dynamic(Box::new(self.read_dynamic()?)),
            Type::Object => Value::Object(self.read_object()?),
            Type::Unknown | Type::KwArgs(_) => {
                return Err(CodecError::CannotDeserialize(signature.clone()));
            }
            _ => {
                self.enter()?;
                let value = self.read_container(signature)?;
                self.leave();
                value
            }
        })
    }

    #[inline(never)]
    fn read_container(&mut self, signature: &Signature) -> Result<Value, CodecError> {
        Ok(match signature.kind() {
            Type::List(element) | Type::VarArgs(element) => {
                let count = self.read_count_of(|| element.min_size())?;
                let mut items = Vec::with_capacity(count.min(RESERVED));
                for _ in 0..count {
                    items.push(self.read_value(element)?);
                }
                Value::List(List { signature: signature.clone(), items })
            }
            Type::Map(pair) => {
                let (key, value) = &**pair;
                let count = self.read_count_of(|| key.min_size() + value.min_size())?;
                let mut entries = Vec::with_capacity(count.min(RESERVED));
                for _ in 0..count {
                    entries.push((self.read_value(key)?, self.read_value(value)?));
                }
                Value::Map(Map { signature: signature.clone(), entries })
            }
            Type::Tuple(elements) => {
                self.spaceless()?;
                let mut items = Vec::with_capacity(elements.len());
                for element in elements.iter() {
                    items.push(self.read_value(element)?);
                }
                Value::Tuple(Tuple { signature: signature.clone(), items })
            }
            Type::Optional(element) => {
                let value = if self.read_bool()? { Some(Box::new(self.read_value(element)?)) } else { None };
                Value::Optional(OptionalValue { signature: signature.clone(), value })
            }
            _ => return Err(CodecError::CannotDeserialize(signature.clone())),
        })
    }
}
