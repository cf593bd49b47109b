//! JSON Schema of qi types (sans-I/O).

use keyway_value::{Signature, Type};
use serde_json::{Value, json};

/// What JSON of a type looks like, as it is read and written.
pub(crate) fn schema(signature: &Signature) -> Value {
    match signature.kind() {
        Type::Void | Type::None => json!({ "type": "null" }),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Int8 => integer("int8", i8::MIN.into(), i8::MAX.into()),
        Type::UInt8 => integer("uint8", 0, u8::MAX.into()),
        Type::Int16 => integer("int16", i16::MIN.into(), i16::MAX.into()),
        Type::UInt16 => integer("uint16", 0, u16::MAX.into()),
        Type::Int32 => integer("int32", i32::MIN.into(), i32::MAX.into()),
        Type::UInt32 => integer("uint32", 0, u32::MAX.into()),
        Type::Int64 => json!({ "type": "integer", "format": "int64" }),
        Type::UInt64 => json!({ "type": "integer", "format": "uint64", "minimum": 0 }),
        // Null is what NaN and the infinities are.
        Type::Float => json!({ "type": ["number", "null"], "format": "float" }),
        Type::Double => json!({ "type": ["number", "null"], "format": "double" }),
        Type::String => json!({ "type": "string" }),
        Type::Raw => json!({ "type": "string", "contentEncoding": "base64" }),
        Type::Object => json!({ "$ref": "#/components/schemas/Object" }),
        Type::List(element) | Type::VarArgs(element) => json!({ "type": "array", "items": schema(element) }),
        Type::Map(pair) if *pair.0.kind() == Type::String => {
            json!({ "type": "object", "additionalProperties": schema(&pair.1) })
        }
        Type::Map(pair) => json!({ "type": "array", "items": tuple(&[schema(&pair.0), schema(&pair.1)]) }),
        Type::Tuple(elements) => match signature.field_names() {
            Some(names) => {
                let fields: serde_json::Map<_, _> = names
                    .iter()
                    .zip(elements.iter())
                    .map(|(name, element)| ((*name).to_owned(), schema(element)))
                    .collect();
                json!({ "type": "object", "properties": fields, "required": names })
            }
            None => tuple(&elements.iter().map(schema).collect::<Vec<_>>()),
        },
        Type::Optional(element) => json!({ "anyOf": [schema(element), { "type": "null" }] }),
        Type::Dynamic | Type::Unknown | Type::KwArgs(_) => json!({}),
    }
}

/// A list of just these items.
pub(crate) fn tuple(items: &[Value]) -> Value {
    if items.is_empty() {
        return json!({ "type": "array", "maxItems": 0 });
    }
    json!({ "type": "array", "prefixItems": items, "minItems": items.len(), "maxItems": items.len() })
}

fn integer(format: &str, minimum: i64, maximum: i64) -> Value {
    json!({ "type": "integer", "format": format, "minimum": minimum, "maximum": maximum })
}
