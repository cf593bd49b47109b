//! `/rosout`: what the bridge has to complain about, where people who work with ROS look for it (spec 4.4, DDS-2).

use std::time::SystemTime;

use keyway_bridge::keyway::Value;
use keyway_ros_types::{MessageDefinition, MessageShape, Registry, RegistryError, Shape, Stamp, body::cdr};

use crate::{
    dds::{Dds, Quality, Writer},
    names,
};

/// Publishes complaints. Never what a message or call holds.
#[derive(Debug)]
pub(crate) struct Rosout {
    writer: Writer,
    shape: MessageShape,
    node: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy)]
enum Severity {
    Warn = 30,
    Error = 40,
}

impl Rosout {
    pub(crate) fn new(dds: &Dds, registry: &Registry, node: &str) -> Result<Self, RegistryError> {
        let kind: keyway_ros_types::TypeName = "rcl_interfaces/Log".parse()?;
        let writer = dds.writer(names::topic("/rosout", &kind), Quality::Log);
        let definition = MessageDefinition::parse(kind, DEFINITION)?;
        let shape = MessageShape::of_definition(registry, &definition)?;
        // Loggers are named so: with points.
        Ok(Self { writer, shape, node: node.trim_start_matches('/').replace('/', ".") })
    }

    /// Complains, in the log and to whoever listens.
    pub(crate) fn warn(&self, text: &str) {
        tracing::warn!("{text}");
        self.tell(Severity::Warn, text);
    }

    /// Complains about what somebody has to see to.
    pub(crate) fn error(&self, text: &str) {
        tracing::error!("{text}");
        self.tell(Severity::Error, text);
    }

    fn tell(&self, severity: Severity, text: &str) {
        // Logs are of the wall clock in a simulation, too.
        let Stamp { sec, nsec, .. } = Stamp::at(0, SystemTime::now());
        let stamp = Value::tuple(vec![sec.into(), nsec.into()]);
        // Where in the source it was is nobody's concern.
        let (file, function, line) = ("", "", 0_u32);
        let severity = Value::UInt8(severity as u8);
        let fields =
            vec![stamp, severity, self.node.as_str().into(), text.into(), file.into(), function.into(), line.into()];
        match cdr::encode(&Shape::Message(self.shape.clone().into()), &self.shape.value(fields)) {
            Ok(body) => {
                if !self.writer.try_write(body.into()) {
                    tracing::debug!("a complaint is lost: those who listen are slow");
                }
            }
            Err(error) => tracing::error!(%error, "a complaint is no message"),
        }
    }
}

/// `rcl_interfaces/msg/Log`.
const DEFINITION: &str = "\
time stamp
uint8 level
string name
string msg
string file
string function
uint32 line
";
