//! Rules: topics that call methods, and methods that are polled for topics.

mod call;
mod caller;
mod poll;

use keyway_ros_types::{FieldShape, Registry, Shape, rules::Rule};
use tokio::task::AbortHandle;

use crate::{RosNode, StartError};

/// Puts a rule in force; what is returned ends it. A rule that may do nothing has nothing to end.
pub(crate) fn start<N: RosNode>(node: &N, registry: &Registry, rule: &Rule) -> Result<Option<AbortHandle>, StartError> {
    match rule {
        Rule::Call(rule) => call::start(node, registry, rule),
        Rule::Poll(rule) => poll::start(node, registry, rule).map(Some),
    }
}

/// Whether a field is the header that the bridge fills in.
pub(crate) fn is_header(field: &FieldShape) -> bool {
    matches!(&field.shape, Shape::Message(message) if message.name.to_string() == "std_msgs/Header")
}
