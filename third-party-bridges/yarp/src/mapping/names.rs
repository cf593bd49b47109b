//! Types as YARP's users write them.

use keyway::{Signature, value::Type};

/// A type in words: `list<float64>`.
pub(crate) fn type_name(signature: &Signature) -> String {
    let name = match signature.kind() {
        Type::Void => "void",
        Type::Bool => "bool",
        Type::Int8 => "int8",
        Type::UInt8 => "uint8",
        Type::Int16 => "int16",
        Type::UInt16 => "uint16",
        Type::Int32 => "int32",
        Type::UInt32 => "uint32",
        Type::Int64 => "int64",
        Type::UInt64 => "uint64",
        Type::Float => "float32",
        Type::Double => "float64",
        Type::String => "string",
        Type::Raw => "raw",
        Type::Dynamic => "dynamic",
        Type::Object => "object",
        Type::Unknown | Type::None => "unknown",
        Type::List(element) | Type::VarArgs(element) => return format!("list<{}>", type_name(element)),
        Type::KwArgs(element) => return format!("map<string,{}>", type_name(element)),
        Type::Map(pair) => return format!("map<{},{}>", type_name(&pair.0), type_name(&pair.1)),
        Type::Optional(element) => return format!("optional<{}>", type_name(element)),
        Type::Tuple(elements) => {
            let names = signature.field_names();
            let member = |(position, element): (usize, &Signature)| match &names {
                Some(names) => format!("{} {}", type_name(element), names[position]),
                None => type_name(element),
            };
            let members: Vec<_> = elements.iter().enumerate().map(member).collect();
            return match names {
                Some(_) => format!("struct{{{}}}", members.join("; ")),
                None => format!("({})", members.join(",")),
            };
        }
    };
    name.to_owned()
}
