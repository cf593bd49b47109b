//! Frames out of reads of any length.

use std::io;

use bytes::{Bytes, BytesMut};
use keyway_value::Payload;
use keyway_wire::{Frame, FrameError, Header};

use crate::{Carrier, scratch};

/// A frame that has begun is kept in a buffer of its own from this length on; a shorter beginning is copied back in front of
/// the next read, which may bring many frames.
const BEGINNING: usize = 4 * 1024;
/// Room made for a large frame before more of it has arrived...
const FIRST_ROOM: usize = 256 * 1024;
/// ...and for each byte of it that has. Announced sizes reserve nothing (spec 2.8, H3): a peer has to send what it wants kept.
const GROWTH: usize = 32;

/// Cuts a stream of bytes into frames, holding no buffer while no frame is under way.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    /// The beginning of a frame.
    partial: BytesMut,
}

/// What one read has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Bytes, and there may be more.
    Bytes,
    /// Nothing for now.
    Nothing,
    /// The end of the stream.
    End,
}

/// Bytes that have been read, in the thread's buffer or in one of the frame's own.
pub(crate) struct Batch {
    scratch: BytesMut,
    /// How much of `scratch` has been cut off.
    taken: usize,
    /// A large frame, complete.
    large: Option<BytesMut>,
}

impl Reassembly {
    /// Reads once. Frames are then taken from the batch, which is given back to [`finish`](Self::finish).
    pub(crate) fn read(&mut self, carrier: &dyn Carrier) -> io::Result<(Arrival, Batch)> {
        let mut batch = Batch { scratch: scratch::READ.take(), taken: 0, large: None };
        let outcome = if self.partial.len() >= BEGINNING {
            self.read_large(carrier, &mut batch)
        } else {
            batch.scratch.extend_from_slice(&self.partial);
            self.partial = BytesMut::new();
            carrier.try_read(&mut batch.scratch)
        };
        match outcome {
            Ok(0) => Ok((Arrival::End, batch)),
            Ok(_) => Ok((Arrival::Bytes, batch)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok((Arrival::Nothing, batch))
            }
            Err(error) => {
                scratch::READ.put(batch.scratch);
                Err(error)
            }
        }
    }

    /// Keeps what is left of a batch.
    pub(crate) fn finish(&mut self, batch: Batch) {
        debug_assert!(batch.large.is_none(), "a batch is finished when it has no frame left");
        let rest = &batch.scratch[batch.taken..];
        if !rest.is_empty() {
            self.partial = BytesMut::with_capacity(room(rest));
            self.partial.extend_from_slice(rest);
        }
        scratch::READ.put(batch.scratch);
    }

    /// Whether the beginning of a frame is being kept.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.partial.capacity() == 0
    }

    /// Reads into the buffer of the frame under way, so that its payload is not copied again.
    fn read_large(&mut self, carrier: &dyn Carrier, batch: &mut Batch) -> io::Result<usize> {
        let length = self.partial.len();
        let wanted = room(&self.partial).max(length + 1);
        self.partial.reserve(wanted - length);
        let read = carrier.try_read(&mut self.partial)?;
        let total = announced(&self.partial);
        if total <= self.partial.len() {
            let mut large = std::mem::take(&mut self.partial);
            // What follows the frame must not keep the frame's memory.
            batch.scratch.extend_from_slice(&large[total..]);
            large.truncate(total);
            batch.large = Some(large);
        }
        Ok(read)
    }
}

impl Batch {
    /// The next whole frame, whose payload may have up to `limit` bytes (spec 2.8).
    pub(crate) fn next(&mut self, limit: u32) -> Result<Option<Frame>, FrameError> {
        if let Some(large) = self.large.take() {
            let Some(header) = header(&large, limit)? else { return Ok(None) };
            let payload = large.freeze().slice(Header::SIZE..);
            return Ok(Some(Frame { header, payload: Payload::from(payload) }));
        }
        let rest = &self.scratch[self.taken..];
        let Some(header) = header(rest, limit)? else { return Ok(None) };
        let total = Header::SIZE + header.size as usize;
        let Some(payload) = rest.get(Header::SIZE..total) else { return Ok(None) };
        // Copied: a payload that somebody keeps (a name, a property) must not keep 64 KiB with it, and the buffer is free
        // for the next read.
        let payload = if payload.is_empty() { Bytes::new() } else { Bytes::copy_from_slice(payload) };
        self.taken += total;
        Ok(Some(Frame { header, payload: Payload::from(payload) }))
    }
}

/// The header at the beginning of `bytes`, once it is there.
fn header(bytes: &[u8], limit: u32) -> Result<Option<Header>, FrameError> {
    let Some(bytes) = bytes.first_chunk() else { return Ok(None) };
    let header = Header::decode(bytes)?;
    if header.size > limit {
        return Err(FrameError::PayloadTooLarge { size: header.size, limit });
    }
    Ok(Some(header))
}

/// Length of the frame that begins with `bytes`, as far as it is known.
fn announced(bytes: &[u8]) -> usize {
    match bytes.first_chunk().map(Header::decode) {
        Some(Ok(header)) => Header::SIZE + header.size as usize,
        _ => Header::SIZE,
    }
}

/// How large a buffer for the frame that begins with `bytes` may be by now.
fn room(bytes: &[u8]) -> usize {
    let allowed = if bytes.len() < BEGINNING { bytes.len() } else { FIRST_ROOM.max(bytes.len().saturating_mul(GROWTH)) };
    announced(bytes).min(allowed).max(bytes.len())
}
