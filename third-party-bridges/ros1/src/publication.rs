//! A topic that is published: who listens, and what each of them has still to get.

mod link;

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use keyway_bridge::{Event, Service};
use keyway_bridge_ros::Clock;
use keyway_ros_types::{Registry, RegistryError, Stamp, Topic, TypeName, body};
use parking_lot::Mutex;
use tokio::{net::TcpStream, task::AbortHandle};

use crate::tcpros::{Header, frame};
use link::Link;

/// A topic that is published.
pub(crate) struct Publication {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) md5: String,
    definition: String,
    is_latched: bool,
    /// How many messages may wait for a subscriber that takes nothing.
    queue: usize,
    clock: Arc<Clock>,
    /// Where the messages come from, if not from within the bridge.
    source: Option<(Arc<Service>, Topic)>,
    state: Mutex<State>,
}

/// How messages are sent.
#[derive(Debug, Clone)]
pub(crate) struct Sending {
    /// How many may wait for a subscriber that takes nothing.
    pub(crate) queue: usize,
    /// What their headers say.
    pub(crate) clock: Arc<Clock>,
}

#[derive(Default)]
struct State {
    links: Vec<Arc<Link>>,
    /// What new subscribers of a latched topic get first.
    latch: Option<Bytes>,
    seq: u32,
    /// Follows the source while anybody listens.
    pump: Option<AbortHandle>,
    is_closed: bool,
}

impl Publication {
    /// A topic of a service of the directory.
    pub(crate) fn of_service(service: Arc<Service>, topic: Topic, sending: &Sending) -> Arc<Self> {
        Arc::new(Self {
            name: topic.name.clone(),
            kind: topic.type_name.to_string(),
            md5: topic.md5.clone(),
            definition: topic.definition.clone(),
            is_latched: topic.is_latched,
            queue: sending.queue,
            clock: sending.clock.clone(),
            source: Some((service, topic)),
            state: Mutex::default(),
        })
    }

    /// A topic of a type of the registry, whose messages are given to [`publish`](Self::publish).
    pub(crate) fn own(
        registry: &Registry,
        name: &str,
        kind: &TypeName,
        is_latched: bool,
        sending: &Sending,
    ) -> Result<Arc<Self>, RegistryError> {
        Ok(Arc::new(Self {
            name: name.to_owned(),
            kind: kind.to_string(),
            md5: registry.message_md5(kind)?,
            definition: registry.definition_text(kind)?,
            is_latched,
            queue: sending.queue,
            clock: sending.clock.clone(),
            source: None,
            state: Mutex::default(),
        }))
    }

    /// Whether it is the same topic of the same service.
    pub(crate) fn is_of(&self, service: &Arc<Service>, topic: &Topic) -> bool {
        let same_source = self
            .source
            .as_ref()
            .is_some_and(|(known, known_topic)| Arc::ptr_eq(known, service) && known_topic.action == topic.action);
        same_source && self.md5 == topic.md5 && self.kind == topic.type_name.to_string()
    }

    /// The answer to a subscriber's header.
    pub(crate) fn header(&self, caller: &str) -> Header {
        Header::new([
            ("callerid", caller),
            ("topic", &self.name),
            ("type", &self.kind),
            ("md5sum", &self.md5),
            ("message_definition", &self.definition),
            ("latching", if self.is_latched { "1" } else { "0" }),
        ])
    }

    /// Sends a message to all who listen.
    pub(crate) fn publish(&self, body: &[u8]) {
        let message = frame(body);
        let mut state = self.state.lock();
        if self.is_latched {
            state.latch = Some(message.clone());
        }
        for link in &state.links {
            link.push(message.clone());
        }
    }

    /// Sends a text to all who listen to a `std_msgs/String`.
    pub(crate) fn publish_text(&self, text: &str) {
        self.publish(&frame(text.as_bytes()));
    }

    /// The header of the next message.
    pub(crate) fn next_stamp(&self, at: SystemTime) -> Stamp {
        let mut state = self.state.lock();
        let seq = state.seq;
        state.seq = seq.wrapping_add(1);
        self.clock.stamp(seq, at)
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        !self.state.lock().links.is_empty()
    }

    /// The names of those that listen.
    pub(crate) fn callers(&self) -> Vec<String> {
        self.state.lock().links.iter().map(|link| link.caller.clone()).collect()
    }

    /// Serves a subscriber until it leaves.
    pub(crate) async fn serve(self: &Arc<Self>, stream: TcpStream, caller: &str) {
        let Some(link) = self.link(caller) else { return };
        let why = link.run(stream).await;
        let dropped = link.dropped();
        tracing::debug!(topic = self.name, caller, dropped, why, "a subscriber left");
        let mut state = self.state.lock();
        state.links.retain(|known| !Arc::ptr_eq(known, &link));
        if state.links.is_empty()
            && let Some(pump) = state.pump.take()
        {
            pump.abort();
            // It is of a moment that nobody was there for.
            state.latch = None;
        }
    }

    /// Ends all links; the topic is no more.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        if let Some(pump) = state.pump.take() {
            pump.abort();
        }
        for link in state.links.drain(..) {
            link.close();
        }
    }

    /// A link that gets every message from now on, and before them the one that is latched.
    fn link(self: &Arc<Self>, caller: &str) -> Option<Arc<Link>> {
        let mut state = self.state.lock();
        if state.is_closed {
            return None;
        }
        let link = Arc::new(Link::new(caller, self.queue));
        if let Some(latch) = &state.latch {
            link.push(latch.clone());
        }
        state.links.push(link.clone());
        if state.pump.is_none()
            && let Some((service, topic)) = &self.source
        {
            match service.listen(topic.action) {
                Ok(mut listener) => {
                    let publication = self.clone();
                    let pump = tokio::spawn(async move {
                        while let Some(event) = listener.next().await {
                            publication.event(&event);
                        }
                    });
                    state.pump = Some(pump.abort_handle());
                }
                Err(error) => tracing::warn!(topic = self.name, %error, "cannot be listened to"),
            }
        }
        Some(link)
    }

    fn event(&self, event: &Event) {
        let Some((_, topic)) = &self.source else { return };
        let message = topic.message(event.value.clone(), self.next_stamp(event.received));
        match body::encode(&topic.shape, &message) {
            Ok(body) => self.publish(&body),
            Err(error) => tracing::warn!(topic = self.name, %error, "an event is no message"),
        }
    }
}
