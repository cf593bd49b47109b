//! The writing half of a QUIC connection: which frame goes over which stream.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use keyway_session::CloseReason;
use keyway_value::{ActionId, ObjectId, Payload, ServiceId};
use keyway_wire::{
    Frame, Header, MessageKind,
    native::{Control, Overflow, StreamKind},
};
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use tokio::sync::Notify;

use super::lane::{Added, Lane};
use crate::{ConnectionId, PeerAddress, QueueLimits, SendError, outbox::count_slow_consumer};

/// Streams for calls and answers. Frames to and from one object share one, which keeps their order.
const CALL_LANES: usize = 4;
/// Subscriptions with a stream of their own; the events of others go with the calls.
const EVENT_LANES: usize = super::LANES as usize - CALL_LANES;
/// A call or answer from this size on gets a stream of its own, so that it blocks nobody.
const LARGE: usize = 64 * 1024;

/// Address of a signal.
pub(super) type SignalKey = (ServiceId, ObjectId, ActionId);

/// The outbox of a QUIC connection.
pub(crate) struct Lanes {
    id: ConnectionId,
    peer: PeerAddress,
    limits: QueueLimits,
    pub(super) connection: quinn::Connection,
    queued: AtomicUsize,
    pub(super) control: Arc<Lane>,
    calls: [OnceLock<Arc<Lane>>; CALL_LANES],
    events: Mutex<HashMap<SignalKey, Arc<Lane>>>,
    /// Lanes that need a writer.
    fresh: Mutex<Vec<Arc<Lane>>>,
    closing: Mutex<Closing>,
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
        Self {
            id: ConnectionId::next(),
            peer: PeerAddress::Quic(connection.remote_address()),
            limits,
            connection,
            queued: AtomicUsize::new(0),
            control: Arc::new(Lane::control()),
            calls: Default::default(),
            events: Mutex::default(),
            fresh: Mutex::default(),
            closing: Mutex::new(Closing::Open),
            driver: Notify::new(),
            room: Notify::new(),
            waiting: Mutex::default(),
        }
    }

    pub(crate) fn send(&self, frame: &Frame) -> Result<(), SendError> {
        self.admit()?;
        let lane = self.lane_for(&frame.header, frame.payload.len());
        if self.is_full() {
            if !lane.may_drop() {
                return Err(self.refuse_slow_consumer());
            }
            lane.skip();
            return Ok(());
        }
        let added = lane.push(frame);
        self.account(&lane, &added);
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

    pub(crate) fn ask_overflow(&self, key: SignalKey, overflow: Overflow) -> Result<(), SendError> {
        self.admit()?;
        let mut bytes = BytesMut::new();
        // A message of this kind has some twenty bytes.
        let _ = Control::flow(key.0, key.1, key.2, overflow).encode_into(&mut bytes);
        let added = self.control.push_bytes(bytes.freeze());
        self.account(&self.control, &added);
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
        self.queued.load(Ordering::Relaxed)
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
        self.connection.remote_address()
    }

    pub(crate) fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        let identity = self.connection.peer_identity();
        identity.and_then(|identity| identity.downcast().ok()).map_or_else(Vec::new, |chain| *chain)
    }

    // === what the tasks of the connection call ===

    /// The peer has asked for this. Bounded: for more signals than have lanes, nothing changes.
    pub(super) fn set_overflow(&self, key: SignalKey, overflow: Overflow) {
        if let Some(lane) = self.event_lane(key) {
            lane.set_overflow(overflow);
        }
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
        self.calls.iter().filter_map(OnceLock::get).for_each(|lane| lane.end());
        self.events.lock().values().for_each(|lane| lane.end());
    }

    /// Bytes have left, or are dropped.
    pub(super) fn settle(&self, bytes: usize) {
        self.queued.fetch_sub(bytes, Ordering::SeqCst);
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

    pub(super) const fn limits(&self) -> QueueLimits {
        self.limits
    }

    fn admit(&self) -> Result<(), SendError> {
        if self.is_closed() { Err(SendError::Closed) } else { Ok(()) }
    }

    fn is_full(&self) -> bool {
        self.queued_bytes() >= self.limits.max_bytes
    }

    fn refuse_slow_consumer(&self) -> SendError {
        count_slow_consumer(self.id, &self.peer, self.queued_bytes());
        self.close(CloseReason::SlowConsumer);
        SendError::SlowConsumer
    }

    fn account(&self, lane: &Arc<Lane>, added: &Added) {
        self.queued.fetch_add(added.more, Ordering::Relaxed);
        if added.dropped > 0 {
            self.settle(added.dropped);
        }
        if added.first && lane.kind.is_some() {
            self.fresh.lock().push(lane.clone());
            self.driver.notify_one();
        }
    }

    fn lane_for(&self, header: &Header, size: usize) -> Arc<Lane> {
        if header.kind == MessageKind::Event {
            if let Some(lane) = self.event_lane((header.service, header.object, header.action)) {
                return lane;
            }
        } else if size >= LARGE {
            return Arc::new(Lane::new(StreamKind::Large));
        }
        let index = (header.service.0.wrapping_add(header.object.0.wrapping_mul(31))) as usize % CALL_LANES;
        self.calls[index].get_or_init(|| Arc::new(Lane::new(StreamKind::Calls))).clone()
    }

    /// The lane of a signal, unless there are too many.
    fn event_lane(&self, (service, object, signal): SignalKey) -> Option<Arc<Lane>> {
        // A name that leaves and comes again must not do so the other way round: the directory's signals share a lane.
        let signal = if service == ServiceId::DIRECTORY { ActionId(0) } else { signal };
        let mut events = self.events.lock();
        let is_full = events.len() >= EVENT_LANES;
        match events.get(&(service, object, signal)) {
            Some(lane) => Some(lane.clone()),
            None if is_full => None,
            None => {
                let lane = Arc::new(Lane::new(StreamKind::Events));
                events.insert((service, object, signal), lane.clone());
                Some(lane)
            }
        }
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes").field("id", &self.id).field("peer", &self.peer).finish_non_exhaustive()
    }
}
