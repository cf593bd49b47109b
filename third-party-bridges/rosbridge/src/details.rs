//! What types are made of, as `rosapi` tells it.

use keyway_ros_types::{Array, FieldType, MessageDefinition, Primitive, Registry, RegistryError};
use serde_json::{Value as Json, json};

use crate::message::{Flavour, Kind};

/// The message itself, then those that it uses.
pub(crate) fn typedefs(
    registry: &Registry,
    definition: &MessageDefinition,
    flavour: Flavour,
) -> Result<Json, RegistryError> {
    let used = registry.used_by(definition)?;
    Ok([definition].into_iter().chain(used).map(|definition| typedef(definition, flavour)).collect())
}

fn typedef(definition: &MessageDefinition, flavour: Flavour) -> Json {
    let names: Vec<_> = definition.fields.iter().map(|field| &field.name).collect();
    let types = definition.fields.iter().map(|field| match &field.kind {
        FieldType::Primitive(primitive) => primitive_name(*primitive, flavour).to_owned(),
        FieldType::Message(name) => flavour.type_name(name, Kind::Message),
    });
    let lengths = definition.fields.iter().map(|field| match field.array {
        Array::None => Json::from(-1),
        Array::Variable => Json::from(0),
        Array::Fixed(length) => Json::from(length),
    });
    let examples = definition.fields.iter().map(|field| match (field.array, &field.kind) {
        (Array::Variable | Array::Fixed(_), _) => "[]",
        (Array::None, FieldType::Message(_)) => "{}",
        (Array::None, FieldType::Primitive(Primitive::String)) => "",
        (Array::None, FieldType::Primitive(Primitive::Bool)) => "False",
        (Array::None, FieldType::Primitive(Primitive::Float32 | Primitive::Float64)) => "0.0",
        (Array::None, FieldType::Primitive(Primitive::Time | Primitive::Duration)) => "{}",
        (Array::None, FieldType::Primitive(_)) => "0",
    });
    let constants: (Vec<_>, Vec<_>) =
        definition.constants.iter().map(|constant| (&constant.name, &constant.value)).unzip();
    json!({
        "type": flavour.type_name(&definition.name, Kind::Message),
        "fieldnames": names,
        "fieldtypes": types.collect::<Vec<_>>(),
        "fieldarraylen": lengths.collect::<Vec<_>>(),
        "examples": examples.collect::<Vec<_>>(),
        "constnames": constants.0,
        "constvalues": constants.1,
    })
}

const fn primitive_name(primitive: Primitive, flavour: Flavour) -> &'static str {
    match (primitive, flavour) {
        (Primitive::Time, Flavour::Ros2) => "builtin_interfaces/msg/Time",
        (Primitive::Duration, Flavour::Ros2) => "builtin_interfaces/msg/Duration",
        _ => primitive.as_str(),
    }
}
