//! The task that reads one stream.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use keyway_session::CloseReason;
use keyway_value::{ActionId, ObjectId, ServiceId};
use keyway_wire::{
    MessageKind,
    native::{CloseCode, Control, ControlDecoder, NativeDecoder, StreamKind},
};
use parking_lot::Mutex;
use quinn::{ReadError, RecvStream, VarInt};

use super::{error::violation, lanes::Lanes};
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
}

/// Hands the frames of a stream to the handler, until the stream or the connection ends. An error closes the connection.
pub(super) async fn read_frames<H: Handler>(shared: Arc<Shared<H>>, mut stream: RecvStream) -> Result<(), CloseReason> {
    let mut decoder = NativeDecoder::new();
    let mut kind = None;
    let mut last_event = 0;
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
            (_, true) => shared.hand_over(&mut decoder, &mut last_event)?,
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
            let Control::Flow { service, object, action, overflow } = message else {
                return Err(CloseReason::Protocol("a message of the handshake came after it".to_owned()));
            };
            shared.lanes.set_overflow((ServiceId(service), ObjectId(object), ActionId(action)), overflow);
        }
        if !read(&mut stream, |chunk| decoder.push(&chunk)).await {
            return Ok(());
        }
    }
}

impl<H: Handler> Shared<H> {
    fn hand_over(&self, decoder: &mut NativeDecoder, last_event: &mut u64) -> Result<(), CloseReason> {
        let now = Instant::now();
        let mut handler = self.handler.lock();
        let timeout = handler.poll_timeout();
        let outcome = loop {
            match decoder.decode(handler.max_payload()) {
                Ok(Some((sequence, frame))) => {
                    let header = &frame.header;
                    if header.kind == MessageKind::Event && sequence > 0 {
                        let missed = sequence.saturating_sub(*last_event).saturating_sub(1);
                        *last_event = sequence;
                        if missed > 0 {
                            handler.on_gap((header.service, header.object, header.action), missed);
                        }
                    }
                    if let Err(reason) = handler.on_frame(now, frame, &self.sender) {
                        break Err(reason);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(violation(error)),
            }
        };
        handler.on_batch_end();
        if handler.poll_timeout() != timeout {
            self.lanes.driver.notify_one();
        }
        outcome
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
