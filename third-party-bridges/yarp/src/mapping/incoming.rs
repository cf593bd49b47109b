//! From YARP to the bus, by the type that is wanted there.

use std::collections::{HashMap, hash_map::Entry};

use bytes::Bytes;
use keyway::{
    Signature, Value,
    value::{List, Map, OptionalValue, QiString, Tuple, Type},
};
use keyway_yarp_wire::{Bottle, Item, Vocab};

use super::names::type_name;

/// How far an item is from a type; of several overloads the one with the least is called.
type Distance = u32;

/// A value that fits, and how well.
type Fit = (Value, Distance);

/// Why an item does not fit, in words for the one who sent it.
type Reason = String;

/// The arguments of a call; or the number of the one that does not fit, counted from 1, and why.
pub(crate) fn arguments(items: &[Item], wanted: &[Signature]) -> Result<(Vec<Value>, Distance), (usize, Reason)> {
    let (mut values, mut distance) = (Vec::with_capacity(items.len()), 0);
    for (position, (item, wanted)) in items.iter().zip(wanted).enumerate() {
        let (value, further) = from_item(item, wanted).map_err(|reason| (position + 1, reason))?;
        values.push(value);
        distance += further;
    }
    Ok((values, distance))
}

/// The one value of a bottle. Members of structs, and elements of lists, may stand side by side, as vectors do.
pub(crate) fn from_bottle(bottle: &Bottle, wanted: &Signature) -> Result<Value, Reason> {
    let side_by_side = match wanted.kind() {
        Type::Tuple(_) => !matches!(bottle.items[..], [Item::List(_) | Item::Dict(_)]),
        Type::List(_) => !matches!(bottle.items[..], [Item::List(_) | Item::Blob(_)]),
        _ => false,
    };
    let value = match &bottle.items[..] {
        items if side_by_side => from_item(&Item::List(items.to_vec()), wanted),
        [item] => from_item(item, wanted),
        items => Err(format!("{} values where one is taken", items.len())),
    };
    value.map(|(value, _)| value)
}

/// An item as a value of a type (spec 6.3).
pub(crate) fn from_item(item: &Item, wanted: &Signature) -> Result<Fit, Reason> {
    let wrong = || format!("{} is not {}", shown(item), type_name(wanted));
    let found = match wanted.kind() {
        Type::Bool => bool_of(item).map(|(value, distance)| (Value::Bool(value), distance)),
        kind if kind.is_integer() => return integer(item, wanted).ok_or_else(wrong),
        Type::Float => float_of(item).map(|(value, exact)| {
            #[expect(clippy::cast_possible_truncation, reason = "asked for in single precision")]
            let narrow = value as f32;
            (Value::Float(narrow), if matches!(item, Item::Float32(_)) { 0 } else { exact + 1 })
        }),
        Type::Double => float_of(item).map(|(value, exact)| (Value::Double(value), exact)),
        Type::String => string(item),
        Type::Raw => raw(item).map(|(bytes, distance)| (Value::Raw(bytes), distance)),
        Type::List(element) | Type::VarArgs(element) => {
            return list(item, element, wanted).unwrap_or_else(|| Err(wrong()));
        }
        Type::Map(pair) => return map(item, pair, wanted).unwrap_or_else(|| Err(wrong())),
        Type::Tuple(elements) => return tuple(item, elements, wanted).unwrap_or_else(|| Err(wrong())),
        Type::Optional(element) => return optional(item, element, wanted),
        Type::Dynamic | Type::Unknown => Some((to_dynamic(item), LOOSE)),
        _ => None,
    };
    found.ok_or_else(wrong)
}

/// The value that an item is by itself.
pub(crate) fn to_dynamic(item: &Item) -> Value {
    let value = match item {
        Item::Int8(value) => Value::Int8(*value),
        Item::Int16(value) => Value::Int16(*value),
        Item::Int32(value) => Value::Int32(*value),
        Item::Int64(value) => Value::Int64(*value),
        Item::Float32(value) => Value::Float(*value),
        Item::Float64(value) => Value::Double(*value),
        Item::Vocab(Vocab::FALSE) => Value::Bool(false),
        Item::Vocab(Vocab::TRUE) => Value::Bool(true),
        Item::Vocab(Vocab::NULL) => Value::Void,
        Item::Vocab(vocab) => text(vocab.word().into()),
        Item::String(bytes) => text(bytes.clone()),
        Item::Blob(bytes) => Value::Raw(bytes.clone()),
        Item::List(items) => Value::list(Signature::dynamic(), items.iter().map(to_dynamic).collect()),
        Item::Dict(entries) => {
            let entries = entries.iter().map(|(key, value)| (Value::from(key_text(key)), to_dynamic(value)));
            Value::map(Signature::string(), Signature::dynamic(), entries.collect())
        }
    };
    value.into_dynamic()
}

