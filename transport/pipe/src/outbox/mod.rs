//! The writing half of a pipe over a carrier.

use std::{
    fmt,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use keyway_session::{CloseReason, SignalAddress};
use keyway_wire::{Frame, Header};
use parking_lot::{Mutex, MutexGuard};
use rustls::pki_types::CertificateDer;

use self::{
    events::Events,
    queue::{Queue, Soon},
};
use crate::{Carrier, ConnectionId, PeerAddress};

mod budget;
mod events;
mod limits;
mod queue;

pub use self::{
    budget::QueueBudget,
    events::{EventRule, events_dropped},
    limits::{QueueLimits, SendError, slow_consumers_closed},
};
pub(crate) use self::{budget::Share, events::count_dropped, limits::count_slow_consumer};

/// Lone frames written by their senders between two turns of the driver. More than these are a burst, which the driver
/// gathers.
const LONE_FRAMES: u8 = 2;
/// Writes of one sender for others that came while it wrote, before the driver takes over.
const ROUNDS: usize = 4;

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
    /// Events that wait apart from the queue; few clients have such.
    events: Option<Box<Events>>,
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
                events: None,
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
        let Some(mut state) = self.queue_for(|| Some(frame.header), || frame.to_bytes())? else {
            return Ok(());
        };
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
        // Events are shared one by one.
        let header = || frames.first_chunk().and_then(|bytes| Header::decode(bytes).ok());
        let Some(mut state) = self.queue_for(header, || frames.clone())? else {
            return Ok(());
        };
        state.queued += frames.len();
        state.queue.push_bytes(frames);
        state.settle_share();
        notify(state);
        Ok(())
    }

    /// What becomes of a signal's events when the peer does not take them fast enough.
    pub(crate) fn limit_events(&self, signal: SignalAddress, rule: Option<EventRule>) {
        let mut state = self.state.lock();
        match (&mut state.events, rule) {
            (Some(events), rule) => events.set(signal, rule),
            (None, Some(_)) => state.events.insert(Box::default()).set(signal, rule),
            (None, None) => {}
        }
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

    /// The state, unless the connection is closed or closing.
    fn open(&self) -> Result<MutexGuard<'_, State>, SendError> {
        let state = self.state.lock();
        if matches!(state.closing, Closing::Open) { Ok(state) } else { Err(SendError::Closed) }
    }

    /// The state, if one more frame may be queued, and nothing if it is an event that waits apart now. Few connections have
    /// rules for events; for the others neither header nor bytes are asked for.
    fn queue_for(
        &self,
        header: impl FnOnce() -> Option<Header>,
        bytes: impl FnOnce() -> Bytes,
    ) -> Result<Option<MutexGuard<'_, State>>, SendError> {
        let mut state = self.open()?;
        match state.events.as_ref().and_then(|events| Some(events.way(&header()?, state.queued))) {
            None | Some(events::Way::Queue) if state.queued < self.limits.max_bytes && !state.share.is_at_end() => {
                Ok(Some(state))
            }
            Some(events::Way::Apart(signal)) => {
                state.wait_apart(signal, bytes());
                Ok(None)
            }
            _ => Err(self.refuse_slow_consumer(state)),
        }
    }

    fn refuse_slow_consumer(&self, mut state: MutexGuard<'_, State>) -> SendError {
        count_slow_consumer(self.id, &self.peer, state.queued);
        state.close(CloseReason::SlowConsumer);
        wake(state);
        SendError::SlowConsumer
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
        state.events = None;
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
                state.events = None;
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
            state.take_waiting_events();
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
            let apart = self.events.as_ref().map_or(0, |events| events.bytes());
            self.share.set(if self.blocked { self.queued + apart } else { 0 });
        }
    }

    /// An event waits apart. Something is queued meanwhile: whoever writes that takes the event in after it.
    fn wait_apart(&mut self, signal: SignalAddress, event: Bytes) {
        if let Some(events) = &mut self.events {
            events.push(signal, event);
            self.settle_share();
        }
    }

    /// Queues events that wait apart, if there is room again.
    fn take_waiting_events(&mut self) {
        while let Some(event) = self.events.as_mut().and_then(|events| events.pop(self.queued)) {
            self.queued += event.len();
            self.queue.push_bytes(event);
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
