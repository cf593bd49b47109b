//! Frames out of a stream of bytes (spec 2.2, 2.8).

use bytes::{Buf, BytesMut};
use keyway_value::Payload;

use crate::{Frame, Header};

/// What a decoder refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// The largest payload, in bytes.
    pub max_payload: u32,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self { max_payload: 256 << 20 }
    }
}

/// Bytes that are no frame: the connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Not QiMessaging, or out of step.
    #[error("the bytes are not QiMessaging: the frame does not start with 42 DE AD 42")]
    BadMagic,
    /// More than is accepted now.
    #[error("a payload of {size} bytes is announced, {limit} are allowed")]
    PayloadTooLarge {
        /// Announced.
        size: u32,
        /// Allowed.
        limit: u32,
    },
}

/// Cuts frames off the front of a buffer; payloads share its memory.
#[derive(Debug)]
pub struct FrameDecoder {
    limits: FrameLimits,
    /// The header of the frame under way, already cut off.
    header: Option<Header>,
    /// How much of its payload was there when it was last looked at.
    arrived: usize,
}

impl FrameDecoder {
    /// A decoder at the start of a stream.
    pub const fn new(limits: FrameLimits) -> Self {
        Self { limits, header: None, arrived: 0 }
    }

    /// Changes the limit for the frames to come; authentication raises it.
    pub const fn set_max_payload(&mut self, bytes: u32) {
        self.limits.max_payload = bytes;
    }

    /// The next frame, if all of it is there. Never reserves memory for what has not arrived.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let header = match self.header {
            Some(header) => header,
            None => {
                let Some(bytes) = buffer.first_chunk() else {
                    return Ok(None);
                };
                let header = Header::decode(bytes)?;
                if header.size > self.limits.max_payload {
                    return Err(FrameError::PayloadTooLarge { size: header.size, limit: self.limits.max_payload });
                }
                buffer.advance(Header::SIZE);
                self.header.insert(header).to_owned()
            }
        };
        let size = header.size as usize;
        if buffer.len() < size {
            self.arrived = buffer.len();
            return Ok(None);
        }
        self.header = None;
        self.arrived = 0;
        // Splitting off nothing would make the buffer a shared one for nothing.
        let payload = if size == 0 { Payload::new() } else { Payload::from(buffer.split_to(size).freeze()) };
        Ok(Some(Frame { header, payload }))
    }

    /// How many bytes to make room for before the next read. What a header announces counts only as far as the peer has sent of
    /// it already, so that memory follows bytes and not promises (spec 2.8, H3).
    pub fn wanted(&self) -> usize {
        let earned = self.arrived.clamp(FIRST_READ, LARGEST_READ);
        match self.header {
            Some(header) => (header.size as usize).saturating_sub(self.arrived).clamp(1, earned),
            None => FIRST_READ,
        }
    }
}

