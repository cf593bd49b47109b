//! `[limits]`.

use std::{num::NonZeroU32, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MemberGlob;
use crate::{ByteSize, units};

/// What one client, and all of them, may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections in all.
    pub connections: NonZeroU32,
    /// Connections of one address.
    pub connections_per_source: NonZeroU32,
    /// How long a connection may stay without authenticating.
    #[serde(with = "units::duration")]
    #[schemars(with = "String")]
    pub unauthenticated_time: Duration,
    /// Bytes a connection by `tcp`, `tcps` or `tcpsm` may send before it has authenticated.
    pub unauthenticated_bytes: ByteSize,
    /// The largest payload; less than 4 GiB.
    pub payload: ByteSize,
    /// Calls and posts of a session in a second; no limit if it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<NonZeroU32>,
    /// Calls of a session that may wait for their answers.
    pub calls_in_flight: NonZeroU32,
    /// Bytes that may wait to be sent to a session.
    pub queue_per_session: ByteSize,
    /// Bytes that may wait to be sent to all sessions that read too slowly; beyond, those who hold some are closed.
    pub queue_total: ByteSize,
    /// What happens to events for a subscriber by HTTP or WebSocket that reads too slowly, where neither it nor `events` says.
    pub overflow: Overflow,
    /// What happens to events of certain signals for a subscriber that reads too slowly; the first that matches counts.
    pub events: Vec<EventLimit>,
}

/// What happens to events of certain signals for a subscriber that reads too slowly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventLimit {
    /// The signals, as a pattern: `"ALVideoDevice.*"`.
    pub signal: MemberGlob,
    /// What happens.
    pub overflow: Overflow,
}

impl Limits {
    /// What happens to a signal's events, if it is said.
    pub fn overflow_of(&self, service: &str, signal: &str) -> Option<Overflow> {
        self.events.iter().find(|limit| limit.signal.matches(service, signal)).map(|limit| limit.overflow)
    }
}

/// What happens to events for which a subscriber has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Overflow {
    /// They wait at a subscription of its own, whose bounds hold.
    Block,
    /// The oldest are dropped, and a gap is told.
    #[default]
    DropOldest,
    /// Only the last is of interest.
    Latest,
    /// The subscription ends.
    Disconnect,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: count(20_000),
            connections_per_source: count(1024),
            unauthenticated_time: Duration::from_secs(10),
            unauthenticated_bytes: ByteSize::kib(64),
            payload: ByteSize::mib(256),
            calls_per_second: None,
            calls_in_flight: count(4096),
            queue_per_session: ByteSize::mib(64),
            queue_total: ByteSize::mib(1024),
            overflow: Overflow::default(),
            events: Vec::new(),
        }
    }
}

const fn count(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}
