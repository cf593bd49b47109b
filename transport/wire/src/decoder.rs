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
    header: Option<Header>,
}

impl FrameDecoder {
    /// A decoder at the start of a stream.
    pub const fn new(limits: FrameLimits) -> Self {
        Self { limits, header: None }
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
            return Ok(None);
        }
        self.header = None;
        Ok(Some(Frame { header, payload: Payload::from(buffer.split_to(size).freeze()) }))
    }
}

#[cfg(test)]
mod tests {
    use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};

    use super::*;

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
}
