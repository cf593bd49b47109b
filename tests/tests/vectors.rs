//! What libqi wrote is read and written again byte for byte (spec 2.1, 4, 10.1).

use std::io::Write;

use bytes::{Bytes, BytesMut};
use keyway_tests::vectors::{CapturedFrame, Entry, VectorFile, load};
use keyway_value::{CodecError, Decoder, Encoder, ObjectValue, QiValue, Signature, Value};
use keyway_wire::{Frame, FrameDecoder, FrameLimits, Header};
use serde_json::{Value as Json, json};

#[test]
fn every_captured_frame_is_read_whole_and_written_byte_for_byte() {
    for captured in frames(&files()) {
        let place = &captured.place;
        let frame = only(decoded([&captured.bytes[..]]), place);
        assert_eq!(frame.to_bytes()[..], captured.bytes, "{place}");
        assert_eq!(plain_header(&frame.header), captured.header, "{place}");
        assert_eq!(frame.header.size as usize, frame.payload.len(), "{place}");
    }
}

#[test]
fn every_captured_frame_is_read_byte_by_byte() {
    for captured in frames(&files()) {
        let frame = only(decoded(captured.bytes.chunks(1)), &captured.place);
        assert_eq!(frame.to_bytes()[..], captured.bytes, "{}", captured.place);
    }
}

#[test]
fn the_frames_of_a_file_are_read_from_one_piece_of_bytes() {
    for file in files() {
        let stream: Vec<u8> = file.frames().flat_map(|frame| frame.bytes.iter().copied()).collect();
        let found = decoded([&stream[..]]);
        assert_eq!(found.len(), file.frames().count(), "{}", file.name);
        let mut written = BytesMut::new();
        found.iter().for_each(|frame| frame.encode_into(&mut written));
        assert_eq!(written[..], stream, "{}", file.name);
    }
}

#[test]
fn every_captured_payload_is_understood_and_written_byte_for_byte() {
    let files = files();
    let mut payloads = 0;
    for captured in frames(&files) {
        let Some(signature) = &captured.signature else { continue };
        let place = &captured.place;
        let payload = only(decoded([&captured.bytes[..]]), place).payload.into_bytes();
        if captured.is_truncated() {
            assert_eq!(value(&payload, signature), Err(CodecError::ReadPastEnd), "{place}");
            continue;
        }
        let value = value(&payload, signature).unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(plain(&value), captured.payload, "{place}");
        let mut encoder = Encoder::new();
        encoder.write_value(&value).unwrap();
        assert_eq!(encoder.finish().into_bytes(), payload, "{place}");
        payloads += 1;
    }
    let (file_count, frame_count) = (files.len(), frames(&files).count());
    // Unlike `println!`, this is shown for tests that pass as well.
    let counts = format!("vectors: {file_count} files, {frame_count} frames, {payloads} payloads");
    writeln!(std::io::stderr(), "{counts} re-encoded byte for byte").unwrap();
    assert!(payloads > 100, "{counts}");
}

#[test]
fn objects_and_structs_are_seen_in_payloads() {
    let files = files();
    let told = |wanted: &str| frames(&files).filter(|frame| frame.payload.to_string().contains(wanted)).count();
    assert!(told("\"object\":{") >= 2, "vectors 13 and 14 carry objects");
    assert!(told("\"bytes\":") >= 2, "vectors 4 and 8 carry bytes that are not text");
}

/// All files; none of them is empty.
fn files() -> Vec<VectorFile> {
    let files = load().unwrap();
    assert_eq!(files.len(), 17);
    assert!(files.iter().all(|file| !file.entries.is_empty()));
    for file in &files {
        let closes = file.entries.iter().all(|entry| matches!(entry, Entry::EndOfStream));
        assert_eq!(closes, ["06-host-close", "16-close"].contains(&file.name.as_str()), "{}", file.name);
    }
    files
}

fn frames(files: &[VectorFile]) -> impl Iterator<Item = &CapturedFrame> {
    files.iter().flat_map(VectorFile::frames)
}

/// The frames in bytes that arrive in pieces. Nothing is left over.
fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    let (mut decoder, mut buffer) = (FrameDecoder::new(FrameLimits::default()), BytesMut::new());
    let mut found = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(frame) = decoder.decode(&mut buffer).unwrap() {
            found.push(frame);
        }
    }
    assert!(buffer.is_empty());
    found
}

fn only(mut frames: Vec<Frame>, place: &str) -> Frame {
    assert_eq!(frames.len(), 1, "{place}");
    frames.remove(0)
}

/// The one value that a payload is, nothing after it.
fn value(payload: &Bytes, signature: &Signature) -> Result<Value, CodecError> {
    let mut decoder = Decoder::new(payload);
    let value = decoder.read_value(signature)?;
    assert_eq!(decoder.remaining(), 0, "{signature}");
    let mut skipping = Decoder::new(payload);
    skipping.skip_value(signature)?;
    assert_eq!(skipping.remaining(), 0, "{signature}");
    Ok(value)
}

fn plain_header(header: &Header) -> Json {
    json!({
        "magic": "42dead42",
        "id": header.id.0,
        "size": header.size,
        "version": header.version,
        "type": u8::from(header.kind),
        "typeName": format!("{:?}", header.kind),
        "flags": header.flags.0,
        "service": header.service.0,
        "object": header.object.0,
        "action": header.action.0,
    })
}

/// A value as the capturing script writes it down.
fn plain(value: &Value) -> Json {
    let sequence = |items: &[Value]| items.iter().map(plain).collect();
    match value {
        Value::Void => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Float(value) => json!(f64::from(*value)),
        Value::Double(value) => json!(value),
        Value::String(text) => match text.to_str() {
            Ok(text) => json!(text),
            Err(_) => json!({ "bytes": hex(text.as_bytes()) }),
        },
        Value::Raw(bytes) => json!({ "bytes": hex(bytes) }),
        Value::List(list) => sequence(&list.items),
        Value::Tuple(tuple) => sequence(&tuple.items),
        Value::Map(map) => map.entries.iter().map(|(key, value)| json!([plain(key), plain(value)])).collect(),
        Value::Optional(optional) => optional.value.as_deref().map_or(Json::Null, plain),
        Value::Dynamic(inner) => json!({ "dynamic": inner.signature().to_string(), "value": plain(inner) }),
        Value::Object(object) => json!({ "object": plain_object(object) }),
        integer => match integer.as_u64() {
            Some(value) => json!(value),
            None => json!(integer.as_i64().unwrap()),
        },
    }
}

fn plain_object(object: &ObjectValue) -> Json {
    let reference = &object.reference;
    let mut encoder = Encoder::new();
    reference.metaobject.encode(&mut encoder).unwrap();
    let metaobject = value(&encoder.finish().into_bytes(), &keyway_value::MetaObject::signature()).unwrap();
    json!({
        "service": reference.service.0,
        "object": reference.object.0,
        "uid": reference.uid.map(|uid| uid.to_string()),
        "metaObject": plain(&metaobject),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
