//! Messages as CBOR: lists of numbers are typed arrays (RFC 8746, little endian), buffers are bytes.

use ciborium::Value as Cbor;
use keyway_ros_types::{Primitive, Shape, json};
use keyway_value::Value;
use serde_json::{Map as Object, Number, Value as Json};

use crate::message::Flavour;

/// A value as CBOR.
pub fn to_cbor(shape: &Shape, value: &Value, flavour: Flavour) -> Cbor {
    match (shape, value) {
        (Shape::Primitive(Primitive::Time | Primitive::Duration), Value::Tuple(time)) => {
            let parts = flavour.time_fields().into_iter().zip(&time.items);
            Cbor::Map(parts.map(|(name, part)| (name.into(), part.as_i64().unwrap_or_default().into())).collect())
        }
        (Shape::Primitive(_), value) => scalar(value),
        (Shape::Raw { .. }, Value::Raw(bytes)) => Cbor::Bytes(bytes.to_vec()),
        (Shape::Json, value) => json::to_json(value).into(),
        (Shape::List(list), Value::List(items)) => {
            let each = || items.items.iter().map(|item| to_cbor(&list.element, item, flavour));
            typed_array(&list.element, &items.items).unwrap_or_else(|| Cbor::Array(each().collect()))
        }
        (Shape::Optional(list), Value::Optional(optional)) => {
            Cbor::Array(optional.value.iter().map(|value| to_cbor(&list.element, value, flavour)).collect())
        }
        (Shape::Map(map), Value::Map(entries)) => {
            let fields = &map.entry.fields;
            let entry = |(key, value): &(Value, Value)| {
                let parts = fields.iter().zip([key, value]);
                Cbor::Map(
                    parts
                        .map(|(field, part)| (field.name.as_str().into(), to_cbor(&field.shape, part, flavour)))
                        .collect(),
                )
            };
            Cbor::Array(entries.entries.iter().map(entry).collect())
        }
        (Shape::Message(message), value) => {
            let parts = message.fields.iter().zip(value.as_list().unwrap_or_default());
            Cbor::Map(
                parts.map(|(field, part)| (field.name.as_str().into(), to_cbor(&field.shape, part, flavour))).collect(),
            )
        }
        (Shape::Wrapper(wrapper), value) => Cbor::Map(vec![("data".into(), to_cbor(&wrapper.data, value, flavour))]),
        // A value of another type than its shape is none of ours.
        _ => Cbor::Null,
    }
}

/// The bytes of one CBOR value.
pub fn encode(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = ciborium::into_writer(value, &mut bytes);
    bytes
}

/// A message of a client in CBOR, as the JSON that it could have sent.
pub fn read(bytes: &[u8]) -> Result<Json, String> {
    // Every byte may be an element, which takes many times as much.
    if bytes.len() > LARGEST {
        return Err(format!("a CBOR message has at most {LARGEST} bytes; send JSON"));
    }
    let value: Cbor =
        ciborium::de::from_reader_with_recursion_limit(bytes, DEPTH).map_err(|error| format!("bad CBOR: {error}"))?;
    json_of(value)
}

fn json_of(value: Cbor) -> Result<Json, String> {
    Ok(match value {
        Cbor::Null => Json::Null,
        Cbor::Bool(value) => value.into(),
        Cbor::Float(value) => Number::from_f64(value).map_or(Json::Null, Json::Number),
        Cbor::Text(text) => text.into(),
        Cbor::Integer(integer) => {
            let integer = i128::from(integer);
            let small = i64::try_from(integer).map(Json::from);
            small.or_else(|_| u64::try_from(integer).map(Json::from)).map_err(|_| format!("{integer} is too large"))?
        }
        // As a list, which is what a field of numbers takes, and of bytes too.
        Cbor::Bytes(bytes) => bytes.into_iter().map(Json::from).collect(),
        Cbor::Array(items) => Json::Array(items.into_iter().map(json_of).collect::<Result<_, _>>()?),
        Cbor::Map(entries) => {
            let entry = |(key, value)| match key {
                Cbor::Text(key) => Ok((key, json_of(value)?)),
                _ => Err("the keys of a message are texts".to_owned()),
            };
            Json::Object(entries.into_iter().map(entry).collect::<Result<Object<_, _>, String>>()?)
        }
        Cbor::Tag(tag, inner) => match *inner {
            Cbor::Bytes(bytes) => numbers(tag, &bytes).ok_or_else(|| format!("tag {tag} is no list of numbers"))?,
            inner => json_of(inner)?,
        },
        _ => return Err("this is no message".to_owned()),
    })
}

