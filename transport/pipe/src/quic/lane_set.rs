//! The lanes of a session: which frame goes over which, and what becomes of them between two connections.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use keyway_session::{MAX_AHEAD, SignalAddress, WrongNumber};
use keyway_value::{ActionId, ObjectId, ServiceId};
use keyway_wire::{
    Header, MessageKind,
    native::{Held, Overflow, StreamKind},
};

use super::{
    kept::Window,
    lane::{Counters, Lane},
    totals::Totals,
};

/// Streams for calls and answers. Frames to and from one object share one, which keeps their order.
const CALL_LANES: usize = 4;
/// Subscriptions with a stream of their own; the events of others go with the calls.
const EVENT_LANES: usize = super::LANES as usize - CALL_LANES;
/// A call or answer from this size on gets a stream of its own, so that it blocks nobody.
const LARGE: usize = 64 * 1024;

/// All lanes but the control stream's.
#[derive(Debug)]
pub(super) struct LaneSet {
    totals: Arc<Totals>,
    counters: Arc<Counters>,
    calls: [Option<Arc<Lane>>; CALL_LANES],
    events: HashMap<SignalAddress, Arc<Lane>>,
    /// Large frames that the peer may not have, by number.
    large: Vec<(u64, Arc<Lane>)>,
    keeping: Option<Window>,
    parked: bool,
    /// Frames of calls streams that the peer has.
    acknowledged: u64,
}

impl LaneSet {
    pub(super) fn new(totals: Arc<Totals>) -> Self {
        Self {
            totals,
            counters: Arc::default(),
            calls: Default::default(),
            events: HashMap::new(),
            large: Vec::new(),
            keeping: None,
            parked: false,
            acknowledged: 0,
        }
    }

    /// From now on frames are numbered, and kept until they are acknowledged.
    pub(super) fn keep(&mut self, window: Window) {
        self.keeping = Some(window);
        self.all().for_each(|lane| lane.keep(window));
    }

    pub(super) const fn keeps(&self) -> bool {
        self.keeping.is_some()
    }

    /// Whether the peer has acknowledged so little that another frame might come too far ahead of those before it.
    pub(super) fn is_ahead(&self) -> bool {
        self.counters.calls.load(Relaxed).saturating_sub(self.acknowledged) >= MAX_AHEAD
    }

    pub(super) fn lane_for(&mut self, header: &Header, size: usize) -> Arc<Lane> {
        if header.kind == MessageKind::Event {
            if let Some(lane) = self.event_lane((header.service, header.object, header.action)) {
                return lane;
            }
        } else if size >= LARGE {
            return self.fresh(StreamKind::Large);
        }
        let index = (header.service.0.wrapping_add(header.object.0.wrapping_mul(31))) as usize % CALL_LANES;
        match &self.calls[index] {
            Some(lane) => lane.clone(),
            None => self.calls[index].insert(self.fresh(StreamKind::Calls)).clone(),
        }
    }

    /// Remembers a large frame until the peer has it.
    pub(super) fn remember(&mut self, number: u64, lane: &Arc<Lane>) {
        self.large.push((number, lane.clone()));
    }

    /// The lane of a signal, unless there are too many.
    fn event_lane(&mut self, signal: SignalAddress) -> Option<Arc<Lane>> {
        let key = lane_key(signal);
        if let Some(lane) = self.events.get(&key) {
            return Some(lane.clone());
        }
        if self.events.len() >= EVENT_LANES {
            return None;
        }
        let lane = self.fresh(StreamKind::Events);
        self.events.insert(key, lane.clone());
        Some(lane)
    }

    fn fresh(&self, kind: StreamKind) -> Arc<Lane> {
        let lane = Lane::new(Some(kind), self.totals.clone(), self.counters.clone());
        if let Some(window) = self.keeping {
            lane.keep(window);
        }
        if self.parked {
            lane.park();
        }
        Arc::new(lane)
    }

    /// The peer has asked for this. Bounded: for more signals than have lanes, nothing changes.
    pub(super) fn set_overflow(&mut self, signal: SignalAddress, overflow: Overflow) {
        if let Some(lane) = self.event_lane(signal) {
            lane.set_overflow(overflow);
        }
    }

    /// Unless the peer has asked for something. Where nothing is to change, no lane is made for it.
    pub(super) fn prefer_overflow(&mut self, signal: SignalAddress, overflow: Overflow) {
        let known = self.events.contains_key(&lane_key(signal));
        if (known || overflow != Overflow::Block)
            && let Some(lane) = self.event_lane(signal)
        {
            lane.prefer_overflow(overflow);
        }
    }

    /// The peer has this, of the signals named. It cannot have what was not sent.
    pub(super) fn acknowledge(&mut self, held: &Held) -> Result<(), WrongNumber> {
        let sent = |of: &std::sync::atomic::AtomicU64| of.load(Relaxed);
        if held.calls > sent(&self.counters.calls) || held.large > sent(&self.counters.large) {
            return Err(WrongNumber);
        }
        self.acknowledged = self.acknowledged.max(held.calls);
        for lane in self.calls.iter().flatten() {
            lane.acknowledge(held.calls);
        }
        self.large.retain(|(number, _)| *number > held.large);
        for (service, object, action, number) in &held.events {
            let signal = (ServiceId(*service), ObjectId(*object), ActionId(*action));
            if let Some(lane) = self.events.get(&lane_key(signal)) {
                if *number > lane.last_event() {
                    return Err(WrongNumber);
                }
                lane.acknowledge(*number);
            }
        }
        Ok(())
    }

    /// The connection is gone, and all writers with it.
    pub(super) fn park(&mut self) {
        self.parked = true;
        self.all().for_each(|lane| lane.park());
    }

    /// There is another connection, and the peer has this. Gives back the lanes that need a writer.
    pub(super) fn resume(&mut self, held: &Held) -> Result<Vec<Arc<Lane>>, WrongNumber> {
        self.acknowledge(held)?;
        self.parked = false;
        let mut fresh: Vec<_> = self.all().cloned().collect();
        // What is acknowledged has been forgotten; of a signal that the peer does not name it has nothing.
        fresh.retain(|lane| lane.resume(0));
        Ok(fresh)
    }

    /// All lanes end when what waits is written.
    pub(super) fn end(&self) {
        self.all().for_each(|lane| lane.end());
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Lane>> {
        let large = self.large.iter().map(|(_, lane)| lane);
        self.calls.iter().flatten().chain(self.events.values()).chain(large)
    }
}

/// A name that leaves and comes again must not do so the other way round: the directory's signals share a lane.
fn lane_key((service, object, signal): SignalAddress) -> SignalAddress {
    let signal = if service == ServiceId::DIRECTORY { ActionId(0) } else { signal };
    (service, object, signal)
}
