//! What a driver pumps.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use keyway_session::CloseReason;
use keyway_value::{ActionId, ObjectId, ServiceId};
use keyway_wire::{Frame, native::Welcome};

use crate::Sender;

/// The state machine at the end of a pipe: frames and time go in, frames come out through the [`Sender`].
///
/// All methods are called from the connection's one task and must not block: everything the connection carries waits meanwhile.
pub trait Handler: Send {
    /// A frame has arrived.
    ///
    /// What is sent here leaves together with what the other frames of the same read bring forth, in one write and without a
    /// change of task. An error closes the pipe after what was sent before it.
    fn on_frame(&mut self, now: Instant, frame: Frame, sender: &Sender) -> Result<(), CloseReason>;

    /// All frames of one read have been handed over; what is sent now still leaves with them.
    fn on_batch_end(&mut self) {}

    /// Whether more frames may be handed over. While it is pending nothing is read, which holds up the peer; the handler
    /// has the task woken when that changes, for instance by [`Sender::poll_room`] of a pipe that it passes frames on to.
    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// The largest payload accepted at present (spec 2.8). Asked before each frame: authentication raises it.
    fn max_payload(&self) -> u32;

    /// When [`on_timeout`](Self::on_timeout) wants to be called. Asked after each call of another method, and after
    /// [`Sender::wake`].
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The time announced by [`poll_timeout`](Self::poll_timeout) has come. An error closes the pipe.
    fn on_timeout(&mut self, _now: Instant, _sender: &Sender) -> Result<(), CloseReason> {
        Ok(())
    }

    /// Events of a signal were dropped on their way here (over QUIC, by the overflow rule of the subscription): so many are missing
    /// before the next one.
    fn on_gap(&mut self, _signal: (ServiceId, ObjectId, ActionId), _missed: u64) {}

    /// Whether answers are waited for: then it matters to know soon that nobody will give them.
    fn is_waiting(&self) -> bool {
        false
    }

    /// A client whose connection was lost has come back and shows this key. The key for the next time, if this one is right; the
    /// session goes on then, and nothing of it is lost or repeated. Only where sessions are kept (over QUIC).
    fn on_resuming(&mut self, _key: &[u8]) -> Option<Bytes> {
        None
    }

    /// The client has the key that [`on_resuming`](Self::on_resuming) gave it: the one before is worthless from now on.
    fn on_resumed(&mut self) {}

    /// The server was reached again and knows nothing of the session any more: another one has begun. What was sent and not answered
    /// may have had its effect or not. An error closes the pipe.
    fn on_restarted(&mut self, _now: Instant, _welcome: &Welcome, _sender: &Sender) -> Result<(), CloseReason> {
        Err(CloseReason::Remote)
    }

    /// The pipe is closed. Called exactly once, whatever ends it, also when the driver is dropped.
    fn on_closed(&mut self, reason: CloseReason);
}
