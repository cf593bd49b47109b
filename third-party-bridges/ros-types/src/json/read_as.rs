//! JSON to values of a type that is known.

use std::fmt;

use keyway_value::{List, Map, OptionalValue, Signature, Tuple, Type, Value};
use serde_json::Value as Json;

use super::{
    FLOAT, JsonError, MAP, MAX_DEPTH, RAW, TUPLE,
    read::{elements, float, pairs, parse, raw, tag, unescaped, value},
};

/// The value in a text, as a type. An integer is taken for a float, and not the reverse; a struct is an object or a list.
pub fn from_json_as(text: &str, signature: &Signature) -> Result<Value, JsonError> {
    read(parse(text.as_bytes())?, signature, 0)
}

fn read(json: Json, signature: &Signature, depth: usize) -> Result<Value, JsonError> {
    if depth > MAX_DEPTH {
        return Err(JsonError::TooDeep);
    }
    let found = Found::of(&json);
    let wrong = || JsonError::Type { wanted: signature.clone(), found: found.to_string() };
    macro_rules! integer {
        ($variant:ident) => {
            match (json.as_i64(), json.as_u64()) {
                (Some(number), _) => number.try_into().map(Value::$variant).map_err(|_| wrong()),
                (None, Some(number)) => number.try_into().map(Value::$variant).map_err(|_| wrong()),
                (None, None) => Err(wrong()),
            }
        };
    }
    match signature.kind() {
        Type::Dynamic => Ok(value(json, depth)?.into_dynamic()),
        Type::Void | Type::None => json.is_null().then_some(Value::Void).ok_or_else(wrong),
        Type::Bool => json.as_bool().map(Value::Bool).ok_or_else(wrong),
        Type::Int8 => integer!(Int8),
        Type::UInt8 => integer!(UInt8),
        Type::Int16 => integer!(Int16),
        Type::UInt16 => integer!(UInt16),
        Type::Int32 => integer!(Int32),
        Type::UInt32 => integer!(UInt32),
        Type::Int64 => integer!(Int64),
        Type::UInt64 => integer!(UInt64),
        #[expect(clippy::cast_possible_truncation, reason = "asked for in single precision")]
        Type::Float => number(json)?.map(|number| Value::Float(number as f32)).ok_or_else(wrong),
        Type::Double => number(json)?.map(Value::Double).ok_or_else(wrong),
        Type::String => match json {
            Json::String(text) => Ok(Value::from(text)),
            _ => Err(wrong()),
        },
        Type::Raw => match tagged(json, RAW)? {
            Ok(content) => raw(&content),
            Err(_) => Err(wrong()),
        },
        Type::List(element) | Type::VarArgs(element) => {
            let Json::Array(items) = json else {
                return Err(wrong());
            };
            let items = items.into_iter().map(|item| read(item, element, depth + 1)).collect::<Result<_, _>>()?;
            Ok(Value::List(List { signature: signature.clone(), items }))
        }
        Type::Map(pair) => {
            let (key, value) = (&pair.0, &pair.1);
            let entries: Vec<(Json, Json)> = match tagged(json, MAP)? {
                Ok(content) => pairs(content)?,
                Err(Json::Object(object)) if *key.kind() == Type::String => {
                    let entry = |(key, value): (String, Json)| (Json::from(unescaped(&key)), value);
                    object.into_iter().map(entry).collect()
                }
                Err(_) => return Err(wrong()),
            };
            let entry = |(first, second)| Ok((read(first, key, depth + 1)?, read(second, value, depth + 1)?));
            let entries = entries.into_iter().map(entry).collect::<Result<_, JsonError>>()?;
            Ok(Value::Map(Map { signature: signature.clone(), entries }))
        }
        Type::Tuple(types) => {
            let items: Vec<Json> = match tagged(json, TUPLE)? {
                Ok(content) => elements(content)?,
                Err(Json::Array(items)) => items,
                Err(Json::Object(mut object)) => {
                    let names = signature.field_names().ok_or_else(wrong)?;
                    let escaped = |name: &str| if name.starts_with('$') { format!("${name}") } else { name.to_owned() };
                    let items: Vec<Json> = names.iter().filter_map(|name| object.remove(&escaped(name))).collect();
                    if !object.is_empty() {
                        return Err(wrong());
                    }
                    items
                }
                Err(_) => return Err(wrong()),
            };
            if items.len() != types.len() {
                return Err(wrong());
            }
            let items = items.into_iter().zip(types.iter()).map(|(item, element)| read(item, element, depth + 1));
            Ok(Value::Tuple(Tuple { signature: signature.clone(), items: items.collect::<Result<_, _>>()? }))
        }
        Type::Optional(element) => {
            let value = match json {
                Json::Null => None,
                json => Some(Box::new(read(json, element, depth + 1)?)),
            };
            Ok(Value::Optional(OptionalValue { signature: signature.clone(), value }))
        }
        Type::Object | Type::Unknown | Type::KwArgs(_) => Err(wrong()),
    }
}

