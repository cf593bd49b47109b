//! Parts of a table, read into types, with everything that is wrong and not only the first of it.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue, Deserializer, Error},
};

use crate::{ProblemCode, source::Problems};

/// Reads a table. What is refused is taken out, so that what is wrong with the rest is found too; the value is there if
/// nothing was refused.
pub(crate) fn read<T: DeserializeOwned>(mut table: Spanned<DeTable<'_>>, problems: &mut Problems<'_>) -> Option<T> {
    let mut taken = Vec::new();
    loop {
        let error = match T::deserialize(Deserializer::from(table.clone())) {
            Ok(value) => return taken.is_empty().then_some(value),
            Err(error) => error,
        };
        let span = error.span().unwrap_or_else(|| table.span());
        let is_missing = |taken: &Taken| error.message() == format!("missing field `{}`", taken.key);
        if !taken.iter().any(|taken: &Taken| is_missing(taken) && taken.table == span) {
            problems.add(code(&error), span.clone(), explained(error.message()));
        }
        let table_span = table.span();
        match take_out(table.get_mut(), &table_span, span.start) {
            Some(out) => taken.push(out),
            None => return None,
        }
    }
}

/// What was taken out of which table, so that nobody is told that it is missing there.
struct Taken {
    key: String,
    table: Range<usize>,
}

/// The table with only some of its keys, which are taken out of it.
pub(crate) fn split<'i>(table: &mut Spanned<DeTable<'i>>, keys: &[String]) -> Spanned<DeTable<'i>> {
    let mut taken = DeTable::new();
    for (key, value) in keys.iter().filter_map(|key| table.get_mut().remove_entry(key.as_str())).collect::<Vec<_>>() {
        taken.insert(key, value);
    }
    Spanned::new(table.span(), taken)
}

/// Takes out top-level keys that nobody reads.
pub(crate) fn take_unknown(table: &mut Spanned<DeTable<'_>>, known: &[&str], problems: &mut Problems<'_>) {
    for (key, value) in std::mem::take(table.get_mut()) {
        if known.contains(&key.get_ref().as_ref()) {
            table.get_mut().insert(key, value);
        } else {
            let reason = format!("unknown key `{}`; expected one of {}", key.get_ref(), known.join(", "));
            problems.add(ProblemCode::Syntax, key.span(), reason);
        }
    }
}

/// Where the value of a path is: keys, and the numbers of elements. Where it is missing, what would hold it.
pub(crate) fn span_of(table: &Spanned<DeTable<'_>>, path: &[&str]) -> Range<usize> {
    let Some((first, path)) = path.split_first() else { return table.span() };
    let Some(mut value) = table.get_ref().get(*first) else { return table.span() };
    for part in path {
        let inner = match value.get_ref() {
            DeValue::Array(array) => part.parse().ok().and_then(|at: usize| array.get(at)),
            DeValue::Table(table) => table.get(*part),
            _ => None,
        };
        let Some(inner) = inner else { break };
        value = inner;
    }
    value.span()
}

/// Removes the innermost entry or element that covers a place.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>, at: usize) -> Option<Taken> {
    if let Some(taken) = table.iter_mut().find_map(|(_, value)| take_out_of_value(value, at)) {
        return Some(taken);
    }
    let mut taken = None;
    for (key, value) in std::mem::take(table) {
        if taken.is_none() && (key.span().contains(&at) || value.span().contains(&at)) {
            taken = Some(Taken { key: key.into_inner().into_owned(), table: span.clone() });
        } else {
            table.insert(key, value);
        }
    }
    taken
}

fn take_out_of_value(value: &mut Spanned<DeValue<'_>>, at: usize) -> Option<Taken> {
    let span = value.span();
    match value.get_mut() {
        DeValue::Table(table) => take_out(table, &span, at),
        DeValue::Array(array) => take_out_of_array(array, &span, at),
        _ => None,
    }
}

fn take_out_of_array(array: &mut DeArray<'_>, span: &Range<usize>, at: usize) -> Option<Taken> {
    let mut taken = None;
    for mut element in std::mem::replace(array, DeArray::new()) {
        taken = taken.or_else(|| take_out_of_value(&mut element, at));
        if taken.is_none() && element.span().contains(&at) {
            taken = Some(Taken { key: String::new(), table: span.clone() });
        } else {
            array.push(element);
        }
    }
    taken
}

fn code(error: &Error) -> ProblemCode {
    let is_about_a_key = ["unknown field", "missing field", "duplicate"];
    if is_about_a_key.iter().any(|words| error.message().starts_with(words)) {
        ProblemCode::Syntax
    } else {
        ProblemCode::Value
    }
}

/// In the words of those who write the file.
fn explained(message: &str) -> String {
    let message = message.replace("unknown field", "unknown key").replace(", expected", "; expected");
    match message.strip_prefix("missing field ") {
        Some(key) => format!("the key {key} is missing; add it"),
        None => message,
    }
}
