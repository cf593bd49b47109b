//! The writing half of a pipe over a carrier.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use keyway_session::CloseReason;
use keyway_wire::{Frame, Header};
use parking_lot::{Mutex, MutexGuard};
use rustls::pki_types::CertificateDer;

use self::queue::{Queue, Soon};
use crate::{Carrier, ConnectionId, PeerAddress};

mod budget;
mod queue;

pub use self::budget::QueueBudget;
pub(crate) use self::budget::Share;

/// Lone frames written by their senders between two turns of the driver. More than these are a burst, which the driver
/// gathers.
const LONE_FRAMES: u8 = 2;
/// Writes of one sender for others that came while it wrote, before the driver takes over.
const ROUNDS: usize = 4;

static SLOW_CONSUMERS: AtomicU64 = AtomicU64::new(0);

/// Connections of this process that were closed because their peer did not read (spec 9.5).
pub fn slow_consumers_closed() -> u64 {
    SLOW_CONSUMERS.load(Ordering::Relaxed)
}

/// Notes that the connection is closed because its peer does not read.
pub(crate) fn count_slow_consumer(id: ConnectionId, peer: &PeerAddress, queued: usize) {
    SLOW_CONSUMERS.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(connection = %id, %peer, queued, "closing a slow consumer");
}

/// Bounds of what waits to be written to one connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QueueLimits {
    /// Frames are accepted while fewer bytes than these are waiting; the next one closes the connection as that of a slow
    /// consumer (spec 9.5, H10). The queue never holds more than this and one frame.
    pub max_bytes: usize,
    /// What may wait for this and other connections together. When it is spent, the next frame closes the connection whose peer
    /// takes nothing, as above.
    pub total: Option<QueueBudget>,
    /// How long a closing connection may take to write what was sent before.
    pub linger: Duration,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { max_bytes: 64 * 1024 * 1024, total: None, linger: Duration::from_secs(1) }
    }
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closed or closing. Its handler hears why in `on_closed`.
    #[error("connection is closed")]
    Closed,
    /// The peer does not read: too much is waiting for it already. The connection is closed with this frame.
    #[error("connection is closed: the peer does not read what it is sent")]
    SlowConsumer,
    /// A payload's length does not fit a header (spec 2.1). The connection stays open.
    #[error("payload does not fit a frame")]
    TooLarge,
}

/// What waits to be written to a carrier, and who writes it.
pub(crate) struct Outbox {
    id: ConnectionId,
    peer: PeerAddress,
    limits: QueueLimits,
    /// To ask who the peer is. Senders outlive the connection, and must not keep its socket open.
    asked: Weak<dyn Carrier>,
    state: Mutex<State>,
}

struct State {
    /// Away while a thread writes, and for ever after the end.
    carrier: Option<Arc<dyn Carrier>>,
    queue: Queue,
    /// Bytes in the queue, and in the hands of the thread that writes.
    queued: usize,
    /// What of it is taken of the common budget: all of it while the carrier takes no more, nothing otherwise.
    share: Share,
    /// Whoever holds a cork writes the queue when it is the last one.
    corks: u32,
    /// The carrier takes no more; the driver waits until it does.
    blocked: bool,
    /// The peer has several calls under way: waiting for the driver makes one write of many answers.
    bursts: bool,
    /// Lone frames written since the driver's last turn.
    lone: u8,
    driver: Option<Waker>,
    /// Those who wait for room in the queue, of other pipes.
    waiting: Vec<Waker>,
    /// The driver has been woken and has not had its turn yet.
    notified: bool,
    closing: Closing,
}

#[derive(Debug)]
enum Closing {
    Open,
    /// Nothing more is accepted; the driver takes the reason with its next turn.
    Asked(CloseReason),
    /// The driver knows.
    Seen,
    /// The carrier is gone.
    Ended,
}

/// How far a write has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing waits.
    Emptied,
    /// The rest waits for the carrier.
    Blocked,
    /// Another thread is writing, and wakes the driver if that is not enough; or the pipe is at its end.
    Elsewhere,
}

/// What the driver learns at the beginning of its turn.
pub(crate) enum Turn {
    /// Others are about to send more: come again after them.
    Later,
    /// Go on.
    Run,
    /// Somebody wants the pipe closed.
    Close(CloseReason),
}

