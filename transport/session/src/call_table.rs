//! Calls that went out and wait for their answers (spec 2.3, 8.1).

use std::collections::HashMap;

use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};
use keyway_wire::{Header, MessageIds};

/// Who waits for which answer.
#[derive(Debug)]
pub struct CallTable<W> {
    waiting: HashMap<MessageId, Entry<W>>,
}

#[derive(Debug)]
struct Entry<W> {
    service: ServiceId,
    object: ObjectId,
    waiter: W,
}

impl<W> CallTable<W> {
    /// Notes a call and gives it a number that no other waiting call has.
    pub fn insert(
        &mut self,
        ids: &MessageIds,
        service: ServiceId,
        object: ObjectId,
        _action: ActionId,
        waiter: W,
    ) -> MessageId {
        // The count wraps around: a call may still wait under the number.
        let id = loop {
            let id = ids.next();
            if !self.waiting.contains_key(&id) {
                break id;
            }
        };
        self.waiting.insert(id, Entry { service, object, waiter });
        id
    }

    /// Who waits for this answer; an answer from elsewhere, or for nobody, is dropped (spec 2.3).
    pub fn complete(&mut self, answer: &Header) -> Option<W> {
        let entry = self.waiting.get(&answer.id)?;
        if (entry.service, entry.object) != (answer.service, answer.object) {
            return None;
        }
        self.remove(answer.id)
    }

    /// Forgets a call.
    pub fn remove(&mut self, id: MessageId) -> Option<W> {
        let waiter = self.waiting.remove(&id).map(|entry| entry.waiter);
        if self.waiting.is_empty() && self.waiting.capacity() > KEPT {
            self.waiting = HashMap::new();
        }
        waiter
    }

    /// Takes all calls to a service.
    pub fn take_service(&mut self, service: ServiceId) -> Vec<W> {
        self.waiting.extract_if(|_, entry| entry.service == service).map(|(_, entry)| entry.waiter).collect()
    }

    /// Takes all calls.
    pub fn drain(&mut self) -> Vec<W> {
        std::mem::take(&mut self.waiting).into_values().map(|entry| entry.waiter).collect()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl<W> Default for CallTable<W> {
    fn default() -> Self {
        Self { waiting: HashMap::new() }
    }
}

/// An empty table with more room than this gives it back: most connections are idle.
const KEPT: usize = 64;