/// The list of numbers that a typed array is.
fn numbers(tag: u64, bytes: &[u8]) -> Option<Json> {
    fn each<const N: usize, T: Into<Json>>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Option<Json> {
        let chunks = bytes.chunks_exact(N);
        let is_whole = chunks.remainder().is_empty();
        let numbers = chunks.map(|chunk| <[u8; N]>::try_from(chunk).map(|chunk| number(chunk).into()));
        let numbers = numbers.collect::<Result<Vec<_>, _>>().ok()?;
        is_whole.then_some(Json::Array(numbers))
    }
    match tag {
        tag::UINT8 => each(bytes, |[byte]| byte),
        tag::INT8 => each(bytes, i8::from_le_bytes),
        tag::UINT16 => each(bytes, u16::from_le_bytes),
        tag::UINT32 => each(bytes, u32::from_le_bytes),
        tag::UINT64 => each(bytes, u64::from_le_bytes),
        tag::INT16 => each(bytes, i16::from_le_bytes),
        tag::INT32 => each(bytes, i32::from_le_bytes),
        tag::INT64 => each(bytes, i64::from_le_bytes),
        tag::FLOAT32 => each(bytes, f32::from_le_bytes),
        tag::FLOAT64 => each(bytes, f64::from_le_bytes),
        _ => None,
    }
}

/// RFC 8746.
mod tag {
    pub(super) const UINT8: u64 = 64;
    pub(super) const UINT16: u64 = 69;
    pub(super) const UINT32: u64 = 70;
    pub(super) const UINT64: u64 = 71;
    pub(super) const INT8: u64 = 72;
    pub(super) const INT16: u64 = 77;
    pub(super) const INT32: u64 = 78;
    pub(super) const INT64: u64 = 79;
    pub(super) const FLOAT32: u64 = 85;
    pub(super) const FLOAT64: u64 = 86;
}

/// A list of numbers in one piece.
fn typed_array(element: &Shape, items: &[Value]) -> Option<Cbor> {
    let Shape::Primitive(primitive) = element else { return None };
    let tag = match primitive {
        Primitive::Byte | Primitive::Int8 => tag::INT8,
        Primitive::Int16 => tag::INT16,
        Primitive::Int32 => tag::INT32,
        Primitive::Int64 => tag::INT64,
        Primitive::Uint16 => tag::UINT16,
        Primitive::Uint32 => tag::UINT32,
        Primitive::Uint64 => tag::UINT64,
        Primitive::Float32 => tag::FLOAT32,
        Primitive::Float64 => tag::FLOAT64,
        _ => return None,
    };
    let mut bytes = Vec::with_capacity(items.len() * 8);
    for item in items {
        match item {
            Value::Int8(value) => bytes.extend(value.to_le_bytes()),
            Value::Int16(value) => bytes.extend(value.to_le_bytes()),
            Value::Int32(value) => bytes.extend(value.to_le_bytes()),
            Value::Int64(value) => bytes.extend(value.to_le_bytes()),
            Value::UInt16(value) => bytes.extend(value.to_le_bytes()),
            Value::UInt32(value) => bytes.extend(value.to_le_bytes()),
            Value::UInt64(value) => bytes.extend(value.to_le_bytes()),
            Value::Float(value) => bytes.extend(value.to_le_bytes()),
            Value::Double(value) => bytes.extend(value.to_le_bytes()),
            _ => return None,
        }
    }
    Some(Cbor::Tag(tag, Box::new(Cbor::Bytes(bytes))))
}

fn scalar(value: &Value) -> Cbor {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Double(value) => (*value).into(),
        Value::String(text) => text.to_string_lossy().into_owned().into(),
        Value::UInt64(value) => (*value).into(),
        other => other.as_i64().map_or(Cbor::Null, Cbor::from),
    }
}

const LARGEST: usize = 1 << 20;
const DEPTH: usize = 32;
