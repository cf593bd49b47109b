//! Rules: topics that call methods, and topics of what methods return or signals tell.

mod call;
mod caller;
mod event;
mod message;
mod poll;

use keyway_ros_types::{FieldShape, Registry, Shape, rules::Rule};

use crate::{RosNode, StartError, ending::Tasks};

/// Puts a rule in force.
pub(crate) fn start<N: RosNode>(
    node: &N,
    registry: &Registry,
    rule: &Rule,
    tasks: &mut Tasks,
) -> Result<(), StartError> {
    match rule {
        Rule::Call(rule) => call::start(node, registry, rule, tasks),
        Rule::Event(rule) => event::start(node, registry, rule, tasks),
        Rule::Poll(rule) => poll::start(node, registry, rule, tasks),
    }
}

/// Whether a field is the header that the bridge fills in.
pub(crate) fn is_header(field: &FieldShape) -> bool {
    matches!(&field.shape, Shape::Message(message) if message.name.to_string() == "std_msgs/Header")
}
