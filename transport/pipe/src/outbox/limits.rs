//! What may wait to be written to one connection, and what becomes of one whose peer does not read.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::QueueBudget;
use crate::{ConnectionId, PeerAddress};

static SLOW_CONSUMERS: AtomicU64 = AtomicU64::new(0);

/// Connections of this process that were closed because their peer did not read (spec 9.5).
pub fn slow_consumers_closed() -> u64 {
    SLOW_CONSUMERS.load(Ordering::Relaxed)
}

/// Notes that the connection is closed because its peer does not read.
pub(crate) fn count_slow_consumer(id: ConnectionId, peer: &PeerAddress, queued: usize) {
    SLOW_CONSUMERS.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(connection = %id, %peer, queued, "closing a slow consumer");
}

/// Bounds of what waits to be written to one connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QueueLimits {
    /// Frames are accepted while fewer bytes than these are waiting; the next one closes the connection as that of a slow
    /// consumer (spec 9.5, H10). The queue never holds more than this and one frame.
    pub max_bytes: usize,
    /// What may wait for this and other connections together. When it is spent, the next frame closes the connection whose peer
    /// takes nothing, as above.
    pub total: Option<QueueBudget>,
    /// How long a closing connection may take to write what was sent before.
    pub linger: Duration,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { max_bytes: 64 * 1024 * 1024, total: None, linger: Duration::from_secs(1) }
    }
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closed or closing. Its handler hears why in `on_closed`.
    #[error("connection is closed")]
    Closed,
    /// The peer does not read: too much is waiting for it already. The connection is closed with this frame.
    #[error("connection is closed: the peer does not read what it is sent")]
    SlowConsumer,
    /// A payload's length does not fit a header (spec 2.1). The connection stays open.
    #[error("payload does not fit a frame")]
    TooLarge,
}
