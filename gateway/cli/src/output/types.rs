//! Types as people read them (spec 15.1).

use keyway::{Signature, value::Type};

/// `List<Int32>` for `[i]`.
pub(crate) fn pretty(signature: &Signature) -> String {
    if let Some(name) = signature.struct_name().filter(|name| !name.is_empty()) {
        return name.to_owned();
    }
    match signature.kind() {
        Type::Void => "Void".into(),
        Type::Bool => "Bool".into(),
        Type::Int8 => "Int8".into(),
        Type::UInt8 => "UInt8".into(),
        Type::Int16 => "Int16".into(),
        Type::UInt16 => "UInt16".into(),
        Type::Int32 => "Int32".into(),
        Type::UInt32 => "UInt32".into(),
        Type::Int64 => "Int64".into(),
        Type::UInt64 => "UInt64".into(),
        Type::Float => "Float".into(),
        Type::Double => "Double".into(),
        Type::String => "String".into(),
        Type::Raw => "Raw".into(),
        Type::Dynamic => "Value".into(),
        Type::Object => "Object".into(),
        Type::Unknown => "Unknown".into(),
        Type::None => "None".into(),
        Type::List(element) => format!("List<{}>", pretty(element)),
        Type::VarArgs(element) => format!("VarArgs<{}>", pretty(element)),
        Type::KwArgs(element) => format!("KwArgs<{}>", pretty(element)),
        Type::Optional(element) => format!("Optional<{}>", pretty(element)),
        Type::Map(pair) => format!("Map<{},{}>", pretty(&pair.0), pretty(&pair.1)),
        Type::Tuple(elements) => {
            let elements: Vec<_> = elements.iter().map(pretty).collect();
            format!("({})", elements.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_as_qicli_writes_them() {
        for (signature, expected) in [
            ("(iI)", "(Int32,UInt32)"),
            ("{s[m]}", "Map<String,List<Value>>"),
            ("(ii)<Point,x,y>", "Point"),
            ("v", "Void"),
        ] {
            assert_eq!(pretty(&signature.parse().unwrap()), expected);
        }
    }
}
