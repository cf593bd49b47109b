//! What one end of a session has received, so that the session goes on over another connection as if nothing had happened
//! (docs/native-protocol.md, section 6).
//!
//! Each end keeps what it has sent until the other end says that it has it. After a lost connection each says what it has, and gets
//! the rest again; what arrives twice is dropped, so that no call runs twice. Numbers that stay missing between two events are a gap.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use keyway_value::{ActionId, ObjectId, ServiceId};
use keyway_wire::native::Held;

/// Address of a signal.
pub type SignalAddress = (ServiceId, ObjectId, ActionId);

/// How far frames may arrive ahead of earlier ones: streams overtake each other. Who sends stops before.
pub const MAX_AHEAD: u64 = 65_536;
/// Signals of one session whose events are numbered.
pub const MAX_SIGNALS: usize = 1024;
/// An acknowledgement is due after so many frames and events...
const EVERY: u32 = 256;
/// ...so many bytes of them...
const EVERY_BYTES: usize = 256 << 10;
/// ...or so long after the first of them.
const AFTER: Duration = Duration::from_millis(200);

/// A number that cannot be: the session is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other end counts frames wrongly")]
pub struct WrongNumber;

/// What an event's number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventArrival {
    /// It is new, and so many before it will never come.
    New {
        /// How many.
        missed: u64,
    },
    /// It has been here before.
    Again,
}

/// The series in which a frame that is no event is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Series {
    /// Frames of calls streams.
    Calls,
    /// Large frames, each of which has a stream of its own.
    Large,
}

/// What has been received, and what of it the other end has been told.
#[derive(Debug, Default)]
pub struct Receipts {
    calls: Numbers,
    large: Numbers,
    events: HashMap<SignalAddress, Last>,
    /// Signals with events that the other end has not been told of.
    news: Vec<SignalAddress>,
    unsaid: u32,
    unsaid_bytes: usize,
    due: Option<Instant>,
}

/// The last event of a signal.
#[derive(Debug, Default)]
struct Last {
    number: u64,
    is_news: bool,
}

impl Receipts {
    /// Notes a frame that has arrived. True if it is new; otherwise it is to be dropped. One with number 0 is not counted.
    pub fn frame(&mut self, now: Instant, series: Series, number: u64, bytes: usize) -> Result<bool, WrongNumber> {
        if number == 0 {
            return Ok(true);
        }
        // One that came again was not acknowledged, or the other end would not have sent it.
        self.note(now, bytes);
        match series {
            Series::Calls => self.calls.take(number),
            Series::Large => self.large.take(number),
        }
    }

    /// Notes an event that has arrived.
    pub fn event(&mut self, now: Instant, signal: SignalAddress, number: u64, bytes: usize) -> EventArrival {
        self.note(now, bytes);
        // A name that leaves and comes again does so in one order: these share a stream and its numbers.
        let signal = if signal.0 == ServiceId::DIRECTORY { (signal.0, signal.1, ActionId(0)) } else { signal };
        if number == 0 || (self.events.len() >= MAX_SIGNALS && !self.events.contains_key(&signal)) {
            return EventArrival::New { missed: 0 };
        }
        let last = self.events.entry(signal).or_default();
        if number <= last.number {
            return EventArrival::Again;
        }
        let missed = number - last.number - 1;
        last.number = number;
        if !std::mem::replace(&mut last.is_news, true) {
            self.news.push(signal);
        }
        EventArrival::New { missed }
    }

    /// What to acknowledge, if it is time.
    pub fn poll_acknowledgement(&mut self, now: Instant) -> Option<Held> {
        let is_late = self.due.is_some_and(|at| now >= at);
        if !is_late && self.unsaid < EVERY && self.unsaid_bytes < EVERY_BYTES {
            return None;
        }
        let events = std::mem::take(&mut self.news);
        Some(self.say(events))
    }

    /// When [`poll_acknowledgement`](Self::poll_acknowledgement) is to be asked again.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// What to tell the other end over the next connection.
    pub fn held(&mut self) -> Held {
        self.news.clear();
        let mut events: Vec<_> = self.events.keys().copied().collect();
        events.sort_unstable();
        self.say(events)
    }

    fn note(&mut self, now: Instant, bytes: usize) {
        self.unsaid += 1;
        self.unsaid_bytes += bytes;
        self.due.get_or_insert_with(|| now + AFTER);
    }

    fn say(&mut self, signals: Vec<SignalAddress>) -> Held {
        (self.unsaid, self.unsaid_bytes, self.due) = (0, 0, None);
        let mut last_of = |signal: SignalAddress| {
            let last = self.events.get_mut(&signal)?;
            last.is_news = false;
            Some((signal.0.0, signal.1.0, signal.2.0, last.number))
        };
        let events = signals.into_iter().filter_map(&mut last_of).collect();
        Held { calls: self.calls.received, large: self.large.received, events }
    }
}

/// Numbers that have arrived, in whatever order.
#[derive(Debug, Default)]
struct Numbers {
    /// All up to this one.
    received: u64,
    /// And these.
    ahead: BTreeSet<u64>,
}

impl Numbers {
    fn take(&mut self, number: u64) -> Result<bool, WrongNumber> {
        if number - 1 > self.received.saturating_add(MAX_AHEAD) {
            return Err(WrongNumber);
        }
        if number <= self.received {
            return Ok(false);
        }
        if number > self.received + 1 {
            return Ok(self.ahead.insert(number));
        }
        self.received = number;
        while self.ahead.first() == Some(&(self.received + 1)) {
            self.ahead.pop_first();
            self.received += 1;
        }
        Ok(true)
    }
}