impl Outbox {
    pub(crate) fn new(carrier: Arc<dyn Carrier>, limits: QueueLimits) -> Self {
        let share = Share::of(limits.total.clone());
        Self {
            id: ConnectionId::next(),
            peer: carrier.peer().clone(),
            limits,
            asked: Arc::downgrade(&carrier),
            state: Mutex::new(State {
                carrier: Some(carrier),
                queue: Queue::default(),
                queued: 0,
                share,
                corks: 0,
                blocked: false,
                bursts: false,
                lone: 0,
                driver: None,
                waiting: Vec::new(),
                notified: false,
                closing: Closing::Open,
            }),
        }
    }

    /// When nothing waits the frame is written here and now; what the carrier does not take waits for the driver.
    pub(crate) fn send(&self, frame: &Frame) -> Result<(), SendError> {
        let mut state = self.admit()?;
        let at_once = state.is_idle() && !state.bursts && state.lone < LONE_FRAMES;
        let soon = if at_once || state.is_corked_for_writing() { Soon::Written } else { Soon::Waiting };
        state.queued += Header::SIZE + frame.payload.len();
        state.queue.push_frame(frame, soon);
        state.settle_share();
        if at_once {
            state.lone += 1;
            self.write(state, Writer::Sender);
        } else {
            notify(state);
        }
        Ok(())
    }

    /// Always left to the driver: it costs the caller a fraction of a microsecond, and a burst leaves in one write.
    pub(crate) fn send_shared(&self, frames: Bytes) -> Result<(), SendError> {
        let mut state = self.admit()?;
        state.queued += frames.len();
        state.queue.push_bytes(frames);
        state.settle_share();
        notify(state);
        Ok(())
    }

    pub(crate) fn cork(&self) {
        self.state.lock().corks += 1;
    }

    /// Ends a cork of a sender.
    pub(crate) fn pull_cork(&self) {
        self.uncork(Writer::Sender);
    }

