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
///
/// `keyway_wire::FrameDecoder` cuts them off a buffer of the connection's own, with payloads that share it. Here small payloads are
/// copied out of the thread's buffer instead, and large ones are read into memory of their own.
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
        // One byte more than the frame has: a read that does not fill the buffer is known to have emptied the socket.
        self.partial.reserve(room(&self.partial) + 1 - length);
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
            let Some(header) = header(&large, limit)? else {
                return Ok(None);
            };
            let payload = large.freeze().slice(Header::SIZE..);
            return Ok(Some(Frame { header, payload: Payload::from(payload) }));
        }
        let rest = &self.scratch[self.taken..];
        let Some(header) = header(rest, limit)? else {
            return Ok(None);
        };
        let total = Header::SIZE + header.size as usize;
        let Some(payload) = rest.get(Header::SIZE..total) else {
            return Ok(None);
        };
        // Copied: a payload that somebody keeps (a name, a property) must not keep 64 KiB with it, and the buffer is free
        // for the next read.
        let payload = if payload.is_empty() { Bytes::new() } else { Bytes::copy_from_slice(payload) };
        self.taken += total;
        Ok(Some(Frame { header, payload: Payload::from(payload) }))
    }
}

/// The header at the beginning of `bytes`, once it is there.
fn header(bytes: &[u8], limit: u32) -> Result<Option<Header>, FrameError> {
    let Some(bytes) = bytes.first_chunk() else {
        return Ok(None);
    };
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
    let allowed =
        if bytes.len() < BEGINNING { bytes.len() } else { FIRST_ROOM.max(bytes.len().saturating_mul(GROWTH)) };
    announced(bytes).min(allowed).max(bytes.len())
}

#[cfg(test)]
mod tests {
    use std::{io::IoSlice, sync::Arc};

    use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};

    use super::*;
    use crate::inproc_pair;

    const LIMIT: u32 = 1 << 24;

    fn frame(id: u32, payload: usize) -> Frame {
        Frame::call(MessageId(id), ServiceId(1), ObjectId(1), ActionId(100), Payload::from(vec![id as u8; payload]))
    }

    /// Reads until nothing is left, and takes all frames.
    fn receive(reassembly: &mut Reassembly, carrier: &Arc<dyn Carrier>) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            let (arrival, mut batch) = reassembly.read(&**carrier).unwrap();
            while let Some(frame) = batch.next(LIMIT).unwrap() {
                frames.push(frame);
            }
            reassembly.finish(batch);
            if arrival != Arrival::Bytes {
                return frames;
            }
        }
    }

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        let frames: Vec<_> =
            [0, 1, 64, 5_000, 70_000, 3, 300_000, 0].iter().zip(1..).map(|(&size, id)| frame(id, size)).collect();
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.to_bytes()).collect();
        for cut in [1, 27, 28, 29, 1000, 65_536, 65_537, 200_000, bytes.len()] {
            let (left, right) = inproc_pair();
            let mut reassembly = Reassembly::default();
            let mut received = Vec::new();
            for part in bytes.chunks(cut) {
                assert_eq!(left.try_write_vectored(&[IoSlice::new(part)]).unwrap(), part.len().min(256 * 1024));
                received.extend(receive(&mut reassembly, &right));
                if part.len() > 256 * 1024 {
                    left.try_write_vectored(&[IoSlice::new(&part[256 * 1024..])]).unwrap();
                    received.extend(receive(&mut reassembly, &right));
                }
            }
            assert_eq!(received.len(), frames.len(), "cut into {cut}");
            for (received, sent) in received.iter().zip(&frames) {
                assert_eq!(received.to_bytes(), sent.to_bytes(), "cut into {cut}");
            }
            assert!(reassembly.is_idle(), "no buffer is kept between frames");
        }
    }

    #[test]
    fn h3_an_announced_size_reserves_nothing_before_it_arrives() {
        let (left, right) = inproc_pair();
        let mut reassembly = Reassembly::default();
        let bytes = frame(1, 1 << 24).to_bytes();
        left.try_write_vectored(&[IoSlice::new(&bytes[..Header::SIZE])]).unwrap();
        assert!(receive(&mut reassembly, &right).is_empty());
        assert!(reassembly.partial.capacity() < 1024);
        left.try_write_vectored(&[IoSlice::new(&bytes[Header::SIZE..8_000])]).unwrap();
        assert!(receive(&mut reassembly, &right).is_empty());
        assert!(reassembly.partial.capacity() <= 2 * FIRST_ROOM);
    }

    #[test]
    fn a_small_payload_does_not_keep_what_came_with_it() {
        let (left, right) = inproc_pair();
        let mut reassembly = Reassembly::default();
        let both = [frame(1, 100_000).to_bytes(), frame(2, 10).to_bytes()].concat();
        left.try_write_vectored(&[IoSlice::new(&both)]).unwrap();
        let frames = receive(&mut reassembly, &right);
        let small = frames[1].payload.clone().into_bytes();
        assert!(small.is_unique() || BytesMut::from(small).capacity() < 1000);
    }

    #[test]
    fn a_payload_above_the_limit_and_a_wrong_magic_are_errors() {
        let (left, right) = inproc_pair();
        let mut reassembly = Reassembly::default();
        left.try_write_vectored(&[IoSlice::new(&frame(1, 100).to_bytes()[..Header::SIZE])]).unwrap();
        let (_, mut batch) = reassembly.read(&*right).unwrap();
        assert!(matches!(batch.next(99), Err(FrameError::PayloadTooLarge { size: 100, limit: 99 })));
        let (left, right) = inproc_pair();
        left.try_write_vectored(&[IoSlice::new(&[0; Header::SIZE])]).unwrap();
        let (_, mut batch) = reassembly.read(&*right).unwrap();
        assert!(matches!(batch.next(LIMIT), Err(FrameError::BadMagic)));
    }
}
