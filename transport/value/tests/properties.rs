//! What holds for all signatures, values and bytes (spec 3, 4, 16).

mod strategies;

use bytes::Bytes;
use keyway_value::{
    CodecError, Decoder, Encoder, Limits, MAX_DEPTH, ObjectLayout, Signature, Value,
    convert::{convert, score},
    transcode::{from_json, to_json},
};
use proptest::prelude::*;
use strategies::{Kinds, plausible_bytes, signature, signature_text, typed_value};

proptest! {
    #[test]
    fn a_signature_is_written_as_it_was_read(text in signature_text(Kinds::Any)) {
        let signature: Signature = text.parse().unwrap();
        prop_assert_eq!(signature.to_string(), &text[..]);
        prop_assert_eq!(text.parse::<Signature>().unwrap(), signature);
    }

    #[test]
    fn any_text_is_a_signature_or_refused(text in "[\\[\\](){}#~+<>,bcCwWiIlLfdsmrovX_ é]{0,40}") {
        if let Ok(signature) = text.parse::<Signature>() {
            prop_assert_eq!(signature.to_string(), text);
        }
    }

    #[test]
    fn any_bytes_are_a_signature_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(signature) = Signature::parse_bytes(&bytes) {
            prop_assert_eq!(signature.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn any_value_is_read_as_it_was_written((signature, value) in typed_value(Kinds::WithValues)) {
        let bytes = encoded(&value);
        let mut decoder = Decoder::new(&bytes);
        let read = decoder.read_value(&signature).unwrap();
        prop_assert_eq!(decoder.remaining(), 0);
        // The text of values: NaN is not equal to itself.
        prop_assert_eq!(format!("{read:?}"), format!("{value:?}"));
        prop_assert_eq!(encoded(&read), bytes);
    }

    #[test]
    fn any_value_survives_in_a_dynamic((_, value) in typed_value(Kinds::WithValues)) {
        let dynamic = Value::Dynamic(Box::new(value));
        let bytes = encoded(&dynamic);
        let read = Decoder::new(&bytes).read_value(&Signature::dynamic()).unwrap();
        prop_assert_eq!(format!("{read:?}"), format!("{dynamic:?}"));
        prop_assert_eq!(encoded(&read), bytes);
    }

    #[test]
    fn a_value_takes_at_least_its_least_size((signature, value) in typed_value(Kinds::WithValues)) {
        prop_assert!(encoded(&value).len() >= signature.min_size());
    }

    #[test]
    fn a_value_that_is_cut_off_is_refused((signature, value) in typed_value(Kinds::WithValues), part in 0.0..1.0) {
        let bytes = encoded(&value);
        let kept = cut(bytes.len(), part);
        let read = Decoder::new(&bytes.slice(..kept)).read_value(&signature);
        prop_assert!(kept == bytes.len() || read == Err(CodecError::ReadPastEnd), "{:?}", read);
    }

    #[test]
    fn any_bytes_are_a_value_or_refused(signature in signature(Kinds::Any), bytes in plausible_bytes()) {
        let bytes = Bytes::from(bytes);
        let limits = Limits { depth: MAX_DEPTH, zero_size_count: 8 };
        for layout in LAYOUTS {
            let mut decoder = Decoder::with(&bytes, layout, limits, None);
            let read = decoder.read_value(&signature);
            let mut skipping = Decoder::with(&bytes, layout, limits, None);
            prop_assert_eq!(skipping.skip_value(&signature).is_ok(), read.is_ok());
            let Ok(value) = read else { continue };
            prop_assert_eq!(skipping.position(), decoder.position());
            // As many as there are bytes, as many again in tuples, and a few that take no space.
            prop_assert!(values(&value) <= 2 * bytes.len() + limits.zero_size_count + 1, "{}", values(&value));
            // Truth and the like have several forms; the one that is written is read and written the same.
            let mut encoder = Encoder::with(layout, None);
            encoder.write_value(&value).unwrap();
            let written = encoder.finish().into_bytes();
            let again = Decoder::with(&written, layout, Limits::default(), None).read_value(&signature).unwrap();
            prop_assert_eq!(format!("{again:?}"), format!("{value:?}"));
        }
        let _ = to_json(&bytes, &signature);
    }

    #[test]
    fn json_gives_back_what_it_was_made_of((signature, value) in typed_value(Kinds::Json)) {
        let bytes = encoded(&value);
        let json = to_json(&bytes, &signature).unwrap();
        let back = from_json(&json, &signature).map_err(|error| TestCaseError::fail(format!("{json}: {error}")))?;
        prop_assert_eq!(back.into_bytes(), bytes, "{}", json);
    }

    #[test]
    fn any_text_is_json_for_a_type_or_refused(
        text in "[\\[\\]{}:,\"a-z0-9.eE+ -]{0,40}",
        signature in signature(Kinds::Any),
    ) {
        if let Ok(payload) = from_json(&text, &signature) {
            let bytes = payload.into_bytes();
            let mut decoder = Decoder::new(&bytes);
            decoder.read_value(&signature).unwrap();
            prop_assert_eq!(decoder.remaining(), 0);
        }
    }

    #[test]
    fn every_value_is_some_json((_, value) in typed_value(Kinds::WithValues)) {
        let dynamic = Value::Dynamic(Box::new(value));
        to_json(&encoded(&dynamic), &Signature::dynamic()).unwrap();
        let _ = dynamic.to_string();
    }

    #[test]
    fn a_converted_value_has_the_type_that_was_wanted(
        (from, value) in typed_value(Kinds::WithValues),
        to in signature(Kinds::WithValues),
    ) {
        let score = score(&from, &to);
        prop_assert!((0.0..=1.0).contains(&score));
        if let Ok(converted) = convert(value, &to) {
            prop_assert_eq!(converted.signature().to_string(), to.to_string());
            let bytes = encoded(&converted);
            let mut decoder = Decoder::new(&bytes);
            decoder.read_value(&to).unwrap();
            prop_assert_eq!(decoder.remaining(), 0);
        }
    }

    #[test]
    fn a_value_converts_to_its_own_type_and_through_a_dynamic((signature, value) in typed_value(Kinds::WithValues)) {
        let bytes = encoded(&value);
        prop_assert_eq!(encoded(&convert(value.clone(), &signature).unwrap()), &bytes[..]);
        // A dynamic is not wrapped again, and a type without values is not a type to convert to.
        if !matches!(value, Value::Dynamic(_) | Value::Void) {
            let there = convert(value, &Signature::dynamic()).unwrap();
            prop_assert_eq!(encoded(&convert(there, &signature).unwrap()), bytes);
        }
    }
}

#[test]
fn a_value_converts_to_its_own_type_whatever_the_annotation() {
    for (signature, bytes) in
        [("_", &[][..]), ("(_)", &[]), ("r<x>", b"\x01\0\0\0a"), ("s<x>", b"\x01\0\0\0a"), ("+_", &[1])]
    {
        let (signature, bytes): (Signature, _) = (signature.parse().unwrap(), Bytes::from_static(bytes));
        let value = Decoder::new(&bytes).read_value(&signature).unwrap();
        assert_eq!(encoded(&convert(value, &signature).unwrap()), bytes, "{signature}");
    }
}

const LAYOUTS: [ObjectLayout; 3] = [
    ObjectLayout { uid: true, metaobject_cache: false },
    ObjectLayout { uid: false, metaobject_cache: false },
    ObjectLayout { uid: true, metaobject_cache: true },
];

fn encoded(value: &Value) -> Bytes {
    let mut encoder = Encoder::new();
    encoder.write_value(value).unwrap();
    encoder.finish().into_bytes()
}

/// How many of `length` bytes are kept.
fn cut(length: usize, part: f64) -> usize {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
    let kept = (length as f64 * part) as usize;
    kept.min(length)
}

/// How many values a value consists of.
fn values(value: &Value) -> usize {
    let all = |items: &[Value]| items.iter().map(values).sum::<usize>();
    1 + match value {
        Value::List(list) => all(&list.items),
        Value::Tuple(tuple) => all(&tuple.items),
        Value::Map(map) => map.entries.iter().map(|(key, value)| values(key) + values(value)).sum(),
        Value::Optional(optional) => optional.value.as_deref().map_or(0, values),
        Value::Dynamic(inner) => values(inner),
        _ => 0,
    }
}
