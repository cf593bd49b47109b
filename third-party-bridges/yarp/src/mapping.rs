//! What values become in YARP, and what bottles become on the bus (spec 6.3).

mod incoming;
mod names;
mod outgoing;

pub(crate) use incoming::{arguments, from_bottle, from_item, to_dynamic};
pub(crate) use names::type_name;
pub(crate) use outgoing::{OutgoingError, to_bottle};

#[cfg(test)]
mod tests;
