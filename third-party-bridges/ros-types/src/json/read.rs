//! JSON to values whose types it decides itself.

use base64::{Engine, engine::general_purpose::STANDARD};
use keyway_value::{Signature, Value};
use serde_json::{Map, Value as Json};

use super::{FLOAT, JsonError, MAP, MAX_DEPTH, RAW, TUPLE};

/// The value in a text.
pub fn from_json(text: &str) -> Result<Value, JsonError> {
    from_bytes(text.as_bytes())
}

/// The value in a text that may not be UTF-8.
pub fn from_bytes(text: &[u8]) -> Result<Value, JsonError> {
    value(parse(text)?, 0)
}

pub(super) fn parse(text: &[u8]) -> Result<Json, JsonError> {
    if let Some(number) = oversized_integer(text) {
        return Err(JsonError::Integer(number));
    }
    serde_json::from_slice(text).map_err(|error| JsonError::Syntax(error.to_string()))
}

pub(super) fn value(json: Json, depth: usize) -> Result<Value, JsonError> {
    if depth > MAX_DEPTH {
        return Err(JsonError::TooDeep);
    }
    Ok(match json {
        Json::Null => Value::Void,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => i32::try_from(number).map_or(Value::Int64(number), Value::Int32),
            (None, Some(number), _) => Value::UInt64(number),
            (None, None, number) => Value::Double(number.unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text),
        Json::Array(items) => {
            let items = items.into_iter().map(|item| value(item, depth + 1).map(Value::into_dynamic));
            Value::list(Signature::dynamic(), items.collect::<Result<_, _>>()?)
        }
        Json::Object(object) => match tag(&object)? {
            Some(tag) => tagged(tag, object.into_iter().next().map(|(_, content)| content), depth)?,
            None => {
                let entries = object.into_iter().map(|(key, content)| {
                    Ok((Value::from(unescaped(&key)), value(content, depth + 1)?.into_dynamic()))
                });
                Value::map(Signature::string(), Signature::dynamic(), entries.collect::<Result<_, JsonError>>()?)
            }
        },
    })
}

/// The tag of an object that has one: its only key, which begins with one `$`.
pub(super) fn tag(object: &Map<String, Json>) -> Result<Option<&'static str>, JsonError> {
    let mut keys = object.keys();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Ok(None);
    };
    if !key.starts_with('$') || key.starts_with("$$") {
        return Ok(None);
    }
    match [RAW, MAP, TUPLE, FLOAT].into_iter().find(|tag| key == tag) {
        Some(tag) => Ok(Some(tag)),
        None => Err(JsonError::Tag(key.chars().take(100).collect())),
    }
}

pub(super) fn unescaped(key: &str) -> &str {
    if key.starts_with("$$") { &key[1..] } else { key }
}

pub(super) fn raw(content: &Json) -> Result<Value, JsonError> {
    let bytes = content.as_str().and_then(|text| STANDARD.decode(text).ok());
    let bytes = bytes.ok_or(JsonError::TagContent { tag: RAW, wanted: "a text in base64" })?;
    Ok(Value::Raw(bytes.into()))
}

pub(super) fn float(content: &Json) -> Result<f64, JsonError> {
    match content.as_str() {
        Some("nan") => Ok(f64::NAN),
        Some("inf") => Ok(f64::INFINITY),
        Some("-inf") => Ok(f64::NEG_INFINITY),
        _ => Err(JsonError::TagContent { tag: FLOAT, wanted: "\"nan\", \"inf\" or \"-inf\"" }),
    }
}

pub(super) fn pairs(content: Json) -> Result<Vec<(Json, Json)>, JsonError> {
    const ERROR: JsonError = JsonError::TagContent { tag: MAP, wanted: "a list of pairs" };
    let Json::Array(pairs) = content else {
        return Err(ERROR);
    };
    let pair = |pair: Json| match pair {
        Json::Array(pair) => <[Json; 2]>::try_from(pair).map(|[key, value]| (key, value)).map_err(|_| ERROR),
        _ => Err(ERROR),
    };
    pairs.into_iter().map(pair).collect()
}

