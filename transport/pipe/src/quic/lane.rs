//! What waits for one stream.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use keyway_wire::{
    Frame, Header,
    native::{NativeHeader, Overflow, StreamKind},
};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Payloads from this size on are handed to the stream as they are; smaller ones are copied behind their header.
const LINKED: usize = 16 * 1024;
/// What a writer takes at once, about.
const BATCH: usize = 64 * 1024;
/// What waits under [`Overflow::DropOldest`]: events...
const MOST_EVENTS: usize = 256;
/// ...and bytes.
const MOST_BYTES: usize = 1 << 20;

/// A stream that is to be, or is, and what waits for it. Any thread adds, one task writes.
#[derive(Debug)]
pub(super) struct Lane {
    /// `None` for the control stream.
    pub(super) kind: Option<StreamKind>,
    waiting: Mutex<Waiting>,
    /// Something waits, or the lane ends.
    pub(super) ready: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Encoded>,
    bytes: usize,
    overflow: Overflow,
    /// Number of the last event.
    sequence: u64,
    /// It has a writer.
    started: bool,
    ended: bool,
    /// The peer does not want this stream.
    refused: bool,
}

#[derive(Debug)]
struct Encoded {
    /// The header, and a small payload.
    head: Bytes,
    /// A large payload.
    body: Option<Bytes>,
}

impl Encoded {
    fn new(sequence: u64, frame: &Frame) -> Self {
        let size = frame.payload.len();
        let header = Header { size: u32::try_from(size).unwrap_or(u32::MAX), ..frame.header };
        let mut chunks = frame.payload.chunks();
        let linked = match (chunks.next(), chunks.next()) {
            (Some(only), None) if size >= LINKED => Some(only.clone()),
            _ => None,
        };
        let mut head = BytesMut::with_capacity(NativeHeader::MAX_SIZE + if linked.is_some() { 0 } else { size });
        NativeHeader { sequence, header }.encode_into(&mut head);
        if linked.is_none() {
            frame.payload.chunks().for_each(|chunk| head.extend_from_slice(chunk));
        }
        Self { head: head.freeze(), body: linked }
    }

    fn len(&self) -> usize {
        self.head.len() + self.body.as_ref().map_or(0, Bytes::len)
    }
}

/// What has become of something added.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// Bytes that wait in addition.
    pub(super) more: usize,
    /// Bytes that do not wait any more.
    pub(super) dropped: usize,
    /// The lane needs a writer.
    pub(super) first: bool,
}

impl Lane {
    pub(super) fn new(kind: StreamKind) -> Self {
        Self { kind: Some(kind), waiting: Mutex::default(), ready: Notify::new() }
    }

    pub(super) fn control() -> Self {
        Self { kind: None, waiting: Mutex::default(), ready: Notify::new() }
    }

    pub(super) fn set_overflow(&self, overflow: Overflow) {
        self.waiting.lock().overflow = overflow;
    }

    /// Whether events may be dropped for want of room.
    pub(super) fn may_drop(&self) -> bool {
        self.waiting.lock().overflow != Overflow::Block
    }

    /// An event that is dropped as soon as it comes: the number of the next one says so.
    pub(super) fn skip(&self) {
        self.waiting.lock().sequence += 1;
    }

    pub(super) fn push(&self, frame: &Frame) -> Added {
        let mut waiting = self.waiting.lock();
        let is_event = self.kind == Some(StreamKind::Events);
        if is_event {
            waiting.sequence += 1;
        }
        let encoded = Encoded::new(if is_event { waiting.sequence } else { 0 }, frame);
        let dropped = waiting.make_room(encoded.len());
        self.add(waiting, encoded, dropped)
    }

    pub(super) fn push_bytes(&self, bytes: Bytes) -> Added {
        self.add(self.waiting.lock(), Encoded { head: bytes, body: None }, 0)
    }

    fn add(&self, mut waiting: parking_lot::MutexGuard<'_, Waiting>, encoded: Encoded, dropped: usize) -> Added {
        if waiting.refused {
            return Added { dropped, ..Added::default() };
        }
        let more = encoded.len();
        waiting.bytes += more;
        waiting.frames.push_back(encoded);
        let first = !std::mem::replace(&mut waiting.started, true);
        drop(waiting);
        self.ready.notify_one();
        Added { more, dropped, first }
    }

