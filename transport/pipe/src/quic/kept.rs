//! What a lane holds: frames that were written and are kept until the peer has them, and behind those the frames that wait.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use keyway_wire::{
    Frame, Header,
    native::{NativeHeader, Overflow},
};

use crate::{QueueLimits, outbox::count_dropped};

/// Payloads from this size on are handed to the stream as they are; smaller ones are copied behind their header.
const LINKED: usize = 16 * 1024;
/// What waits under [`Overflow::DropOldest`]: events...
const MOST_EVENTS: usize = 256;
/// ...and bytes.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// Of a subscription in a session that is kept: what is there to be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) events: usize,
    pub(super) bytes: usize,
}

impl Window {
    /// What a client keeps of the events it emits: they are few, and its program has them anyway.
    pub(super) const fn of_client(limits: &QueueLimits) -> Self {
        Self { events: 1024, bytes: limits.max_bytes / 4 }
    }
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// What is kept, and behind it what waits.
    pub(super) frames: VecDeque<Encoded>,
    /// How many of them are kept.
    pub(super) kept: usize,
    pub(super) kept_bytes: usize,
    pub(super) waiting_bytes: usize,
    /// Bytes that the writer has taken and not settled.
    pub(super) writing: usize,
    pub(super) overflow: Overflow,
    /// Whether that is what the peer wants.
    pub(super) is_asked: bool,
    /// Number of the last event.
    pub(super) sequence: u64,
    /// The session is kept: what is written is not forgotten.
    pub(super) keeping: Option<Window>,
    /// There is no connection at present.
    pub(super) parked: bool,
    /// It has a writer.
    pub(super) started: bool,
    pub(super) ended: bool,
    /// The peer does not want this stream.
    pub(super) refused: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Encoded {
    pub(super) number: u64,
    /// The header, and a small payload.
    pub(super) head: Bytes,
    /// A large payload.
    pub(super) body: Option<Bytes>,
}

impl Encoded {
    pub(super) fn new(number: u64, frame: &Frame) -> Self {
        let size = frame.payload.len();
        let header = Header { size: u32::try_from(size).unwrap_or(u32::MAX), ..frame.header };
        let mut chunks = frame.payload.chunks();
        let linked = match (chunks.next(), chunks.next()) {
            (Some(only), None) if size >= LINKED => Some(only.clone()),
            _ => None,
        };
        let mut head = BytesMut::with_capacity(NativeHeader::MAX_SIZE + if linked.is_some() { 0 } else { size });
        NativeHeader { sequence: number, header }.encode_into(&mut head);
        if linked.is_none() {
            frame.payload.chunks().for_each(|chunk| head.extend_from_slice(chunk));
        }
        Self { number, head: head.freeze(), body: linked }
    }

    pub(super) fn len(&self) -> usize {
        self.head.len() + self.body.as_ref().map_or(0, Bytes::len)
    }
}

impl Waiting {
    /// The next frame that waits, which is kept or forgotten.
    pub(super) fn next(&mut self, is_kept: bool) -> Option<Encoded> {
        if !is_kept {
            return self.frames.pop_front();
        }
        let frame = self.frames.get(self.kept)?.clone();
        self.kept += 1;
        Some(frame)
    }

    /// Drops what has to make room for an event of `size` bytes, of what waits.
    pub(super) fn make_room(&mut self, size: usize) -> usize {
        let (events, bytes) = match self.overflow {
            Overflow::Block => return 0,
            Overflow::DropOldest => (MOST_EVENTS, MOST_BYTES),
            Overflow::Latest => (1, 0),
        };
        let (before, mut dropped) = (self.waiting_bytes, 0);
        while (self.frames.len() - self.kept >= events || self.waiting_bytes + size > bytes)
            && let Some(oldest) = self.frames.remove(self.kept)
        {
            self.waiting_bytes -= oldest.len();
            dropped += 1;
        }
        count_dropped(dropped);
        before - self.waiting_bytes
    }

    /// Drops the oldest of the events that are kept for replay beyond the window, and says how many bytes that were.
    pub(super) fn trim(&mut self) -> usize {
        let Some(window) = self.keeping else { return 0 };
        let (events, bytes) = match self.overflow {
            Overflow::Latest if self.parked => (1, usize::MAX),
            _ => (window.events, window.bytes),
        };
        let before = self.kept_bytes;
        while (self.kept > events || self.kept_bytes > bytes)
            && self.kept > 0
            && let Some(oldest) = self.frames.pop_front()
        {
            self.kept -= 1;
            self.kept_bytes -= oldest.len();
        }
        before - self.kept_bytes
    }

    pub(super) fn shrink(&mut self) {
        if self.frames.is_empty() && self.frames.capacity() > 64 {
            self.frames = VecDeque::new();
        }
    }
}
