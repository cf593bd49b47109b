//! What rules and imports do as this node.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use keyway_bridge::{Bus, keyway::Value};
use keyway_bridge_ros::{BodyClient, Called, Clock, Output, RosNode, RosService, RosTopic, Sink, StartError};
use keyway_ros_types::{
    RosVersion, Shape, Stamp,
    body::{BodyError, cdr},
};

use crate::{
    NAME,
    dds::{Client, Dds, Middleware, NoResponse, Quality, Writer},
    names,
    rosout::Rosout,
};

/// The node, for rules and imports.
#[derive(Clone)]
pub(crate) struct Configured {
    pub(crate) bus: Bus,
    pub(crate) dds: Dds,
    pub(crate) middleware: Middleware,
    pub(crate) clock: Arc<Clock>,
    pub(crate) rosout: Arc<Rosout>,
}

impl RosNode for Configured {
    const FRONT: &'static str = NAME;

    type Output = Written;

    type Client = Called<Service>;

    fn bus(&self) -> &Bus {
        &self.bus
    }

    fn warn(&self, text: &str) {
        self.rosout.warn(text);
    }

    fn publish(&self, topic: &RosTopic<'_>) -> Result<Written, StartError> {
        check(topic.name)?;
        let quality = if topic.is_sensor { Quality::Sensor } else { Quality::Usual };
        let writer = self.dds.writer(names::topic(topic.name, topic.kind), quality);
        Ok(Written { name: topic.name.to_owned(), writer, shape: topic.shape(), clock: self.clock.clone() })
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

    fn client(&self, service: &RosService<'_>) -> Result<Called<Service>, StartError> {
        check(service.name)?;
        let topics = names::service(service.name, service.kind);
        let client = self.dds.client(topics, self.middleware, service.limit);
        Ok(Called::new(RosVersion::Ros2, service, Service { name: service.name.to_owned(), client }))
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
    clock: Arc<Clock>,
}

impl Output for Written {
    type Error = BodyError;

    fn is_heard(&self) -> bool {
        *self.writer.heard_by.borrow() > 0
    }

    fn next_stamp(&self) -> Stamp {
        self.clock.stamp(0, SystemTime::now())
    }

    fn publish(&self, message: Value) -> Result<(), BodyError> {
        if !self.writer.try_write(cdr::encode(&self.shape, &message)?.into()) {
            tracing::debug!(topic = self.name, "a message is lost: those who listen are slow");
        }
        Ok(())
    }
}

/// A service that is called.
pub(crate) struct Service {
    name: String,
    client: Client,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
#[error("ros service {service} is {why}")]
pub(crate) struct ServiceError {
    service: String,
    why: NoResponse,
}

impl BodyClient for Service {
    type Error = ServiceError;

    async fn call(&self, request: Bytes) -> Result<Bytes, ServiceError> {
        self.client.call(request).await.map_err(|why| ServiceError { service: self.name.clone(), why })
    }
}