pub(super) fn elements(content: Json) -> Result<Vec<Json>, JsonError> {
    match content {
        Json::Array(items) => Ok(items),
        _ => Err(JsonError::TagContent { tag: TUPLE, wanted: "a list" }),
    }
}

fn tagged(tag: &'static str, content: Option<Json>, depth: usize) -> Result<Value, JsonError> {
    let content = content.unwrap_or_default();
    Ok(match tag {
        RAW => raw(&content)?,
        FLOAT => Value::Double(float(&content)?),
        TUPLE => {
            let items = elements(content)?.into_iter().map(|item| value(item, depth + 1));
            Value::tuple(items.collect::<Result<_, _>>()?)
        }
        _ => {
            let entries = pairs(content)?.into_iter().map(|(key, content)| {
                Ok((value(key, depth + 1)?.into_dynamic(), value(content, depth + 1)?.into_dynamic()))
            });
            Value::map(Signature::dynamic(), Signature::dynamic(), entries.collect::<Result<_, JsonError>>()?)
        }
    })
}

/// An integer that the parser would make a float of, because it is too large.
fn oversized_integer(text: &[u8]) -> Option<String> {
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'"' => after_string(after),
            b'-' | b'0'..=b'9' => {
                let length = rest.iter().position(|byte| !b"-+.eE0123456789".contains(byte)).unwrap_or(rest.len());
                let (number, after) = rest.split_at(length);
                // Shorter ones fit, whatever they are.
                if number.len() > 18
                    && !number.iter().any(|byte| b".eE".contains(byte))
                    && let Ok(number) = std::str::from_utf8(number)
                    && number.parse::<i64>().is_err()
                    && number.parse::<u64>().is_err()
                {
                    return Some(number.chars().take(40).collect());
                }
                after
            }
            _ => after,
        };
    }
    None
}

fn after_string(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        match first {
            b'"' => return after,
            b'\\' => rest = after.get(1..).unwrap_or_default(),
            _ => rest = after,
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::to_json;

    #[test]
    fn a_text_decides_the_types_itself() {
        let read = |text| from_json(text).map(|value| value.signature().to_string());
        for (text, signature) in [
            ("1", "i"),
            ("2147483648", "l"),
            ("18446744073709551615", "L"),
            ("1.0", "d"),
            ("1e3", "d"),
            ("null", "v"),
            ("[1]", "[m]"),
            ("{\"a\":1}", "{sm}"),
            ("{\"$tuple\":[1,\"a\"]}", "(is)"),
            ("{\"$map\":[[1,2]]}", "{mm}"),
            ("{\"$raw\":\"AAE=\"}", "r"),
            ("{\"$float\":\"nan\"}", "d"),
            ("{\"$$raw\":1}", "{sm}"),
            ("{\"$raw\":1,\"b\":2}", "{sm}"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(signature), "{text}");
        }
    }

    #[test]
    fn what_has_no_type_is_refused() {
        assert!(matches!(from_json("18446744073709551616"), Err(JsonError::Integer(_))));
        assert!(matches!(from_json("[\"\\\"\", -9223372036854775809]"), Err(JsonError::Integer(_))));
        assert!(matches!(from_json("{\"$other\":1}"), Err(JsonError::Tag(_))));
        assert!(matches!(from_json("{\"$raw\":1}"), Err(JsonError::TagContent { .. })));
        assert!(matches!(from_json("{\"$object\":\"opaque\"}"), Err(JsonError::Tag(_))));
        assert!(matches!(from_json("[1"), Err(JsonError::Syntax(_))));
        assert_eq!(from_json(&("[".repeat(40) + &"]".repeat(40))), Err(JsonError::TooDeep));
        assert_eq!(from_json("123456789012345678901234567890.0").unwrap().as_f64(), Some(1.234_567_890_123_456_8e29));
    }

    #[test]
    fn a_key_that_looks_like_a_tag_stays_a_key() {
        let value = Value::map(Signature::string(), Signature::int32(), vec![("$raw".into(), 1.into())]);
        assert_eq!(to_json(&value), "{\"$$raw\":1}");
        assert_eq!(from_json("{\"$$raw\":1}").unwrap().field("$raw").and_then(Value::as_i64), Some(1));
    }
}
