//! What holds for all bottles and all bytes (spec yarp.md 4, 5, 8).

use bytes::Bytes;
use keyway_yarp_wire::{Accepted, Bottle, Carrier, Dialect, Dialled, Event, Item, Limits, MAX_DEPTH, Vocab};
use proptest::prelude::*;

fn dialect() -> impl Strategy<Value = Dialect> {
    prop_oneof![Just(Dialect::V3), Just(Dialect::V4)]
}

fn scalar() -> impl Strategy<Value = Item> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from);
    prop_oneof![
        any::<i8>().prop_map(Item::Int8),
        any::<i16>().prop_map(Item::Int16),
        any::<i32>().prop_map(Item::Int32),
        any::<i64>().prop_map(Item::Int64),
        any::<f32>().prop_map(Item::Float32),
        any::<f64>().prop_map(Item::Float64),
        any::<u32>().prop_map(|vocab| Item::Vocab(Vocab(vocab.into()))),
        bytes().prop_map(Item::String),
        ".{0,12}".prop_map(Item::from),
        bytes().prop_map(Item::Blob),
    ]
}

/// Values that text tells apart: its numbers have two sizes, and its vocabs are words.
fn textual() -> impl Strategy<Value = Item> {
    let text = prop_oneof![".{0,12}", "[a-z0-9.+-]{0,6}", Just("null".to_owned()), Just("-inf".to_owned())];
    let wide = any::<i64>().prop_filter("fits the smaller one", |value| i32::try_from(*value).is_err());
    prop_oneof![
        any::<i32>().prop_map(Item::Int32),
        wide.prop_map(Item::Int64),
        prop_oneof![any::<f64>(), Just(f64::INFINITY), Just(0.1)].prop_map(Item::Float64),
        "[a-z0-9]{0,4}".prop_map(|word| Item::vocab(&word)),
        text.prop_map(Item::from),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Item::String(bytes.into())),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Item::Blob(bytes.into())),
    ]
}

fn bottle(scalars: impl Strategy<Value = Item> + 'static) -> impl Strategy<Value = Bottle> {
    let item = scalars.prop_recursive(5, 60, 8, |item| prop::collection::vec(item, 0..8).prop_map(Item::List));
    prop::collection::vec(item, 0..10).prop_map(Bottle::from)
}

proptest! {
    #[test]
    fn a_bottle_is_read_as_it_was_written(bottle in bottle(scalar()), dialect in dialect()) {
        let bytes = Bytes::from(bottle.to_bytes(dialect));
        prop_assert_eq!(Bottle::from_bytes(&bytes, dialect), Ok(bottle.clone()));
        let longer = Bytes::from([&bytes[..], b"rest"].concat());
        prop_assert_eq!(Bottle::from_prefix(&longer, dialect), Ok((bottle, bytes.len())));
    }

    #[test]
    fn a_bottle_that_is_cut_says_that_there_is_more(bottle in bottle(scalar()), cut in any::<prop::sample::Index>()) {
        let bytes = Bytes::from(bottle.to_bytes(Dialect::V3));
        let cut = bytes.slice(..cut.index(bytes.len()));
        let read = Bottle::from_prefix(&cut, Dialect::V3);
        let Err(keyway_yarp_wire::BottleError::Truncated { needed }) = read else { panic!("{read:?}") };
        prop_assert!(needed > cut.len() && needed <= bytes.len());
    }

    #[test]
    fn text_is_read_as_it_was_written(bottle in bottle(textual()), dialect in dialect()) {
        let text = bottle.to_text();
        prop_assert!(!text.contains(&b'\n'), "one line");
        prop_assert_eq!(Bottle::parse(&text, dialect), Ok(bottle));
    }

    #[test]
    fn any_bytes_are_a_bottle_or_refused(bytes in plausible(), dialect in dialect()) {
        let bytes = Bytes::from(bytes);
        if let Ok((bottle, length)) = Bottle::from_prefix(&bytes, dialect) {
            prop_assert!(length <= bytes.len() && parts(&bottle.items) <= bytes.len());
            let again = Bytes::from(bottle.to_bytes(dialect));
            prop_assert_eq!(Bottle::from_bytes(&again, dialect).unwrap().to_bytes(dialect), again);
        }
    }

    #[test]
    fn any_text_is_a_bottle_or_refused(text in "[\\[\\](){}\"\\\\ ,a-e0-9.+\n-]{0,60}", dialect in dialect()) {
        if let Ok(bottle) = Bottle::parse(text.as_bytes(), dialect) {
            let written = bottle.to_text();
            prop_assert_eq!(Bottle::parse(&written, dialect).unwrap().to_text(), written);
        }
    }

    #[test]
    fn any_bytes_are_a_connection_or_end_it(start in 0..6_usize, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let starts: [&[u8]; 6] = [
            b"", b"CONNECT a\n", b"CONNACK a\nd\n", b"YA\xe4\x1e\0\0RP", b"YA\x64\x1e\0\0RP\x02\0\0\0a\0",
            b"YA\xe4\x1e\0\0RP\x02\0\0\0a\0YA\x0a\0\0\0RP\x02\0\xff\xff\xff\xff\xff\xff\xff\xff\x08\0\0\0\x10\0\0\0\0\0\0\0~d\0\x01",
        ];
        let all = [starts[start], &bytes].concat();
        let mut whole = Accepted::new(Dialect::V3, Limits::default());
        whole.buffer().extend_from_slice(&all);
        let mut pieces = Accepted::new(Dialect::V3, Limits::default());
        let (mut at_once, mut piecewise) = (drain(&mut whole), (Vec::new(), false));
        for byte in all {
            pieces.buffer().extend_from_slice(&[byte]);
            let (events, ended) = drain(&mut pieces);
            piecewise.0.extend(events);
            piecewise.1 = ended;
            if ended {
                break;
            }
        }
        // Floats that are not numbers are equal to nothing.
        at_once.0.truncate(piecewise.0.len());
        prop_assert_eq!(format!("{:?}", at_once), format!("{:?}", piecewise));
    }

    #[test]
    fn any_bytes_are_a_reply_or_end_the_connection(bytes in plausible()) {
        let mut dialled = Dialled::new(Carrier::Tcp, Dialect::V3, Limits::default());
        let mut whole = Dialled::new(Carrier::Tcp, Dialect::V3, Limits::default());
        whole.buffer().extend_from_slice(&bytes);
        let mut found = Ok(None);
        for byte in bytes {
            dialled.buffer().extend_from_slice(&[byte]);
            found = dialled.reply();
            if !matches!(found, Ok(None)) {
                break;
            }
        }
        prop_assert_eq!(format!("{:?}", found.is_ok()), format!("{:?}", whole.reply().is_ok()));
    }
}

