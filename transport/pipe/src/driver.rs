//! The one task of a connection.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use keyway_session::CloseReason;
use tokio::time::Sleep;

use crate::{
    Carrier, Handler, QueueLimits, Sender,
    outbox::{Outbox, Progress, Turn},
    reassembly::{Arrival, Reassembly},
};

/// Reads in one turn before others get theirs. What the turn has brought forth is written after each.
const READS_PER_TURN: usize = 16;
/// Reads at the end: of what the peer has said last; then of what nobody wants any more, so that closing a socket with
/// unread bytes does not destroy the last answers on their way.
const READS_AT_THE_END: usize = 16;
/// How long a peer that takes no answers is not read from.
const PATIENCE: Duration = Duration::from_secs(1);

/// Makes the two halves of a pipe over a carrier.
///
/// Frames may be sent at once; they are received when the [`Driver`] runs.
pub fn pipe(carrier: Arc<dyn Carrier>, limits: QueueLimits) -> (Sender, Driver) {
    let outbox = Arc::new(Outbox::new(carrier.clone(), limits));
    let sender = Sender::over_carrier(outbox.clone());
    let driver = Driver { sender: sender.clone(), ending: Ending(outbox), carrier };
    (sender, driver)
}

/// The reading half of a pipe, which also finishes what senders could not write at once.
#[derive(Debug)]
pub struct Driver {
    sender: Sender,
    ending: Ending,
    carrier: Arc<dyn Carrier>,
}

impl Driver {
    /// Pumps frames and time through `handler` until the pipe closes.
    ///
    /// The future is the connection's one task: spawn it. Dropping it closes the carrier, and the handler hears of it.
    pub fn run<H: Handler>(self, handler: H) -> Run<H> {
        Run {
            connection: Connection {
                sender: self.sender,
                ending: self.ending,
                carrier: self.carrier,
                reassembly: Reassembly::default(),
                alarm: None,
                congestion: None,
                closing: None,
            },
            handler,
            waited: false,
            finished: false,
        }
    }
}

/// Future of [`Driver::run`].
#[must_use = "futures do nothing unless polled"]
pub struct Run<H: Handler> {
    connection: Connection,
    handler: H,
    /// The last turn was left to others.
    waited: bool,
    finished: bool,
}

/// What a running driver holds. Small: there are tens of thousands of them, most of them idle.
struct Connection {
    /// For the handler.
    sender: Sender,
    ending: Ending,
    carrier: Arc<dyn Carrier>,
    reassembly: Reassembly,
    alarm: Option<Alarm>,
    congestion: Option<Congestion>,
    closing: Option<CloseReason>,
}

/// More waits than reading should go on with.
struct Congestion {
    /// The least that has waited since.
    queued: usize,
    /// When to read again although nothing has been taken; `None` when that has happened.
    until: Option<Instant>,
}

struct Alarm {
    at: Instant,
    sleep: Pin<Box<Sleep>>,
}

/// Lets senders know that there is no driver any more.
#[derive(Debug)]
struct Ending(Arc<Outbox>);

// Nothing is pinned inside: the handler is only used through `&mut`, and the timer has its own pinned box.
impl<H: Handler> Unpin for Run<H> {}

impl<H: Handler> Future for Run<H> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let reason = ready!(this.turn(context));
        this.finish(reason);
        Poll::Ready(())
    }
}

impl<H: Handler> Run<H> {
    /// One turn: time, what waits to be written, what has arrived. Ready when the pipe is to be closed.
    fn turn(&mut self, context: &mut Context<'_>) -> Poll<CloseReason> {
        let connection = &mut self.connection;
        match connection.outbox().begin_turn(context.waker(), !self.waited) {
            Turn::Later => {
                // Goes behind the tasks which are about to send more.
                self.waited = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Turn::Run => {}
            Turn::Close(reason) => {
                if matches!(reason, CloseReason::Io(_)) {
                    connection.read_rest(&mut self.handler);
                }
                connection.begin_closing(reason);
            }
        }
        self.waited = false;
        if connection.closing.is_none()
            && let Err(reason) = connection.pump(&mut self.handler, context)
        {
            connection.begin_closing(reason);
        }
        let closed = connection.closing.is_some() && connection.poll_closed(context).is_ready();
        if connection.outbox().end_turn() == Progress::Blocked {
            context.waker().wake_by_ref();
        }
        match connection.closing.take() {
            Some(reason) if closed => Poll::Ready(reason),
            reason => {
                connection.closing = reason;
                Poll::Pending
            }
        }
    }

    fn finish(&mut self, reason: CloseReason) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        // First: a peer that sees the end and comes back at once finds free what it held.
        self.handler.on_closed(reason);
        self.connection.carrier.shutdown();
        self.connection.swallow();
        self.connection.outbox().end();
    }
}

impl<H: Handler> Drop for Run<H> {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.finished = true;
        let asked = self.connection.outbox().end();
        let reason = self.connection.closing.take().or(asked).unwrap_or(CloseReason::Local);
        self.handler.on_closed(reason);
    }
}

impl<H: Handler> fmt::Debug for Run<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("outbox", self.connection.outbox()).finish_non_exhaustive()
    }
}

impl Connection {
    fn outbox(&self) -> &Outbox {
        &self.ending.0
    }

