//! Conversion of values and choice of overloads (spec 3.3, 3.4).

mod overload;
mod score;

use std::sync::Arc;

pub use overload::{OverloadError, resolve_overload};
pub use score::score;

use crate::{List, Map, OptionalValue, QiString, Signature, Tuple, Type, Value};

/// A value that does not fit a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to convert {from} to {to}")]
pub struct ConversionError {
    /// The value's type.
    pub from: Signature,
    /// The type it should have had.
    pub to: Signature,
}

/// The same value in another type, if it has one there (spec 3.4).
pub fn convert(value: Value, to: &Signature) -> Result<Value, ConversionError> {
    let signature = value.signature();
    // Equal up to annotations: the target's names are those that the receiver knows.
    if signature == *to && signature.to_string() == to.to_string() {
        return Ok(value);
    }
    let fail = move || ConversionError { from: signature, to: to.clone() };
    match to.kind() {
        Type::Dynamic => return Ok(value.into_dynamic()),
        Type::Void => return Ok(Value::Void),
        Type::Unknown => return Ok(value),
        // What is read of the type that empty containers have.
        Type::None if matches!(value, Value::Void) => return Ok(value),
        Type::Optional(element) => return optional(value, element, to),
        _ => {}
    }
    match value {
        Value::Dynamic(inner) => convert(*inner, to),
        Value::Optional(OptionalValue { value: Some(inner), .. }) => convert(*inner, to),
        Value::String(text) if *to.kind() == Type::Raw => Ok(Value::Raw(text.as_shared().clone())),
        Value::Raw(bytes) if *to.kind() == Type::String => Ok(Value::String(QiString::from(bytes))),
        // Only their annotations differ.
        Value::Raw(bytes) if *to.kind() == Type::Raw => Ok(Value::Raw(bytes)),
        Value::List(list) => from_items(list.items, to, fail),
        Value::Tuple(tuple) => from_tuple(tuple, to, fail),
        Value::Map(map) => from_map(map, to, fail),
        Value::Object(object) if *to.kind() == Type::Object => Ok(Value::Object(object)),
        Value::Void if *to.kind() == Type::Object => Ok(Value::Object(crate::ObjectValue::null())),
        Value::String(text) if *to.kind() == Type::String => Ok(Value::String(text)),
        number => to_number(&number, to.kind()).ok_or_else(fail),
    }
}

fn optional(value: Value, element: &Signature, to: &Signature) -> Result<Value, ConversionError> {
    let value = match value.unwrap_dynamic() {
        Value::Void => None,
        Value::Optional(optional) => optional.value.map(|value| *value),
        other => Some(other),
    };
    let value = value.map(|value| convert(value, element)).transpose()?.map(Box::new);
    Ok(Value::Optional(OptionalValue { signature: to.clone(), value }))
}

fn to_number(value: &Value, to: &Type) -> Option<Value> {
    if let Value::Float(_) | Value::Double(_) = value {
        return from_float(value.as_f64()?, to);
    }
    let number = value.as_i128()?;
    #[expect(clippy::cast_precision_loss, reason = "an integer becomes the nearest float")]
    Some(match to {
        Type::Bool => Value::Bool(match number {
            0 => false,
            1 => true,
            _ => return None,
        }),
        Type::Int8 => Value::Int8(number.try_into().ok()?),
        Type::UInt8 => Value::UInt8(number.try_into().ok()?),
        Type::Int16 => Value::Int16(number.try_into().ok()?),
        Type::UInt16 => Value::UInt16(number.try_into().ok()?),
        Type::Int32 => Value::Int32(number.try_into().ok()?),
        Type::UInt32 => Value::UInt32(number.try_into().ok()?),
        Type::Int64 => Value::Int64(number.try_into().ok()?),
        Type::UInt64 => Value::UInt64(number.try_into().ok()?),
        Type::Float => Value::Float(number as f32),
        Type::Double => Value::Double(number as f64),
        _ => return None,
    })
}

fn from_float(number: f64, to: &Type) -> Option<Value> {
    match to {
        #[expect(clippy::cast_possible_truncation, reason = "asked for in single precision")]
        Type::Float => Some(Value::Float(number as f32)),
        Type::Double => Some(Value::Double(number)),
        _ => {
            let truncated = number.trunc();
            // Beyond these no integer type of the protocol reaches; NaN fails the comparison too.
            if !(-9.3e18..=1.9e19).contains(&truncated) {
                return None;
            }
            #[expect(clippy::cast_possible_truncation, reason = "checked above")]
            to_number_of_integer(truncated as i128, to)
        }
    }
}

fn to_number_of_integer(number: i128, to: &Type) -> Option<Value> {
    match i64::try_from(number) {
        Ok(number) => to_number(&Value::Int64(number), to),
        Err(_) => to_number(&Value::UInt64(number.try_into().ok()?), to),
    }
}

type Items = Vec<Value>;

