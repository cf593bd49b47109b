//! Events that wait apart, of signals that have a rule for when the peer does not take them fast enough.
//!
//! They wait until little else does. What is dropped of them is dropped whole: what is in the queue already leaves in order.

use std::{
    collections::{HashMap, VecDeque},
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use keyway_session::SignalAddress;
use keyway_wire::{Header, MessageKind};

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Events that this process has dropped because their subscribers did not take them fast enough
/// ([`Sender::limit_events`](crate::Sender::limit_events)).
pub fn events_dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Counts events that a subscriber does not get.
pub(crate) fn count_dropped(events: u64) {
    DROPPED.fetch_add(events, Ordering::Relaxed);
}

/// What becomes of a signal's events when their subscriber does not take them fast enough. Without a rule, they wait like anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventRule {
    /// Up to 256 of them and 1 MiB wait; the oldest make room.
    DropOldest,
    /// One waits, the latest.
    Latest,
    /// The connection is closed as a slow consumer's.
    Disconnect,
}

/// The rules of a connection, and what waits by them.
#[derive(Debug, Default)]
pub(super) struct Events {
    signals: HashMap<SignalAddress, Waiting>,
    /// Those of which something waits, in the order in which they have their turn.
    turns: VecDeque<SignalAddress>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    rule: EventRule,
    events: VecDeque<Bytes>,
    bytes: usize,
}

/// Where a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the queue.
    Queue,
    /// To the events that wait apart.
    Apart(SignalAddress),
    /// Nowhere: the connection is closed.
    Close,
}

impl Events {
    /// Sets a signal's rule, or takes it away. What waits by another stays until its turn.
    pub(super) fn set(&mut self, signal: SignalAddress, rule: Option<EventRule>) {
        let has_room = self.signals.len() < MAX_SIGNALS;
        match (self.signals.get_mut(&signal), rule) {
            (Some(waiting), Some(rule)) => waiting.rule = rule,
            (Some(waiting), None) if waiting.events.is_empty() => drop(self.signals.remove(&signal)),
            (None, Some(rule)) if has_room => {
                self.signals.insert(signal, Waiting { rule, events: VecDeque::new(), bytes: 0 });
            }
            _ => {}
        }
    }

    /// Where a frame goes while so many bytes are queued.
    pub(super) fn way(&self, header: &Header, queued: usize) -> Way {
        if self.signals.is_empty() || header.kind != MessageKind::Event {
            return Way::Queue;
        }
        let signal = (header.service, header.object, header.action);
        match self.signals.get(&signal) {
            Some(waiting) if queued >= WATER || !waiting.events.is_empty() => match waiting.rule {
                EventRule::Disconnect => Way::Close,
                EventRule::DropOldest | EventRule::Latest => Way::Apart(signal),
            },
            _ => Way::Queue,
        }
    }

    /// An encoded event waits, as its signal's rule says.
    pub(super) fn push(&mut self, signal: SignalAddress, event: Bytes) {
        let Some(waiting) = self.signals.get_mut(&signal) else { return };
        if waiting.events.is_empty() {
            self.turns.push_back(signal);
        }
        let (most, most_bytes) = match waiting.rule {
            EventRule::Latest => (1, 0),
            _ => (MOST, MOST_BYTES),
        };
        let mut dropped = 0;
        self.bytes += event.len();
        waiting.bytes += event.len();
        waiting.events.push_back(event);
        while waiting.events.len() > 1
            && (waiting.events.len() > most || waiting.bytes > most_bytes || self.bytes > MOST_BYTES_IN_ALL)
        {
            let Some(oldest) = waiting.events.pop_front() else { break };
            waiting.bytes -= oldest.len();
            self.bytes -= oldest.len();
            dropped += 1;
        }
        count_dropped(dropped);
    }

    /// The next event to leave, if so little is queued that one may.
    pub(super) fn pop(&mut self, queued: usize) -> Option<Bytes> {
        if queued >= WATER {
            return None;
        }
        let signal = self.turns.pop_front()?;
        let waiting = self.signals.get_mut(&signal)?;
        let event = waiting.events.pop_front()?;
        waiting.bytes -= event.len();
        self.bytes -= event.len();
        if !waiting.events.is_empty() {
            self.turns.push_back(signal);
        }
        Some(event)
    }

