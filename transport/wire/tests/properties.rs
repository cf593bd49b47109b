//! What holds for all streams of frames, and for all texts that name peers (spec 1, 2).

use bytes::BytesMut;
use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
use keyway_wire::{Endpoint, Flags, Frame, FrameDecoder, FrameError, FrameLimits, Header, MAGIC, MessageKind, Url};
use proptest::{collection::vec, prelude::*};

/// Any frame, with a size that is true.
fn frame() -> impl Strategy<Value = Frame> {
    let numbers = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>());
    let rest = (any::<u8>(), any::<u8>(), prop_oneof![9 => Just(0), 1 => any::<u16>()]);
    (numbers, rest, vec(any::<u8>(), 0..200)).prop_map(
        |((id, service, object, action), (kind, flags, version), payload)| {
            let header = Header {
                id: MessageId(id),
                size: u32::try_from(payload.len()).unwrap(),
                version,
                kind: MessageKind::from(kind),
                flags: Flags(flags),
                service: ServiceId(service),
                object: ObjectId(object),
                action: ActionId(action),
            };
            Frame { header, payload: Payload::from(payload) }
        },
    )
}

/// The frames of a stream that arrives in pieces, what ended it early, and how many bytes are left.
fn decoded(pieces: &[&[u8]], max_payload: u32) -> (Vec<Frame>, Option<FrameError>, usize) {
    let mut decoder = FrameDecoder::new(FrameLimits { max_payload });
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error), buffer.len()),
            }
        }
    }
    (frames, None, buffer.len())
}

/// The stream cut after each of these shares of it.
fn pieces<'a>(stream: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    places.windows(2).map(|ends| &stream[ends[0]..ends[1]]).collect()
}

fn written(frames: &[Frame]) -> BytesMut {
    let mut bytes = BytesMut::new();
    frames.iter().for_each(|frame| frame.encode_into(&mut bytes));
    bytes
}

proptest! {
    #[test]
    fn frames_cut_anywhere_come_out_as_they_went_in(
        frames in vec(frame(), 0..8),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let stream = written(&frames);
        let (found, error, left) = decoded(&pieces(&stream, &cuts), u32::MAX);
        prop_assert_eq!(error, None);
        prop_assert_eq!(left, 0);
        prop_assert_eq!(&written(&found), &stream);
        prop_assert_eq!(found, frames);
    }

    #[test]
    fn a_frame_that_has_not_ended_is_waited_for(frame in frame(), part in any::<prop::sample::Index>()) {
        let bytes = frame.to_bytes();
        let (found, error, _) = decoded(&[&bytes[..part.index(bytes.len())]], u32::MAX);
        prop_assert_eq!((found, error), (Vec::new(), None));
    }

    #[test]
    fn bytes_that_go_wrong_go_wrong_at_the_same_place_however_they_are_cut(
        frames in vec(frame(), 0..4),
        tail in vec(any::<u8>(), 0..80),
        with_magic in any::<bool>(),
        max_payload in 0_u32..300,
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut stream = written(&frames);
        if with_magic {
            stream.extend_from_slice(&MAGIC);
        }
        stream.extend_from_slice(&tail);
        let (whole, whole_error, _) = decoded(&[&stream], max_payload);
        let (cut, cut_error, _) = decoded(&pieces(&stream, &cuts), max_payload);
        prop_assert!(whole.iter().all(|frame| frame.header.size <= max_payload));
        prop_assert!(stream.starts_with(&written(&whole)));
        prop_assert_eq!((cut, cut_error), (whole, whole_error));
    }

    #[test]
    fn any_text_is_a_url_that_is_written_so_that_it_is_read_the_same(text in "[a-z:/.0-9é\\[\\]+]{0,24}|\\PC{0,24}") {
        let url = Url::parse(&text);
        let _ = (url.is_valid(), url.is_supported());
        for url in [url.clone().with_connect_defaults(), url.with_listen_defaults()] {
            if url.is_supported() && url.is_valid() {
                prop_assert_eq!(Url::parse(&url.to_string()), url);
            }
        }
    }

    #[test]
    fn any_text_is_an_endpoint_or_refused(text in "(tcp|qi|[a-z]{1,4}):(//)?[a-z0-9:.@%/?#\\[\\]é-]{0,24}|\\PC{0,24}") {
        if let Ok(endpoint) = Endpoint::parse(&text) {
            prop_assert_eq!(endpoint.as_str(), text.as_str());
            let _ = (endpoint.is_relative(), endpoint.is_loopback());
        }
        if let Some(endpoint) = Endpoint::relative(&text) {
            prop_assert!(endpoint.is_relative(), "{}", endpoint);
            prop_assert_eq!(Endpoint::parse(endpoint.as_str()).unwrap(), endpoint);
        }
    }

    #[test]
    fn endpoints_have_one_order(texts in vec("(tcp://[a-c]{1,2}(:[0-9]{1,5})?|qi:[A-C]{1,2}|tcp://127.0.0.1:[1-9])", 3)) {
        let [a, b, c] = [0, 1, 2].map(|position: usize| Endpoint::parse(&texts[position]));
        let (Ok(a), Ok(b), Ok(c)) = (a, b, c) else { return Ok(()) };
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }
}
