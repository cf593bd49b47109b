//! Streams that may be of the native protocol.

use bytes::BytesMut;
use keyway_wire::{
    Frame,
    native::{Control, ControlDecoder, NativeDecoder, NativeError, NativeHeader},
};

use super::frame::pieces;

/// A byte that says how many sizes of pieces follow, those, and the stream. In pieces or whole, the same frames come out of it, and
/// what is written of them is read the same.
pub fn native_frame(data: &[u8]) {
    let Some((sizes, stream)) = split(data) else { return };
    for max_payload in [u32::MAX, 64 << 10] {
        let whole = frames(&[stream], max_payload);
        assert_eq!(frames(&pieces(stream, sizes), max_payload), whole);
        let mut written = BytesMut::new();
        for (sequence, frame) in &whole.0 {
            assert_eq!(frame.header.size as usize, frame.payload.len());
            assert!(frame.header.size <= max_payload);
            NativeHeader { sequence: *sequence, header: frame.header }.encode_into(&mut written);
            written.extend_from_slice(frame.payload_bytes());
        }
        assert!(written.len() <= stream.len(), "numbers are written in their shortest form");
        assert_eq!(frames(&[&written], max_payload), (whole.0, None));
    }
}

/// The same for control messages.
pub fn native_control(data: &[u8]) {
    let Some((sizes, stream)) = split(data) else { return };
    let whole = messages(&[stream]);
    assert_eq!(messages(&pieces(stream, sizes)), whole);
    let mut written = BytesMut::new();
    for message in &whole.0 {
        message.encode_into(&mut written).expect("what was short enough to be read is short enough to be written");
    }
    assert_eq!(messages(&[&written]), (whole.0, None));
}

fn split(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&count, rest) = data.split_first()?;
    rest.split_at_checked(usize::from(count % 16))
}

/// The frames, and what ended them if it was not the end of the stream.
fn frames(pieces: &[&[u8]], max_payload: u32) -> (Vec<(u64, Frame)>, Option<NativeError>) {
    let (mut decoder, mut found) = (NativeDecoder::new(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.decode(max_payload) {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

/// The messages, and what ended them if it was not the end of the stream.
fn messages(pieces: &[&[u8]]) -> (Vec<Control>, Option<NativeError>) {
    let (mut decoder, mut found) = (ControlDecoder::new(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.decode() {
                Ok(Some(message)) => found.push(message),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}
