//! A topic of a service of the directory.

use std::sync::Arc;

use bytes::Bytes;
use keyway_bridge::{Event, Service};
use keyway_bridge_ros::Clock;
use keyway_ros_types::{Topic, body::cdr};
use tokio::task::AbortHandle;

use crate::{
    dds::{Dds, Quality, Writer},
    names,
};

/// A topic that is published until this is dropped.
#[derive(Debug)]
pub(crate) struct Publication {
    service: Arc<Service>,
    topic: Topic,
    task: AbortHandle,
}

impl Publication {
    pub(crate) fn start(dds: &Dds, service: Arc<Service>, topic: Topic, clock: Arc<Clock>) -> Self {
        let task = tokio::spawn(publish(dds.clone(), service.clone(), topic.clone(), clock)).abort_handle();
        Self { service, topic, task }
    }

    /// Whether it is the same topic of the same service.
    pub(crate) fn is_of(&self, service: &Arc<Service>, topic: &Topic) -> bool {
        Arc::ptr_eq(&self.service, service)
            && self.topic.action == topic.action
            && self.topic.type_name == topic.type_name
            && self.topic.md5 == topic.md5
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Follows the service while anybody listens.
async fn publish(dds: Dds, service: Arc<Service>, topic: Topic, clock: Arc<Clock>) {
    let quality = if topic.is_latched { Quality::Latched } else { Quality::Usual };
    let mut writer = dds.writer(names::topic(&topic.name, &topic.type_name), quality);
    loop {
        if writer.heard_by.wait_for(|count| *count > 0).await.is_err() {
            return;
        }
        match while_heard(&mut writer, &service, &topic, &clock).await {
            Some(()) => {}
            None => return,
        }
        if topic.is_latched {
            // What DDS keeps is of a moment that nobody was there for.
            writer = dds.writer(names::topic(&topic.name, &topic.type_name), quality);
        }
    }
}

/// None if there is nothing more to come.
async fn while_heard(writer: &mut Writer, service: &Service, topic: &Topic, clock: &Clock) -> Option<()> {
    let mut listener = match service.listen(topic.action) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(topic = topic.name, %error, "cannot be listened to");
            return None;
        }
    };
    let mut heard_by = writer.heard_by.clone();
    loop {
        let event = tokio::select! {
            event = listener.next() => event?,
            left = heard_by.wait_for(|count| *count == 0) => return left.ok().map(drop),
        };
        // While those who listen are slow, events wait in the listener, which lets the oldest go.
        if let Some(body) = body(topic, &event, clock) {
            writer.write(body).await;
        }
    }
}

fn body(topic: &Topic, event: &Event, clock: &Clock) -> Option<Bytes> {
    let message = topic.message(event.value.clone(), clock.stamp(0, event.received));
    match cdr::encode(&topic.shape, &message) {
        Ok(body) => Some(body.into()),
        Err(error) => {
            tracing::warn!(topic = topic.name, %error, "an event is no message");
            None
        }
    }
}
