//! Tells other nodes of ROS 2 which node has which readers and writers: the topic `ros_discovery_info` (spec 5.1).

use std::{collections::BTreeSet, rc::Rc, time::Duration};

use bytes::Bytes;
use rustdds::{GUID, RTPSEntity};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    participant::Participant,
    writer::{Quality, write},
};
use crate::names::DdsTopic;

/// A node, and what it has in DDS; several participants may have it.
#[derive(Debug)]
pub(crate) struct Graph {
    /// `/ns/node`
    node: String,
    endpoints: Mutex<Endpoints>,
    /// They are others.
    changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Endpoints {
    pub(super) readers: BTreeSet<GUID>,
    pub(super) writers: BTreeSet<GUID>,
}

impl Graph {
    pub(crate) fn new(node: &str) -> Self {
        Self { node: node.to_owned(), endpoints: Mutex::default(), changed: Notify::new() }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Endpoints) -> bool) {
        change(&mut self.endpoints.lock());
        self.changed.notify_one();
    }
}

/// Tells it now, and whenever it changes.
pub(super) async fn announce(participant: Rc<Participant>) {
    let topic = DdsTopic {
        name: "ros_discovery_info".to_owned(),
        kind: "rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_".to_owned(),
    };
    let writer = match participant.writer(&topic, &Quality::Latched.policies()) {
        Ok(writer) => writer,
        Err(error) => {
            tracing::error!(%error, "other nodes do not see this one");
            return;
        }
    };
    loop {
        participant.graph.changed.notified().await;
        // Many come at once.
        tokio::time::sleep(TOGETHER).await;
        let graph = &participant.graph;
        let told = entities(participant.domain.guid(), &graph.node, &graph.endpoints.lock());
        write(&writer, told, None).await;
    }
}

const TOGETHER: Duration = Duration::from_millis(20);

/// The body of `rmw_dds_common/ParticipantEntitiesInfo`: who takes part, and its nodes, of which there is one.
fn entities(participant: GUID, node: &str, endpoints: &Endpoints) -> Bytes {
    let (namespace, name) = node.rsplit_once('/').unwrap_or_default();
    let mut body = participant.to_bytes().to_vec();
    number(&mut body, 1);
    text(&mut body, if namespace.is_empty() { "/" } else { namespace });
    text(&mut body, name);
    for guids in [&endpoints.readers, &endpoints.writers] {
        number(&mut body, guids.len());
        guids.iter().for_each(|guid| body.extend_from_slice(&guid.to_bytes()));
    }
    body.into()
}

fn number(body: &mut Vec<u8>, number: usize) {
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn text(body: &mut Vec<u8>, text: &str) {
    number(body, text.len() + 1);
    body.extend_from_slice(text.as_bytes());
    body.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_told_with_its_readers_and_writers() {
        let guid = |number: u8| GUID::from_bytes([number; 16]);
        let mut endpoints = Endpoints::default();
        endpoints.readers.insert(guid(2));
        endpoints.writers.extend([guid(4), guid(3)]);
        let told = entities(guid(1), "/qi/bridge", &endpoints);
        let expected = [
            &[1; 16][..],
            b"\x01\0\0\0\x04\0\0\0/qi\0\x07\0\0\0bridge\0\0\x01\0\0\0",
            &[2; 16],
            b"\x02\0\0\0",
            &[3; 16],
            &[4; 16],
        ];
        assert_eq!(told, expected.concat());
    }
}
