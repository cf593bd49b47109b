//! The writing half of a session over QUIC.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use keyway_session::{CloseReason, SignalAddress, WrongNumber};
use keyway_value::Payload;
use keyway_wire::{
    Frame, Header,
    native::{Control, Held, Overflow, StreamKind},
};
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use tokio::sync::Notify;

use super::{
    comeback::Comer,
    kept::Window,
    lane::{Added, Lane},
    lane_set::LaneSet,
    totals::Totals,
};
use crate::{ConnectionId, EventRule, PeerAddress, QueueLimits, SendError, outbox::count_slow_consumer};

/// Bytes that may be on their way to a peer that acknowledges as it should, beside those that wait: what QUIC has sent, what the
/// peer has not read, and what it has not acknowledged yet.
const UNDER_WAY: usize = 24 << 20;
/// Subscriptions whose overflow rule is told again on the next connection.
const MAX_FLOWS: usize = 1024;

/// The outbox of a session over QUIC.
pub(crate) struct Lanes {
    id: ConnectionId,
    peer: PeerAddress,
    limits: QueueLimits,
    connection: Mutex<quinn::Connection>,
    totals: Arc<Totals>,
    pub(super) control: Arc<Lane>,
    set: Mutex<LaneSet>,
    /// Whether the set keeps what it sends. It changes only where nothing is sent: at the beginning, and between connections.
    keeps: AtomicBool,
    /// What this side asked for, to be asked for again.
    flows: Mutex<HashMap<SignalAddress, Overflow>>,
    /// Lanes that need a writer.
    fresh: Mutex<Vec<Arc<Lane>>>,
    closing: Mutex<Closing>,
    /// A client that has come back, for the driver to take.
    comer: Mutex<Option<Comer>>,
    /// The driver has something to do.
    pub(super) driver: Notify,
    /// Less waits than before.
    pub(super) room: Notify,
    /// Those who wait for room, of other pipes.
    waiting: Mutex<Vec<Waker>>,
}

#[derive(Debug)]
enum Closing {
    Open,
    /// Nothing more is accepted; the driver takes the reason.
    Asked(CloseReason),
    /// The driver knows.
    Seen,
}

impl Lanes {
    pub(super) fn new(connection: quinn::Connection, limits: QueueLimits) -> Self {
        let totals = Arc::new(Totals::sharing(limits.total.clone()));
        Self {
            id: ConnectionId::next(),
            peer: PeerAddress::Quic(connection.remote_address()),
            limits,
            connection: Mutex::new(connection),
            control: Arc::new(Lane::new(None, totals.clone(), Arc::default())),
            set: Mutex::new(LaneSet::new(totals.clone())),
            keeps: AtomicBool::new(false),
            totals,
            flows: Mutex::default(),
            fresh: Mutex::default(),
            closing: Mutex::new(Closing::Open),
            comer: Mutex::default(),
            driver: Notify::new(),
            room: Notify::new(),
            waiting: Mutex::default(),
        }
    }

    pub(crate) fn send(&self, frame: &Frame) -> Result<(), SendError> {
        self.admit()?;
        let mut set = self.set.lock();
        let lane = set.lane_for(&frame.header, frame.payload.len());
        let keeps = set.keeps();
        if self.is_full() || (keeps && (self.keeps_too_much() || set.is_ahead())) {
            drop(set);
            return self.skip(&lane);
        }
        let added = if keeps && lane.kind == Some(StreamKind::Large) {
            // With the set held: an acknowledgement finds what it is for.
            let added = lane.push(frame);
            set.remember(lane.last_number(), &lane);
            drop(set);
            added
        } else {
            drop(set);
            lane.push(frame)
        };
        self.account(&lane, &added);
        Ok(())
    }

    /// There is no room for a frame of this lane.
    fn skip(&self, lane: &Lane) -> Result<(), SendError> {
        if !lane.may_drop() {
            return Err(self.refuse_slow_consumer());
        }
        lane.skip();
        Ok(())
    }