    /// Takes what is to be written next, to the end of `chunks`, and says how much it is.
    pub(super) fn take(&self, chunks: &mut Vec<Bytes>) -> usize {
        let mut waiting = self.waiting.lock();
        let mut taken = 0;
        let mut gathered = BytesMut::new();
        while taken < BATCH
            && let Some(frame) = waiting.frames.pop_front()
        {
            taken += frame.len();
            let alone = gathered.is_empty() && (frame.body.is_some() || waiting.frames.is_empty());
            if alone {
                chunks.push(frame.head);
            } else {
                gathered.extend_from_slice(&frame.head);
            }
            if let Some(body) = frame.body {
                if !gathered.is_empty() {
                    chunks.push(gathered.split().freeze());
                }
                chunks.push(body);
            }
        }
        if !gathered.is_empty() {
            chunks.push(gathered.freeze());
        }
        waiting.bytes -= taken;
        if waiting.frames.is_empty() && waiting.frames.capacity() > 64 {
            waiting.frames = VecDeque::new();
        }
        taken
    }

    /// Nothing more is added; the writer finishes the stream.
    pub(super) fn end(&self) {
        self.waiting.lock().ended = true;
        self.ready.notify_one();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.waiting.lock().ended
    }

    /// Drops what waits and all that comes. Says how many bytes waited.
    pub(super) fn refuse(&self) -> usize {
        let mut waiting = self.waiting.lock();
        waiting.refused = true;
        waiting.frames = VecDeque::new();
        std::mem::take(&mut waiting.bytes)
    }
}

impl Waiting {
    /// Drops what has to make room for an event of `size` bytes.
    fn make_room(&mut self, size: usize) -> usize {
        let (events, bytes) = match self.overflow {
            Overflow::Block => return 0,
            Overflow::DropOldest => (MOST_EVENTS, MOST_BYTES),
            Overflow::Latest => (1, 0),
        };
        let before = self.bytes;
        while (self.frames.len() >= events || self.bytes + size > bytes)
            && let Some(oldest) = self.frames.pop_front()
        {
            self.bytes -= oldest.len();
        }
        before - self.bytes
    }
}

#[cfg(test)]
mod tests {
    use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
    use keyway_wire::native::NativeDecoder;

    use super::*;

    fn event(size: usize) -> Frame {
        Frame::event(MessageId(1), ServiceId(2), ObjectId(1), ActionId(300), Payload::from(vec![7; size]))
    }

    /// Numbers of the events that would be written.
    fn numbers(lane: &Lane) -> Vec<u64> {
        let (mut decoder, mut chunks) = (NativeDecoder::new(), Vec::new());
        while lane.take(&mut chunks) > 0 {}
        chunks.iter().for_each(|chunk| decoder.push(chunk));
        std::iter::from_fn(|| decoder.decode(u32::MAX).unwrap()).map(|(sequence, _)| sequence).collect()
    }

    fn filled(overflow: Overflow, sizes: &[usize]) -> (Lane, usize) {
        let lane = Lane::new(StreamKind::Events);
        lane.set_overflow(overflow);
        let mut queued = 0;
        for size in sizes {
            let added = lane.push(&event(*size));
            queued = queued + added.more - added.dropped;
        }
        (lane, queued)
    }

    #[test]
    fn nothing_is_dropped_from_a_lane_that_blocks() {
        let (lane, _) = filled(Overflow::Block, &[10; 1000]);
        assert_eq!(numbers(&lane), (1..=1000).collect::<Vec<_>>());
    }

    #[test]
    fn the_oldest_events_make_room_by_number_and_by_bytes() {
        let (lane, _) = filled(Overflow::DropOldest, &[10; 300]);
        assert_eq!(numbers(&lane), (45..=300).collect::<Vec<_>>());
        let (lane, queued) = filled(Overflow::DropOldest, &[400_000; 5]);
        assert!(queued <= MOST_BYTES);
        assert_eq!(numbers(&lane), [4, 5]);
    }

    #[test]
    fn of_latest_one_event_waits_however_large_it_is() {
        let (lane, queued) = filled(Overflow::Latest, &[10, 3_000_000, 2_000_000]);
        assert!((2_000_000..2_000_100).contains(&queued));
        assert_eq!(numbers(&lane), [3]);
    }

    #[test]
    fn small_and_large_frames_keep_their_order() {
        let sizes = [10, 20_000, 0, 100_000, 5, 5];
        let (lane, queued) = filled(Overflow::Block, &sizes);
        let mut chunks = Vec::new();
        let mut taken = 0;
        while let more @ 1.. = lane.take(&mut chunks) {
            taken += more;
        }
        assert_eq!((taken, chunks.iter().map(Bytes::len).sum::<usize>()), (queued, queued));
        let mut decoder = NativeDecoder::new();
        chunks.iter().for_each(|chunk| decoder.push(chunk));
        let found: Vec<_> = std::iter::from_fn(|| decoder.decode(u32::MAX).unwrap()).collect();
        assert_eq!(found.iter().map(|(_, frame)| frame.payload.len()).collect::<Vec<_>>(), sizes);
    }
}
