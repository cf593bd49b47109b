//! The task that writes one lane.

use std::sync::Arc;

use bytes::Bytes;
use keyway_wire::native::StreamKind;
use quinn::{SendStream, WriteError};

use super::{lane::Lane, lanes::Lanes};

/// Writes what waits in `lane` until it ends and everything is acknowledged, or the connection is gone. `stream` is the control
/// stream; others are opened here, as soon as the peer has room for one more.
pub(super) async fn write(
    lanes: Arc<Lanes>,
    connection: quinn::Connection,
    lane: Arc<Lane>,
    stream: Option<SendStream>,
) {
    let mut chunks = Vec::new();
    let mut stream = match stream {
        Some(stream) => stream,
        None => match connection.open_uni().await {
            Ok(stream) => stream,
            // The driver hears of it.
            Err(_) => return,
        },
    };
    if let Some(kind) = lane.kind {
        chunks.push(Bytes::copy_from_slice(&[kind as u8]));
    }
    loop {
        let bytes = next(&lane, &mut chunks).await;
        if bytes == 0 {
            break;
        }
        let outcome = stream.write_all_chunks(&mut chunks).await;
        chunks.clear();
        match outcome {
            Ok(()) => {
                lane.settle();
                lanes.make_room();
            }
            Err(WriteError::Stopped(_)) => {
                lane.refuse();
                lanes.make_room();
                return;
            }
            Err(_) => return,
        }
        if lane.kind == Some(StreamKind::Large) {
            break;
        }
    }
    // The peer may have stopped the stream at its end; then it has what it wants.
    if stream.finish().is_ok() {
        let _ = stream.stopped().await;
    }
}

/// Waits for something to write; 0 at the end of the lane.
async fn next(lane: &Lane, chunks: &mut Vec<Bytes>) -> usize {
    loop {
        // Asked first: what was added before the end is written.
        let ended = lane.has_ended();
        let bytes = lane.take(chunks);
        if bytes > 0 || ended {
            return bytes;
        }
        lane.ready.notified().await;
    }
}
