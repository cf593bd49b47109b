//! The last events of a subscription, for a subscriber that lost its connection.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

/// How much an [`EventWindow`] holds. What goes beyond the first of them pushes the oldest events out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Payload bytes.
    pub bytes: usize,
    /// Events.
    pub events: usize,
    /// Time since an event was pushed.
    pub age: Duration,
}

impl Default for Bounds {
    /// 1 MiB, 1,024 events, one minute.
    fn default() -> Self {
        Self { bytes: 1 << 20, events: 1024, age: Duration::from_secs(60) }
    }
}

/// A bounded ring of a subscription's last events. Events are numbered without gaps, from a number its maker chooses.
///
/// A payload is shared, not copied: one that was cut from a larger buffer keeps that buffer.
#[derive(Debug)]
pub struct EventWindow {
    bounds: Bounds,
    held: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    /// The number before the first event ever.
    start: u64,
    /// The number of the last event; `start` before there is one.
    last: u64,
}

/// An event and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub sequence: u64,
    /// Its payload.
    pub payload: Bytes,
}

/// Events that a window no longer holds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The first that is missing.
    pub from: u64,
    /// The last that is missing.
    pub to: u64,
}

/// What a subscriber missed: first the gap, if there is one, then the events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// In their order, up to the last there was.
    pub events: Vec<Event>,
    /// What cannot be replayed.
    pub gap: Option<Gap>,
}

/// A subscriber named an event that this window has not given out: its number is from another window (of a gateway that was
/// restarted, say). What it missed is unknown; it starts over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("event {sequence} is not of this subscription, which has given out {from} to {to}; subscribe anew")]
pub struct NotGivenOut {
    /// The number that was named.
    pub sequence: u64,
    /// The number before the first event.
    pub from: u64,
    /// The number of the last event.
    pub to: u64,
}

impl EventWindow {
    /// An empty window, whose first event will get the number after `start`.
    ///
    /// A start that grows from run to run (microseconds since 1970, say) makes numbers of an earlier run recognizable.
    #[must_use]
    pub const fn new(bounds: Bounds, start: u64) -> Self {
        Self { bounds, held: VecDeque::new(), bytes: 0, start, last: start }
    }

    /// Takes an event in, and returns its number.
    pub fn push(&mut self, now: Instant, payload: Bytes) -> u64 {
        self.last += 1;
        self.bytes += payload.len();
        self.held.push_back((now, payload));
        while self.held.len() > self.bounds.events || self.bytes > self.bounds.bytes {
            self.drop_oldest();
        }
        self.expire(now);
        self.last
    }

    /// Drops what is too old. Replaying and pushing do so themselves; this frees the memory of a subscription on which
    /// nothing happens.
    pub fn expire(&mut self, now: Instant) {
        let bound = self.bounds.age;
        while self.held.front().is_some_and(|(pushed, _)| now.saturating_duration_since(*pushed) > bound) {
            self.drop_oldest();
        }
    }

    /// What came after the event `sequence`, the last a subscriber has seen (the start if it has seen none).
    pub fn since(&mut self, now: Instant, sequence: u64) -> Result<Replay, NotGivenOut> {
        if sequence < self.start || sequence > self.last {
            return Err(NotGivenOut { sequence, from: self.start, to: self.last });
        }
        self.expire(now);
        let before = self.last - self.held.len() as u64;
        let gap = (sequence < before).then_some(Gap { from: sequence + 1, to: before });
        let seen = usize::try_from(sequence.saturating_sub(before)).unwrap_or(usize::MAX);
        let numbers = before + 1..;
        let missed = numbers.zip(&self.held).skip(seen);
        let events = missed.map(|(sequence, (_, payload))| Event { sequence, payload: payload.clone() }).collect();
        Ok(Replay { events, gap })
    }

