//! The types that are made for what has none (spec 6.2).

use std::{collections::HashMap, sync::Arc};

use keyway_value::{Signature, Type};

use super::PACKAGE;
use crate::{
    FieldShape, MessageDefinition, MessageShape, Primitive, Registry, RegistryError, ServiceDefinition, Shape,
    TypeName,
    names::{Names, field_name, message_name},
    shape::{ListShape, MapShape, WrapperShape, primitive_of},
};

/// Why a member is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// ROS has no such values.
    #[error("ROS has no type for {0}")]
    Type(Signature),
    /// A type that cannot be made.
    #[error(transparent)]
    Definition(#[from] RegistryError),
}

/// Makes messages and services, each name once.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) registry: Registry,
    /// Texts by the names they were given: `msg/Pose`.
    texts: HashMap<String, String>,
}

impl Package {
    pub(super) fn new(registry: Registry) -> Self {
        let mut package = Self { registry, texts: HashMap::new() };
        package.name("srv", "Call", CALL);
        // A definition of the user's own wins: it is what peers of that name know.
        let known = TypeName::new(PACKAGE, "Call")
            .map_err(RegistryError::from)
            .and_then(|name| package.registry.add_service(ServiceDefinition::parse(name, CALL)?));
        debug_assert!(matches!(known, Ok(()) | Err(RegistryError::Conflict(_))), "{known:?}");
        package
    }

    /// What a value of the directory is in a field.
    pub(super) fn shape(&mut self, signature: &Signature) -> Result<Shape, Unsupported> {
        if let Some(primitive) = primitive_of(signature.kind()) {
            return Ok(Shape::Primitive(primitive));
        }
        Ok(match signature.kind() {
            Type::Raw => Shape::Raw { length: None },
            Type::Dynamic => Shape::Json,
            Type::List(element) | Type::VarArgs(element) => {
                let element = self.element(element)?;
                Shape::List(Arc::new(ListShape { element, length: None, signature: signature.clone() }))
            }
            Type::Optional(element) => {
                let element = self.element(element)?;
                Shape::Optional(Arc::new(ListShape { element, length: None, signature: signature.clone() }))
            }
            Type::Map(pair) => {
                let fields = vec![
                    FieldShape { name: "key".to_owned(), shape: self.shape(&pair.0)? },
                    FieldShape { name: "value".to_owned(), shape: self.shape(&pair.1)? },
                ];
                let name = format!("Map{}{}Entry", word(&fields[0].shape), word(&fields[1].shape));
                let entry =
                    Arc::new(self.message(&name, fields, Signature::tuple([pair.0.clone(), pair.1.clone()]))?);
                Shape::Map(Arc::new(MapShape { entry, signature: signature.clone() }))
            }
            Type::Tuple(elements) => {
                let fields = self.fields(signature, elements, &mut Names::default())?;
                let name = match signature.struct_name().filter(|name| !name.is_empty()) {
                    Some(name) => message_name(name),
                    None => self.nameless(&fields)?,
                };
                Shape::Message(Arc::new(self.message(&name, fields, signature.clone())?))
            }
            _ => return Err(Unsupported::Type(signature.clone())),
        })
    }

    /// The fields of a struct, or of a tuple whose elements have no names.
    pub(super) fn fields(
        &mut self,
        signature: &Signature,
        elements: &[Signature],
        names: &mut Names,
    ) -> Result<Vec<FieldShape>, Unsupported> {
        let given = signature.field_names();
        let mut fields = Vec::with_capacity(elements.len());
        for (position, element) in elements.iter().enumerate() {
            let name = match given.as_ref().and_then(|names| names.get(position)) {
                Some(name) => field_name(name),
                None => format!("f{position}"),
            };
            fields.push(FieldShape { name: names.take(&name), shape: self.shape(element)? });
        }
        Ok(fields)
    }

    /// Makes a message, with a name of its own unless there is one of the same text.
    pub(super) fn message(
        &mut self,
        name: &str,
        fields: Vec<FieldShape>,
        signature: Signature,
    ) -> Result<MessageShape, Unsupported> {
        let text = text_of(&fields);
        let name = self.name("msg", name, &text);
        let name = TypeName::new(PACKAGE, &name).map_err(RegistryError::from)?;
        let definition = MessageDefinition::parse(name.clone(), &text).map_err(RegistryError::from)?;
        self.registry.add_message(definition)?;
        self.registry.message_md5(&name)?;
        Ok(MessageShape::new(name, fields, signature))
    }

