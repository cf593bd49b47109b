//! What waits for one stream, and what was written to it and is kept until the peer has it.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::{Bytes, BytesMut};
use keyway_wire::{
    Frame,
    native::{Overflow, StreamKind},
};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::outbox::count_dropped;

use super::{
    kept::{Encoded, Waiting, Window},
    totals::Totals,
};

/// What a writer takes at once, about.
const BATCH: usize = 64 * 1024;

/// The numbers of the last frames that are no events, in a session that is kept.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) calls: AtomicU64,
    pub(super) large: AtomicU64,
}

/// A stream that is to be, or is, and what waits for it. Any thread adds, one task writes.
#[derive(Debug)]
pub(super) struct Lane {
    /// `None` for the control stream.
    pub(super) kind: Option<StreamKind>,
    waiting: Mutex<Waiting>,
    totals: Arc<Totals>,
    counters: Arc<Counters>,
    /// Something waits, or the lane ends.
    pub(super) ready: Notify,
}

/// What has become of something added.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Added {
    /// There is more room than before.
    pub(super) dropped: bool,
    /// The lane needs a writer.
    pub(super) first: bool,
}

impl Lane {
    pub(super) fn new(kind: Option<StreamKind>, totals: Arc<Totals>, counters: Arc<Counters>) -> Self {
        Self { kind, waiting: Mutex::default(), totals, counters, ready: Notify::new() }
    }

    /// From now on frames are numbered, and kept until they are acknowledged.
    pub(super) fn keep(&self, window: Window) {
        self.waiting.lock().keeping = Some(window);
    }

    pub(super) fn set_overflow(&self, overflow: Overflow) {
        let mut waiting = self.waiting.lock();
        (waiting.overflow, waiting.is_asked) = (overflow, true);
    }

    /// Unless the peer has asked for something.
    pub(super) fn prefer_overflow(&self, overflow: Overflow) {
        let mut waiting = self.waiting.lock();
        if !waiting.is_asked {
            waiting.overflow = overflow;
        }
    }

    /// Whether events may be dropped for want of room.
    pub(super) fn may_drop(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.overflow != Overflow::Block || (waiting.parked && self.kind == Some(StreamKind::Events))
    }

    /// An event that is dropped as soon as it comes: the number of the next one says so.
    pub(super) fn skip(&self) {
        self.waiting.lock().sequence += 1;
        count_dropped(1);
    }

    pub(super) fn push(&self, frame: &Frame) -> Added {
        let mut waiting = self.waiting.lock();
        let number = match (self.kind, waiting.keeping) {
            (Some(StreamKind::Events), _) => {
                waiting.sequence += 1;
                waiting.sequence
            }
            // Counted with the lane held, so that the numbers of a lane grow.
            (Some(StreamKind::Calls), Some(_)) => self.counters.calls.fetch_add(1, Relaxed) + 1,
            (Some(StreamKind::Large), Some(_)) => self.counters.large.fetch_add(1, Relaxed) + 1,
            _ => 0,
        };
        let encoded = Encoded::new(number, frame);
        let dropped = waiting.make_room(encoded.len());
        self.totals.unqueue(dropped);
        Added { dropped: dropped > 0, first: self.add(waiting, encoded) }
    }

    /// Of the control stream, whose messages are not kept.
    pub(super) fn push_bytes(&self, bytes: Bytes) -> Added {
        let waiting = self.waiting.lock();
        if waiting.parked {
            return Added::default();
        }
        Added { dropped: false, first: self.add(waiting, Encoded { number: 0, head: bytes, body: None }) }
    }

    fn add(&self, mut waiting: MutexGuard<'_, Waiting>, encoded: Encoded) -> bool {
        if waiting.refused {
            return false;
        }
        let bytes = encoded.len();
        waiting.frames.push_back(encoded);
        if waiting.parked {
            waiting.kept = waiting.frames.len();
            waiting.kept_bytes += bytes;
            self.totals.keep(bytes);
            if self.kind == Some(StreamKind::Events) {
                self.totals.forget(waiting.trim());
            }
            return false;
        }
        waiting.waiting_bytes += bytes;
        self.totals.queue(bytes);
        let first = !std::mem::replace(&mut waiting.started, true);
        drop(waiting);
        self.ready.notify_one();
        first
    }