    /// Everything an open pipe has to do in a turn.
    fn pump(&mut self, handler: &mut impl Handler, context: &mut Context<'_>) -> Result<(), CloseReason> {
        let mut progress = self.poll_write(None, context)?;
        for _ in 0..READS_PER_TURN {
            if self.is_congested(progress) || handler.poll_ready(context).is_pending() {
                return self.poll_alarm(handler, context);
            }
            match self.carrier.poll_read_ready(context) {
                Poll::Pending => return self.poll_alarm(handler, context),
                Poll::Ready(ready) => ready.map_err(|error| CloseReason::Io(error.into()))?,
            }
            let frames = self.read(handler)?;
            progress = self.poll_write(Some(frames > 1), context)?;
        }
        context.waker().wake_by_ref();
        self.poll_alarm(handler, context)
    }

    /// Reads once and hands over what has come. Says how many frames those were.
    fn read(&mut self, handler: &mut impl Handler) -> Result<usize, CloseReason> {
        let (arrival, mut batch) =
            self.reassembly.read(&*self.carrier).map_err(|error| CloseReason::Io(error.into()))?;
        let mut frames = 0;
        let mut outcome = Ok(());
        if arrival == Arrival::Bytes {
            let now = Instant::now();
            outcome = loop {
                match batch.next(handler.max_payload()) {
                    Ok(Some(frame)) => {
                        frames += 1;
                        if let Err(reason) = handler.on_frame(now, frame, &self.sender) {
                            break Err(reason);
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(CloseReason::Frame(error)),
                }
            };
            handler.on_batch_end();
        }
        self.reassembly.finish(batch);
        outcome?;
        if arrival == Arrival::End { Err(CloseReason::Remote) } else { Ok(frames) }
    }

    /// Reads what the peer has said before it went away, which a failed write is the first to notice.
    fn read_rest(&mut self, handler: &mut impl Handler) {
        for _ in 0..READS_AT_THE_END {
            if self.read(handler).is_err() {
                return;
            }
        }
    }

    /// Writes what waits, as far as the carrier takes it, and asks to be woken for the rest.
    fn poll_write(&mut self, bursts: Option<bool>, context: &mut Context<'_>) -> Result<Progress, CloseReason> {
        let mut progress = self.outbox().flush(bursts, false);
        while progress == Progress::Blocked {
            match self.carrier.poll_write_ready(context) {
                Poll::Pending => break,
                Poll::Ready(ready) => ready.map_err(|error| CloseReason::Io(error.into()))?,
            }
            progress = self.outbox().flush(None, true);
        }
        Ok(progress)
    }

    /// Keeps the timer at what the handler wants, and tells it when the time has come.
    fn poll_alarm(&mut self, handler: &mut impl Handler, context: &mut Context<'_>) -> Result<(), CloseReason> {
        loop {
            let patience = self.congestion.as_ref().and_then(|congestion| congestion.until);
            let wanted = handler.poll_timeout();
            let Some(at) = wanted.into_iter().chain(patience).min() else {
                self.alarm = None;
                return Ok(());
            };
            if self.poll_sleep(at, context).is_pending() {
                return Ok(());
            }
            self.alarm = None;
            if wanted != Some(at) {
                if let Some(congestion) = &mut self.congestion {
                    congestion.until = None;
                }
                context.waker().wake_by_ref();
                return Ok(());
            }
            handler.on_timeout(Instant::now(), &self.sender)?;
            if handler.poll_timeout().is_some_and(|next| next <= at) {
                // The handler asks for the same moment again: later, so that it cannot keep the thread.
                context.waker().wake_by_ref();
                return Ok(());
            }
        }
    }

    fn poll_sleep(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        let alarm = match &mut self.alarm {
            Some(alarm) if alarm.at == at => alarm,
            Some(alarm) => {
                alarm.at = at;
                alarm.sleep.as_mut().reset(at.into());
                alarm
            }
            none => none.insert(Alarm { at, sleep: Box::pin(tokio::time::sleep_until(at.into())) }),
        };
        alarm.sleep.as_mut().poll(context)
    }

    fn begin_closing(&mut self, reason: CloseReason) {
        self.outbox().refuse();
        self.alarm = None;
        self.closing = Some(reason);
    }

    /// Writes what was sent before the end, unless there is nobody to write to, and not for longer than the limit.
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if matches!(self.closing, Some(CloseReason::Io(_) | CloseReason::SlowConsumer)) {
            return Poll::Ready(());
        }
        match self.poll_write(None, context) {
            Ok(Progress::Emptied) | Err(_) => return Poll::Ready(()),
            // Another thread is at it; it has begun with all that was sent before.
            Ok(Progress::Elsewhere) => context.waker().wake_by_ref(),
            Ok(Progress::Blocked) => {}
        }
        let until = match &self.alarm {
            Some(alarm) => alarm.at,
            None => Instant::now() + self.outbox().limits().linger,
        };
        self.poll_sleep(until, context)
    }

    /// Whether to leave further calls in the kernel: so many answers wait that more would make the peer a slow consumer.
    ///
    /// A peer that is itself held up by the answers it owes us would wait for ever: when it has taken nothing for
    /// [`PATIENCE`], it is read from again.
    fn is_congested(&mut self, progress: Progress) -> bool {
        let queued = if progress == Progress::Blocked { self.outbox().queued_bytes() } else { 0 };
        if queued <= self.outbox().limits().max_bytes / 2 {
            self.congestion = None;
            return false;
        }
        match &mut self.congestion {
            Some(congestion) if queued >= congestion.queued => congestion.until.is_some(),
            other => {
                *other = Some(Congestion { queued, until: Some(Instant::now() + PATIENCE) });
                true
            }
        }
    }

    /// Reads what nobody wants any more.
    fn swallow(&self) {
        let mut buffer = crate::scratch::READ.take();
        for _ in 0..READS_AT_THE_END {
            buffer.clear();
            if !matches!(self.carrier.try_read(&mut buffer), Ok(1..)) {
                break;
            }
        }
        crate::scratch::READ.put(buffer);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}
