//! The task that reads one stream.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use keyway_session::{CloseReason, EventArrival, Receipts, Series};
use keyway_value::{ActionId, ObjectId, ServiceId};
use keyway_wire::{
    Header,
    native::{CloseCode, Control, ControlDecoder, NativeDecoder, StreamKind},
};
use parking_lot::Mutex;
use quinn::{ReadError, RecvStream, VarInt};

use super::{
    error::{miscounted, violation},
    lanes::Lanes,
};
use crate::{Handler, Sender};

/// Chunks taken from a stream at once.
const CHUNKS: usize = 16;
/// How long a peer that takes no answers is not read from.
const PATIENCE: Duration = Duration::from_secs(1);

/// What all readers of a connection share.
#[derive(Debug)]
pub(super) struct Shared<H> {
    pub(super) handler: Mutex<H>,
    pub(super) lanes: Arc<Lanes>,
    pub(super) sender: Sender,
    pub(super) receipts: Mutex<Receipts>,
    /// The newest key the server has given.
    pub(super) key: Mutex<Option<Bytes>>,
    /// The client has been given a key on coming back, and may not have it.
    pub(super) is_key_under_way: AtomicBool,
    /// When the other side was last told something only for it to hear something.
    pub(super) said: Mutex<Instant>,
}

/// Hands the frames of a stream to the handler, until the stream or the connection ends. An error closes the connection.
pub(super) async fn read_frames<H: Handler>(shared: Arc<Shared<H>>, mut stream: RecvStream) -> Result<(), CloseReason> {
    let mut decoder = NativeDecoder::new();
    let mut kind = None;
    loop {
        shared.room().await;
        poll_fn(|context| shared.handler.lock().poll_ready(context)).await;
        let more = read(&mut stream, |chunk| {
            let mut chunk = &chunk[..];
            if kind.is_none()
                && let Some((number, rest)) = chunk.split_first()
            {
                kind = Some(StreamKind::from_number(*number));
                chunk = rest;
            }
            decoder.push(chunk);
        })
        .await;
        match (kind, more) {
            // A kind of later versions.
            (Some(None), _) => {
                let _ = stream.stop(VarInt::from_u32(CloseCode::PROTOCOL.0));
                return Ok(());
            }
            (Some(Some(kind)), true) => shared.hand_over(&mut decoder, kind)?,
            (None, true) => {}
            (_, false) => return Ok(()),
        }
        // One reader among many: others have their turn.
        tokio::task::consume_budget().await;
    }
}

/// Follows the control stream, behind the handshake.
pub(super) async fn read_control<H: Handler>(
    shared: Arc<Shared<H>>,
    mut stream: RecvStream,
    mut decoder: ControlDecoder,
) -> Result<(), CloseReason> {
    loop {
        while let Some(message) = decoder.decode().map_err(violation)? {
            match message {
                Control::Flow { service, object, action, overflow } => {
                    let signal = (ServiceId(service), ObjectId(object), ActionId(action));
                    shared.lanes.set_overflow(signal, overflow);
                }
                Control::Acknowledge(held) => {
                    shared.lanes.acknowledged(&held).map_err(miscounted)?;
                    if shared.is_key_under_way.swap(false, Relaxed) {
                        shared.handler.lock().on_resumed();
                    }
                    // Something was sent since the driver looked at its times: a call, perhaps.
                    shared.lanes.driver.notify_one();
                }
                Control::Key { key } => *shared.key.lock() = Some(key),
                _ => return Err(CloseReason::Protocol("a message of the handshake came after it".to_owned())),
            }
        }
        if !read(&mut stream, |chunk| decoder.push(&chunk)).await {
            return Ok(());
        }
    }
}

impl<H: Handler> Shared<H> {
    fn hand_over(&self, decoder: &mut NativeDecoder, kind: StreamKind) -> Result<(), CloseReason> {
        let now = Instant::now();
        let mut handler = self.handler.lock();
        let timeout = handler.poll_timeout();
        let due = self.receipts.lock().poll_timeout();
        let outcome = loop {
            match decoder.decode(handler.max_payload()) {
                Ok(Some((number, frame))) => match self.note(now, kind, number, &frame.header, &mut *handler) {
                    Ok(false) => {}
                    Ok(true) => {
                        if let Err(reason) = handler.on_frame(now, frame, &self.sender) {
                            break Err(reason);
                        }
                    }
                    Err(reason) => break Err(reason),
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(violation(error)),
            }
        };
        handler.on_batch_end();
        let changed = handler.poll_timeout() != timeout;
        drop(handler);
        self.acknowledge(now);
        if changed || (due.is_none() && self.receipts.lock().poll_timeout().is_some()) {
            self.lanes.driver.notify_one();
        }
        outcome
    }

    /// Whether a frame is new.
    fn note(
        &self,
        now: Instant,
        kind: StreamKind,
        number: u64,
        header: &Header,
        handler: &mut H,
    ) -> Result<bool, CloseReason> {
        let (mut receipts, bytes) = (self.receipts.lock(), header.size as usize);
        let series = match kind {
            StreamKind::Calls => Series::Calls,
            StreamKind::Large => Series::Large,
            StreamKind::Events => {
                let signal = (header.service, header.object, header.action);
                let arrival = receipts.event(now, signal, number, bytes);
                if let EventArrival::New { missed: missed @ 1.. } = arrival {
                    handler.on_gap(signal, missed);
                }
                return Ok(arrival != EventArrival::Again);
            }
        };
        receipts.frame(now, series, number, bytes).map_err(miscounted)
    }

    /// Tells the other side what has arrived, if it is time.
    pub(super) fn acknowledge(&self, now: Instant) {
        if !self.lanes.keeps() {
            return;
        }
        if let Some(held) = self.receipts.lock().poll_acknowledgement(now) {
            self.lanes.acknowledge(held);
        }
    }

    /// Leaves further calls with the peer while so many answers wait that more would make it a slow consumer. A peer that is
    /// itself held up by the answers it owes us is read from again after [`PATIENCE`].
    async fn room(&self) {
        let lanes = &self.lanes;
        if !lanes.is_congested() {
            return;
        }
        let room = async {
            loop {
                let mut room = pin!(lanes.room.notified());
                // From here on nothing is missed.
                room.as_mut().enable();
                if !lanes.is_congested() {
                    return;
                }
                room.await;
            }
        };
        // After that it is read from, whatever waits.
        let _ = tokio::time::timeout(PATIENCE, room).await;
    }
}

/// Reads what has arrived, or waits for it; false at the end of the stream, however it comes.
async fn read(stream: &mut RecvStream, mut take: impl FnMut(Bytes)) -> bool {
    // No chunk is held while waiting: there are tens of thousands of streams, most of them idle.
    let outcome = poll_fn(|context| {
        let mut chunks: [Bytes; CHUNKS] = Default::default();
        let outcome = pin!(stream.read_chunks(&mut chunks)).poll(context);
        chunks.into_iter().filter(|chunk| !chunk.is_empty()).for_each(&mut take);
        outcome
    });
    match outcome.await {
        Ok(Some(_)) => true,
        Ok(None) => false,
        // A stream given up by the peer is as good as ended, and of a lost connection the driver hears.
        Err(ReadError::Reset(_) | ReadError::ConnectionLost(_)) => false,
        Err(error) => {
            tracing::debug!(%error, "a stream cannot be read");
            false
        }
    }
}
