//! Descriptions of objects (spec 6.1).

mod builder;
mod reserved;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use builder::MetaObjectBuilder;

use crate::{
    ActionId, Signature,
    record::{LossyText, record},
};

/// The members of an object, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaObject {
    /// What can be called.
    pub methods: BTreeMap<u32, MetaMethod>,
    /// What can be subscribed to; the changes of properties too (6.2).
    pub signals: BTreeMap<u32, MetaSignal>,
    /// What can be read and set.
    pub properties: BTreeMap<u32, MetaProperty>,
    /// What the object is, for people.
    pub description: String,
}

/// A method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaMethod {
    /// Its action id.
    pub uid: u32,
    /// The type of its result.
    pub return_signature: Signature,
    /// Its name, without parameters; overloads share it.
    pub name: String,
    /// The tuple of its parameters, or `m` for anything (3.3).
    pub parameters_signature: Signature,
    /// What it does.
    pub description: String,
    /// Names and meanings of the parameters, if it has any documentation.
    pub parameters: Vec<MetaMethodParameter>,
    /// What it returns.
    pub return_description: String,
}

/// Documentation of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaMethodParameter {
    /// Its name.
    pub name: String,
    /// What it means.
    pub description: String,
}

/// A signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaSignal {
    /// Its action id.
    pub uid: u32,
    /// Its name.
    pub name: String,
    /// The tuple of its parameters, or `m` for anything.
    pub signature: Signature,
}

/// A property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaProperty {
    /// Its action id, the same as its change signal's.
    pub uid: u32,
    /// Its name.
    pub name: String,
    /// The type of its value.
    pub signature: Signature,
}

impl MetaObject {
    /// Starts a description.
    pub fn builder() -> MetaObjectBuilder {
        MetaObjectBuilder::default()
    }

    /// A method by id.
    pub fn method(&self, action: ActionId) -> Option<&MetaMethod> {
        self.methods.get(&action.0)
    }

    /// The first method with a name, or the one with a full name (`add::(ii)`, 3.2).
    pub fn method_by_name(&self, name: &str) -> Option<&MetaMethod> {
        self.methods_named(name).next()
    }

    /// All methods with a name, or the one with a full name.
    pub fn methods_named<'m, 'n>(&'m self, name: &'n str) -> impl Iterator<Item = &'m MetaMethod> + use<'m, 'n> {
        let (name, parameters) = match name.split_once("::") {
            Some((name, parameters)) => (name, Signature::parse(parameters).ok()),
            None => (name, None),
        };
        self.methods.values().filter(move |method| {
            method.name == name && parameters.as_ref().is_none_or(|wanted| method.parameters_signature == *wanted)
        })
    }

    /// A signal by name, or full name.
    pub fn signal_by_name(&self, name: &str) -> Option<&MetaSignal> {
        let name = name.split_once("::").map_or(name, |(name, _)| name);
        self.signals.values().find(|signal| signal.name == name)
    }

    /// A property by name.
    pub fn property_by_name(&self, name: &str) -> Option<&MetaProperty> {
        self.properties.values().find(|property| property.name == name)
    }

    /// With the members that every object has (6.1).
    pub fn with_reserved(mut self) -> Self {
        for method in reserved::methods() {
            self.methods.insert(method.uid, method.clone());
        }
        let trace = reserved::trace_object();
        self.signals.insert(trace.uid, trace.clone());
        self
    }

    /// Whether an id is one of those that every object has.
    pub const fn is_reserved(action: ActionId) -> bool {
        action.0 < ActionId::FIRST_USER.0
    }
}

record!(
    MetaMethodParameter, "MetaMethodParameter",
    name as "name": LossyText, description as "description": LossyText,
);

record!(
    MetaMethod, "MetaMethod",
    uid as "uid": u32,
    return_signature as "returnSignature": Signature,
    name as "name": LossyText,
    parameters_signature as "parametersSignature": Signature,
    description as "description": LossyText,
    parameters as "parameters": Vec<MetaMethodParameter>,
    return_description as "returnDescription": LossyText,
);

record!(MetaSignal, "MetaSignal", uid as "uid": u32, name as "name": LossyText, signature as "signature": Signature);

record!(MetaProperty, "MetaProperty", uid as "uid": u32, name as "name": LossyText, signature as "signature": Signature);

record!(
    MetaObject, "MetaObject",
    methods as "methods": BTreeMap<u32, MetaMethod>,
    signals as "signals": BTreeMap<u32, MetaSignal>,
    properties as "properties": BTreeMap<u32, MetaProperty>,
    description as "description": LossyText,
);
