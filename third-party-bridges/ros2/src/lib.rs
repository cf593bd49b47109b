//! The bridge to ROS 2, without a ROS installation: services of the directory are services and topics of ROS (spec ros.md 5, 6).
//!
//! It is a node of its own in a DDS domain. RTPS is spoken by `rustdds`, on a thread of its own whose sockets stay on
//! loopback; which topics ROS 2 makes of topics, services and nodes is in here. Types are those of `keyway-ros-types`, and made while the bridge runs:
//! the library passes bodies on as they are. [`Ros2`] is the front that `keyway bridge ros2` runs.

mod callers;
mod configured;
mod dds;
mod exposed;
mod front;
mod loopback;
mod names;
mod publication;
mod rosout;
mod serving;

pub use dds::Middleware;
pub use front::{Options, Ros2};
pub use keyway_bridge_ros::RosOptions;
pub use keyway_ros_types::{MappingOptions, Types, rules};

/// As the command and traces call it.
const NAME: &str = "ros2";
