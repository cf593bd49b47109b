//! `/rosout`: what the bridge has to complain about, where people who work with ROS look for it (spec 4.4).

use std::{sync::Arc, time::SystemTime};

use keyway_bridge::keyway::{Signature, Value};
use keyway_ros_types::{Registry, RegistryError, Shape, body};

use crate::publication::{Publication, Sending};

/// Publishes complaints. Never what a message or call holds.
pub(crate) struct Rosout {
    pub(crate) publication: Arc<Publication>,
    shape: Shape,
    node: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Severity {
    Warn = 4,
    Error = 8,
}

impl Rosout {
    pub(crate) fn new(registry: &Registry, node: &str, sending: &Sending) -> Result<Self, RegistryError> {
        let kind = "rosgraph_msgs/Log".parse()?;
        let publication = Publication::own(registry, "/rosout", &kind, false, sending)?;
        Ok(Self { publication, shape: Shape::of_message(registry, &kind)?, node: node.to_owned() })
    }

    /// Tells it to whoever listens.
    pub(crate) fn tell(&self, severity: Severity, text: &str) {
        let header = self.publication.next_stamp(SystemTime::now()).header("");
        let topics = Value::list(Signature::string(), Vec::new());
        let message = Value::tuple(vec![
            header,
            Value::Int8(severity as i8),
            self.node.as_str().into(),
            text.into(),
            // Where in the source it was is nobody's concern.
            "".into(),
            "".into(),
            0_u32.into(),
            topics,
        ]);
        match body::encode(&self.shape, &message) {
            Ok(body) => self.publication.publish(&body),
            Err(error) => tracing::error!(%error, "a complaint is no message"),
        }
    }
}
