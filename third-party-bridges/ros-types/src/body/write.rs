//! Writing messages.

use keyway_value::Value;

use super::{BodyError, BodyErrorKind, Layout};
use crate::{MessageShape, Primitive, Shape, json};

pub(super) fn encode(layout: Layout, shape: &Shape, value: &Value) -> Result<Vec<u8>, BodyError> {
    let mut writer = Writer { layout, bytes: Vec::with_capacity(shape.min_size().min(RESERVED)) };
    write(shape, value, &mut writer)?;
    Ok(writer.bytes)
}

const RESERVED: usize = 1 << 16;

struct Writer {
    layout: Layout,
    bytes: Vec<u8>,
}

impl Writer {
    fn number<const N: usize>(&mut self, bytes: [u8; N]) {
        if self.layout == Layout::Cdr {
            self.bytes.resize(self.bytes.len().next_multiple_of(N), 0);
        }
        self.bytes.extend_from_slice(&bytes);
    }
}

fn write(shape: &Shape, value: &Value, out: &mut Writer) -> Result<(), BodyError> {
    let value = if let Shape::Json = shape { value } else { value.peel() };
    let wrong =
        || BodyError::new(BodyErrorKind::Type { wanted: shape.type_text(), found: value.signature().to_string() });
    match (shape, value) {
        (Shape::Primitive(primitive), value) => self::primitive(*primitive, value, out)?.ok_or_else(wrong),
        (Shape::Raw { length }, Value::Raw(bytes)) => {
            count(*length, bytes.len(), out)?;
            out.bytes.extend_from_slice(bytes);
            Ok(())
        }
        // A fixed number of bytes may be a list in the directory.
        (Shape::Raw { length }, Value::List(list)) => {
            count(*length, list.items.len(), out)?;
            items(&Shape::Primitive(Primitive::Uint8), &list.items, out)
        }
        (Shape::Json, value) => text(json::to_json(value.peel()).as_bytes(), out),
        (Shape::List(shape), Value::List(list)) => {
            count(shape.length, list.items.len(), out)?;
            items(&shape.element, &list.items, out)
        }
        (Shape::Optional(shape), Value::Optional(optional)) => {
            count(None, usize::from(optional.value.is_some()), out)?;
            optional.value.iter().try_for_each(|value| write(&shape.element, value, out))
        }
        (Shape::Map(shape), Value::Map(map)) => {
            count(None, map.entries.len(), out)?;
            for (position, (key, value)) in map.entries.iter().enumerate() {
                fields(&shape.entry, [key, value].into_iter(), out).map_err(|error| error.at(position))?;
            }
            Ok(())
        }
        (Shape::Message(message), Value::Tuple(tuple)) if tuple.items.len() == message.fields.len() => {
            fields(message, tuple.items.iter(), out)
        }
        (Shape::Wrapper(wrapper), value) => write(&wrapper.data, value, out).map_err(|error| error.in_field("data")),
        _ => Err(wrong()),
    }
}

fn fields<'v>(
    message: &MessageShape,
    values: impl Iterator<Item = &'v Value>,
    out: &mut Writer,
) -> Result<(), BodyError> {
    if out.layout == Layout::Cdr && message.fields.is_empty() {
        out.bytes.push(0);
    }
    for (field, value) in message.fields.iter().zip(values) {
        if out.layout == Layout::Cdr && message.is_sequence_number(field) {
            continue;
        }
        write(&field.shape, value, out).map_err(|error| error.in_field(&field.name))?;
    }
    Ok(())
}

fn items(shape: &Shape, items: &[Value], out: &mut Writer) -> Result<(), BodyError> {
    for (position, item) in items.iter().enumerate() {
        write(shape, item, out).map_err(|error| error.at(position))?;
    }
    Ok(())
}

fn count(fixed: Option<usize>, found: usize, out: &mut Writer) -> Result<(), BodyError> {
    match fixed {
        Some(wanted) if wanted == found => Ok(()),
        Some(wanted) => Err(BodyError::new(BodyErrorKind::Length { wanted, found })),
        None => {
            let found = u32::try_from(found).map_err(|_| BodyError::new(BodyErrorKind::TooLarge))?;
            out.number(found.to_le_bytes());
            Ok(())
        }
    }
}

fn text(bytes: &[u8], out: &mut Writer) -> Result<(), BodyError> {
    match out.layout {
        Layout::Ros1 => count(None, bytes.len(), out)?,
        Layout::Cdr if bytes.contains(&0) => return Err(BodyError::new(BodyErrorKind::ZeroByte)),
        Layout::Cdr => count(None, bytes.len() + 1, out)?,
    }
    out.bytes.extend_from_slice(bytes);
    if out.layout == Layout::Cdr {
        out.bytes.push(0);
    }
    Ok(())
}

/// `None` if the value is no such thing.
fn primitive(primitive: Primitive, value: &Value, out: &mut Writer) -> Result<Option<()>, BodyError> {
    macro_rules! integer {
        ($type:ty) => {{
            let number = match value.as_i64() {
                Some(number) => <$type>::try_from(number).ok(),
                None => match value.as_u64() {
                    Some(number) => <$type>::try_from(number).ok(),
                    None => return Ok(None),
                },
            };
            let range = || {
                let value = value.to_string();
                BodyError::new(BodyErrorKind::Range { wanted: primitive.as_str(), value })
            };
            out.number(number.ok_or_else(range)?.to_le_bytes());
        }};
    }
    match primitive {
        Primitive::Bool => match value.as_bool() {
            Some(value) => out.bytes.push(value.into()),
            None => return Ok(None),
        },
        Primitive::Byte | Primitive::Int8 => integer!(i8),
        Primitive::Char | Primitive::Uint8 => integer!(u8),
        Primitive::Int16 => integer!(i16),
        Primitive::Int32 => integer!(i32),
        Primitive::Int64 => integer!(i64),
        Primitive::Uint16 => integer!(u16),
        Primitive::Uint32 => integer!(u32),
        Primitive::Uint64 => integer!(u64),
        Primitive::Float32 => match (value, value.as_f64()) {
            (Value::Float(number), _) => out.number(number.to_le_bytes()),
            #[expect(clippy::cast_possible_truncation, reason = "the field is of single precision")]
            (_, Some(number)) => out.number((number as f32).to_le_bytes()),
            _ => return Ok(None),
        },
        Primitive::Float64 => match value.as_f64() {
            Some(number) => out.number(number.to_le_bytes()),
            None => return Ok(None),
        },
        Primitive::String => match value {
            Value::String(string) => text(string.as_bytes(), out)?,
            Value::Raw(bytes) => text(bytes, out)?,
            _ => return Ok(None),
        },
        Primitive::Time | Primitive::Duration => match value {
            Value::Tuple(tuple) if tuple.items.len() == 2 => {
                let part = if primitive == Primitive::Time { Primitive::Uint32 } else { Primitive::Int32 };
                for item in &tuple.items {
                    if self::primitive(part, item.peel(), out)?.is_none() {
                        return Ok(None);
                    }
                }
            }
            _ => return Ok(None),
        },
    }
    Ok(Some(()))
}
