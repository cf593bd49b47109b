//! A stream that may consist of frames.

use bytes::BytesMut;
use keyway_wire::{Frame, FrameDecoder, FrameError, FrameLimits};

/// A byte that says how many sizes of pieces follow, those, and the stream. In pieces or whole, the same frames come out of
/// it, and they are written as they were read.
pub fn frame(data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else { return };
    let Some((sizes, stream)) = rest.split_at_checked(usize::from(count % 16)) else { return };
    for max_payload in [u32::MAX, 64 << 10] {
        let whole = decoded(&[stream], max_payload);
        assert_eq!(decoded(&pieces(stream, sizes), max_payload), whole);
        let mut written = BytesMut::new();
        whole.0.iter().for_each(|frame| frame.encode_into(&mut written));
        assert!(stream.starts_with(&written), "written as they were read");
        for frame in &whole.0 {
            assert_eq!(frame.header.size as usize, frame.payload.len());
            assert!(frame.header.size <= max_payload);
        }
    }
}

/// The stream in pieces of these sizes, again and again.
pub(super) fn pieces<'a>(mut stream: &'a [u8], sizes: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut sizes = sizes.iter().cycle();
    while !stream.is_empty() {
        let size = sizes.next().map_or(1, |size| usize::from(*size).max(1));
        let (piece, rest) = stream.split_at(size.min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces
}

/// The frames, and what ended them if it was not the end of the stream.
fn decoded(pieces: &[&[u8]], max_payload: u32) -> (Vec<Frame>, Option<FrameError>) {
    let mut decoder = FrameDecoder::new(FrameLimits { max_payload });
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(
            (1..=1 << 20).contains(&decoder.wanted()),
            "room is made for some bytes, and not for all that is promised"
        );
    }
    (frames, None)
}
