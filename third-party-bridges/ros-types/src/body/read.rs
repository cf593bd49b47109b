//! Reading messages of peers that nobody vouches for: every count is checked before memory is taken.

use bytes::Bytes;
use keyway_value::{List, Map, OptionalValue, QiString, Signature, Tuple, Value};

use super::{BodyError, BodyErrorKind, Layout};
use crate::{
    MessageShape, Primitive, Shape, json,
    shape::{duration, time},
};

pub(super) fn decode(layout: Layout, shape: &Shape, bytes: &Bytes) -> Result<Value, BodyError> {
    let mut reader = Reader { layout, bytes, position: 0, parts: PARTS.saturating_add(bytes.len()) };
    let value = reader.value(shape)?;
    match bytes.len() - reader.position {
        0 => Ok(value),
        1..4 if layout == Layout::Cdr => Ok(value),
        left => Err(BodyError::new(BodyErrorKind::TooLong(left))),
    }
}

/// How many parts there may be beside one for every byte: a message may hold messages without fields, which take no bytes but
/// memory.
const PARTS: usize = 65_536;

struct Reader<'b> {
    layout: Layout,
    bytes: &'b Bytes,
    position: usize,
    parts: usize,
}

impl Reader<'_> {
    fn value(&mut self, shape: &Shape) -> Result<Value, BodyError> {
        match shape {
            Shape::Primitive(primitive) => self.primitive(*primitive),
            Shape::Raw { length } => {
                let length = match length {
                    Some(length) => *length,
                    None => self.u32()? as usize,
                };
                self.take(length).map(Value::Raw)
            }
            Shape::Json => {
                let text = self.text()?;
                let value = json::from_bytes(&text).map_err(|error| BodyError::new(error.into()))?;
                Ok(value.into_dynamic())
            }
            Shape::List(list) => {
                let count = self.count(list.length, list.element.min_size())?;
                let items = self.items(&list.element, count)?;
                Ok(Value::List(List { signature: list.signature.clone(), items }))
            }
            Shape::Optional(list) => {
                let count = self.count(None, list.element.min_size())?;
                let value = match count {
                    0 => None,
                    1 => Some(Box::new(self.value(&list.element).map_err(|error| error.at(0))?)),
                    more => return Err(BodyError::new(BodyErrorKind::NotOptional(more))),
                };
                Ok(Value::Optional(OptionalValue { signature: list.signature.clone(), value }))
            }
            Shape::Map(map) => {
                let count = self.count(None, map.entry.min_size)?;
                let mut entries: Vec<(Value, Value)> = Vec::with_capacity(count);
                for position in 0..count {
                    let items = self.fields(&map.entry).map_err(|error| error.at(position))?;
                    if let Ok([key, value]) = <[Value; 2]>::try_from(items) {
                        entries.push((key, value));
                    }
                }
                Ok(Value::Map(Map { signature: map.signature.clone(), entries: last_wins(entries) }))
            }
            Shape::Message(message) => self.fields(message).map(|items| message.value(items)),
            Shape::Wrapper(wrapper) => self.value(&wrapper.data).map_err(|error| error.in_field("data")),
        }
    }

    fn fields(&mut self, message: &MessageShape) -> Result<Vec<Value>, BodyError> {
        self.part()?;
        if self.layout == Layout::Cdr && message.fields.is_empty() {
            self.take(1)?;
        }
        let mut items = Vec::with_capacity(message.fields.len());
        for field in &message.fields {
            if self.layout == Layout::Cdr && message.is_sequence_number(field) {
                items.push(field.shape.default_value());
                continue;
            }
            items.push(self.value(&field.shape).map_err(|error| error.in_field(&field.name))?);
        }
        Ok(items)
    }

    fn items(&mut self, shape: &Shape, count: usize) -> Result<Vec<Value>, BodyError> {
        let mut items = Vec::with_capacity(count);
        for position in 0..count {
            items.push(self.value(shape).map_err(|error| error.at(position))?);
        }
        Ok(items)
    }

    /// A number of elements that is safe to take memory for.
    fn count(&mut self, fixed: Option<usize>, min_size: usize) -> Result<usize, BodyError> {
        let count = match fixed {
            Some(count) => count,
            None => self.u32()? as usize,
        };
        let left = self.bytes.len() - self.position;
        // Half as much for the header, which is shorter in ROS 2; and nothing is without bytes there.
        let min_size = if self.layout == Layout::Cdr { (min_size / 2).max(1) } else { min_size };
        match min_size {
            0 if count > self.parts => Err(BodyError::new(BodyErrorKind::TooManyParts)),
            0 => Ok(count),
            size if count > left / size => Err(BodyError::new(BodyErrorKind::TooShort)),
            _ => Ok(count),
        }
    }

    fn part(&mut self) -> Result<(), BodyError> {
        let Some(parts) = self.parts.checked_sub(1) else {
            return Err(BodyError::new(BodyErrorKind::TooManyParts));
        };
        self.parts = parts;
        Ok(())
    }

    fn primitive(&mut self, primitive: Primitive) -> Result<Value, BodyError> {
        Ok(match primitive {
            Primitive::Bool => Value::Bool(self.array::<1>()? != [0]),
            Primitive::Byte | Primitive::Int8 => Value::Int8(i8::from_le_bytes(self.array()?)),
            Primitive::Char | Primitive::Uint8 => Value::UInt8(u8::from_le_bytes(self.array()?)),
            Primitive::Duration => self.pair(duration(), |bytes| Value::Int32(i32::from_le_bytes(bytes)))?,
            Primitive::Float32 => Value::Float(f32::from_le_bytes(self.array()?)),
            Primitive::Float64 => Value::Double(f64::from_le_bytes(self.array()?)),
            Primitive::Int16 => Value::Int16(i16::from_le_bytes(self.array()?)),
            Primitive::Int32 => Value::Int32(i32::from_le_bytes(self.array()?)),
            Primitive::Int64 => Value::Int64(i64::from_le_bytes(self.array()?)),
            Primitive::String => Value::String(QiString::from(self.text()?)),
            Primitive::Time => self.pair(time(), |bytes| Value::UInt32(u32::from_le_bytes(bytes)))?,
            Primitive::Uint16 => Value::UInt16(u16::from_le_bytes(self.array()?)),
            Primitive::Uint32 => Value::UInt32(self.u32()?),
            Primitive::Uint64 => Value::UInt64(u64::from_le_bytes(self.array()?)),
        })
    }

    fn pair(&mut self, signature: &Signature, read: impl Fn([u8; 4]) -> Value) -> Result<Value, BodyError> {
        let items = vec![read(self.array()?), read(self.array()?)];
        Ok(Value::Tuple(Tuple { signature: signature.clone(), items }))
    }

    fn u32(&mut self) -> Result<u32, BodyError> {
        self.array().map(u32::from_le_bytes)
    }

    /// The bytes of a text.
    fn text(&mut self) -> Result<Bytes, BodyError> {
        let length = self.u32()? as usize;
        let text = self.take(length)?;
        let ends_with_zero = self.layout == Layout::Cdr && text.last() == Some(&0);
        Ok(if ends_with_zero { text.slice(..length - 1) } else { text })
    }

    /// The bytes of a number.
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BodyError> {
        if self.layout == Layout::Cdr {
            self.position = self.position.next_multiple_of(N).min(self.bytes.len());
        }
        let Some(array) = self.bytes.get(self.position..).and_then(<[u8]>::first_chunk) else {
            return Err(BodyError::new(BodyErrorKind::TooShort));
        };
        self.position += N;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<Bytes, BodyError> {
        if length > self.bytes.len() - self.position {
            return Err(BodyError::new(BodyErrorKind::TooShort));
        }
        let taken = self.bytes.slice(self.position..self.position + length);
        self.position += length;
        Ok(taken)
    }
}

/// A map has a key once. The entries stay in their order.
fn last_wins(entries: Vec<(Value, Value)>) -> Vec<(Value, Value)> {
    // Keys may be of any type; their bytes are what makes them equal.
    let bytes = |key: &Value| {
        let mut encoder = keyway_value::Encoder::new();
        encoder.write_value(key).map(|()| encoder.finish().into_bytes()).unwrap_or_default()
    };
    let keys: Vec<Bytes> = entries.iter().map(|(key, _)| bytes(key)).collect();
    let last: std::collections::HashMap<&Bytes, usize> =
        keys.iter().enumerate().map(|(position, key)| (key, position)).collect();
    if last.len() == entries.len() {
        return entries;
    }
    let kept = entries.into_iter().enumerate();
    kept.filter(|(position, _)| last.get(&keys[*position]) == Some(position)).map(|(_, entry)| entry).collect()
}
