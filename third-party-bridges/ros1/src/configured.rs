//! What rules and imports do as this node.

use std::sync::Arc;

use bytes::Bytes;
use keyway_bridge::{Bus, keyway::Value};
use keyway_bridge_ros::{BodyClient, Called, Output, RosNode, RosService, RosTopic, Sink, StartError};
use keyway_ros_types::{
    RosVersion, Shape, Stamp,
    body::{self, BodyError},
};

use crate::{
    NAME,
    client::{Client, ClientError},
    node::Node,
    publication::Publication,
    subscription::{Context, Subscribed, Subscription},
};

/// The node, for rules and imports.
#[derive(Clone)]
pub(crate) struct Configured(pub(crate) Arc<Node>);

impl RosNode for Configured {
    const FRONT: &'static str = NAME;

    type Output = Written;

    type Client = Called<Client>;

    fn bus(&self) -> &Bus {
        &self.0.bus
    }

    fn warn(&self, text: &str) {
        self.0.warn(text);
    }

    fn publish(&self, topic: &RosTopic<'_>) -> Result<Written, StartError> {
        let publication = Publication::own(topic.registry, topic.name, topic.kind, false, self.0.queue)?;
        self.0.change(|graph| match graph.publications.contains_key(topic.name) {
            true => Err(StartError::Refused(format!("{} is published already", topic.name))),
            false => {
                graph.publications.insert(topic.name.to_owned(), publication.clone());
                Ok(())
            }
        })?;
        Ok(Written { publication, shape: topic.shape() })
    }

    fn subscribe(&self, topic: &RosTopic<'_>, sink: Sink) -> Result<(), StartError> {
        let subscribed = Subscribed {
            name: topic.name.to_owned(),
            kind: topic.kind.to_string(),
            md5: topic.registry.message_md5(topic.kind)?,
            shape: topic.shape(),
        };
        self.0.change(|graph| match graph.subscriptions.get(topic.name) {
            // A publisher keeps one connection to each node and topic.
            Some(known) if known.kind() == subscribed.kind => {
                known.add(sink);
                Ok(())
            }
            Some(known) => Err(StartError::Refused(format!("{} is listened to as {}", topic.name, known.kind()))),
            None => {
                let context =
                    Context { opt_in: self.0.opt_in.clone(), caller: self.0.name.clone(), api: self.0.api.clone() };
                let subscription = Subscription::new(subscribed, context, sink);
                graph.subscriptions.insert(topic.name.to_owned(), subscription);
                Ok(())
            }
        })
    }

    fn client(&self, service: &RosService<'_>) -> Result<Called<Client>, StartError> {
        let md5 = service.registry.service_md5(service.kind)?;
        let client = Client::new(self.0.clone(), service.name, md5, service.limit);
        Ok(Called::new(RosVersion::Ros1, service, client))
    }
}

/// A topic whose messages are written as bodies.
pub(crate) struct Written {
    publication: Arc<Publication>,
    shape: Shape,
}

impl Output for Written {
    type Error = BodyError;

    fn is_heard(&self) -> bool {
        self.publication.is_heard()
    }

    fn next_stamp(&self) -> Stamp {
        self.publication.next_stamp(std::time::SystemTime::now())
    }

    fn publish(&self, message: Value) -> Result<(), BodyError> {
        self.publication.publish(&body::encode(&self.shape, &message)?);
        Ok(())
    }
}

impl BodyClient for Client {
    type Error = ClientError;

    async fn call(&self, request: Bytes) -> Result<Bytes, ClientError> {
        self.call(&request).await
    }
}