fn number(json: Json) -> Result<Option<f64>, JsonError> {
    match tagged(json, FLOAT)? {
        Ok(content) => float(&content).map(Some),
        Err(json) => Ok(json.as_f64()),
    }
}

/// What is behind a tag, or the same JSON if it has another tag or none.
fn tagged(json: Json, wanted: &str) -> Result<Result<Json, Json>, JsonError> {
    match json {
        Json::Object(object) if object.len() == 1 && object.contains_key(wanted) => {
            let content = object.into_iter().next().map(|(_, content)| content);
            Ok(Ok(content.unwrap_or_default()))
        }
        Json::Object(object) => {
            tag(&object)?;
            Ok(Err(Json::Object(object)))
        }
        other => Ok(Err(other)),
    }
}

/// What is there in place of what is wanted; a text of it is made when it is needed only.
struct Found {
    kind: &'static str,
    number: Option<serde_json::Number>,
}

impl Found {
    fn of(json: &Json) -> Self {
        let kind = match json {
            Json::Null => "null",
            Json::Bool(_) => "a bool",
            Json::Number(_) => "a number",
            Json::String(_) => "a text",
            Json::Array(_) => "a list",
            Json::Object(_) => "an object",
        };
        Self { kind, number: json.as_number().cloned() }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.number {
            Some(number) => number.fmt(f),
            None => f.write_str(self.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::to_json;

    fn as_type(text: &str, signature: &str) -> Result<Value, JsonError> {
        from_json_as(text, &signature.parse().unwrap())
    }

    #[test]
    fn the_type_decides() {
        assert_eq!(as_type("3", "d"), Ok(Value::Double(3.0)));
        assert_eq!(as_type("255", "C"), Ok(Value::UInt8(255)));
        assert_eq!(as_type("[1,\"a\"]", "(is)"), Ok(Value::tuple(vec![1.into(), "a".into()])));
        let point = as_type("{\"y\":2,\"x\":1}", "(ii)<P,x,y>").unwrap();
        assert_eq!(to_json(&point), "{\"x\":1,\"y\":2}");
        assert_eq!(to_json(&as_type("{\"a\":1}", "{sl}").unwrap()), "{\"a\":1}");
        assert_eq!(to_json(&as_type("{\"$map\":[[1,true]]}", "{ib}").unwrap()), "{\"$map\":[[1,true]]}");
        assert_eq!(to_json(&as_type("null", "+i").unwrap()), "null");
        assert_eq!(to_json(&as_type("[1,\"a\"]", "m").unwrap()), "[1,\"a\"]");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_type_that_is_wanted() {
        for (text, signature) in [
            ("1.0", "i"),
            ("256", "C"),
            ("-1", "I"),
            ("\"a\"", "i"),
            ("1", "s"),
            ("[1]", "(ii)"),
            ("{\"x\":1}", "(ii)<P,x,y>"),
            ("{\"x\":1,\"y\":2,\"z\":3}", "(ii)<P,x,y>"),
            ("\"AAE=\"", "r"),
            ("{\"$raw\":\"AAE=\"}", "s"),
            ("null", "o"),
        ] {
            let error = as_type(text, signature).unwrap_err();
            assert!(matches!(&error, JsonError::Type { .. }), "{text} as {signature}: {error}");
        }
    }
}
