//! The bridge to ROS 1, without a ROS installation: services of the directory are services and topics of ROS (spec ros.md 2–4, 6).
//!
//! It is a node of its own: it registers at the master by XML-RPC, answers other nodes, and speaks TCPROS with them. What is
//! protocol does no I/O and is in [`xmlrpc`] and [`tcpros`]; types are those of `keyway-ros-types`. [`Ros1`] is the front that
//! `keyway bridge ros1` runs.

mod client;
mod configured;
mod exposed;
mod front;
mod http;
mod master;
mod node;
mod provided;
mod publication;
mod registrar;
mod rosout;
mod stream;
mod subscription;
pub mod tcpros;
pub mod xmlrpc;

pub use front::{Options, Ros1};
pub use keyway_bridge_ros::{RosOptions, registry};
pub use keyway_ros_types::{Mapping, MappingOptions, RosVersion, Types, rules};

/// As the command and traces call it.
const NAME: &str = "ros1";
