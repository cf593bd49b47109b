//! Calls that went out and wait for their answers (spec 2.3, 8.1).

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
};

use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};
use keyway_wire::{Header, MessageIds};

/// Who waits for which answer.
#[derive(Debug)]
pub struct CallTable<W> {
    waiting: Waiting<W>,
}

type Waiting<W> = HashMap<MessageId, Call<W>, BuildHasherDefault<IdHasher>>;

#[derive(Debug)]
struct Call<W> {
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
        loop {
            let id = ids.next();
            if let Entry::Vacant(entry) = self.waiting.entry(id) {
                entry.insert(Call { service, object, waiter });
                return id;
            }
        }
    }

    /// Who waits for this answer; an answer from elsewhere, or for nobody, is dropped (spec 2.3).
    pub fn complete(&mut self, answer: &Header) -> Option<W> {
        let Entry::Occupied(entry) = self.waiting.entry(answer.id) else {
            return None;
        };
        let call = entry.get();
        if (call.service, call.object) != (answer.service, answer.object) {
            return None;
        }
        let waiter = entry.remove().waiter;
        self.shrink();
        Some(waiter)
    }

    /// Forgets a call.
    pub fn remove(&mut self, id: MessageId) -> Option<W> {
        let waiter = self.waiting.remove(&id).map(|call| call.waiter);
        self.shrink();
        waiter
    }

    /// Takes all calls to a service (spec 7.6).
    pub fn take_service(&mut self, service: ServiceId) -> Vec<W> {
        self.take(|call| call.service == service)
    }

    /// Takes all calls to an object.
    pub fn take_object(&mut self, service: ServiceId, object: ObjectId) -> Vec<W> {
        self.take(|call| (call.service, call.object) == (service, object))
    }

    fn take(&mut self, chosen: impl Fn(&Call<W>) -> bool) -> Vec<W> {
        self.waiting.extract_if(|_, call| chosen(call)).map(|(_, call)| call.waiter).collect()
    }

    /// Takes all calls.
    pub fn drain(&mut self) -> Vec<W> {
        std::mem::take(&mut self.waiting).into_values().map(|call| call.waiter).collect()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn shrink(&mut self) {
        if self.waiting.is_empty() && self.waiting.capacity() > KEPT {
            self.waiting = Waiting::default();
        }
    }
}

impl<W> Default for CallTable<W> {
    fn default() -> Self {
        Self { waiting: Waiting::default() }
    }
}

/// Spreads the numbers of this process's own calls. No peer chooses them, so nothing stronger is needed.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        // Fibonacci hashing: the table looks at the highest and the lowest bits.
        let product = (self.0 ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ (product >> 32);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// An empty table with more room than this gives it back: most connections are idle.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use keyway_value::Payload;
    use keyway_wire::Frame;

    use super::*;

    const SERVICE: ServiceId = ServiceId(3);

    fn answer(id: MessageId, service: ServiceId, object: ObjectId) -> Header {
        Frame::call(id, service, object, ActionId(100), Payload::new()).header
    }

    fn insert(table: &mut CallTable<u32>, ids: &MessageIds, object: u32, waiter: u32) -> MessageId {
        table.insert(ids, SERVICE, ObjectId(object), ActionId(100), waiter)
    }

    #[test]
    fn answers_find_their_callers_in_any_order_and_once() {
        let (mut table, ids) = (CallTable::default(), MessageIds::new());
        let calls: Vec<_> = (0..200).map(|n| (insert(&mut table, &ids, 1, n), n)).collect();
        for (id, waiter) in calls.iter().rev() {
            assert_eq!(table.complete(&answer(*id, SERVICE, ObjectId(1))), Some(*waiter));
            assert_eq!(table.complete(&answer(*id, SERVICE, ObjectId(1))), None);
        }
        assert!(table.is_empty());
    }

    #[test]
    fn an_answer_from_another_object_is_dropped_and_the_call_goes_on_waiting() {
        let (mut table, ids) = (CallTable::default(), MessageIds::new());
        let id = insert(&mut table, &ids, 1, 7);
        assert_eq!(table.complete(&answer(id, SERVICE, ObjectId(2))), None);
        assert_eq!(table.complete(&answer(id, ServiceId(4), ObjectId(1))), None);
        assert_eq!(table.complete(&answer(id, SERVICE, ObjectId(1))), Some(7));
    }

    #[test]
    fn a_number_in_use_is_not_given_again() {
        let mut table = CallTable::default();
        assert_eq!(insert(&mut table, &MessageIds::new(), 1, 0), MessageId(1));
        assert_eq!(insert(&mut table, &MessageIds::new(), 1, 1), MessageId(2));
    }

    #[test]
    fn calls_are_taken_by_service_by_object_or_all() {
        let (mut table, ids) = (CallTable::default(), MessageIds::new());
        for object in [1, 1, 2, 3] {
            insert(&mut table, &ids, object, object);
        }
        table.insert(&ids, ServiceId(9), ObjectId(1), ActionId(100), 9);
        assert_eq!(table.take_object(SERVICE, ObjectId(1)), [1, 1]);
        let mut rest = table.take_service(SERVICE);
        rest.sort_unstable();
        assert_eq!(rest, [2, 3]);
        assert_eq!(table.drain(), [9]);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn an_emptied_table_gives_its_memory_back() {
        let (mut table, ids) = (CallTable::default(), MessageIds::new());
        let calls: Vec<_> = (0..1000).map(|n| insert(&mut table, &ids, 1, n)).collect();
        for id in calls {
            table.remove(id);
        }
        assert_eq!(table.waiting.capacity(), 0);
    }
}