fn from_items(items: Items, to: &Signature, fail: impl FnOnce() -> ConversionError) -> Result<Value, ConversionError> {
    match to.kind() {
        Type::List(element) | Type::VarArgs(element) => {
            let items = items.into_iter().map(|item| convert(item, element)).collect::<Result<_, _>>()?;
            Ok(Value::List(List { signature: to.clone(), items }))
        }
        Type::Tuple(elements) if elements.len() == items.len() => by_position(items, elements, to),
        Type::Map(pair) => {
            let mut entries = Vec::with_capacity(items.len());
            for item in items {
                let (Value::Tuple(Tuple { items: mut pair_items, .. })
                | Value::List(List { items: mut pair_items, .. })) = item.unwrap_dynamic()
                else {
                    return Err(fail());
                };
                let (Some(value), Some(key), None) = (pair_items.pop(), pair_items.pop(), pair_items.pop()) else {
                    return Err(fail());
                };
                entries.push((convert(key, &pair.0)?, convert(value, &pair.1)?));
            }
            Ok(Value::Map(Map { signature: to.clone(), entries }))
        }
        _ => Err(fail()),
    }
}

fn by_position(items: Items, elements: &Arc<[Signature]>, to: &Signature) -> Result<Value, ConversionError> {
    let items = items.into_iter().zip(elements.iter()).map(|(item, element)| convert(item, element));
    Ok(Value::Tuple(Tuple { signature: to.clone(), items: items.collect::<Result<_, _>>()? }))
}

fn from_tuple(tuple: Tuple, to: &Signature, fail: impl FnOnce() -> ConversionError) -> Result<Value, ConversionError> {
    match to.kind() {
        Type::Tuple(elements) => {
            let same_names = match (tuple.signature.field_names(), to.field_names()) {
                (Some(mut from), Some(mut to)) => {
                    from.sort_unstable();
                    to.sort_unstable();
                    from == to
                }
                _ => true,
            };
            if same_names && elements.len() == tuple.items.len() {
                return by_position(tuple.items, elements, to);
            }
            by_name(tuple, elements, to).unwrap_or_else(|| Err(fail()))
        }
        Type::Map(pair) => {
            let Some(names) = tuple.signature.field_names() else {
                return Err(fail());
            };
            let mut entries = Vec::with_capacity(names.len());
            for (name, item) in names.into_iter().zip(tuple.items.iter().cloned()) {
                entries.push((convert(Value::from(name), &pair.0)?, convert(item, &pair.1)?));
            }
            Ok(Value::Map(Map { signature: to.clone(), entries }))
        }
        _ => from_items(tuple.items, to, fail),
    }
}

/// Fields that one version of a struct has and the other has not, where the struct agrees to it: ServiceInfo's
/// `objectUid` (spec 3.4, 14.2).
fn by_name(tuple: Tuple, elements: &Arc<[Signature]>, to: &Signature) -> Option<Result<Value, ConversionError>> {
    let (from_names, to_names) = (tuple.signature.field_names()?, to.field_names()?);
    let may_differ = |name: &&str| tuple.signature.struct_name() == Some("ServiceInfo") && *name == "objectUid";
    if from_names.iter().any(|name| !to_names.contains(name) && !may_differ(name)) {
        return None;
    }
    let mut items = Vec::with_capacity(elements.len());
    // Each field is taken once, as from a map.
    let mut fields: Vec<_> = tuple.items.into_iter().map(Some).collect();
    for (name, element) in to_names.iter().zip(elements.iter()) {
        let item = match from_names.iter().position(|other| other == name) {
            Some(position) => fields.get_mut(position)?.take()?,
            None if may_differ(name) => Value::from(""),
            None => return None,
        };
        match convert(item, element) {
            Ok(item) => items.push(item),
            Err(error) => return Some(Err(error)),
        }
    }
    Some(Ok(Value::Tuple(Tuple { signature: to.clone(), items })))
}

fn from_map(map: Map, to: &Signature, fail: impl FnOnce() -> ConversionError) -> Result<Value, ConversionError> {
    match to.kind() {
        Type::Map(pair) => {
            let entries =
                map.entries.into_iter().map(|(key, value)| Ok((convert(key, &pair.0)?, convert(value, &pair.1)?)));
            Ok(Value::Map(Map { signature: to.clone(), entries: entries.collect::<Result<_, _>>()? }))
        }
        Type::List(element) => {
            let items = map.entries.into_iter().map(|(key, value)| convert(Value::tuple(vec![key, value]), element));
            Ok(Value::List(List { signature: to.clone(), items: items.collect::<Result<_, _>>()? }))
        }
        Type::Tuple(elements) => {
            let Some(names) = to.field_names() else {
                return Err(fail());
            };
            // Each entry makes one field: a type that names one many times would make much of little.
            let mut entries: Vec<_> = map.entries.into_iter().map(Some).collect();
            let mut items = Vec::with_capacity(elements.len());
            for (name, element) in names.into_iter().zip(elements.iter()) {
                let is_it = |entry: &&mut Option<(Value, Value)>| {
                    entry.as_ref().is_some_and(|(key, _)| key.as_str() == Some(name))
                };
                let Some((_, value)) = entries.iter_mut().find(is_it).and_then(Option::take) else {
                    return Err(fail());
                };
                items.push(convert(value, element)?);
            }
            Ok(Value::Tuple(Tuple { signature: to.clone(), items }))
        }
        _ => Err(fail()),
    }
}
