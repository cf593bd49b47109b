//! Calls that came in and still run, so that a Cancel finds them (spec 8.5).

use std::collections::HashMap;

use keyway_value::MessageId;
use keyway_wire::Header;

/// The running calls of one connection. Their ids may repeat (spec 2.2), so each has a key of its own.
#[derive(Debug)]
pub struct IncomingCalls<T> {
    running: HashMap<IncomingKey, (MessageId, T)>,
    next: u64,
}

/// A running call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IncomingKey(u64);

impl<T> IncomingCalls<T> {
    /// Notes a call.
    pub fn insert(&mut self, call: &Header, state: T) -> IncomingKey {
        let key = IncomingKey(self.next);
        self.next += 1;
        self.running.insert(key, (call.id, state));
        key
    }

    /// The call is answered.
    pub fn finish(&mut self, key: IncomingKey) -> Option<T> {
        self.running.remove(&key).map(|(_, state)| state)
    }

    /// Takes the oldest call with this id. One connection cannot reach the calls of another: the table is its own.
    pub fn cancel(&mut self, call: MessageId) -> Option<T> {
        let oldest =
            self.running.iter().filter(|(_, (id, _))| *id == call).map(|(key, _)| *key).min_by_key(|key| key.0)?;
        self.finish(oldest)
    }

    /// Takes all calls.
    pub fn drain(&mut self) -> Vec<T> {
        std::mem::take(&mut self.running).into_values().map(|(_, state)| state).collect()
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
        Self { running: HashMap::new(), next: 0 }
    }
}
