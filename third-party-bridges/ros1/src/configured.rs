//! What rules and imports do as this node.

use std::sync::Arc;

use bytes::Bytes;
use keyway_bridge::{Bus, keyway::Value};
use keyway_bridge_ros::{BodyClient, Called, Learning, Output, RosNode, RosService, RosTopic, Sink, StartError};
use keyway_ros_types::{
    RosVersion, Shape, Stamp, TypeName,
    body::{self, BodyError},
};

use crate::{
    NAME,
    client::{Client, ClientError},
    node::Node,
    publication::Publication,
    subscription::{Context, Known, Subscription},
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
        let publication = Publication::own(topic.registry, topic.name, topic.kind, false, &self.0.sending)?;
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
        let known = Known {
            md5: topic.registry.message_md5(topic.kind)?,
            shape: topic.shape(),
            registry: topic.registry.clone(),
        };
        self.subscription(topic.name, topic.kind, Some(known))?.add(sink);
        Ok(())
    }

    fn learn(&self, topic: &str, kind: &TypeName) -> Option<Learning> {
        let mut known = self.subscription(topic, kind, None).ok()?.known();
        Some(Box::pin(async move {
            let told = known.wait_for(Option::is_some).await;
            let registry = told.ok().and_then(|known| known.as_ref().map(|known| known.registry.clone()));
            match registry {
                Some(registry) => registry,
                // The node ends.
                None => std::future::pending().await,
            }
        }))
    }

    fn client(&self, service: &RosService<'_>) -> Result<Called<Client>, StartError> {
        let md5 = service.registry.service_md5(service.kind)?;
        let client = Client::new(self.0.clone(), service.name, md5, service.limit);
        Ok(Called::new(RosVersion::Ros1, service, client))
    }
}

impl Configured {
    /// What listens to a topic; a publisher keeps one connection to each node and topic. Without a type, the publisher tells it.
    fn subscription(
        &self,
        topic: &str,
        kind: &TypeName,
        known: Option<Known>,
    ) -> Result<Arc<Subscription>, StartError> {
        self.0.change(|graph| match graph.subscriptions.get(topic) {
            Some(subscription) if *subscription.kind() == *kind => Ok(subscription.clone()),
            Some(other) => Err(StartError::Refused(format!("{topic} is listened to as {}", other.kind()))),
            None => {
                let context =
                    Context { opt_in: self.0.opt_in.clone(), caller: self.0.name.clone(), api: self.0.api.clone() };
                let subscription = Subscription::new(topic, kind, known, context);
                graph.subscriptions.insert(topic.to_owned(), subscription.clone());
                Ok(subscription)
            }
        })
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
