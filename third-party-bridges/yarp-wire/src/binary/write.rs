//! Writing.

use super::tag::{LIST, Scalar};
use crate::{Bottle, Dialect, Item};

/// Appends a bottle.
pub(crate) fn write(bottle: &Bottle, dialect: Dialect, out: &mut Vec<u8>) {
    list(&bottle.items, dialect, out);
}

fn list(items: &[Item], dialect: Dialect, out: &mut Vec<u8>) {
    let common = common(items, dialect);
    number(LIST + common.map_or(0, |scalar| scalar.tag(dialect)), out);
    length(items.len(), out);
    for item in items {
        tagged(item, common.is_none(), dialect, out);
    }
}

/// The one type of all items, if they are scalars; then they need no tags (spec 5.1).
fn common(items: &[Item], dialect: Dialect) -> Option<Scalar> {
    let first = Scalar::of_item(items.first()?, dialect)?;
    items.iter().all(|item| Scalar::of_item(item, dialect) == Some(first)).then_some(first)
}

fn tagged(item: &Item, with_tag: bool, dialect: Dialect, out: &mut Vec<u8>) {
    if let Some(scalar) = Scalar::of_item(item, dialect).filter(|_| with_tag) {
        number(scalar.tag(dialect), out);
    }
    match item {
        Item::Int8(value) => out.extend(value.to_le_bytes()),
        Item::Int16(value) => out.extend(value.to_le_bytes()),
        Item::Int32(value) => out.extend(value.to_le_bytes()),
        Item::Int64(value) => out.extend(value.to_le_bytes()),
        Item::Float32(value) => out.extend(value.to_le_bytes()),
        Item::Float64(value) => out.extend(value.to_le_bytes()),
        Item::Vocab(vocab) => {
            let bytes = vocab.0.to_le_bytes();
            // In the first dialect the rest is cut off, as in its text.
            let wide = dialect == Dialect::V4 && !vocab.is_short();
            out.extend_from_slice(if wide { &bytes } else { &bytes[..4] });
        }
        Item::String(bytes) | Item::Blob(bytes) => {
            length(bytes.len(), out);
            out.extend_from_slice(bytes);
        }
        Item::List(items) => list(items, dialect, out),
        // Tags of dicts are never written: not every reader knows them.
        Item::Dict(entries) => {
            number(LIST, out);
            length(entries.len(), out);
            for (key, value) in entries {
                list(&[key.clone(), value.clone()], dialect, out);
            }
        }
    }
}

fn number(value: i32, out: &mut Vec<u8>) {
    out.extend(value.to_le_bytes());
}

/// What is longer than the wire can say was refused long before: messages are limited.
fn length(length: usize, out: &mut Vec<u8>) {
    number(i32::try_from(length).unwrap_or(i32::MAX), out);
}
