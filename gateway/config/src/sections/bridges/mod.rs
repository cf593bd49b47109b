//! `[bridges]`: what `keyway bridge` is told. Nothing of it is used without the flag `--insecure`.

mod ros;
mod yarp;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ros::{
    Ros, Ros1, Ros2, RosCall, RosCalled, RosFlavour, RosFront, RosImport, RosMiddleware, RosPublished, RosRule,
    RosSubscribed, RosTypes, Rosbridge,
};
pub use yarp::{Yarp, YarpCarrier, YarpDialect, YarpImport, YarpStructs};

use crate::units;

/// Insecure bridges to ROS and YARP, for `keyway bridge --insecure`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bridges {
    /// The directory or gateway whose services are shown, by the name of a `[[directory]]`; needed when there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// What is shown: `"Service"`, `"Prefix*"`, `"Service.member"`; `"!pattern"` hides again.
    pub services: Vec<String>,
    /// `"read"`, or `"write"` to let methods be called and properties be set.
    pub mode: BridgeMode,
    /// How long a call to the bus may take. Of YARP, `bridges.yarp.call_timeout` counts.
    #[serde(with = "units::duration")]
    #[schemars(with = "String")]
    pub call_timeout: Duration,
    /// Calls under way of all peers.
    pub calls: usize,
    /// Calls under way of one connection.
    pub calls_per_connection: usize,
    /// What all bridges to ROS have in common.
    pub ros: Ros,
    /// The bridge to ROS 1.
    pub ros1: Ros1,
    /// The bridge to ROS 2.
    pub ros2: Ros2,
    /// The bridge to clients of rosbridge.
    pub rosbridge: Rosbridge,
    /// The bridge to YARP.
    pub yarp: Yarp,
}

/// Whether anything may be changed through a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BridgeMode {
    /// Signals and properties are read.
    #[default]
    Read,
    /// Methods are called and properties set as well.
    Write,
}

impl Bridges {
    /// Whether any of them is on.
    pub const fn any_enabled(&self) -> bool {
        self.ros1.enabled || self.ros2.enabled || self.rosbridge.enabled || self.yarp.enabled
    }
}

impl Default for Bridges {
    fn default() -> Self {
        Self {
            directory: None,
            services: Vec::new(),
            mode: BridgeMode::default(),
            call_timeout: Duration::from_secs(10),
            calls: 256,
            calls_per_connection: 32,
            ros: Ros::default(),
            ros1: Ros1::default(),
            ros2: Ros2::default(),
            rosbridge: Rosbridge::default(),
            yarp: Yarp::default(),
        }
    }
}