/// Room for a read that may bring many small frames, or the beginning of a large one.
const FIRST_READ: usize = 64 << 10;
/// Room for a read in the middle of a large frame.
const LARGEST_READ: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};
    use proptest::prelude::*;

    use super::*;
    use crate::MAGIC;

    fn frame(id: u32, size: usize) -> Frame {
        Frame::call(MessageId(id), ServiceId(1), ObjectId(1), ActionId(100), Payload::from(vec![7; size]))
    }

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        let frames: Vec<_> = (0..20).map(|n| frame(n, n as usize * 37)).collect();
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.to_bytes()).collect();
        for cut in 1..100 {
            let mut decoder = FrameDecoder::new(FrameLimits::default());
            let mut buffer = BytesMut::new();
            let mut found = Vec::new();
            for part in bytes.chunks(cut) {
                buffer.extend_from_slice(part);
                while let Some(frame) = decoder.decode(&mut buffer).unwrap() {
                    found.push(frame);
                }
            }
            assert_eq!(found, frames);
        }
    }

    #[test]
    fn a_wrong_magic_and_a_size_over_the_limit_are_refused_by_the_header_alone() {
        let mut decoder = FrameDecoder::new(FrameLimits { max_payload: 10 });
        let mut buffer = BytesMut::from(&[0; 28][..]);
        assert_eq!(decoder.decode(&mut buffer), Err(FrameError::BadMagic));
        let mut buffer = BytesMut::from(&frame(1, 11).to_bytes()[..28]);
        assert_eq!(decoder.decode(&mut buffer), Err(FrameError::PayloadTooLarge { size: 11, limit: 10 }));
    }

    #[test]
    fn the_wanted_room_grows_with_what_arrived_and_not_with_what_is_announced() {
        let mut decoder = FrameDecoder::new(FrameLimits { max_payload: u32::MAX });
        let mut buffer = BytesMut::from(&Header { size: u32::MAX, ..frame(1, 0).header }.encode()[..]);
        assert_eq!(decoder.decode(&mut buffer), Ok(None));
        assert_eq!(decoder.wanted(), 64 << 10);
        for arrived in [1_usize, 64 << 10, 200 << 10, 4 << 20] {
            buffer.resize(arrived, 0);
            assert_eq!(decoder.decode(&mut buffer), Ok(None));
            assert_eq!(decoder.wanted(), arrived.clamp(64 << 10, 1 << 20));
        }
    }

    #[test]
    fn no_more_is_wanted_than_is_missing() {
        let mut decoder = FrameDecoder::new(FrameLimits::default());
        let mut buffer = BytesMut::from(&frame(1, 1000).to_bytes()[..Header::SIZE + 990]);
        assert_eq!(decoder.decode(&mut buffer), Ok(None));
        assert_eq!(decoder.wanted(), 10);
    }

    #[test]
    fn a_payload_shares_the_memory_it_arrived_in() {
        let mut buffer = BytesMut::from(&frame(1, 1000).to_bytes()[..]);
        let address = buffer[Header::SIZE..].as_ptr();
        let frame = FrameDecoder::new(FrameLimits::default()).decode(&mut buffer).unwrap().unwrap();
        assert_eq!(frame.payload_bytes().as_ptr(), address);
    }

    #[test]
    fn a_raised_limit_counts_from_the_next_header_on() {
        let mut decoder = FrameDecoder::new(FrameLimits { max_payload: 10 });
        let mut buffer = BytesMut::from(&frame(1, 10).to_bytes()[..]);
        buffer.extend_from_slice(&frame(2, 11).to_bytes());
        assert!(decoder.decode(&mut buffer).unwrap().is_some());
        decoder.set_max_payload(11);
        assert!(decoder.decode(&mut buffer).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn any_split_of_a_stream_gives_the_same_frames(
            sizes in proptest::collection::vec(0_usize..300, 0..12),
            cuts in proptest::collection::vec(1_usize..200, 1..64),
        ) {
            let frames: Vec<_> = (0..).zip(&sizes).map(|(id, size)| frame(id, *size)).collect();
            let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.to_bytes()).collect();
            let mut decoder = FrameDecoder::new(FrameLimits::default());
            let (mut buffer, mut found, mut rest) = (BytesMut::new(), Vec::new(), &bytes[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (part, later) = rest.split_at((*cut).min(rest.len()));
                rest = later;
                buffer.extend_from_slice(part);
                while let Some(frame) = decoder.decode(&mut buffer).unwrap() {
                    found.push(frame);
                }
            }
            prop_assert_eq!(found, frames);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn any_bytes_are_frames_or_an_error_and_reserve_nothing(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
            with_magic in any::<bool>(),
        ) {
            if with_magic && bytes.len() >= MAGIC.len() {
                bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
            }
            let mut decoder = FrameDecoder::new(FrameLimits { max_payload: u32::MAX });
            let mut buffer = BytesMut::from(&bytes[..]);
            let capacity = buffer.capacity();
            while let Ok(Some(_)) = decoder.decode(&mut buffer) {}
            prop_assert!(buffer.capacity() <= capacity);
            prop_assert!((1..=LARGEST_READ).contains(&decoder.wanted()));
        }
    }
}