    pub(crate) fn close(&self, reason: CloseReason) {
        let mut state = self.state.lock();
        if matches!(state.closing, Closing::Open) {
            state.close(reason);
            wake(state);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        !matches!(self.state.lock().closing, Closing::Open)
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.state.lock().queued
    }

    pub(crate) fn poll_room(&self, context: &mut Context<'_>, bytes: usize) -> Poll<()> {
        let mut state = self.state.lock();
        if state.queued < bytes || !matches!(state.closing, Closing::Open) {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waiting| waiting.will_wake(context.waker())) {
            state.waiting.push(context.waker().clone());
        }
        Poll::Pending
    }

    pub(crate) fn wake(&self) {
        wake(self.state.lock());
    }

    pub(crate) const fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) const fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    pub(crate) fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        self.asked.upgrade().map_or_else(Vec::new, |carrier| carrier.peer_certificates())
    }

    /// The state, if one more frame may be queued.
    fn admit(&self) -> Result<MutexGuard<'_, State>, SendError> {
        let mut state = self.state.lock();
        if !matches!(state.closing, Closing::Open) {
            return Err(SendError::Closed);
        }
        if state.queued < self.limits.max_bytes && !state.share.is_at_end() {
            return Ok(state);
        }
        count_slow_consumer(self.id, &self.peer, state.queued);
        state.close(CloseReason::SlowConsumer);
        wake(state);
        Err(SendError::SlowConsumer)
    }

    // === what the driver calls ===

    /// Begins a turn of the driver, corked; [`end_turn`](Self::end_turn) ends it, unless the answer is [`Turn::Later`].
    pub(crate) fn begin_turn(&self, driver: &Waker, may_wait: bool) -> Turn {
        let mut state = self.state.lock();
        if !state.driver.as_ref().is_some_and(|known| known.will_wake(driver)) {
            state.driver = Some(driver.clone());
        }
        let asked = matches!(state.closing, Closing::Asked(_));
        if !asked && may_wait && state.notified && state.bursts {
            return Turn::Later;
        }
        state.notified = false;
        state.lone = 0;
        state.corks += 1;
        if !asked {
            return Turn::Run;
        }
        match std::mem::replace(&mut state.closing, Closing::Seen) {
            Closing::Asked(reason) => Turn::Close(reason),
            _ => Turn::Run,
        }
    }

    /// Writes what has gathered in the driver's turn. `bursts` is whether several frames came with the last read, `writable`
    /// whether the carrier has said that it takes more.
    pub(crate) fn flush(&self, bursts: Option<bool>, writable: bool) -> Progress {
        let mut state = self.state.lock();
        if let Some(bursts) = bursts {
            state.bursts = bursts;
        }
        if writable {
            state.blocked = false;
            state.settle_share();
        }
        if state.blocked { Progress::Blocked } else { self.write(state, Writer::Driver) }
    }

    /// Ends the driver's turn. When the carrier has become blocked only now, the driver needs another one.
    pub(crate) fn end_turn(&self) -> Progress {
        self.uncork(Writer::Driver)
    }

    /// Refuses everything from now on, for a reason the driver has found itself.
    pub(crate) fn refuse(&self) {
        let mut state = self.state.lock();
        if !matches!(state.closing, Closing::Ended) {
            state.closing = Closing::Seen;
        }
    }

    /// Lets go of the carrier and of all that waits. Gives back the reason nobody has seen yet.
    pub(crate) fn end(&self) -> Option<CloseReason> {
        let mut state = self.state.lock();
        let closing = std::mem::replace(&mut state.closing, Closing::Ended);
        let dropped = (state.carrier.take(), std::mem::take(&mut state.queue), state.driver.take());
        let waiting = std::mem::take(&mut state.waiting);
        state.queued = 0;
        state.share.set(0);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        // The last owner of a socket closes it: a system call, not to be made with the lock held.
        drop(dropped);
        match closing {
            Closing::Asked(reason) => Some(reason),
            _ => None,
        }
    }

    pub(crate) const fn limits(&self) -> &QueueLimits {
        &self.limits
    }

    fn uncork(&self, writer: Writer) -> Progress {
        let mut state = self.state.lock();
        state.corks -= 1;
        if state.corks > 0 || state.queue.is_empty() || state.blocked {
            return Progress::Elsewhere;
        }
        self.write(state, writer)
    }

    /// Writes the queue, and what others add to it meanwhile, without holding the lock.
    fn write<'a>(&'a self, mut state: MutexGuard<'a, State>, writer: Writer) -> Progress {
        for _ in 0..ROUNDS {
            if state.queue.is_empty() {
                return Progress::Emptied;
            }
            let Some(carrier) = state.carrier.take() else {
                return Progress::Elsewhere;
            };
            let mut batch = std::mem::take(&mut state.queue);
            drop(state);

            let mut written = 0;
            let outcome = batch.write_to(&*carrier, &mut written);
            let emptied = batch.is_empty();
            if emptied {
                batch.release();
            }

            state = self.state.lock();
            if matches!(state.closing, Closing::Ended) {
                drop(state);
                drop((carrier, batch));
                return Progress::Elsewhere;
            }
            state.carrier = Some(carrier);
            state.queued -= written;
            if written > 0 || outcome.is_err() {
                // They look for themselves whether it is enough.
                state.waiting.drain(..).for_each(Waker::wake);
            }
            if let Err(error) = outcome {
                // The driver finds the queue empty, and the reason.
                state.queue = Queue::default();
                state.queued = 0;
                state.share.set(0);
                if matches!(state.closing, Closing::Open) {
                    state.close(CloseReason::Io(error.into()));
                }
                wake(state);
                return Progress::Elsewhere;
            }
            batch.append(&mut state.queue);
            state.queue = batch;
            if !emptied {
                state.blocked = true;
                state.settle_share();
                if writer == Writer::Sender {
                    wake(state);
                }
                return Progress::Blocked;
            }
        }
        if state.queue.is_empty() {
            return Progress::Emptied;
        }
        // Others send faster than this thread writes; it has its own work to do.
        wake(state);
        Progress::Elsewhere
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    Driver,
    Sender,
}

impl State {
    /// Whether a frame may be written by its sender.
    fn is_idle(&self) -> bool {
        self.corks == 0 && self.carrier.is_some() && self.queue.is_empty()
    }

    /// Whether what is sent now is written by the holder of a cork.
    fn is_corked_for_writing(&self) -> bool {
        self.corks > 0 && !self.blocked && self.carrier.is_some()
    }

    /// Takes of the common budget what waits for a peer that takes nothing. Others cost nothing here, however much passes.
    fn settle_share(&self) {
        if self.blocked || self.share.is_held() {
            self.share.set(if self.blocked { self.queued } else { 0 });
        }
    }

    fn close(&mut self, reason: CloseReason) {
        self.closing = Closing::Asked(reason);
        self.waiting.drain(..).for_each(Waker::wake);
    }

    fn waker_to_wake(&mut self) -> Option<Waker> {
        if std::mem::replace(&mut self.notified, true) {
            return None;
        }
        self.driver.clone()
    }
}

/// Wakes the driver for what has been queued, unless somebody is going to write it anyway.
fn notify(state: MutexGuard<'_, State>) {
    let taken_care_of = state.corks > 0 || state.blocked || state.carrier.is_none();
    if !taken_care_of {
        wake(state);
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let driver = state.waker_to_wake();
    drop(state);
    if let Some(driver) = driver {
        driver.wake();
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("id", &self.id).field("peer", &self.peer).finish_non_exhaustive()
    }
}
