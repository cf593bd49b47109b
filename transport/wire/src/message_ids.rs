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

    /// The count that all connections of this process share (spec 2.1).
    pub fn process() -> &'static Self {
        static PROCESS: MessageIds = MessageIds::new();
        &PROCESS
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_start_at_one_and_never_run_out() {
        let ids = MessageIds::new();
        assert_eq!((ids.next(), ids.next()), (MessageId(1), MessageId(2)));
        let ids = MessageIds(AtomicU32::new(u32::MAX));
        assert_eq!((ids.next(), ids.next()), (MessageId(u32::MAX), MessageId(0)));
    }
}
