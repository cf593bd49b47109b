//! Bytes that may be a value of some type.

use bytes::Bytes;
use keyway_value::{
    CodecError, Decoder, Encoder, Limits, ObjectLayout, Signature, Value,
    convert::convert,
    transcode::{Transcode, from_json, to_json},
};

/// The type's text, a zero, and the value's bytes. Whatever can be read is written and read again, skipped, converted and
/// made into JSON.
pub fn value(data: &[u8]) {
    let Some(zero) = data.iter().position(|byte| *byte == 0) else { return };
    let Ok(signature) = Signature::parse_bytes(&data[..zero]) else { return };
    let bytes = Bytes::copy_from_slice(&data[zero + 1..]);
    for layout in LAYOUTS {
        in_layout(&bytes, &signature, layout);
    }
}

const LAYOUTS: [ObjectLayout; 3] = [
    ObjectLayout { uid: true, metaobject_cache: false },
    ObjectLayout { uid: false, metaobject_cache: false },
    ObjectLayout { uid: true, metaobject_cache: true },
];

fn in_layout(bytes: &Bytes, signature: &Signature, layout: ObjectLayout) {
    let limits = Limits { zero_size_count: 1024, ..Limits::default() };
    let mut decoder = Decoder::with(bytes, layout, limits, None);
    let read = decoder.read_value(signature);
    let mut skipping = Decoder::with(bytes, layout, limits, None);
    assert_eq!(skipping.skip_value(signature).is_ok(), read.is_ok(), "skipping refuses what reading does: {read:?}");
    // Names of fields make JSON larger than its bytes without limit, so that of untrusted bytes is cut off.
    let json = serde_json::to_writer(Shut(1 << 20), &Transcode::with(bytes, signature, layout));
    let value = match read {
        Ok(value) => value,
        // JSON is made under limits of its own.
        Err(CodecError::CountTooLarge(_) | CodecError::TooManyParts) => return,
        Err(error) => return assert!(json.is_err(), "JSON is made of what is refused: {error}"),
    };
    assert_eq!(skipping.position(), decoder.position());
    let parts = parts(&value);
    assert!(parts <= 2 * bytes.len() + limits.zero_size_count + 1, "{parts} parts of {} bytes", bytes.len());

    let written = written(&value, layout);
    let again = Decoder::with(&written, layout, Limits::default(), None).read_value(signature);
    let again = again.expect("what is written can be read");
    assert_eq!(self::written(&again, layout), written, "read and written again");

    let same = convert(value.clone(), signature).expect("a value converts to its own type");
    assert_eq!(self::written(&same, layout), written, "converted to its own type");
    let _ = convert(value, &Signature::dynamic());
    from_own_json(bytes, signature);
}

/// JSON that is read gives a value of the type.
fn from_own_json(bytes: &Bytes, signature: &Signature) {
    if signature.annotation().is_some_and(|annotation| annotation.len() > 100) || bytes.len() > 10_000 {
        return;
    }
    let Ok(payload) = to_json(bytes, signature).and_then(|json| from_json(&json, signature)) else { return };
    let payload = payload.into_bytes();
    let mut decoder = Decoder::new(&payload);
    match decoder.read_value(signature) {
        Ok(_) => assert_eq!(decoder.remaining(), 0),
        // Dynamics come back in other types, and a list of nothing as more of it than may be.
        Err(error) => assert!(matches!(error, CodecError::TooManyParts | CodecError::TooDeep(_)), "{error}"),
    }
}

fn written(value: &Value, layout: ObjectLayout) -> Bytes {
    let mut encoder = Encoder::with(layout, None);
    encoder.write_value(value).expect("what was read can be written");
    encoder.finish().into_bytes()
}

/// How many values a value consists of.
fn parts(value: &Value) -> usize {
    let all = |items: &[Value]| items.iter().map(parts).sum::<usize>();
    1 + match value {
        Value::List(list) => all(&list.items),
        Value::Tuple(tuple) => all(&tuple.items),
        Value::Map(map) => map.entries.iter().map(|(key, value)| parts(key) + parts(value)).sum(),
        Value::Optional(optional) => optional.value.as_deref().map_or(0, parts),
        Value::Dynamic(inner) => parts(inner),
        _ => 0,
    }
}

/// Takes so many bytes and no more.
struct Shut(usize);

impl std::io::Write for Shut {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
