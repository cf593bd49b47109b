//! What all bridges to ROS are told, whatever carries the messages.

use std::path::PathBuf;

use keyway_ros_types::{
    MappingOptions,
    rules::{Import, Rule},
};

/// What is shown and how, and what else there is: rules and imports.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RosOptions {
    /// How services become topics and services of ROS.
    pub mapping: MappingOptions,
    /// Whether all signals are published on `<root>/events` too, as JSON.
    pub events: bool,
    /// Folders with packages: `PACKAGE/msg/*.msg`, `PACKAGE/srv/*.srv`.
    pub definition_paths: Vec<PathBuf>,
    /// Topics that call methods, and topics of what methods return or signals tell.
    pub rules: Vec<Rule>,
    /// Topics and services of ROS as services of the directory.
    pub imports: Vec<Import>,
}
