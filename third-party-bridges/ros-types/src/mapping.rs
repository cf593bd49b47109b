//! How services of the directory are shown in ROS (spec 6): names, types, and what becomes of arguments, results and events.

mod callable;
mod catalogue;
mod generic;
mod members;
mod package;
mod package_files;
mod topic;

use std::collections::BTreeMap;

use keyway_value::MetaObject;

pub use callable::{BadArgument, Callable, CallableKind};
pub use generic::{GenericCall, GenericError, GenericTarget};
pub use package::Unsupported;
pub use package_files::RosVersion;
pub use topic::{Stamp, Topic};

use crate::{Registry, names::Names};

/// How things are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingOptions {
    /// What all names begin with, `/qi`.
    pub root: String,
    /// Whether types are made for what has none.
    pub types: Types,
    /// Whether what fits a type of `std_msgs` or `std_srvs` gets it.
    pub std_shapes: bool,
}

/// What types topics and services have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Types {
    /// Types of their own, in the package `qi_bridge_msgs`.
    #[default]
    Generated,
    /// Texts that hold JSON.
    Json,
}

impl Default for MappingOptions {
    fn default() -> Self {
        Self { root: "/qi".to_owned(), types: Types::default(), std_shapes: true }
    }
}

/// Everything that is shown. The same services always give the same mapping; a change of them gives another one.
#[derive(Debug, Clone)]
pub struct Mapping {
    options: MappingOptions,
    registry: Registry,
    services: BTreeMap<String, MappedService>,
    skipped: Vec<Skipped>,
}

/// A service of the directory.
#[derive(Debug, Clone)]
pub struct MappedService {
    /// What the names of its members begin with, `/qi/S`.
    pub namespace: String,
    /// What can be called.
    pub callables: Vec<Callable>,
    /// What is published.
    pub topics: Vec<Topic>,
}

/// A member that ROS has no type for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The service.
    pub service: String,
    /// The member.
    pub member: String,
    /// Why.
    pub reason: Unsupported,
}

impl Mapping {
    /// Maps services with those of their members that are shown. Types are added to those of `registry`.
    pub fn new<'m>(
        options: MappingOptions,
        registry: Registry,
        services: impl IntoIterator<Item = (&'m str, &'m MetaObject)>,
    ) -> Self {
        let mut mapper = members::Mapper::new(options, registry);
        let services: BTreeMap<&str, &MetaObject> = services.into_iter().collect();
        let mut namespaces = Names::with(&["call", "call_std", "definitions", "services", "events"]);
        let mut mapped = BTreeMap::new();
        for (name, members) in services {
            let namespace = namespaces.take(&crate::names::graph_name(name));
            mapped.insert(name.to_owned(), mapper.service(name, &namespace, members));
        }
        mapper.finish(mapped)
    }

    /// All types, those of the mapping included.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// How things are shown.
    pub const fn options(&self) -> &MappingOptions {
        &self.options
    }

    /// The services by their names in the directory.
    pub const fn services(&self) -> &BTreeMap<String, MappedService> {
        &self.services
    }

    /// Everything that can be called.
    pub fn callables(&self) -> impl Iterator<Item = &Callable> {
        self.services.values().flat_map(|service| &service.callables)
    }

    /// Everything that is published.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.services.values().flat_map(|service| &service.topics)
    }

    /// What is not shown, because ROS has no type for it.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }
}

/// The package of the types that are made.
pub const PACKAGE: &str = "qi_bridge_msgs";

#[cfg(test)]
mod tests;
