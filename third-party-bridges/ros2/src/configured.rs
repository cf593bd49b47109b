//! What rules and imports do as this node.

use std::time::SystemTime;

use keyway_bridge::{Bus, keyway::Value};
use keyway_bridge_ros::{Output, RosClient, RosNode, RosService, RosTopic, Sink, StartError};
use keyway_ros_types::{
    Shape, Stamp,
    body::{BodyError, cdr},
};

use crate::{
    NAME,
    dds::{Client, Dds, Middleware, NoResponse, Quality, Writer},
    names,
    publication::stamp,
};

/// The node, for rules and imports.
#[derive(Clone)]
pub(crate) struct Configured {
    pub(crate) bus: Bus,
    pub(crate) dds: Dds,
    pub(crate) middleware: Middleware,
}

impl RosNode for Configured {
    const FRONT: &'static str = NAME;

    type Output = Written;

    type Client = Called;

    fn bus(&self) -> &Bus {
        &self.bus
    }

    fn warn(&self, text: &str) {
        tracing::warn!("{text}");
    }

    fn publish(&self, topic: &RosTopic<'_>) -> Result<Written, StartError> {
        check(topic.name)?;
        let quality = if topic.is_sensor { Quality::Sensor } else { Quality::Usual };
        let writer = self.dds.writer(names::topic(topic.name, topic.kind), quality);
        Ok(Written { name: topic.name.to_owned(), writer, shape: topic.shape() })
    }

    fn subscribe(&self, topic: &RosTopic<'_>, sink: Sink) -> Result<(), StartError> {
        check(topic.name)?;
        // Whoever publishes, reliably or not, is heard.
        let mut reader = self.dds.reader(names::topic(topic.name, topic.kind), Quality::Sensor);
        let (shape, name) = (topic.shape(), topic.name.to_owned());
        tokio::spawn(async move {
            while let Some(body) = reader.next().await {
                match cdr::decode(&shape, &body) {
                    Ok(message) => sink(message),
                    Err(error) => tracing::warn!(topic = name, %error, "a message is of another type"),
                }
            }
        });
        Ok(())
    }

    fn client(&self, service: &RosService<'_>) -> Result<Called, StartError> {
        check(service.name)?;
        let topics = names::service(service.name, service.kind);
        let client = self.dds.client(topics, self.middleware, service.limit);
        let (request, response) = (service.request.clone(), service.response.clone());
        let (request, response) = (Shape::Message(request), Shape::Message(response));
        Ok(Called { name: service.name.to_owned(), client, request, response })
    }
}

fn check(name: &str) -> Result<(), StartError> {
    match names::is_name(name) {
        true => Ok(()),
        false => Err(StartError::Refused(format!("{name:?} is no name of ROS 2"))),
    }
}

/// A topic whose messages are written as bodies.
pub(crate) struct Written {
    name: String,
    writer: Writer,
    shape: Shape,
}

impl Output for Written {
    type Error = BodyError;

    fn is_heard(&self) -> bool {
        *self.writer.heard_by.borrow() > 0
    }

    fn next_stamp(&self) -> Stamp {
        stamp(SystemTime::now())
    }

    fn publish(&self, message: Value) -> Result<(), BodyError> {
        if !self.writer.try_write(cdr::encode(&self.shape, &message)?.into()) {
            tracing::debug!(topic = self.name, "a message is lost: those who listen are slow");
        }
        Ok(())
    }
}

/// A service whose requests and responses are bodies.
pub(crate) struct Called {
    name: String,
    client: Client,
    request: Shape,
    response: Shape,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CalledError {
    #[error("bad argument {0}")]
    Argument(BodyError),
    #[error("ros service {service} is {why}")]
    Call { service: String, why: NoResponse },
    #[error("cannot decode response: {0}")]
    Response(BodyError),
}

impl RosClient for Called {
    type Error = CalledError;

    async fn call(&self, request: Value) -> Result<Value, CalledError> {
        let request = cdr::encode(&self.request, &request).map_err(CalledError::Argument)?;
        let failed = |why| CalledError::Call { service: self.name.clone(), why };
        let response = self.client.call(request.into()).await.map_err(failed)?;
        cdr::decode(&self.response, &response).map_err(CalledError::Response)
    }
}