    /// Makes a service.
    pub(super) fn service(
        &mut self,
        name: &str,
        request: &[FieldShape],
        response: &[FieldShape],
    ) -> Result<TypeName, Unsupported> {
        let text = format!("{}---\n{}", text_of(request), text_of(response));
        let name = self.name("srv", name, &text);
        let name = TypeName::new(PACKAGE, &name).map_err(RegistryError::from)?;
        let definition = ServiceDefinition::parse(name.clone(), &text).map_err(RegistryError::from)?;
        self.registry.add_service(definition)?;
        self.registry.service_md5(&name)?;
        Ok(name)
    }

    fn name(&mut self, kind: &str, wanted: &str, text: &str) -> String {
        let numbered = (2..).map(|number: u32| format!("{wanted}{number}"));
        for name in std::iter::once(wanted.to_owned()).chain(numbered) {
            let known = self.texts.entry(format!("{kind}/{name}")).or_insert_with(|| text.to_owned());
            if known == text {
                return name;
            }
        }
        // There are more numbers than names.
        wanted.to_owned()
    }

    /// What an array holds: what would be an array in an array gets a message around it.
    fn element(&mut self, signature: &Signature) -> Result<Shape, Unsupported> {
        let data = self.shape(signature)?;
        if !data.is_array() {
            return Ok(data);
        }
        let fields = vec![FieldShape { name: "data".to_owned(), shape: data.clone() }];
        let element = match &data {
            Shape::Raw { .. } => "UInt8".to_owned(),
            Shape::List(list) | Shape::Optional(list) => word(&list.element),
            Shape::Map(map) => map.entry.name.name().to_owned(),
            other => word(other),
        };
        let message = self.message(&format!("List{element}"), fields, Signature::tuple([data.signature()]))?;
        Ok(Shape::Wrapper(Arc::new(WrapperShape { name: message.name, data })))
    }

    /// The name of a struct that has none: of what its fields are.
    fn nameless(&self, fields: &[FieldShape]) -> Result<String, Unsupported> {
        let name = TypeName::new(PACKAGE, "Nameless").map_err(RegistryError::from)?;
        let definition = MessageDefinition::parse(name, &text_of(fields)).map_err(RegistryError::from)?;
        let digits = crate::md5::hex(&self.registry.md5_text(&definition, 0)?);
        Ok(format!("T{}", digits.get(..8).unwrap_or(&digits)))
    }
}

/// The type of `/qi/call` (spec 6.6).
const CALL: &str = "string service\nstring member\nstring args_json\n---\nbool ok\nstring result_json\nstring error\n";

/// A type as a part of other names.
fn word(shape: &Shape) -> String {
    match shape {
        Shape::Primitive(primitive) => match primitive {
            Primitive::Uint8 => "UInt8".to_owned(),
            Primitive::Uint16 => "UInt16".to_owned(),
            Primitive::Uint32 => "UInt32".to_owned(),
            Primitive::Uint64 => "UInt64".to_owned(),
            other => message_name(other.as_str()),
        },
        Shape::Json => "String".to_owned(),
        Shape::Raw { .. } => "UInt8List".to_owned(),
        Shape::List(list) | Shape::Optional(list) => word(&list.element) + "List",
        Shape::Map(map) => map.entry.name.name().to_owned() + "List",
        Shape::Message(message) => message.name.name().to_owned(),
        Shape::Wrapper(wrapper) => wrapper.name.name().to_owned(),
    }
}

fn text_of(fields: &[FieldShape]) -> String {
    let mut text = String::new();
    for field in fields {
        let kind = field.shape.type_text();
        // A type of the same package goes by its name.
        let kind = kind.strip_prefix(PACKAGE).and_then(|kind| kind.strip_prefix('/')).unwrap_or(&kind);
        let kind = if kind == "std_msgs/Header" { "Header" } else { kind };
        text.push_str(&format!("{kind} {}\n", field.name));
    }
    text
}
