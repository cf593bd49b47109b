//! From YARP to the bus, by the type that is wanted there.

use std::collections::{HashMap, hash_map::Entry};

use bytes::Bytes;
use keyway::{
    Signature, Value,
    value::{List, Map, OptionalValue, QiString, Tuple, Type, convert::convert},
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
        Type::Float | Type::Double => float(item, wanted),
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
        other => number(other).unwrap_or_default(),
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
        _ => Some((convert(integer_of(item)?, &Signature::bool()).ok()?.as_bool()?, FAR)),
    }
}

/// A number as it is.
const fn number(item: &Item) -> Option<Value> {
    Some(match item {
        Item::Int8(value) => Value::Int8(*value),
        Item::Int16(value) => Value::Int16(*value),
        Item::Int32(value) => Value::Int32(*value),
        Item::Int64(value) => Value::Int64(*value),
        Item::Float32(value) => Value::Float(*value),
        Item::Float64(value) => Value::Double(*value),
        _ => return None,
    })
}

/// A number that is none with a point in it.
fn integer_of(item: &Item) -> Option<Value> {
    number(item).filter(|number| !matches!(number, Value::Float(_) | Value::Double(_)))
}

/// Any number as a float, and how far it is from one.
fn float(item: &Item, wanted: &Signature) -> Option<Fit> {
    let distance = match (item, wanted.kind()) {
        (Item::Float32(_), Type::Float) | (Item::Float64(_), Type::Double) => 0,
        (Item::Float32(_), _) | (Item::Float64(_), _) => 1,
        (_, Type::Float) => NEAR + 1,
        _ => NEAR,
    };
    Some((convert(number(item)?, wanted).ok()?, distance))
}

/// Any number in the range of the type; it never wraps, and nothing is cut off.
fn integer(item: &Item, wanted: &Signature) -> Option<Fit> {
    let number = number(item)?;
    let distance = match (item, wanted.kind()) {
        // The bus would cut it off.
        (Item::Float32(_) | Item::Float64(_), _) if number.as_f64()?.fract() != 0.0 => return None,
        (Item::Float32(_) | Item::Float64(_), _) => FAR + 1,
        (Item::Int8(_), Type::Int8)
        | (Item::Int16(_), Type::Int16)
        | (Item::Int32(_), Type::Int32)
        | (Item::Int64(_), Type::Int64) => 0,
        _ => 1,
    };
    Some((convert(number, wanted).ok()?, distance))
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
            let byte = |item: &Item| u8::try_from(integer_of(item)?.as_i64()?).ok();
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