    /// Takes what is to be written next, to the end of `chunks`, and says how much it is.
    pub(super) fn take(&self, chunks: &mut Vec<Bytes>) -> usize {
        let mut waiting = self.waiting.lock();
        let mut taken = 0;
        let mut gathered = BytesMut::new();
        let is_kept = waiting.keeping.is_some() && self.kind.is_some();
        while taken < BATCH
            && let Some(frame) = waiting.next(is_kept)
        {
            taken += frame.len();
            let alone = gathered.is_empty() && (frame.body.is_some() || waiting.kept == waiting.frames.len());
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
        waiting.waiting_bytes -= taken;
        waiting.writing += taken;
        if is_kept {
            waiting.kept_bytes += taken;
            self.totals.keep(taken);
            if self.kind == Some(StreamKind::Events) {
                self.totals.forget(waiting.trim());
            }
        }
        waiting.shrink();
        taken
    }

    /// What was taken is written.
    pub(super) fn settle(&self) {
        let mut waiting = self.waiting.lock();
        let written = std::mem::take(&mut waiting.writing);
        self.totals.unqueue(written);
    }

    /// The peer has everything up to this number. True if nothing is left.
    pub(super) fn acknowledge(&self, number: u64) -> bool {
        let mut waiting = self.waiting.lock();
        let mut bytes = 0;
        while waiting.kept > 0
            && waiting.frames.front().is_some_and(|frame| frame.number <= number)
            && let Some(frame) = waiting.frames.pop_front()
        {
            waiting.kept -= 1;
            bytes += frame.len();
        }
        waiting.kept_bytes -= bytes;
        self.totals.forget(bytes);
        waiting.shrink();
        waiting.frames.is_empty()
    }

    /// The number of the last event.
    pub(super) fn last_event(&self) -> u64 {
        self.waiting.lock().sequence
    }

    /// The number of what was pushed last.
    pub(super) fn last_number(&self) -> u64 {
        self.waiting.lock().frames.back().map_or(0, |frame| frame.number)
    }

    /// The connection is gone, and so is the writer: everything waits for the next connection.
    pub(super) fn park(&self) {
        let mut waiting = self.waiting.lock();
        (waiting.parked, waiting.started) = (true, false);
        let queued = std::mem::take(&mut waiting.writing) + waiting.waiting_bytes;
        self.totals.unqueue(queued);
        if self.kind.is_none() {
            waiting.frames = VecDeque::new();
            waiting.waiting_bytes = 0;
            return;
        }
        let bytes = std::mem::take(&mut waiting.waiting_bytes);
        waiting.kept = waiting.frames.len();
        waiting.kept_bytes += bytes;
        self.totals.keep(bytes);
        if self.kind == Some(StreamKind::Events) {
            self.totals.forget(waiting.trim());
        }
    }

    /// There is another connection, and the peer has everything up to this number. True if the lane needs a writer.
    pub(super) fn resume(&self, number: u64) -> bool {
        self.acknowledge(number);
        let mut waiting = self.waiting.lock();
        (waiting.parked, waiting.refused, waiting.kept) = (false, false, 0);
        let bytes = std::mem::take(&mut waiting.kept_bytes);
        waiting.waiting_bytes = bytes;
        self.totals.forget(bytes);
        self.totals.queue(bytes);
        waiting.started = !waiting.frames.is_empty();
        waiting.started
    }

    /// Nothing more is added; the writer finishes the stream.
    pub(super) fn end(&self) {
        self.waiting.lock().ended = true;
        self.ready.notify_one();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.waiting.lock().ended
    }

    /// Drops everything, and for this connection all that comes.
    pub(super) fn refuse(&self) {
        let mut waiting = self.waiting.lock();
        waiting.refused = true;
        waiting.frames = VecDeque::new();
        waiting.kept = 0;
        let queued = std::mem::take(&mut waiting.waiting_bytes) + std::mem::take(&mut waiting.writing);
        self.totals.unqueue(queued);
        self.totals.forget(std::mem::take(&mut waiting.kept_bytes));
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let waiting = self.waiting.get_mut();
        self.totals.unqueue(waiting.waiting_bytes + waiting.writing);
        self.totals.forget(waiting.kept_bytes);
    }
}

#[cfg(test)]
mod tests {
    use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
    use keyway_wire::native::NativeDecoder;

    use super::*;
    use crate::quic::kept::MOST_BYTES;

    fn event(size: usize) -> Frame {
        Frame::event(MessageId(1), ServiceId(2), ObjectId(1), ActionId(300), Payload::from(vec![7; size]))
    }

    fn lane(kind: StreamKind) -> Lane {
        Lane::new(Some(kind), Arc::default(), Arc::default())
    }

