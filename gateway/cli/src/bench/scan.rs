//! Finding frames in a stream without keeping them.

use keyway_wire::{FrameError, Header};

/// Follows a stream from frame to frame: looks at headers, passes over payloads, allocates nothing.
#[derive(Debug)]
pub(super) struct FrameScan {
    /// A header that arrived in parts.
    partial: [u8; Header::SIZE],
    have: usize,
    /// The frame whose payload is passing, and how much of it is to come.
    current: Option<Header>,
    missing: usize,
}

impl FrameScan {
    /// At the start of a stream.
    pub(super) const fn new() -> Self {
        Self { partial: [0; Header::SIZE], have: 0, current: None, missing: 0 }
    }

    /// Takes the next bytes; `complete` gets the header of each frame whose last byte has come.
    #[inline]
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut complete: impl FnMut(&Header)) -> Result<(), FrameError> {
        loop {
            let header = match self.current.take() {
                Some(header) => header,
                None => {
                    let Some(header) = self.header(&mut bytes)? else { return Ok(()) };
                    self.missing = header.size as usize;
                    header
                }
            };
            let passed = self.missing.min(bytes.len());
            bytes = &bytes[passed..];
            self.missing -= passed;
            if self.missing > 0 {
                self.current = Some(header);
                return Ok(());
            }
            complete(&header);
        }
    }

    fn header(&mut self, bytes: &mut &[u8]) -> Result<Option<Header>, FrameError> {
        if self.have == 0
            && let Some((whole, rest)) = bytes.split_first_chunk()
        {
            *bytes = rest;
            return Header::decode(whole).map(Some);
        }
        let (part, rest) = bytes.split_at(bytes.len().min(Header::SIZE - self.have));
        self.partial[self.have..self.have + part.len()].copy_from_slice(part);
        self.have += part.len();
        *bytes = rest;
        if self.have < Header::SIZE {
            return Ok(None);
        }
        self.have = 0;
        Header::decode(&self.partial).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
    use keyway_wire::Frame;

    use super::*;

    #[test]
    fn frames_are_seen_once_and_whole_however_the_stream_is_cut() {
        let event = |id: u32| {
            let payload = Payload::from(vec![0x42; (id as usize * 13) % 70]);
            Frame::event(MessageId(id), ServiceId(2), ObjectId(1), ActionId(100), payload).to_bytes()
        };
        let stream: Vec<u8> = (0..50).flat_map(event).collect();
        for cut in 1..200 {
            let (mut scan, mut seen) = (FrameScan::new(), Vec::new());
            for part in stream.chunks(cut) {
                scan.feed(part, |header| seen.push(header.id.0)).unwrap();
            }
            assert_eq!(seen, (0..50).collect::<Vec<_>>(), "cut every {cut} bytes");
        }
    }

    #[test]
    fn bytes_that_are_no_frame_are_refused() {
        assert_eq!(FrameScan::new().feed(&[7; 28], |_| ()), Err(FrameError::BadMagic));
    }
}
