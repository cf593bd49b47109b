//! What a front is to rules and imports.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use keyway_bridge::{Bus, keyway::Value};
use keyway_ros_types::{MessageShape, Registry, RegistryError, Shape, Stamp, TypeName};

/// A node in one world of ROS. Clones are the same node.
pub trait RosNode: Clone + Send + Sync + 'static {
    /// The front's name, for traces.
    const FRONT: &'static str;

    /// A topic that is published.
    type Output: Output;

    /// A service that is called.
    type Client: RosClient;

    /// The link to the directory.
    fn bus(&self) -> &Bus;

    /// Tells the people who run the bridge, and the world if it can be told.
    fn warn(&self, text: &str);

    /// Publishes a topic from now on.
    fn publish(&self, topic: &RosTopic<'_>) -> Result<Self::Output, StartError>;

    /// Listens to a topic from now on, but not to what the bridge itself publishes there.
    fn subscribe(&self, topic: &RosTopic<'_>, sink: Sink) -> Result<(), StartError>;

    /// Asks those who publish a topic what its type is, where they can be asked. It waits for one that is of this type; none, if that is
    /// never told.
    fn learn(&self, topic: &str, kind: &TypeName) -> Option<Learning> {
        let _ = (topic, kind);
        None
    }

    /// Gets ready to call a service, wherever it will be then.
    fn client(&self, service: &RosService<'_>) -> Result<Self::Client, StartError>;
}

/// A topic that the bridge publishes. It ends with the node.
pub trait Output: Send + Sync + 'static {
    /// Why a message is not one of the topic's type.
    type Error: std::error::Error;

    /// Whether anybody listens.
    fn is_heard(&self) -> bool;

    /// What the header of the next message says.
    fn next_stamp(&self) -> Stamp;

    /// Sends a message to all who listen. Waits for nobody.
    fn publish(&self, message: Value) -> Result<(), Self::Error>;
}

/// A service of ROS that the bridge calls.
pub trait RosClient: Send + Sync + 'static {
    /// Why there is no response: what the caller on the bus is told.
    type Error: std::error::Error;

    /// The response. A service that nobody provides fails at once.
    fn call(&self, request: Value) -> impl Future<Output = Result<Value, Self::Error>> + Send;
}

/// The definitions that a publisher has of its topic's type, as soon as there is a publisher.
pub type Learning = Pin<Box<dyn Future<Output = Registry> + Send>>;

/// Where the messages of a topic go.
pub type Sink = Box<dyn Fn(Value) + Send + Sync>;

/// A topic and its type.
#[derive(Debug, Clone)]
pub struct RosTopic<'r> {
    /// Its name, `/cmd_vel`.
    pub name: &'r str,
    /// Its type's name.
    pub kind: &'r TypeName,
    /// What its messages are.
    pub message: Arc<MessageShape>,
    /// Where the definitions are.
    pub registry: &'r Registry,
    /// Whether messages may be lost on the way, as those of sensors may.
    pub is_sensor: bool,
}

/// A service and its type.
#[derive(Debug, Clone)]
pub struct RosService<'r> {
    /// Its name, `/reset`.
    pub name: &'r str,
    /// Its type's name.
    pub kind: &'r TypeName,
    /// What requests are.
    pub request: Arc<MessageShape>,
    /// What responses are.
    pub response: Arc<MessageShape>,
    /// Where the definitions are.
    pub registry: &'r Registry,
    /// How long a call may take.
    pub limit: Duration,
}

/// A rule or an import that cannot be in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A type cannot be used.
    #[error(transparent)]
    Type(#[from] RegistryError),
    /// The front refuses it; the text says why.
    #[error("{0}")]
    Refused(String),
}

impl<'r> RosTopic<'r> {
    pub(crate) fn new(registry: &'r Registry, name: &'r str, kind: &'r TypeName) -> Result<Self, RegistryError> {
        let message = Arc::new(MessageShape::of_definition(registry, registry.message(kind)?)?);
        Ok(Self { name, kind, message, registry, is_sensor: false })
    }

    /// Its messages.
    pub fn shape(&self) -> Shape {
        Shape::Message(self.message.clone())
    }
}
