//! What any task or thread sends through.

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use keyway_session::{CloseReason, SignalAddress};
use keyway_value::{ActionId, ObjectId, ServiceId};
use keyway_wire::{Frame, native::Overflow};
use rustls::pki_types::CertificateDer;

use crate::{ConnectionId, EventRule, PeerAddress, SendError, outbox::Outbox, quic::Lanes};

/// Sends frames on a pipe, from any task or thread, without waiting. Cheap to clone.
///
/// Over a carrier, frames leave in the order in which `send` and `send_shared` are called. A lone frame is written at once by the
/// thread that sends it; frames of a burst, of a [`cork`](Self::cork) and of the handler's batch leave together in one write. Over
/// QUIC, frames to and from one object leave in that order, and the events of a signal in theirs.
#[derive(Clone)]
pub struct Sender(Way);

#[derive(Clone)]
enum Way {
    Carrier(Arc<Outbox>),
    Quic(Arc<Lanes>),
}

/// Holds back what is sent until it is dropped; then everything leaves in one write.
#[derive(Debug)]
#[must_use = "dropping the cork writes what was held back"]
pub struct Cork<'a>(&'a Sender);

impl Sender {
    pub(crate) const fn over_carrier(outbox: Arc<Outbox>) -> Self {
        Self(Way::Carrier(outbox))
    }

    pub(crate) const fn over_quic(lanes: Arc<Lanes>) -> Self {
        Self(Way::Quic(lanes))
    }

    /// Sends a frame.
    #[expect(clippy::needless_pass_by_value, reason = "a frame is sent once: its payload may stay in the queue")]
    pub fn send(&self, frame: Frame) -> Result<(), SendError> {
        if u32::try_from(frame.payload.len()).is_err() {
            return Err(SendError::TooLarge);
        }
        match &self.0 {
            Way::Carrier(outbox) => outbox.send(&frame),
            Way::Quic(lanes) => lanes.send(&frame),
        }
    }

    /// Sends one or more whole frames that are encoded already, as over TCP, and shared with other connections.
    pub fn send_shared(&self, frames: Bytes) -> Result<(), SendError> {
        match &self.0 {
            Way::Carrier(outbox) => outbox.send_shared(frames),
            Way::Quic(lanes) => lanes.send_shared(frames),
        }
    }

    /// Holds back what is sent by anyone on this pipe until the cork is dropped. Over QUIC what is sent at once leaves together
    /// anyway.
    pub fn cork(&self) -> Cork<'_> {
        if let Way::Carrier(outbox) = &self.0 {
            outbox.cork();
        }
        Cork(self)
    }

    /// Closes the pipe: nothing more is accepted, what was sent before is written as far as the peer takes it within
    /// [`QueueLimits::linger`](crate::QueueLimits::linger), and the handler hears `reason`. The first reason counts.
    pub fn close(&self, reason: CloseReason) {
        match &self.0 {
            Way::Carrier(outbox) => outbox.close(reason),
            Way::Quic(lanes) => lanes.close(reason),
        }
    }

    /// Whether the pipe is closed or closing.
    pub fn is_closed(&self) -> bool {
        match &self.0 {
            Way::Carrier(outbox) => outbox.is_closed(),
            Way::Quic(lanes) => lanes.is_closed(),
        }
    }

    /// Bytes that wait to be written.
    pub fn queued_bytes(&self) -> usize {
        match &self.0 {
            Way::Carrier(outbox) => outbox.queued_bytes(),
            Way::Quic(lanes) => lanes.queued_bytes(),
        }
    }

    /// Waits until fewer than `bytes` wait to be written, or the pipe closes: for who reads from one pipe what this one is
    /// to write, and has to hold up its own peer rather than fill this one's queue.
    pub fn poll_room(&self, context: &mut Context<'_>, bytes: usize) -> Poll<()> {
        match &self.0 {
            Way::Carrier(outbox) => outbox.poll_room(context, bytes),
            Way::Quic(lanes) => lanes.poll_room(context, bytes),
        }
    }

    /// Has the driver ask its handler again, for the time above all: something has changed that no frame tells.
    pub fn wake(&self) {
        match &self.0 {
            Way::Carrier(outbox) => outbox.wake(),
            Way::Quic(lanes) => lanes.wake(),
        }
    }

    /// The connection's number in this process.
    pub fn id(&self) -> ConnectionId {
        match &self.0 {
            Way::Carrier(outbox) => outbox.id(),
            Way::Quic(lanes) => lanes.id(),
        }
    }

    /// Who is at the other end; over QUIC, who was at the beginning.
    pub fn peer(&self) -> &PeerAddress {
        match &self.0 {
            Way::Carrier(outbox) => outbox.peer(),
            Way::Quic(lanes) => lanes.peer(),
        }
    }

    /// The peer's address as it is now: over QUIC it may change while the connection lasts.
    pub fn current_address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Way::Carrier(outbox) => outbox.peer().socket_address(),
            Way::Quic(lanes) => Some(lanes.remote_address()),
        }
    }

    /// The certificate of the peer's own and its chain, verified by TLS; empty if it has shown none, before the handshake is done, and
    /// after the end. What a frame of the peer brings about comes after the handshake.
    pub fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        match &self.0 {
            Way::Carrier(outbox) => outbox.peer_certificates(),
            Way::Quic(lanes) => lanes.peer_certificates(),
        }
    }

    /// What becomes of a signal's events when the peer does not take them fast enough; `None` takes the rule away. Over QUIC it holds
    /// unless the peer asks for something else, and [`EventRule::Disconnect`] waits until the whole queue is full.
    pub fn limit_events(&self, signal: SignalAddress, rule: Option<EventRule>) {
        match &self.0 {
            Way::Carrier(outbox) => outbox.limit_events(signal, rule),
            Way::Quic(lanes) => lanes.limit_events(signal, rule),
        }
    }

    /// Says what the other side is to do with a signal's events that this side does not take fast enough. Only over QUIC;
    /// elsewhere all subscriptions share one stream of bytes, and nothing is dropped.
    pub fn ask_overflow(
        &self,
        service: ServiceId,
        object: ObjectId,
        signal: ActionId,
        overflow: Overflow,
    ) -> Result<(), SendError> {
        match &self.0 {
            Way::Carrier(_) => Ok(()),
            Way::Quic(lanes) => lanes.ask_overflow((service, object, signal), overflow),
        }
    }
}

impl Sender {
    /// Gives the client a newer key to come back with. Only where its session is kept.
    pub fn offer_key(&self, key: Bytes) -> Result<(), SendError> {
        match &self.0 {
            Way::Carrier(_) => Ok(()),
            Way::Quic(lanes) => lanes.offer_key(key),
        }
    }
}

impl Drop for Cork<'_> {
    fn drop(&mut self) {
        if let Way::Carrier(outbox) = &self.0.0 {
            outbox.pull_cork();
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("id", &self.id()).field("peer", self.peer()).finish_non_exhaustive()
    }
}
