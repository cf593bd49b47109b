//! Services of a directory for clients of rosbridge v2 (ROS spec 8): roslibjs, roslibpy and whatever else speaks JSON over
//! WebSocket. No ROS is needed: topics, services and types are those of [`keyway_ros_types::Mapping`].
//!
//! It is not a gateway: whoever reaches the port may do what the bridge may. Web pages are kept out unless their origin is allowed.
//!
//! [`Rosbridge`] is the front. What it understands is without I/O: [`op`](mod@op) reads messages, [`message`] and [`cbor`] write and
//! read what they carry, [`fragment`] cuts and joins, [`pace`] holds back, [`admission`] looks at who comes.

pub mod admission;
mod call;
pub mod cbor;
mod configured;
mod details;
pub mod fragment;
mod front;
mod graph;
pub mod message;
pub mod op;
mod outbox;
pub mod pace;
mod png;
mod rosapi;
mod serve;
mod session;
mod subscription;

pub use keyway_bridge_ros::RosOptions;
pub use keyway_ros_types::{MappingOptions, Types, rules};

pub use crate::{
    front::{Options, Rosbridge},
    message::Flavour,
};

/// As the command and traces call it.
const NAME: &str = "rosbridge";
