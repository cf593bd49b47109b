//! Calls that came in and still run, so that a Cancel finds them (spec 8.5).

use std::collections::BTreeMap;

use keyway_value::MessageId;
use keyway_wire::Header;

/// The running calls of one connection. Their ids may repeat (spec 2.2), so each has a key of its own.
#[derive(Debug)]
pub struct IncomingCalls<T> {
    // Ordered, since the peer chooses the ids and may send a Cancel for each: no Cancel looks at more than one call.
    running: BTreeMap<IncomingKey, T>,
    next: u64,
}

/// A running call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncomingKey {
    id: MessageId,
    serial: u64,
}

impl<T> IncomingCalls<T> {
    /// Notes a call.
    pub fn insert(&mut self, call: &Header, state: T) -> IncomingKey {
        let key = IncomingKey { id: call.id, serial: self.next };
        self.next += 1;
        self.running.insert(key, state);
        key
    }

    /// The call is answered.
    pub fn finish(&mut self, key: IncomingKey) -> Option<T> {
        self.running.remove(&key)
    }

    /// Takes the oldest call with this id. One connection cannot reach the calls of another: the table is its own.
    pub fn cancel(&mut self, call: MessageId) -> Option<T> {
        let all = IncomingKey { id: call, serial: 0 }..=IncomingKey { id: call, serial: u64::MAX };
        let oldest = *self.running.range(all).next()?.0;
        self.finish(oldest)
    }

    /// Takes all calls.
    pub fn drain(&mut self) -> Vec<T> {
        std::mem::take(&mut self.running).into_values().collect()
    }

    /// How many run.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether none runs.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}

impl<T> Default for IncomingCalls<T> {
    fn default() -> Self {
        Self { running: BTreeMap::new(), next: 0 }
    }
}

#[cfg(test)]
mod tests {
    use keyway_value::{ActionId, ObjectId, Payload, ServiceId};
    use keyway_wire::Frame;

    use super::*;

    fn call(id: u32) -> Header {
        Frame::call(MessageId(id), ServiceId(3), ObjectId(1), ActionId(100), Payload::new()).header
    }

    #[test]
    fn calls_with_one_id_are_cancelled_one_after_the_other_the_oldest_first() {
        let mut calls = IncomingCalls::default();
        for state in ["first", "second", "third"] {
            calls.insert(&call(5), state);
        }
        calls.insert(&call(0), "zero");
        assert_eq!(calls.cancel(MessageId(5)), Some("first"));
        assert_eq!(calls.cancel(MessageId(0)), Some("zero"));
        assert_eq!(calls.cancel(MessageId(5)), Some("second"));
        assert_eq!(calls.drain(), ["third"]);
    }

    #[test]
    fn finished_and_unknown_calls_are_not_cancelled() {
        let mut calls = IncomingCalls::default();
        let key = calls.insert(&call(5), ());
        assert_eq!(calls.finish(key), Some(()));
        assert_eq!(calls.finish(key), None);
        assert_eq!(calls.cancel(MessageId(5)), None);
        assert_eq!(calls.cancel(MessageId(6)), None);
        assert!(calls.is_empty());
    }
}
