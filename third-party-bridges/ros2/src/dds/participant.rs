//! What the thread has of DDS: readers and writers are made here, and everybody is told of them.

use std::{rc::Rc, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt;
use rustdds::{
    DomainParticipant, GUID, QosPolicies, RTPSEntity, StatusEvented, TopicKind,
    dds::CreateResult,
    no_key::{DataWriter, SimpleDataReader},
};

use super::{
    bytes_of::Body,
    crowd::{Crowd, prefix},
    graph::Graph,
    newcomers::Newcomers,
};
use crate::names::DdsTopic;

pub(crate) struct Participant {
    pub(super) domain: DomainParticipant,
    publisher: rustdds::Publisher,
    subscriber: rustdds::Subscriber,
    /// The node that all this belongs to.
    pub(super) graph: Arc<Graph>,
    pub(super) newcomers: Newcomers,
}

/// A reader or writer that the node is known to have, until it is dropped.
pub(super) struct Listed<E> {
    pub(super) endpoint: E,
    guid: GUID,
    graph: Arc<Graph>,
}

pub(super) type BodyReader = Listed<SimpleDataReader<Bytes, Body>>;
pub(super) type BodyWriter = Listed<DataWriter<Bytes, Body>>;

impl Participant {
    pub(super) fn new(domain: DomainParticipant, graph: Arc<Graph>, crowd: &Crowd) -> CreateResult<Self> {
        crowd.begin(prefix(domain.guid().prefix));
        let qos = QosPolicies::builder().build();
        let (publisher, subscriber) = (domain.create_publisher(&qos)?, domain.create_subscriber(&qos)?);
        Ok(Self { domain, publisher, subscriber, graph, newcomers: Newcomers::new() })
    }

    pub(super) fn reader(&self, topic: &DdsTopic, qos: &QosPolicies) -> CreateResult<BodyReader> {
        let topic = self.domain.create_topic(topic.name.clone(), topic.kind.clone(), qos, TopicKind::NoKey)?;
        let endpoint = self.subscriber.create_simple_datareader_no_key(&topic, Some(qos.clone()))?;
        let guid = endpoint.guid();
        self.graph.change(|endpoints| endpoints.readers.insert(guid));
        Ok(Listed { endpoint, guid, graph: self.graph.clone() })
    }

    pub(super) fn writer(&self, topic: &DdsTopic, qos: &QosPolicies) -> CreateResult<BodyWriter> {
        let topic = self.domain.create_topic(topic.name.clone(), topic.kind.clone(), qos, TopicKind::NoKey)?;
        let endpoint = self.publisher.create_datawriter_no_key(&topic, Some(qos.clone()))?;
        let guid = endpoint.guid();
        self.graph.change(|endpoints| endpoints.writers.insert(guid));
        Ok(Listed { endpoint, guid, graph: self.graph.clone() })
    }

    /// Whether it is this participant who has written something.
    pub(super) fn is_own(&self, writer: GUID) -> bool {
        writer.prefix == self.domain.guid().prefix
    }
}

impl<E> Drop for Listed<E> {
    fn drop(&mut self) {
        let guid = self.guid;
        self.graph.change(|endpoints| endpoints.readers.remove(&guid) || endpoints.writers.remove(&guid));
    }
}

/// Takes what the library tells of the whole domain: its queue would fill up, and it complains of that. One participant tells the crowd
/// who comes and goes.
pub(super) async fn listen(participant: Rc<Participant>, crowd: Option<Arc<Crowd>>) {
    let status = participant.domain.status_listener();
    let mut events = status.as_async_status_stream();
    while let Some(event) = events.next().await {
        participant.newcomers.follow(&event);
        if let Some(crowd) = &crowd {
            crowd.follow(&event);
        }
    }
}
