//! What one listener has not taken yet.

use std::{collections::VecDeque, sync::Arc, time::SystemTime};

use keyway::Value;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::feed::Feed;

/// An emission of a signal, or a property's value.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The tuple of a signal's arguments, or a property's value, of the declared type.
    pub value: Value,
    /// When it came to the bridge.
    pub received: SystemTime,
    /// Its size on the bus.
    pub bytes: usize,
}

/// The emissions of a signal from now on; or a property's value as soon as it is known, and its changes.
///
/// It outlives the loss of the directory and of the service's host, and goes on when the same service is back. A listener that falls
/// behind by 1,024 events or 16 MiB loses the oldest, which [`dropped`](Self::dropped) counts.
#[derive(Debug)]
pub struct Listener {
    pub(crate) queue: Arc<Queue>,
    /// Keeps the subscription for as long as anybody listens.
    pub(crate) _feed: Arc<Feed>,
}

impl Listener {
    /// The next event; `None` when the service is gone or is another one now, and there will be no more. May be given up at any time.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            {
                let mut state = self.queue.state.lock();
                if let Some(event) = state.events.pop_front() {
                    state.bytes -= event.bytes;
                    return Some(event);
                }
                if state.is_closed {
                    return None;
                }
            }
            self.queue.changed.notified().await;
        }
    }

    /// How many events were lost because they were not taken in time.
    pub fn dropped(&self) -> u64 {
        self.queue.state.lock().dropped
    }
}

/// Events that wait for one listener. Overflow rule: the oldest goes.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    dropped: u64,
    is_closed: bool,
}

impl Queue {
    pub(crate) fn push(&self, event: Arc<Event>) {
        let mut state = self.state.lock();
        state.bytes += event.bytes;
        state.events.push_back(event);
        while state.events.len() > MAX_EVENTS || (state.bytes > MAX_BYTES && state.events.len() > 1) {
            if let Some(oldest) = state.events.pop_front() {
                state.bytes -= oldest.bytes;
                state.dropped += 1;
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// What waits is still delivered.
    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_one();
    }
}

const MAX_EVENTS: usize = 1024;
const MAX_BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn event(bytes: usize) -> Arc<Event> {
        Arc::new(Event { value: Value::Void, received: SystemTime::UNIX_EPOCH, bytes })
    }

    #[test]
    fn the_oldest_event_goes_when_there_are_too_many_or_too_large_ones() {
        let queue = Queue::default();
        for _ in 0..MAX_EVENTS + 3 {
            queue.push(event(1));
        }
        let counts = |state: &State| (state.events.len(), state.dropped);
        assert_eq!(counts(&queue.state.lock()), (MAX_EVENTS, 3));
        queue.push(event(MAX_BYTES));
        let state = queue.state.lock();
        assert_eq!((state.events.len(), state.bytes), (1, MAX_BYTES), "one that is large by itself is kept");
    }
}
