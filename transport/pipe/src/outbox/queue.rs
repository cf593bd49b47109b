//! The bytes that wait to be written to one carrier, in order.

use std::{collections::VecDeque, io, io::IoSlice};

use bytes::{Buf, Bytes, BytesMut};
use keyway_wire::{Frame, Header};

use crate::{Carrier, scratch};

/// Chunks from this size on are linked into the queue; smaller ones are copied next to each other.
///
/// Copying 16 KiB costs about half a microsecond, as much as an allocation and an entry of a vectored write.
const LINKED: usize = 16 * 1024;
/// Waiting pieces below this size are gathered into one buffer before they are written.
const GATHERED: usize = 4 * 1024;
/// Most slices of one vectored write.
const SLICES: usize = 64;
/// An emptied list of pieces with more room than this is given back.
const KEPT_PIECES: usize = 8;

/// Encoded frames: first the pieces, then the tail.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pieces: VecDeque<Bytes>,
    /// Small frames, encoded one after the other.
    tail: BytesMut,
}

/// Whose buffer the tail may grow in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Soon {
    /// It is written before the thread does anything else, and may use the thread's buffer.
    Written,
    /// It waits for the driver, and must not keep a large buffer meanwhile.
    Waiting,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.tail.is_empty()
    }

    /// Encodes a frame to the end. Its header's size is that of its payload.
    pub(super) fn push_frame(&mut self, frame: &Frame, soon: Soon) {
        let header = Header { size: frame.payload.len().try_into().unwrap_or(u32::MAX), ..frame.header }.encode();
        self.tail_for(Header::SIZE + frame.payload.len().min(LINKED), soon).extend_from_slice(&header);
        for chunk in frame.payload.chunks() {
            if chunk.len() >= LINKED {
                self.seal_tail();
                self.pieces.push_back(chunk.clone());
            } else {
                self.tail_for(chunk.len(), soon).extend_from_slice(chunk);
            }
        }
    }

    /// Adds bytes that are encoded already.
    pub(super) fn push_bytes(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        if self.tail.is_empty() {
            self.pieces.push_back(bytes);
        } else if bytes.len() < LINKED {
            self.tail_for(bytes.len(), Soon::Waiting).extend_from_slice(&bytes);
        } else {
            self.seal_tail();
            self.pieces.push_back(bytes);
        }
    }

    /// Adds all of `later`, leaving it empty.
    pub(super) fn append(&mut self, later: &mut Self) {
        if later.is_empty() {
            return;
        }
        self.seal_tail();
        self.pieces.append(&mut later.pieces);
        self.tail = std::mem::take(&mut later.tail);
    }

    /// Writes until everything is written or the carrier takes no more; says how many bytes it took.
    ///
    /// `WouldBlock` is no error here: the rest stays in the queue.
    pub(super) fn write_to(&mut self, carrier: &dyn Carrier, written: &mut usize) -> io::Result<()> {
        while !self.is_empty() {
            let length = match self.write_once(carrier) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.settle();
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            *written += length;
            self.consume(length);
        }
        Ok(())
    }

    /// Gives back the memory an emptied queue does not need while it is idle.
    pub(super) fn release(&mut self) {
        if self.pieces.is_empty() && self.pieces.capacity() > KEPT_PIECES {
            self.pieces = VecDeque::new();
        }
        if self.tail.is_empty() {
            scratch::ENCODE.put(std::mem::take(&mut self.tail));
        }
    }

    fn write_once(&self, carrier: &dyn Carrier) -> io::Result<usize> {
        match (self.pieces.len(), self.tail.is_empty()) {
            (0, _) => carrier.try_write_vectored(&[IoSlice::new(&self.tail)]),
            (1, true) => carrier.try_write_vectored(&[IoSlice::new(&self.pieces[0])]),
            _ => self.write_gathered(carrier),
        }
    }

    /// One write of many pieces: a run of small ones copied next to each other, the others linked.
    fn write_gathered(&self, carrier: &dyn Carrier) -> io::Result<usize> {
        let mut gathered = scratch::GATHER.take();
        let mut copied = 0;
        for piece in &self.pieces {
            if piece.len() >= GATHERED || gathered.len() + piece.len() > scratch::SIZE {
                break;
            }
            gathered.extend_from_slice(piece);
            copied += 1;
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        let linked = self.pieces.iter().skip(copied).map(|piece| &piece[..]);
        let first = (copied > 0).then_some(&gathered[..]);
        let last = (!self.tail.is_empty()).then_some(&self.tail[..]);
        for (slot, slice) in slices.iter_mut().zip(first.into_iter().chain(linked).chain(last)) {
            *slot = IoSlice::new(slice);
            used += 1;
        }
        let outcome = carrier.try_write_vectored(&slices[..used]);
        scratch::GATHER.put(gathered);
        outcome
    }

    fn consume(&mut self, mut length: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            if length < piece.len() {
                piece.advance(length);
                return;
            }
            length -= piece.len();
            self.pieces.pop_front();
        }
        if length == self.tail.len() {
            self.tail.clear();
        } else if length > 0 {
            self.pieces.push_back(Bytes::copy_from_slice(&self.tail[length..]));
            self.tail.clear();
        }
    }

    /// The tail, with room for `length` more bytes.
    fn tail_for(&mut self, length: usize, soon: Soon) -> &mut BytesMut {
        if self.tail.len() + length > scratch::SIZE {
            self.seal_tail();
        }
        if self.tail.capacity() == 0 {
            let buffer = match soon {
                Soon::Written => Some(scratch::ENCODE.take()),
                // The thread's one buffer may wait with the queue (it is missed by nobody), but none is made for it.
                Soon::Waiting => scratch::ENCODE.take_present(),
            };
            self.tail = buffer.unwrap_or_default();
        }
        &mut self.tail
    }

    /// Makes the tail the last piece.
    fn seal_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let piece = if self.tail.len() * 2 >= self.tail.capacity() {
            std::mem::take(&mut self.tail).freeze()
        } else {
            let piece = Bytes::copy_from_slice(&self.tail);
            self.tail.clear();
            piece
        };
        self.pieces.push_back(piece);
    }

    /// Prepares for waiting: a thread's buffer must not stay with a connection that makes no progress.
    fn settle(&mut self) {
        if scratch::is_scratch(&self.tail) {
            self.seal_tail();
            scratch::ENCODE.put(std::mem::take(&mut self.tail));
        }
    }
}