    /// Bytes that wait here.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Bytes in the queue from which on events with a rule wait apart.
const WATER: usize = 256 << 10;
/// Events of a signal that wait, and their bytes; one may always wait.
const MOST: usize = 256;
const MOST_BYTES: usize = 1 << 20;
/// Bytes of all signals of a connection.
const MOST_BYTES_IN_ALL: usize = 4 << 20;
/// Signals of a connection that have rules.
const MAX_SIGNALS: usize = 1024;

#[cfg(test)]
mod tests {
    use keyway_value::{ActionId, ObjectId, Payload, ServiceId};
    use keyway_wire::Frame;

    use super::*;

    const SIGNAL: SignalAddress = (ServiceId(5), ObjectId(1), ActionId(100));
    const OTHER: SignalAddress = (ServiceId(5), ObjectId(1), ActionId(101));

    fn event(signal: SignalAddress, number: u8, size: usize) -> Frame {
        let payload = Payload::from(vec![number; size]);
        Frame::event(keyway_value::MessageId(0), signal.0, signal.1, signal.2, payload)
    }

    /// What leaves when there is room, by the first byte of its payload.
    fn leaving(events: &mut Events) -> Vec<u8> {
        std::iter::from_fn(|| events.pop(0)).map(|bytes| bytes[Header::SIZE]).collect()
    }

    fn pushed(rule: EventRule, sizes: &[usize]) -> Events {
        let mut events = Events::default();
        events.set(SIGNAL, Some(rule));
        for (size, number) in sizes.iter().zip(0..) {
            let frame = event(SIGNAL, number, *size);
            assert_eq!(events.way(&frame.header, WATER), Way::Apart(SIGNAL));
            events.push(SIGNAL, frame.to_bytes());
        }
        events
    }

    #[test]
    fn events_without_a_rule_and_with_room_go_to_the_queue() {
        let mut events = Events::default();
        let frame = event(SIGNAL, 0, 10);
        assert_eq!(events.way(&frame.header, usize::MAX), Way::Queue);
        events.set(SIGNAL, Some(EventRule::Latest));
        assert_eq!(events.way(&frame.header, WATER - 1), Way::Queue);
        assert_eq!(events.way(&event(OTHER, 0, 10).header, WATER), Way::Queue);
        assert_eq!(events.way(&frame.header, WATER), Way::Apart(SIGNAL));
        // Behind one that waits, the next ones wait as well.
        events.push(SIGNAL, frame.to_bytes());
        assert_eq!(events.way(&frame.header, 0), Way::Apart(SIGNAL));
    }

    #[test]
    fn the_oldest_make_room_and_one_of_any_size_may_wait() {
        let before = events_dropped();
        let mut events = pushed(EventRule::DropOldest, &[10; 250]);
        assert_eq!(leaving(&mut events).len(), 250);
        assert_eq!((events.bytes(), leaving(&mut pushed(EventRule::DropOldest, &[400_000; 5]))), (0, vec![3, 4]));
        assert_eq!(leaving(&mut pushed(EventRule::DropOldest, &[10, 3_000_000])), [1]);
        assert!(events_dropped() >= before + 4);
    }

    #[test]
    fn only_the_latest_waits() {
        assert_eq!(leaving(&mut pushed(EventRule::Latest, &[10, 2_000_000, 20])), [2]);
    }

    #[test]
    fn signals_take_turns() {
        let mut events = pushed(EventRule::DropOldest, &[10; 2]);
        events.set(OTHER, Some(EventRule::DropOldest));
        for number in [7, 8] {
            events.push(OTHER, event(OTHER, number, 10).to_bytes());
        }
        assert_eq!(leaving(&mut events), [0, 7, 1, 8]);
    }

    #[test]
    fn who_is_to_be_disconnected_is() {
        let mut events = Events::default();
        events.set(SIGNAL, Some(EventRule::Disconnect));
        assert_eq!(events.way(&event(SIGNAL, 0, 10).header, WATER), Way::Close);
        events.set(SIGNAL, None);
        assert_eq!(events.way(&event(SIGNAL, 0, 10).header, WATER), Way::Queue);
    }
}