/// What is not UTF-8 is raw: strings of the bus are text (BOT-6).
fn text(bytes: Bytes) -> Value {
    match std::str::from_utf8(&bytes) {
        Ok(_) => Value::String(QiString::from(bytes)),
        Err(_) => Value::Raw(bytes),
    }
}

fn key_text(key: &Item) -> String {
    key.word().map_or_else(|| Bottle::from(vec![key.clone()]).to_string(), |word| word.into_owned())
}

fn bool_of(item: &Item) -> Option<(bool, Distance)> {
    match item {
        Item::Vocab(Vocab::TRUE) => Some((true, 0)),
        Item::Vocab(Vocab::FALSE) => Some((false, 0)),
        Item::Vocab(Vocab::OK) => Some((true, NEAR)),
        Item::Vocab(Vocab::FAIL) => Some((false, NEAR)),
        _ => match integer_of(item)? {
            0 => Some((false, FAR)),
            1 => Some((true, FAR)),
            _ => None,
        },
    }
}

const fn integer_of(item: &Item) -> Option<i64> {
    match item {
        Item::Int8(value) => Some(*value as i64),
        Item::Int16(value) => Some(*value as i64),
        Item::Int32(value) => Some(*value as i64),
        Item::Int64(value) => Some(*value),
        _ => None,
    }
}

/// Any number as a float, and how far it is from one.
fn float_of(item: &Item) -> Option<(f64, Distance)> {
    match item {
        Item::Float64(value) => Some((*value, 0)),
        Item::Float32(value) => Some((f64::from(*value), 1)),
        #[expect(clippy::cast_precision_loss, reason = "an integer becomes the nearest float")]
        _ => integer_of(item).map(|value| (value as f64, NEAR)),
    }
}

/// Any number in the range of the type; it never wraps, and nothing is cut off.
fn integer(item: &Item, wanted: &Signature) -> Option<Fit> {
    let (number, far) = match item {
        Item::Float32(_) | Item::Float64(_) => {
            let (value, _) = float_of(item)?;
            // Beyond these no integer type reaches; NaN fails the comparison, too.
            let whole = (-9.3e18..=1.9e19).contains(&value) && value.fract() == 0.0;
            #[expect(clippy::cast_possible_truncation, reason = "checked above")]
            whole.then_some((value as i128, FAR))?
        }
        _ => (i128::from(integer_of(item)?), 0),
    };
    let same = matches!(
        (item, wanted.kind()),
        (Item::Int8(_), Type::Int8)
            | (Item::Int16(_), Type::Int16)
            | (Item::Int32(_), Type::Int32)
            | (Item::Int64(_), Type::Int64)
    );
    let value = match wanted.kind() {
        Type::Int8 => Value::Int8(number.try_into().ok()?),
        Type::UInt8 => Value::UInt8(number.try_into().ok()?),
        Type::Int16 => Value::Int16(number.try_into().ok()?),
        Type::UInt16 => Value::UInt16(number.try_into().ok()?),
        Type::Int32 => Value::Int32(number.try_into().ok()?),
        Type::UInt32 => Value::UInt32(number.try_into().ok()?),
        Type::Int64 => Value::Int64(number.try_into().ok()?),
        Type::UInt64 => Value::UInt64(number.try_into().ok()?),
        _ => return None,
    };
    Some((value, if same { 0 } else { far + 1 }))
}

fn string(item: &Item) -> Option<Fit> {
    let (text, distance) = match item {
        Item::String(bytes) => {
            std::str::from_utf8(bytes).ok()?;
            (QiString::from(bytes.clone()), 0)
        }
        Item::Vocab(_) => (item.word()?.into_owned().into(), NEAR),
        Item::Blob(_) | Item::List(_) | Item::Dict(_) => return None,
        number => (Bottle::from(vec![number.clone()]).to_string().into(), FAR),
    };
    Some((Value::String(text), distance))
}

fn raw(item: &Item) -> Option<(Bytes, Distance)> {
    match item {
        Item::Blob(bytes) => Some((bytes.clone(), 0)),
        Item::String(bytes) => Some((bytes.clone(), FAR)),
        Item::List(items) => {
            let byte = |item: &Item| integer_of(item).and_then(|number| u8::try_from(number).ok());
            Some((items.iter().map(byte).collect::<Option<Vec<_>>>()?.into(), FAR))
        }
        _ => None,
    }
}