    /// Numbers of the frames that would be written.
    fn numbers(lane: &Lane) -> Vec<u64> {
        let (mut decoder, mut chunks) = (NativeDecoder::new(), Vec::new());
        while lane.take(&mut chunks) > 0 {
            lane.settle();
        }
        chunks.iter().for_each(|chunk| decoder.push(chunk));
        std::iter::from_fn(|| decoder.decode(u32::MAX).unwrap()).map(|(sequence, _)| sequence).collect()
    }

    fn queued(lane: &Lane) -> usize {
        lane.totals.queued()
    }

    fn kept(lane: &Lane) -> usize {
        lane.totals.kept()
    }

    fn filled(overflow: Overflow, sizes: &[usize]) -> Lane {
        let lane = lane(StreamKind::Events);
        lane.set_overflow(overflow);
        for size in sizes {
            lane.push(&event(*size));
        }
        lane
    }

    #[test]
    fn nothing_is_dropped_from_a_lane_that_blocks() {
        let lane = filled(Overflow::Block, &[10; 1000]);
        assert_eq!(numbers(&lane), (1..=1000).collect::<Vec<_>>());
        assert_eq!((queued(&lane), kept(&lane)), (0, 0));
    }

    #[test]
    fn the_oldest_events_make_room_by_number_and_by_bytes() {
        let lane = filled(Overflow::DropOldest, &[10; 300]);
        assert_eq!(numbers(&lane), (45..=300).collect::<Vec<_>>());
        let lane = filled(Overflow::DropOldest, &[400_000; 5]);
        assert!(queued(&lane) <= MOST_BYTES);
        assert_eq!(numbers(&lane), [4, 5]);
    }

    #[test]
    fn of_latest_one_event_waits_however_large_it_is() {
        let lane = filled(Overflow::Latest, &[10, 3_000_000, 2_000_000]);
        assert!((2_000_000..2_000_100).contains(&queued(&lane)));
        assert_eq!(numbers(&lane), [3]);
    }

    #[test]
    fn small_and_large_frames_keep_their_order() {
        let sizes = [10, 20_000, 0, 100_000, 5, 5];
        let lane = filled(Overflow::Block, &sizes);
        let queued = queued(&lane);
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

    #[test]
    fn what_is_written_is_kept_until_it_is_acknowledged_and_written_again_otherwise() {
        let lane = lane(StreamKind::Calls);
        lane.keep(Window { events: 0, bytes: 0 });
        (0..10).for_each(|_| _ = lane.push(&event(100)));
        let all = queued(&lane);
        assert_eq!(numbers(&lane), (1..=10).collect::<Vec<_>>());
        assert_eq!((queued(&lane), kept(&lane)), (0, all));
        assert!(!lane.acknowledge(4));
        lane.push(&event(100));
        // One is taken and not settled when the connection is lost, one comes afterwards.
        lane.take(&mut Vec::new());
        lane.park();
        assert!(!lane.push(&event(100)).first);
        assert_eq!(queued(&lane), 0);
        assert!(lane.resume(6));
        assert_eq!(numbers(&lane), (7..=12).collect::<Vec<_>>());
        assert!(lane.acknowledge(12));
        assert_eq!((queued(&lane), kept(&lane)), (0, 0));
    }

    #[test]
    fn of_events_without_a_connection_the_newest_are_kept_within_the_window() {
        let lane = lane(StreamKind::Events);
        lane.keep(Window { events: 5, bytes: 1 << 20 });
        (0..3).for_each(|_| _ = lane.push(&event(10)));
        lane.park();
        (0..7).for_each(|_| _ = lane.push(&event(10)));
        assert!(lane.resume(2));
        assert_eq!(numbers(&lane), (6..=10).collect::<Vec<_>>());
        lane.park();
        lane.set_overflow(Overflow::Latest);
        lane.push(&event(3_000_000));
        lane.push(&event(2_000_000));
        assert!(lane.resume(10));
        assert_eq!(numbers(&lane), [12]);
    }

    #[test]
    fn a_lane_that_is_dropped_leaves_nothing_in_the_totals() {
        let lane = lane(StreamKind::Calls);
        let totals = lane.totals.clone();
        lane.keep(Window { events: 0, bytes: 0 });
        lane.push(&event(10));
        lane.take(&mut Vec::new());
        lane.push(&event(10));
        drop(lane);
        assert_eq!((totals.queued(), totals.kept()), (0, 0));
    }
}
