//! What waits for one reader (spec 8).

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use keyway_yarp_wire::{Bottle, Carrier, Command, Dialect, encode_message};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// A bottle on its way to all readers, encoded once for each kind of carrier in use.
#[derive(Debug)]
pub(crate) struct Emission {
    bottle: Bottle,
    envelope: Option<String>,
    binary: OnceLock<Bytes>,
    text: OnceLock<Bytes>,
}

impl Emission {
    /// With a number and the time beside it, if that is wanted.
    pub(super) fn new(bottle: Bottle, sequence: Option<u64>) -> Self {
        let envelope = sequence.map(|sequence| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("{sequence} {}.{:06}", now.as_secs(), now.subsec_micros())
        });
        Self::with_envelope(bottle, envelope)
    }

    pub(super) const fn with_envelope(bottle: Bottle, envelope: Option<String>) -> Self {
        Self { bottle, envelope, binary: OnceLock::new(), text: OnceLock::new() }
    }

    /// The message; acknowledged or not, it is the same.
    pub(super) fn bytes(&self, carrier: Carrier, dialect: Dialect) -> &Bytes {
        let (cell, carrier) =
            if carrier.is_text() { (&self.text, Carrier::Text) } else { (&self.binary, Carrier::Tcp) };
        cell.get_or_init(|| {
            let envelope = self.envelope.as_deref().map(str::as_bytes);
            encode_message(carrier, dialect, &Command::Data { reply: false }, envelope, &self.bottle).into()
        })
    }
}

/// Messages that wait for one reader. Overflow rule: the oldest goes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(Arc<Emission>, usize)>,
    bytes: usize,
    dropped: u64,
    said: Option<Instant>,
}

impl Queue {
    /// Adds a message of so many bytes; returns how many were dropped in all, when that is to be said.
    pub(super) fn push(&self, emission: &Arc<Emission>, bytes: usize, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        state.waiting.push_back((emission.clone(), bytes));
        state.bytes += bytes;
        let before = state.dropped;
        while state.waiting.len() > MAX_MESSAGES || (state.bytes > MAX_BYTES && state.waiting.len() > 1) {
            if let Some((_, bytes)) = state.waiting.pop_front() {
                state.bytes -= bytes;
                state.dropped += 1;
            }
        }
        let is_due = state.dropped > before && state.said.is_none_or(|said| now - said >= SAID_EVERY);
        if is_due {
            state.said = Some(now);
        }
        let dropped = state.dropped;
        drop(state);
        self.changed.notify_one();
        is_due.then_some(dropped)
    }

    /// The message that waits longest. May be given up at any time.
    pub(super) async fn next(&self) -> Arc<Emission> {
        loop {
            {
                let mut state = self.state.lock();
                if let Some((emission, bytes)) = state.waiting.pop_front() {
                    state.bytes -= bytes;
                    return emission;
                }
            }
            self.changed.notified().await;
        }
    }
}

const MAX_MESSAGES: usize = 256;
const MAX_BYTES: usize = 4 << 20;
/// How often a reader that is too slow is spoken of.
const SAID_EVERY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn emission() -> Arc<Emission> {
        Arc::new(Emission::new(Bottle::default(), Some(7)))
    }

    #[test]
    fn the_oldest_message_goes_when_there_are_too_many_or_too_large_ones() {
        let (queue, now) = (Queue::default(), Instant::now());
        for position in 0..MAX_MESSAGES + 5 {
            let said = queue.push(&emission(), 1, now);
            assert_eq!(said, (position == MAX_MESSAGES).then_some(1), "said once");
        }
        assert_eq!(queue.push(&emission(), MAX_BYTES, now + SAID_EVERY), Some(5 + 256));
        let state = queue.state.lock();
        assert_eq!((state.waiting.len(), state.bytes), (1, MAX_BYTES), "one that is large by itself is kept");
    }

    #[test]
    fn an_envelope_is_a_number_and_a_time_with_six_decimals() {
        let emission = emission();
        let text = String::from_utf8(emission.bytes(Carrier::TextAck, Dialect::V3).to_vec()).unwrap();
        let envelope = text.strip_prefix("D 7 ").unwrap().split("\r\n").next().unwrap();
        let (seconds, decimals) = envelope.split_once('.').unwrap();
        assert!(seconds.parse::<u64>().unwrap() > 1_600_000_000 && decimals.len() == 6, "{envelope}");
    }
}
