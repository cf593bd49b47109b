//! Participants that call services, and their calls.

use std::{collections::HashMap, fmt::Write, sync::Arc};

use keyway_bridge::{Bus, Peer};
use keyway_bridge_ros::Provided;
use keyway_ros_types::body::{BodyError, cdr};

use crate::{NAME, dds::Asked};

/// Everybody who has called.
pub(crate) struct Callers {
    bus: Bus,
    peers: HashMap<[u8; 12], Arc<Peer>>,
}

impl Callers {
    pub(crate) fn new(bus: Bus) -> Self {
        Self { bus, peers: HashMap::new() }
    }

    /// Answers a request, in a task of its own. How many there are at once, the bus limits.
    pub(crate) fn answer(&mut self, asked: Asked<Arc<Provided>>) {
        let (bus, peer) = (self.bus.clone(), self.peer(asked.client));
        tokio::spawn(async move {
            let service = asked.service.clone();
            let request = cdr::decode(service.request(), &asked.body).map_err(|error| undecodable(&error));
            let answer = service.answer(&bus, &peer, request).await;
            let shape = service.response();
            let failure = |reason: String| {
                let text = format!("the result cannot be passed on: {reason}");
                cdr::encode(&shape, &service.failure(&text))
            };
            let body = match cdr::encode(&shape, &answer.message) {
                Ok(body) if body.len() > asked.most() => {
                    failure(format!("it has {} bytes, and over Fast DDS there may be {}", body.len(), asked.most()))
                }
                Ok(body) => Ok(body),
                Err(error) => failure(error.to_string()),
            };
            match body {
                Ok(body) => asked.answer(body.into()).await,
                Err(error) => tracing::warn!(%error, "a response cannot be written"),
            }
        });
    }

    /// By whom a participant's calls are made.
    fn peer(&mut self, client: [u8; 12]) -> Arc<Peer> {
        if self.peers.len() >= CALLERS && !self.peers.contains_key(&client) {
            // Those that call nothing now are counted anew when they do.
            self.peers.retain(|_, peer| Arc::strong_count(peer) > 1);
        }
        let make = || {
            let mut name = String::with_capacity(24);
            for byte in client {
                // A text takes everything.
                let _ = write!(name, "{byte:02x}");
            }
            Arc::new(self.bus.peer(NAME, &name, "dds"))
        };
        self.peers.entry(client).or_insert_with(make).clone()
    }
}

fn undecodable(error: &BodyError) -> String {
    match error.is_of_a_value() {
        true => format!("bad argument {error}"),
        false => format!("cannot decode request: {error}"),
    }
}

/// Participants that are remembered while they call nothing.
const CALLERS: usize = 256;