    pub(crate) fn send_shared(&self, mut frames: Bytes) -> Result<(), SendError> {
        // They were encoded in this process: what is no frame ends the loop and is nobody's.
        while let Some(header) = frames.first_chunk().and_then(|bytes| Header::decode(bytes).ok()) {
            let total = Header::SIZE + header.size as usize;
            if frames.len() < total {
                break;
            }
            let frame = frames.split_to(total);
            self.send(&Frame { header, payload: Payload::from(frame.slice(Header::SIZE..)) })?;
        }
        Ok(())
    }

    pub(crate) fn ask_overflow(&self, signal: SignalAddress, overflow: Overflow) -> Result<(), SendError> {
        self.admit()?;
        let mut flows = self.flows.lock();
        if flows.len() < MAX_FLOWS {
            flows.insert(signal, overflow);
        }
        drop(flows);
        self.tell(&Control::flow(signal.0, signal.1, signal.2, overflow));
        Ok(())
    }

    pub(crate) fn offer_key(&self, key: Bytes) -> Result<(), SendError> {
        self.admit()?;
        self.tell(&Control::Key { key });
        Ok(())
    }

    pub(crate) fn close(&self, reason: CloseReason) {
        let mut closing = self.closing.lock();
        if matches!(*closing, Closing::Open) {
            *closing = Closing::Asked(reason);
            drop(closing);
            self.driver.notify_one();
            self.wake_waiting();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        !matches!(*self.closing.lock(), Closing::Open)
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.totals.queued()
    }

    pub(crate) fn poll_room(&self, context: &mut Context<'_>, bytes: usize) -> Poll<()> {
        let mut waiting = self.waiting.lock();
        // Looked at with the lock held: whoever makes room wakes those who wait afterwards.
        if self.queued_bytes() < bytes || self.is_closed() {
            return Poll::Ready(());
        }
        if !waiting.iter().any(|waiting| waiting.will_wake(context.waker())) {
            waiting.push(context.waker().clone());
        }
        Poll::Pending
    }

    pub(crate) fn wake(&self) {
        self.driver.notify_one();
    }

    pub(crate) const fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) const fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        self.connection().remote_address()
    }

    pub(crate) fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        let identity = self.connection().peer_identity();
        identity.and_then(|identity| identity.downcast().ok()).map_or_else(Vec::new, |chain| *chain)
    }

    // === what the tasks of the connection call ===

    /// The connection of the moment, or the last one.
    pub(super) fn connection(&self) -> quinn::Connection {
        self.connection.lock().clone()
    }

    /// From now on frames are numbered and kept until they are acknowledged.
    pub(super) fn keep(&self, window: Window) {
        self.set.lock().keep(window);
        self.keeps.store(true, Relaxed);
    }

    pub(super) fn keeps(&self) -> bool {
        self.keeps.load(Relaxed)
    }

    /// The peer has asked for this.
    pub(super) fn set_overflow(&self, signal: SignalAddress, overflow: Overflow) {
        self.set.lock().set_overflow(signal, overflow);
    }

    /// Tells the peer what has arrived.
    pub(super) fn acknowledge(&self, held: Held) {
        self.tell(&Control::Acknowledge(held));
    }

    /// What becomes of events that the peer does not take fast enough, unless it asks for something else.
    pub(crate) fn limit_events(&self, signal: SignalAddress, rule: Option<EventRule>) {
        let overflow = match rule {
            Some(EventRule::DropOldest) => Overflow::DropOldest,
            Some(EventRule::Latest) => Overflow::Latest,
            Some(EventRule::Disconnect) | None => Overflow::Block,
        };
        self.set.lock().prefer_overflow(signal, overflow);
    }

    /// The peer has this.
    pub(super) fn acknowledged(&self, held: &Held) -> Result<(), WrongNumber> {
        self.set.lock().acknowledge(held)
    }

    /// The connection is lost, and its writers have ended: everything is kept for the next.
    pub(super) fn park(&self) {
        self.set.lock().park();
        self.control.park();
        self.fresh.lock().clear();
        self.make_room();
    }

    /// There is another connection, over which the session goes on.
    pub(super) fn resume(&self, connection: quinn::Connection, held: &Held) -> Result<(), WrongNumber> {
        let fresh = self.set.lock().resume(held)?;
        self.fresh.lock().extend(fresh);
        self.reconnected(connection);
        Ok(())
    }

    /// There is another connection, and the peer knows nothing of what was before.
    pub(super) fn begin_anew(&self, connection: quinn::Connection) {
        *self.set.lock() = LaneSet::new(self.totals.clone());
        self.keeps.store(false, Relaxed);
        self.reconnected(connection);
    }

    fn reconnected(&self, connection: quinn::Connection) {
        *self.connection.lock() = connection;
        self.control.resume(0);
        let flows: Vec<_> = self.flows.lock().iter().map(|(signal, overflow)| (*signal, *overflow)).collect();
        for (signal, overflow) in flows {
            self.tell(&Control::flow(signal.0, signal.1, signal.2, overflow));
        }
    }

    /// Hands the connection of a client that has come back to the driver.
    pub(super) fn hand_over(&self, comer: Comer) {
        // One that was waiting already is of the same client, and older.
        let before = self.comer.lock().replace(comer);
        drop(before);
        self.driver.notify_one();
    }

    pub(super) fn take_comer(&self) -> Option<Comer> {
        self.comer.lock().take()
    }

    /// Lanes that wait for a writer.
    pub(super) fn take_fresh(&self) -> Vec<Arc<Lane>> {
        std::mem::take(&mut *self.fresh.lock())
    }

    /// Why the pipe is to be closed, if it is.
    pub(super) fn take_reason(&self) -> Option<CloseReason> {
        let mut closing = self.closing.lock();
        match std::mem::replace(&mut *closing, Closing::Seen) {
            Closing::Asked(reason) => Some(reason),
            before => {
                *closing = before;
                None
            }
        }
    }

    /// Refuses everything from now on.
    pub(super) fn refuse(&self) {
        let mut closing = self.closing.lock();
        if matches!(*closing, Closing::Open) {
            *closing = Closing::Seen;
        }
        drop(closing);
        self.wake_waiting();
    }

    /// All lanes end when what waits is written.
    pub(super) fn end(&self) {
        self.refuse();
        self.control.end();
        self.set.lock().end();
    }

    /// Bytes have left, or are dropped.
    pub(super) fn make_room(&self) {
        self.room.notify_waiters();
        self.wake_waiting();
    }

    /// They look for themselves whether it is enough.
    fn wake_waiting(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether so much waits that the peer had better not be given more to answer.
    pub(super) fn is_congested(&self) -> bool {
        self.queued_bytes() > self.limits.max_bytes / 2
    }

    pub(super) const fn limits(&self) -> &QueueLimits {
        &self.limits
    }

    fn admit(&self) -> Result<(), SendError> {
        if self.is_closed() { Err(SendError::Closed) } else { Ok(()) }
    }

    fn is_full(&self) -> bool {
        self.queued_bytes() >= self.limits.max_bytes || self.totals.are_at_end()
    }

    fn keeps_too_much(&self) -> bool {
        self.totals.kept() >= self.limits.max_bytes.saturating_add(UNDER_WAY)
    }

    fn refuse_slow_consumer(&self) -> SendError {
        count_slow_consumer(self.id, &self.peer, self.queued_bytes());
        self.close(CloseReason::SlowConsumer);
        SendError::SlowConsumer
    }

    fn tell(&self, message: &Control) {
        let mut bytes = BytesMut::new();
        // What this side says is shorter than the limit.
        let _ = message.encode_into(&mut bytes);
        self.control.push_bytes(bytes.freeze());
    }

    fn account(&self, lane: &Arc<Lane>, added: &Added) {
        if added.dropped {
            self.make_room();
        }
        if added.first && lane.kind.is_some() {
            self.fresh.lock().push(lane.clone());
            self.driver.notify_one();
        }
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes").field("id", &self.id).field("peer", &self.peer).finish_non_exhaustive()
    }
}
