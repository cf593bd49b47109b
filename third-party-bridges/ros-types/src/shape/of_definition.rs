//! The shapes of messages that ROS defines.

use std::{collections::HashMap, sync::Arc};

use keyway_value::{MAX_LENGTH, Signature};

use super::{FieldShape, MessageShape, Shape};
use crate::{Array, FieldType, MessageDefinition, Primitive, Registry, RegistryError, TypeName, registry::MAX_DEPTH};

impl Shape {
    /// A message of a registry: in the directory a struct `(..)<Name,field,..>` (spec 7).
    pub fn of_message(registry: &Registry, name: &TypeName) -> Result<Self, RegistryError> {
        MessageShape::of_definition(registry, registry.message(name)?).map(|message| Self::Message(Arc::new(message)))
    }
}

impl MessageShape {
    /// A message that uses those of a registry.
    pub fn of_definition(registry: &Registry, definition: &MessageDefinition) -> Result<Self, RegistryError> {
        Builder { registry, known: HashMap::new() }.message(definition, 0).map(|sized| sized.message)
    }
}

struct Builder<'r> {
    registry: &'r Registry,
    known: HashMap<TypeName, Measured<Arc<MessageShape>>>,
}

/// A message, and how long the text of its signature is: parts that are shared in memory are not in the text, which a few
/// lines of definition could make endless.
#[derive(Clone)]
struct Measured<T = MessageShape> {
    message: T,
    text: usize,
}

impl Builder<'_> {
    fn message(&mut self, definition: &MessageDefinition, depth: usize) -> Result<Measured, RegistryError> {
        if depth > MAX_DEPTH {
            return Err(RegistryError::TooDeep(definition.name.clone()));
        }
        let mut text = definition.name.name().len() + 4;
        let mut fields = Vec::with_capacity(definition.fields.len());
        for field in &definition.fields {
            let Measured { message: shape, text: field_text } = self.field(&field.kind, field.array, depth)?;
            text += field_text + field.name.len() + 1;
            if text > MAX_LENGTH / 2 {
                return Err(RegistryError::TooLarge(definition.name.clone()));
            }
            fields.push(FieldShape { name: field.name.clone(), shape });
        }
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let elements = fields.iter().map(|field| field.shape.signature());
        let signature = Signature::named_tuple(definition.name.name(), &names, elements);
        Ok(Measured { message: MessageShape::new(definition.name.clone(), fields, signature), text })
    }

    fn field(&mut self, kind: &FieldType, array: Array, depth: usize) -> Result<Measured<Shape>, RegistryError> {
        let length = match array {
            Array::None => None,
            Array::Variable => Some(None),
            Array::Fixed(length) => Some(Some(length)),
        };
        let (element, text) = match kind {
            FieldType::Primitive(Primitive::Uint8 | Primitive::Char) if length.is_some() => {
                return Ok(Measured { message: Shape::Raw { length: length.flatten() }, text: 1 });
            }
            // The longest text of a primitive is that of a duration.
            FieldType::Primitive(primitive) => (Shape::Primitive(*primitive), 24),
            FieldType::Message(name) => {
                let nested = self.nested(name, depth)?;
                (Shape::Message(nested.message), nested.text)
            }
        };
        Ok(match length {
            None => Measured { message: element, text },
            Some(length) => Measured { message: Shape::list(element, length), text: text + 2 },
        })
    }

    fn nested(&mut self, name: &TypeName, depth: usize) -> Result<Measured<Arc<MessageShape>>, RegistryError> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let registry = self.registry;
        let Measured { message, text } = self.message(registry.message(name)?, depth + 1)?;
        let nested = Measured { message: Arc::new(message), text };
        self.known.insert(name.clone(), nested.clone());
        Ok(nested)
    }
}
