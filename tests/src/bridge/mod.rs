//! Bridges: a service to show, and the checks that every one of them has to pass.

mod probe;
pub mod ros1;
pub mod ros2;
pub mod rosbridge;
mod suite;
pub mod yarp;

pub use probe::RosProbe;
pub use suite::{World, checks};
