//! Values to JSON.

use base64::{Engine, engine::general_purpose::STANDARD};
use keyway_value::{Signature, Type, Value};

/// The JSON of a value.
pub fn to_json(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Void => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Float(number) => match number.is_finite() {
            // Written as the float it is: its shortest text is not that of the same number as a double.
            true => push(out, &serde_json::to_string(number)),
            false => special(f64::from(*number), out),
        },
        Value::Double(number) => match number.is_finite() {
            true => push(out, &serde_json::to_string(number)),
            false => special(*number, out),
        },
        Value::String(text) => string(&text.to_string_lossy(), out),
        Value::Raw(bytes) => {
            out.push_str("{\"$raw\":\"");
            STANDARD.encode_string(bytes, out);
            out.push_str("\"}");
        }
        Value::List(list) => sequence(&list.items, out),
        Value::Map(map) if has_text_keys(&map.signature) => {
            object(map.entries.iter().map(|(key, value)| (key.as_str().unwrap_or_default(), value)), out);
        }
        Value::Map(map) => {
            out.push_str("{\"$map\":[");
            for (position, (key, value)) in map.entries.iter().enumerate() {
                out.push_str(if position == 0 { "[" } else { ",[" });
                write(key, out);
                out.push(',');
                write(value, out);
                out.push(']');
            }
            out.push_str("]}");
        }
        Value::Tuple(tuple) => match tuple.signature.field_names() {
            Some(names) => object(names.into_iter().zip(&tuple.items), out),
            None => {
                out.push_str("{\"$tuple\":");
                sequence(&tuple.items, out);
                out.push('}');
            }
        },
        Value::Optional(optional) => match &optional.value {
            Some(value) => write(value, out),
            None => out.push_str("null"),
        },
        Value::Dynamic(inner) => write(inner, out),
        Value::Object(_) => out.push_str("{\"$object\":\"opaque\"}"),
        integer => match (integer.as_i64(), integer.as_u64()) {
            (Some(number), _) => out.push_str(&number.to_string()),
            (None, Some(number)) => out.push_str(&number.to_string()),
            (None, None) => out.push_str("null"),
        },
    }
}

fn has_text_keys(map: &Signature) -> bool {
    matches!(map.kind(), Type::Map(pair) if *pair.0.kind() == Type::String)
}

fn sequence(items: &[Value], out: &mut String) {
    out.push('[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

fn object<'v>(entries: impl Iterator<Item = (&'v str, &'v Value)>, out: &mut String) {
    out.push('{');
    for (position, (key, value)) in entries.enumerate() {
        if position > 0 {
            out.push(',');
        }
        match key.starts_with('$') {
            true => string(&format!("${key}"), out),
            false => string(key, out),
        }
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

fn special(number: f64, out: &mut String) {
    let text = if number.is_nan() {
        "nan"
    } else if number > 0.0 {
        "inf"
    } else {
        "-inf"
    };
    out.push_str("{\"$float\":\"");
    out.push_str(text);
    out.push_str("\"}");
}

fn string(text: &str, out: &mut String) {
    push(out, &serde_json::to_string(text));
}

/// Strings and finite numbers always have a text.
fn push(out: &mut String, text: &serde_json::Result<String>) {
    out.push_str(text.as_deref().unwrap_or("null"));
}