fn list(item: &Item, element: &Signature, wanted: &Signature) -> Option<Result<Fit, Reason>> {
    let of = |items, distance| Ok((Value::List(List { signature: wanted.clone(), items }), distance));
    match (item, element.kind()) {
        (Item::List(items), _) => Some(all(items, element).and_then(|(items, distance)| of(items, distance))),
        (Item::Blob(bytes), Type::UInt8) => Some(of(bytes.iter().map(|byte| Value::UInt8(*byte)).collect(), NEAR)),
        (Item::Blob(bytes), Type::Int8) => {
            Some(of(bytes.iter().map(|byte| Value::Int8(byte.cast_signed())).collect(), NEAR))
        }
        _ => None,
    }
}

fn all(items: &[Item], element: &Signature) -> Result<(Vec<Value>, Distance), Reason> {
    let (mut values, mut farthest) = (Vec::with_capacity(items.len()), 0);
    for item in items {
        let (value, distance) = from_item(item, element)?;
        values.push(value);
        farthest = farthest.max(distance);
    }
    Ok((values, farthest))
}

/// The pairs of a dict, or of a list of lists of two.
fn pairs(item: &Item) -> Option<Vec<(&Item, &Item)>> {
    match item {
        Item::Dict(entries) => Some(entries.iter().map(|(key, value)| (key, value)).collect()),
        Item::List(items) => items
            .iter()
            .map(|item| match item {
                Item::List(pair) => match &pair[..] {
                    [key, value] => Some((key, value)),
                    _ => None,
                },
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn map(item: &Item, pair: &(Signature, Signature), wanted: &Signature) -> Option<Result<Fit, Reason>> {
    let pairs = pairs(item)?;
    let convert = || {
        let (mut entries, mut farthest) = (Vec::<(Value, Value)>::with_capacity(pairs.len()), 0);
        // Where a key is, by its text: looking through all that are there for each takes too long.
        let mut known = HashMap::with_capacity(pairs.len());
        for (key, value) in pairs {
            let ((key, of_key), (value, of_value)) = (from_item(key, &pair.0)?, from_item(value, &pair.1)?);
            farthest = farthest.max(of_key).max(of_value);
            match known.entry(key.to_string()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(entries.len());
                    entries.push((key, value));
                }
                // The last one wins.
                Entry::Occupied(at) => {
                    if let Some(entry) = entries.get_mut(*at.get()) {
                        entry.1 = value;
                    }
                }
            }
        }
        Ok((Value::Map(Map { signature: wanted.clone(), entries }), farthest))
    };
    Some(convert())
}

fn tuple(item: &Item, elements: &[Signature], wanted: &Signature) -> Option<Result<Fit, Reason>> {
    let items: Vec<&Item> = match by_name(item, wanted) {
        Some(items) => items,
        None => match item {
            Item::List(items) if items.len() == elements.len() => items.iter().collect(),
            _ => return None,
        },
    };
    let convert = || {
        let (mut values, mut farthest) = (Vec::with_capacity(items.len()), 0);
        for (item, element) in items.into_iter().zip(elements) {
            let (value, distance) = from_item(item, element)?;
            values.push(value);
            farthest = farthest.max(distance);
        }
        Ok((Value::Tuple(Tuple { signature: wanted.clone(), items: values }), farthest))
    };
    Some(convert())
}

/// The members of a struct in their order, out of pairs that name each of them once.
fn by_name<'i>(item: &'i Item, wanted: &Signature) -> Option<Vec<&'i Item>> {
    let names = wanted.field_names()?;
    let pairs = pairs(item)?;
    if pairs.len() != names.len() {
        return None;
    }
    let member = |name: &&str| {
        let mut found = pairs.iter().filter(|(key, _)| key.word().as_deref() == Some(*name)).map(|(_, value)| *value);
        found.next().filter(|_| found.next().is_none())
    };
    names.iter().map(member).collect()
}

fn optional(item: &Item, element: &Signature, wanted: &Signature) -> Result<Fit, Reason> {
    let (value, distance) = match item {
        Item::Vocab(Vocab::NULL) => (None, 0),
        item => {
            let (value, distance) = from_item(item, element)?;
            (Some(Box::new(value)), distance)
        }
    };
    Ok((Value::Optional(OptionalValue { signature: wanted.clone(), value }), distance))
}

/// An item in an error: all of it, if it is short.
fn shown(item: &Item) -> String {
    let text = match item {
        Item::Blob(bytes) => return format!("a blob of {} bytes", bytes.len()),
        Item::List(items) => return format!("a list of {} values", items.len()),
        Item::Dict(entries) => return format!("a dict of {} entries", entries.len()),
        scalar => Bottle::from(vec![scalar.clone()]).to_string(),
    };
    if text.chars().count() <= SHOWN { text } else { format!("{}…", text.chars().take(SHOWN).collect::<String>()) }
}

const SHOWN: usize = 40;
/// Another type, and the same value.
const NEAR: Distance = 2;
/// A value that means another one.
const FAR: Distance = 10;
/// Anything goes; what says more comes first.
const LOOSE: Distance = 5;
