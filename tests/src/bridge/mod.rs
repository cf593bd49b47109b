//! Bridges: a service to show, and the checks that every one of them has to pass.

mod probe;
pub mod rosbridge;
mod suite;

pub use probe::RosProbe;
pub use suite::{World, checks};
