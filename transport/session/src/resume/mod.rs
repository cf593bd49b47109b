//! What one end of a session keeps so that it goes on over another connection, as if nothing had happened.
//!
//! Calls, posts, cancels and answers are numbered, each direction by itself, and kept until the other end says that it has them.
//! After a lost connection each end says what it has, and gets the rest again; what arrives twice is dropped, so that no call runs
//! twice. Events have numbers of their subscription and are not kept here: who emits them replays them from a window, and the
//! numbers that stay missing are a gap.
//!
//! When the other end was restarted and knows nothing any more, [`Resumable::restarted`] says once which calls had no answer (whether
//! they ran is unknown), and which subscriptions are to be made anew.

mod incoming;
mod outgoing;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};
use keyway_wire::{Frame, Header, MessageKind};

use self::{incoming::Incoming, outgoing::Outgoing};

/// Address of a signal.
pub type SignalAddress = (ServiceId, ObjectId, ActionId);

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeBounds {
    /// Frames that the other end has not acknowledged.
    pub frames: usize,
    /// Their bytes.
    pub bytes: usize,
    /// How far frames may arrive ahead of earlier ones.
    pub ahead: usize,
    /// An acknowledgement is due after so many frames...
    pub acknowledge_every: u64,
    /// ...or so long after the first of them.
    pub acknowledge_after: Duration,
    /// How long after its connection a session ends.
    pub give_up: Duration,
}

impl Default for ResumeBounds {
    fn default() -> Self {
        Self {
            frames: 16_384,
            bytes: 64 << 20,
            ahead: 16_384,
            acknowledge_every: 256,
            acknowledge_after: Duration::from_millis(200),
            give_up: Duration::from_secs(60),
        }
    }
}

/// Why something was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeFailure {
    /// The other end acknowledges nothing: the frame is not sent. The session is to be closed, or the frame to be sent later.
    #[error("too much is sent that the other end has not acknowledged")]
    Full,
    /// The other end says that it has what was not sent, or sends what cannot be next. The session is to be closed.
    #[error("the other end counts frames wrongly")]
    Violation,
}

/// What this end has, for the other one to send the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// All frames up to this number.
    pub frames: u64,
    /// The last event of each subscription.
    pub events: Vec<(SignalAddress, u64)>,
}

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

/// What is left of a session whose other end was restarted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aftermath {
    /// Calls without an answer, in the order of their ids. Whether they ran is unknown.
    pub unknown: Vec<Header>,
    /// Subscriptions to be made anew, with the last event of each. How many were missed is unknown.
    pub subscriptions: Vec<(SignalAddress, u64)>,
}

/// One end of a session that outlives its connections.
#[derive(Debug)]
pub struct Resumable {
    bounds: ResumeBounds,
    outgoing: Outgoing,
    incoming: Incoming,
    /// Calls of this end that have no answer.
    calls: HashMap<MessageId, Header>,
    events: HashMap<SignalAddress, u64>,
    /// When an acknowledgement is due.
    acknowledge_at: Option<Instant>,
    /// When a session without a connection ends.
    give_up_at: Option<Instant>,
}

impl Resumable {
    /// An end of a new session, connected.
    pub fn new(bounds: ResumeBounds) -> Self {
        Self {
            bounds,
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            calls: HashMap::new(),
            events: HashMap::new(),
            acknowledge_at: None,
            give_up_at: None,
        }
    }

    /// Keeps a frame, which is no event, and gives it its number. While there is no connection it is sent by
    /// [`resumed`](Self::resumed).
    pub fn send(&mut self, frame: Frame) -> Result<u64, ResumeFailure> {
        let header = frame.header;
        let number = self.outgoing.push(frame, &self.bounds)?;
        if header.kind == MessageKind::Call {
            self.calls.insert(header.id, header);
        }
        Ok(number)
    }

    /// Notes a frame that has arrived, which is no event. True if it is new; otherwise it is to be dropped.
    pub fn receive(&mut self, now: Instant, number: u64, header: &Header) -> Result<bool, ResumeFailure> {
        // One that came again was not acknowledged, or the other end would not have sent it.
        if self.acknowledge_at.is_none() {
            self.acknowledge_at = Some(now + self.bounds.acknowledge_after);
        }
        let new = self.incoming.take(number, self.bounds.ahead)?;
        let is_answer = matches!(header.kind, MessageKind::Reply | MessageKind::Error | MessageKind::Canceled);
        if new && is_answer {
            self.calls.remove(&header.id);
        }
        Ok(new)
    }

    /// Notes an event that has arrived.
    pub fn receive_event(&mut self, signal: SignalAddress, number: u64) -> EventArrival {
        let last = self.events.entry(signal).or_default();
        if number <= *last {
            return EventArrival::Again;
        }
        let missed = number - *last - 1;
        *last = number;
        EventArrival::New { missed }
    }

    /// Begins to count a subscription's events after this one.
    pub fn subscribed(&mut self, signal: SignalAddress, last: u64) {
        self.events.insert(signal, last);
    }

    /// The subscription is over.
    pub fn unsubscribed(&mut self, signal: SignalAddress) {
        self.events.remove(&signal);
    }

    /// The number to acknowledge, if it is time.
    pub fn poll_acknowledgement(&mut self, now: Instant) -> Option<u64> {
        let is_late = self.acknowledge_at.is_some_and(|at| now >= at);
        if self.give_up_at.is_some() || !(is_late || self.incoming.unsaid() >= self.bounds.acknowledge_every) {
            return None;
        }
        self.acknowledge_at = None;
        Some(self.incoming.say())
    }

    /// The other end has all frames up to this number.
    pub fn acknowledged(&mut self, number: u64) -> Result<(), ResumeFailure> {
        self.outgoing.acknowledge(number)
    }

    /// When [`poll_acknowledgement`](Self::poll_acknowledgement) or [`is_over`](Self::is_over) is to be asked again.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.give_up_at.or(self.acknowledge_at)
    }

    /// The connection is lost.
    pub fn disconnected(&mut self, now: Instant) {
        if self.give_up_at.is_none() {
            self.give_up_at = Some(now + self.bounds.give_up);
        }
    }

    /// Whether nobody has come back in time.
    pub fn is_over(&self, now: Instant) -> bool {
        self.give_up_at.is_some_and(|at| now >= at)
    }

    /// What to tell the other end over the next connection.
    pub fn held(&mut self) -> Held {
        let mut events: Vec<_> = self.events.iter().map(|(signal, last)| (*signal, *last)).collect();
        events.sort_unstable();
        Held { frames: self.incoming.say(), events }
    }

    /// There is another connection, and the other end has all frames up to this number: the rest is to be sent, in this order,
    /// before anything else.
    pub fn resumed(&mut self, number: u64) -> Result<Vec<(u64, Frame)>, ResumeFailure> {
        self.outgoing.acknowledge(number)?;
        self.give_up_at = None;
        self.acknowledge_at = None;
        Ok(self.outgoing.kept())
    }

    /// There is another connection, and the other end knows nothing of this session: it begins anew. Calls are reported here once.
    pub fn restarted(&mut self) -> Aftermath {
        let before = std::mem::replace(self, Self::new(self.bounds));
        let mut unknown: Vec<_> = before.calls.into_values().collect();
        unknown.sort_unstable_by_key(|call| call.id.0);
        let mut subscriptions: Vec<_> = before.events.into_iter().collect();
        subscriptions.sort_unstable();
        Aftermath { unknown, subscriptions }
    }

    /// Bytes kept for the other end.
    pub fn kept_bytes(&self) -> usize {
        self.outgoing.bytes()
    }
}
