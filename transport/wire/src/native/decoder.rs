//! Frames out of a stream.

use bytes::{Buf, Bytes, BytesMut};
use keyway_value::Payload;

use super::{NativeError, NativeHeader};
use crate::Frame;

/// Payloads from this size on are cut off the buffer; smaller ones are copied, so that one that somebody keeps does not keep
/// the buffer.
const CUT_OFF: usize = 4 * 1024;

/// Cuts the bytes of one stream into frames. Holds no buffer while no frame is under way.
#[derive(Debug, Default)]
pub struct NativeDecoder {
    buffer: BytesMut,
    header: Option<NativeHeader>,
}

impl NativeDecoder {
    /// A decoder at the start of a stream, behind its kind.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame with its number in its order. Its payload may have up to `limit` bytes; nothing is reserved for
    /// what has not arrived.
    pub fn decode(&mut self, limit: u32) -> Result<Option<(u64, Frame)>, NativeError> {
        let NativeHeader { sequence, header } = match self.header {
            Some(header) => header,
            None => {
                let Some((header, length)) = NativeHeader::decode(&self.buffer)? else {
                    self.release();
                    return Ok(None);
                };
                let size = header.header.size;
                if size > limit {
                    return Err(NativeError::TooLarge { size, limit });
                }
                self.buffer.advance(length);
                *self.header.insert(header)
            }
        };
        let size = header.size as usize;
        if self.buffer.len() < size {
            return Ok(None);
        }
        self.header = None;
        let payload = match size {
            0 => Bytes::new(),
            size if size < CUT_OFF => {
                let payload = Bytes::copy_from_slice(&self.buffer[..size]);
                self.buffer.advance(size);
                payload
            }
            size => self.buffer.split_to(size).freeze(),
        };
        Ok(Some((sequence, Frame { header, payload: Payload::from(payload) })))
    }

    /// Whether nothing of a frame has arrived: where a stream may end.
    pub fn is_between_frames(&self) -> bool {
        self.header.is_none() && self.buffer.is_empty()
    }

    fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};
    use proptest::prelude::*;

    use super::*;

    fn written(frames: &[(u64, Frame)]) -> BytesMut {
        let mut bytes = BytesMut::new();
        for (sequence, frame) in frames {
            NativeHeader { sequence: *sequence, header: frame.header }.encode_into(&mut bytes);
            frame.payload.chunks().for_each(|chunk| bytes.extend_from_slice(chunk));
        }
        bytes
    }

    fn event(sequence: u64, size: usize) -> (u64, Frame) {
        let payload = Payload::from(vec![7; size]);
        (sequence, Frame::event(MessageId(sequence as u32), ServiceId(200), ObjectId(1), ActionId(104), payload))
    }

    proptest! {
        #[test]
        fn frames_cut_anywhere_come_out_as_they_went_in(
            sizes in proptest::collection::vec(prop_oneof![0_usize..300, 4000_usize..6000], 0..12),
            cuts in proptest::collection::vec(1_usize..900, 1..64),
        ) {
            let frames: Vec<_> = (1..).zip(&sizes).map(|(sequence, size)| event(sequence, *size)).collect();
            let bytes = written(&frames);
            let (mut decoder, mut found, mut rest) = (NativeDecoder::new(), Vec::new(), &bytes[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (part, later) = rest.split_at((*cut).min(rest.len()));
                rest = later;
                decoder.push(part);
                while let Some(frame) = decoder.decode(u32::MAX).unwrap() {
                    found.push(frame);
                }
            }
            prop_assert_eq!(found, frames);
            prop_assert!(decoder.is_between_frames());
            prop_assert_eq!(decoder.buffer.capacity(), 0);
        }
    }

    #[test]
    fn a_payload_over_the_limit_is_refused_before_it_has_arrived() {
        let mut decoder = NativeDecoder::new();
        decoder.push(&written(&[event(1, 100)])[..10]);
        assert_eq!(decoder.decode(99), Err(NativeError::TooLarge { size: 100, limit: 99 }));
        assert_eq!(decoder.decode(100), Ok(None));
        assert!(!decoder.is_between_frames());
    }
}
