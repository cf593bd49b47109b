//! From the bus to YARP. The declared type decides, never the value, except inside dynamics.

use std::cmp::Ordering;

use bytes::Bytes;

use keyway::value::{Tuple, Value};
use keyway_yarp_wire::{Bottle, Item, Vocab};

use crate::options::StructStyle;

/// A value that YARP cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutgoingError {
    #[error("{0} is more than YARP's integers hold")]
    TooLarge(u64),
    #[error("objects are not bridged")]
    Object,
}

type Result<T> = std::result::Result<T, OutgoingError>;

/// A result, or a property's value, as a bottle: a tuple's members stand side by side, and nothing is an empty bottle.
pub(crate) fn to_bottle(value: &Value, style: StructStyle) -> Result<Bottle> {
    match value {
        Value::Void => Ok(Bottle::default()),
        Value::Tuple(tuple) => to_items(tuple, style).map(Bottle::from),
        other => Ok(vec![to_item(other, style)?].into()),
    }
}

/// The members of a tuple, such as the arguments of a signal.
fn to_items(tuple: &Tuple, style: StructStyle) -> Result<Vec<Item>> {
    let names = tuple.signature.field_names().filter(|_| style == StructStyle::Named);
    let mut items = Vec::with_capacity(tuple.items.len());
    for (position, value) in tuple.items.iter().enumerate() {
        let item = to_item(value, style)?;
        items.push(match names.as_ref().and_then(|names| names.get(position)) {
            Some(name) => Item::List(vec![Item::from(*name), item]),
            None => item,
        });
    }
    Ok(items)
}

fn to_item(value: &Value, style: StructStyle) -> Result<Item> {
    let all = |items: &[Value]| items.iter().map(|item| to_item(item, style)).collect::<Result<_>>();
    Ok(match value {
        Value::Void => Item::Vocab(Vocab::NULL),
        Value::Bool(value) => Item::from(*value),
        Value::Int8(value) => Item::Int8(*value),
        Value::UInt8(value) => Item::Int16((*value).into()),
        Value::Int16(value) => Item::Int16(*value),
        Value::UInt16(value) => Item::Int32((*value).into()),
        Value::Int32(value) => Item::Int32(*value),
        Value::UInt32(value) => Item::Int64((*value).into()),
        Value::Int64(value) => Item::Int64(*value),
        Value::UInt64(value) => Item::Int64(i64::try_from(*value).map_err(|_| OutgoingError::TooLarge(*value))?),
        Value::Float(value) => Item::Float32(*value),
        Value::Double(value) => Item::Float64(*value),
        Value::String(text) => Item::String(Bytes::copy_from_slice(text.as_bytes())),
        Value::Raw(bytes) => Item::Blob(bytes.clone()),
        Value::List(list) => Item::List(all(&list.items)?),
        Value::Map(map) => {
            let mut entries: Vec<_> = map.entries.iter().collect();
            entries.sort_by(|(one, _), (other, _)| compare(one, other));
            let pair = |(key, value): &(Value, Value)| Ok(vec![to_item(key, style)?, to_item(value, style)?]);
            Item::List(entries.into_iter().map(|entry| pair(entry).map(Item::List)).collect::<Result<_>>()?)
        }
        Value::Tuple(tuple) => Item::List(to_items(tuple, style)?),
        Value::Optional(optional) => match &optional.value {
            Some(value) => to_item(value, style)?,
            None => Item::Vocab(Vocab::NULL),
        },
        Value::Dynamic(inner) => to_item(inner, style)?,
        Value::Object(_) => return Err(OutgoingError::Object),
    })
}

/// The order of keys. Others than numbers and strings stay as they came.
fn compare(one: &Value, other: &Value) -> Ordering {
    match (one.peel(), other.peel()) {
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::UInt64(one), Value::UInt64(other)) => one.cmp(other),
        (one, other) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal),
        },
    }
}
