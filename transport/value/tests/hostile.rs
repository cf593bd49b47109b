//! Few bytes that ask for much: time, memory or stack (spec 2.9, H2–H4).

use bytes::Bytes;
use keyway_value::{
    CodecError, Decoder, MAX_DEPTH, Signature, Value,
    convert::convert,
    transcode::{FromSerde, from_json, to_json},
};

const COUNT: u32 = 65_536;

#[test]
fn lists_of_lists_of_nothing_are_refused_before_they_are_many() {
    for (signature, count) in [("[[()]]", COUNT), ("[[v]]", COUNT), ("[[(()(v))]]", COUNT), ("{i{v()}}", COUNT / 2)] {
        let mut bytes = 10_000_u32.to_le_bytes().to_vec();
        // Whether these are lists or keys and lists.
        (0..20_000).for_each(|_| bytes.extend_from_slice(&count.to_le_bytes()));
        refused(&bytes, signature);
    }
}

#[test]
fn tuples_of_much_nothing_are_refused_before_they_are_many() {
    let nothing = "()".repeat(30_000);
    let mut bytes = 60_000_u32.to_le_bytes().to_vec();
    bytes.resize(60_004, 1);
    refused(&bytes, &format!("[(b{nothing})]"));
    let mut bytes = COUNT.to_le_bytes().to_vec();
    bytes.resize(100, 0);
    refused(&bytes, &format!("[({nothing})]"));
}

#[test]
fn tuples_around_every_byte_are_refused_before_they_are_many() {
    let mut bytes = 1_000_000_u32.to_le_bytes().to_vec();
    bytes.resize(1_000_004, 1);
    refused(&bytes, &format!("[{}b{}]", "(".repeat(60), ")".repeat(60)));
    // Two around each are a list of pairs, and nothing unusual.
    let bytes = Bytes::from(bytes);
    assert!(Decoder::new(&bytes).read_value(&"[(b)]".parse().unwrap()).is_ok());
}

#[test]
fn the_size_of_a_large_type_is_not_added_up_for_every_empty_list() {
    let signature: Signature = format!("[[({})]]", "i".repeat(60_000)).parse().unwrap();
    let lists = 4_000_000_u32;
    let mut bytes = lists.to_le_bytes().to_vec();
    bytes.resize(4 + 4 * lists as usize, 0);
    let bytes = Bytes::from(bytes);
    let mut decoder = Decoder::new(&bytes);
    decoder.skip_value(&signature).unwrap();
    assert_eq!(decoder.remaining(), 0);
}

#[test]
fn dynamics_nest_up_to_the_limit() {
    let nested = |levels: usize| {
        let mut bytes = b"\x01\0\0\0m".repeat(levels - 1);
        bytes.extend_from_slice(b"\x01\0\0\0v");
        Bytes::from(bytes)
    };
    let at_limit = nested(MAX_DEPTH);
    let value = Decoder::new(&at_limit).read_dynamic().unwrap();
    assert_eq!(value.unwrap_dynamic(), Value::Void);
    assert_eq!(to_json(&at_limit, &Signature::dynamic()).unwrap(), "null");
    for levels in [MAX_DEPTH + 1, 200_000] {
        let beyond = nested(levels);
        assert_eq!(Decoder::new(&beyond).read_dynamic(), Err(CodecError::TooDeep(MAX_DEPTH)));
        assert_eq!(Decoder::new(&beyond).skip_value(&Signature::dynamic()), Err(CodecError::TooDeep(MAX_DEPTH)));
        assert!(to_json(&beyond, &Signature::dynamic()).is_err());
    }
}

#[test]
fn counts_that_the_bytes_do_not_bear_out_are_refused() {
    for signature in ["s", "r", "[i]", "[s]", "{ss}", "#m", "m"] {
        for count in [1_u32, 1 << 20, u32::MAX] {
            let bytes = Bytes::from(count.to_le_bytes().to_vec());
            let read = Decoder::new(&bytes).read_value(&signature.parse().unwrap());
            assert_eq!(read, Err(CodecError::ReadPastEnd), "{signature} {count}");
        }
    }
    let bytes = Bytes::from(u32::MAX.to_le_bytes().to_vec());
    let read = Decoder::new(&bytes).read_value(&"[()]".parse().unwrap());
    assert_eq!(read, Err(CodecError::CountTooLarge(u32::MAX as usize)));
}

#[test]
fn a_field_is_not_made_of_an_entry_twice() {
    let large = Value::from("x".repeat(1000));
    let map = Value::map(Signature::string(), Signature::string(), vec![(Value::from("a"), large.clone())]);
    let once: Signature = "(s)<S,a>".parse().unwrap();
    let many: Signature = format!("({})<S{}>", "s".repeat(1000), ",a".repeat(1000)).parse().unwrap();
    assert!(convert(map.clone(), &once).is_ok());
    assert!(convert(map, &many).is_err());
    let Value::Tuple(mut tuple) = Value::tuple(vec![large]) else { unreachable!("a tuple") };
    tuple.signature = once;
    assert!(convert(Value::Tuple(tuple), &many).is_err());
}

#[test]
fn json_that_nests_too_deep_for_its_type_is_refused() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    for json in [deep("[", "]"), deep("{\"a\":", "}")] {
        assert!(from_json(&json, &Signature::dynamic()).is_err());
        let mut encoder = keyway_value::Encoder::new();
        let mut source = serde_json::Deserializer::from_str(&json);
        assert!(FromSerde::new(&Signature::dynamic(), &mut encoder).read(&mut source).is_err());
    }
}

/// All ways to read refuse the bytes as having too many parts.
fn refused(bytes: &[u8], signature: &str) {
    let (bytes, signature) = (Bytes::copy_from_slice(bytes), signature.parse().unwrap());
    assert_eq!(Decoder::new(&bytes).read_value(&signature), Err(CodecError::TooManyParts));
    assert_eq!(Decoder::new(&bytes).skip_value(&signature), Err(CodecError::TooManyParts));
    let json = to_json(&bytes, &signature).unwrap_err();
    assert!(json.to_string().starts_with(&CodecError::TooManyParts.to_string()), "{json}");
}