/// Tags, counts and lengths that might be some, and others.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let tags = prop::sample::select(vec![1, 4, 9, 10, 12, 17, 18, 20, 32, 64, 128, 256, 257, 260, 266, 512, 768]);
    let word = prop_oneof![4 => tags, 4 => 0..4_i32, 1 => any::<i32>()];
    let words = prop::collection::vec(word, 0..40);
    (words, any::<bool>()).prop_map(|(words, as_list)| {
        let mut bytes = if as_list { vec![0, 1, 0, 0] } else { Vec::new() };
        bytes.extend(words.into_iter().flat_map(i32::to_le_bytes));
        bytes
    })
}

fn drain(connection: &mut Accepted) -> (Vec<Event>, bool) {
    let mut events = Vec::new();
    loop {
        match connection.event() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, false),
            Err(_) => return (events, true),
        }
    }
}

fn parts(items: &[Item]) -> usize {
    let of = |item: &Item| match item {
        Item::List(items) => 1 + parts(items),
        Item::Dict(entries) => 1 + entries.len(),
        _ => 1,
    };
    items.iter().map(of).sum()
}

#[test]
fn lists_nest_up_to_the_limit() {
    let nested = |levels: usize| format!("{}{}", "(".repeat(levels), ")".repeat(levels)).into_bytes();
    let deep = Bottle::parse(&nested(MAX_DEPTH), Dialect::V3).unwrap();
    let bytes = Bytes::from(deep.to_bytes(Dialect::V3));
    assert_eq!(Bottle::from_bytes(&bytes, Dialect::V3), Ok(deep.clone()));
    assert!(Bottle::parse(&nested(MAX_DEPTH + 1), Dialect::V3).is_err());
    assert!(Bottle::parse(&nested(500_000), Dialect::V3).is_err());
    let deeper = Bytes::from(Bottle::from(vec![Item::List(deep.items)]).to_bytes(Dialect::V3));
    assert!(Bottle::from_bytes(&deeper, Dialect::V3).is_err());
    let endless = Bytes::from([0, 1, 0, 0, 1, 0, 0, 0].repeat(100_000));
    assert!(Bottle::from_bytes(&endless, Dialect::V3).is_err());
}

#[test]
fn counts_are_checked_against_what_is_there() {
    for tag in [256, 257, 260, 266, 268, 288] {
        for count in [1_000_000_i32, i32::MAX, -1] {
            let bytes: Vec<u8> = [i32::to_le_bytes(tag), count.to_le_bytes()].concat();
            assert!(Bottle::from_bytes(&bytes.into(), Dialect::V3).is_err());
        }
    }
    // A million values in a megabyte would take forty.
    let many = Bytes::from([&288_i32.to_le_bytes()[..], &2_000_000_i32.to_le_bytes(), &vec![0; 2_000_000]].concat());
    assert_eq!(Bottle::from_bytes(&many, Dialect::V3), Err(keyway_yarp_wire::BottleError::TooManyItems));
}

#[test]
fn time_grows_with_the_bytes_and_not_with_their_square() {
    // Half a million lines that continue each other, and a megabyte that comes byte by byte.
    let mut connection = Accepted::new(Dialect::V3, Limits::default());
    connection.buffer().extend_from_slice(b"CONNECT a\nd\n(\n");
    for _ in 0..500_000 {
        connection.buffer().extend_from_slice(b"\n");
        assert!(!matches!(connection.event(), Ok(Some(Event::Message(_))) | Err(_)));
    }
    let mut connection = Accepted::new(Dialect::V3, Limits::default());
    connection.buffer().extend_from_slice(b"CONNECT a\nd\n");
    for _ in 0..1_000_000 {
        connection.buffer().extend_from_slice(b"x");
        assert!(!matches!(connection.event(), Ok(Some(Event::Message(_))) | Err(_)));
    }
}
