//! Numbers of messages.

use std::sync::atomic::{AtomicU32, Ordering};

use keyway_value::MessageId;

/// Counts from 1 (spec 2.1); wraps around after four billion messages, as libqi does.
#[derive(Debug)]
pub struct MessageIds(AtomicU32);

impl MessageIds {
    /// A new count.
    pub const fn new() -> Self {
        Self(AtomicU32::new(1))
    }

    /// The next number.
    pub fn next(&self) -> MessageId {
        MessageId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl Default for MessageIds {
    fn default() -> Self {
        Self::new()
    }
}
