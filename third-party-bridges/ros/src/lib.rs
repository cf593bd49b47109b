//! What the bridges to ROS share, whatever carries the messages: rules (topics that call methods, methods that are polled for
//! topics) and imports (topics and services of ROS as services of the directory), in force (spec ros.md 7).
//!
//! A front implements [`RosNode`]: how it publishes, listens and calls in its world. [`InForce::start`] does the rest, until it is
//! dropped. Messages are [`Value`](keyway_bridge::keyway::Value)s of the [`Shape`](keyway_ros_types::Shape) of their type here; the front puts
//! them into bytes or JSON. [`Provided`] is what a service of ROS does that a bridge provides. [`registry`] reads definitions from folders.

mod called;
mod clock;
mod definitions;
mod ending;
mod events;
mod import;
mod in_force;
mod learning;
mod node;
mod options;
mod provided;
mod rules;

pub use called::{BodyClient, Called, CalledError};
pub use clock::Clock;
pub use definitions::registry;
pub use events::Events;
pub use in_force::InForce;
pub use node::{Learning, Output, RosClient, RosNode, RosService, RosTopic, Sink, StartError};
pub use options::RosOptions;
pub use provided::{Answer, Provided};
