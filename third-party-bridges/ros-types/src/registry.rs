//! The definitions that are known.

mod standard;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, OnceLock},
};

use crate::{DefinitionError, FieldType, MessageDefinition, ServiceDefinition, TypeName, TypeNameError, md5};

/// Definitions of messages and services by name. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    messages: BTreeMap<TypeName, Arc<Message>>,
    services: BTreeMap<TypeName, Arc<ServiceDefinition>>,
}

#[derive(Debug)]
struct Message {
    definition: MessageDefinition,
    md5: OnceLock<String>,
}

/// A type that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// There is no definition.
    #[error("there is no definition of {0}; put its package into a folder of definition_paths")]
    Unknown(TypeName),
    /// There is another one already.
    #[error("{0} is defined already, and differently")]
    Conflict(TypeName),
    /// A message that holds itself, or holds messages too deep within each other.
    #[error("{0} nests deeper than {MAX_DEPTH} messages")]
    TooDeep(TypeName),
    /// A message with too many parts.
    #[error("{0} has too many fields")]
    TooLarge(TypeName),
    /// A text that defines nothing.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// A text that names no type.
    #[error(transparent)]
    Name(#[from] TypeNameError),
}

/// How deep messages may hold messages: with arrays between them, as deep as the types of the directory may be.
pub(crate) const MAX_DEPTH: usize = 30;

impl Registry {
    /// The types that come with ROS: `std_msgs`, `std_srvs`, `geometry_msgs`, `sensor_msgs`, `nav_msgs`, `diagnostic_msgs`,
    /// `rosgraph_msgs` and `tf2_msgs`, as ROS 1 defines them; and of `naoqi_bridge_msgs`, which users of NAO and Pepper have, what moves
    /// joints.
    pub fn standard() -> Self {
        standard::registry().clone()
    }

    /// What a publisher says of the type of its messages (`message_definition`): the definition of `name`, then those of
    /// what it uses.
    pub fn of_publisher(name: &TypeName, text: &str) -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        let mut name = name.clone();
        let mut part = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.len() >= SEPARATOR && line.bytes().all(|byte| byte == b'=') {
                registry.add_message(MessageDefinition::parse(name, &std::mem::take(&mut part))?)?;
                let line = lines.next().unwrap_or_default();
                name = line.strip_prefix("MSG: ").unwrap_or(line).trim().parse()?;
            } else {
                part.push_str(line);
                part.push('\n');
            }
        }
        registry.add_message(MessageDefinition::parse(name, &part)?)?;
        Ok(registry)
    }

    /// Adds a message. Saying the same twice does no harm.
    pub fn add_message(&mut self, definition: MessageDefinition) -> Result<(), RegistryError> {
        match self.messages.get(&definition.name) {
            Some(known) if known.definition == definition => Ok(()),
            Some(_) => Err(RegistryError::Conflict(definition.name)),
            None => {
                let name = definition.name.clone();
                self.messages.insert(name, Arc::new(Message { definition, md5: OnceLock::new() }));
                Ok(())
            }
        }
    }

    /// Adds a service. Saying the same twice does no harm.
    pub fn add_service(&mut self, definition: ServiceDefinition) -> Result<(), RegistryError> {
        match self.services.get(&definition.name) {
            Some(known) if **known == definition => Ok(()),
            Some(_) => Err(RegistryError::Conflict(definition.name)),
            None => {
                self.services.insert(definition.name.clone(), Arc::new(definition));
                Ok(())
            }
        }
    }

    /// The definition of a message.
    pub fn message(&self, name: &TypeName) -> Result<&MessageDefinition, RegistryError> {
        self.find(name).map(|message| &message.definition)
    }

    /// The definition of a service.
    pub fn service(&self, name: &TypeName) -> Result<&ServiceDefinition, RegistryError> {
        let service = self.services.get(name).ok_or_else(|| RegistryError::Unknown(name.clone()))?;
        Ok(service)
    }

    /// All messages.
    pub fn messages(&self) -> impl Iterator<Item = &MessageDefinition> {
        self.messages.values().map(|message| &message.definition)
    }

    /// All services.
    pub fn services(&self) -> impl Iterator<Item = &ServiceDefinition> {
        self.services.values().map(|service| &**service)
    }

    /// The checksum of a message.
    pub fn message_md5(&self, name: &TypeName) -> Result<String, RegistryError> {
        self.message_md5_within(name, 0)
    }

    /// The checksum of a service.
    pub fn service_md5(&self, name: &TypeName) -> Result<String, RegistryError> {
        let service = self.service(name)?;
        Ok(md5::hex(&(self.md5_text(&service.request, 0)? + &self.md5_text(&service.response, 0)?)))
    }

    /// What a publisher says of the type of its messages: the definition, then those of the types it uses, in the order in
    /// which they are first used (`message_definition`).
    pub fn definition_text(&self, name: &TypeName) -> Result<String, RegistryError> {
        let root = self.message(name)?;
        let mut text = root.text.clone();
        for used in self.used_by(root)? {
            let line = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
            let separator = "=".repeat(SEPARATOR);
            text.push_str(&format!("{line}\n{separator}\nMSG: {}\n{}", used.name, used.text));
        }
        Ok(text)
    }

    /// The messages that a message uses, each once, in the order of first use, each followed by what it uses itself.
    pub fn used_by(&self, definition: &MessageDefinition) -> Result<Vec<&MessageDefinition>, RegistryError> {
        let mut used = Vec::new();
        self.collect_used(definition, 0, &mut HashSet::new(), &mut used)?;
        Ok(used)
    }

    fn collect_used<'r>(
        &'r self,
        definition: &MessageDefinition,
        depth: usize,
        seen: &mut HashSet<TypeName>,
        used: &mut Vec<&'r MessageDefinition>,
    ) -> Result<(), RegistryError> {
        if depth > MAX_DEPTH {
            return Err(RegistryError::TooDeep(definition.name.clone()));
        }
        for field in &definition.fields {
            if let FieldType::Message(name) = &field.kind
                && seen.insert(name.clone())
            {
                let message = self.message(name)?;
                used.push(message);
                self.collect_used(message, depth + 1, seen, used)?;
            }
        }
        Ok(())
    }

    /// What a checksum is made of.
    pub(crate) fn md5_text(&self, definition: &MessageDefinition, depth: usize) -> Result<String, RegistryError> {
        md5::text(definition, |name| self.message_md5_within(name, depth + 1))
    }

    fn message_md5_within(&self, name: &TypeName, depth: usize) -> Result<String, RegistryError> {
        if depth > MAX_DEPTH {
            return Err(RegistryError::TooDeep(name.clone()));
        }
        let message = self.find(name)?;
        if let Some(md5) = message.md5.get() {
            return Ok(md5.clone());
        }
        let md5 = md5::hex(&self.md5_text(&message.definition, depth)?);
        Ok(message.md5.get_or_init(|| md5).clone())
    }

    fn find(&self, name: &TypeName) -> Result<&Arc<Message>, RegistryError> {
        self.messages.get(name).ok_or_else(|| RegistryError::Unknown(name.clone()))
    }
}

/// Length of the line between definitions.
const SEPARATOR: usize = 80;

#[cfg(test)]
mod tests;