    /// The number of the last event; the start before there is one.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// How many events are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether no event is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Payload bytes that are held.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    fn drop_oldest(&mut self) {
        if let Some((_, payload)) = self.held.pop_front() {
            self.bytes -= payload.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bounds(bytes: usize, events: usize, age: u64) -> Bounds {
        Bounds { bytes, events, age: Duration::from_secs(age) }
    }

    #[test]
    fn what_was_missed_is_replayed_once() {
        let (mut window, now) = (EventWindow::new(Bounds::default(), 100), Instant::now());
        for payload in ["a", "b", "c"] {
            window.push(now, Bytes::from_static(payload.as_bytes()));
        }
        let replay = window.since(now, 101).unwrap();
        let seen: Vec<_> = replay.events.iter().map(|event| (event.sequence, &event.payload[..])).collect();
        assert_eq!((seen, replay.gap), (vec![(102, &b"b"[..]), (103, b"c")], None));
        assert_eq!(window.since(now, 103).unwrap(), Replay::default());
    }

    #[test]
    fn what_is_gone_is_a_gap() {
        let (mut window, now) = (EventWindow::new(bounds(100, 2, 10), 0), Instant::now());
        for _ in 0..5 {
            window.push(now, Bytes::from_static(b"x"));
        }
        assert_eq!(window.since(now, 1).unwrap().gap, Some(Gap { from: 2, to: 3 }));
        assert_eq!(window.since(now, 3).unwrap().gap, None);
        let replay = window.since(now + Duration::from_secs(11), 3).unwrap();
        assert_eq!(replay, Replay { events: vec![], gap: Some(Gap { from: 4, to: 5 }) });
    }

    #[test]
    fn an_event_larger_than_the_window_is_a_gap_and_not_memory() {
        let (mut window, now) = (EventWindow::new(bounds(4, 10, 10), 0), Instant::now());
        window.push(now, Bytes::from_static(b"tiny"));
        window.push(now, Bytes::from_static(b"large"));
        assert_eq!((window.bytes(), window.is_empty()), (0, true));
        assert_eq!(window.since(now, 0).unwrap().gap, Some(Gap { from: 1, to: 2 }));
    }

    #[test]
    fn numbers_of_another_window_are_refused() {
        let mut window = EventWindow::new(Bounds::default(), 7);
        assert_eq!(window.since(Instant::now(), 8), Err(NotGivenOut { sequence: 8, from: 7, to: 7 }));
        assert_eq!(window.since(Instant::now(), 6), Err(NotGivenOut { sequence: 6, from: 7, to: 7 }));
        assert_eq!(window.since(Instant::now(), 7), Ok(Replay::default()));
    }

    proptest! {
        /// The model keeps everything and cuts when it is asked.
        #[test]
        fn it_replays_what_a_window_without_cleverness_does(
            limits in (0_usize..40, 0_usize..8, 0_u64..20),
            start in 0_u64..1000,
            steps in proptest::collection::vec((0_u64..6, 0_usize..12), 0..60),
            later in 0_u64..25,
        ) {
            let bounds = bounds(limits.0, limits.1, limits.2);
            let mut window = EventWindow::new(bounds, start);
            let mut model: Vec<(Instant, u64, usize)> = Vec::new();
            let mut now = Instant::now();
            for (pause, length) in steps {
                now += Duration::from_secs(pause);
                let sequence = window.push(now, Bytes::from(vec![0; length]));
                model.push((now, sequence, length));
                prop_assert_eq!(sequence, start + model.len() as u64);
                prop_assert!(window.bytes() <= bounds.bytes && window.len() <= bounds.events);
            }
            now += Duration::from_secs(later);
            // The longest tail of which every part fits.
            let fits = |tail: &[(Instant, u64, usize)]| {
                tail.len() <= bounds.events
                    && tail.iter().map(|(_, _, length)| length).sum::<usize>() <= bounds.bytes
                    && tail.iter().all(|(pushed, _, _)| now.duration_since(*pushed) <= bounds.age)
            };
            let kept = (0..=model.len()).map(|from| &model[from..]).find(|tail| fits(tail)).unwrap();
            let oldest = start + (model.len() - kept.len()) as u64;
            for seen in start..=start + model.len() as u64 {
                let replay = window.since(now, seen).unwrap();
                let expected: Vec<_> =
                    kept.iter().filter(|(_, number, _)| *number > seen).map(|(_, number, length)| (*number, *length)).collect();
                let got: Vec<_> = replay.events.iter().map(|event| (event.sequence, event.payload.len())).collect();
                prop_assert_eq!(got, expected);
                prop_assert_eq!(replay.gap, (seen < oldest).then_some(Gap { from: seen + 1, to: oldest }));
            }
        }
    }
}
