//! The bytes that real YARP writes (spec yarp.md 3, 4, 5), read and written. YARP-060 is this file and `properties.rs`.

use bytes::Bytes;
use keyway_yarp_wire::{Accepted, Bottle, BottleError, Carrier, Command, Dialect, Event, Item, Limits, encode_message};

/// Bytes in hexadecimal, blanks anywhere.
fn hex(text: &str) -> Bytes {
    let digits: Vec<_> = text.chars().filter(|character| !character.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect::<Vec<_>>().into()
}

fn read(text: &str) -> Bottle {
    Bottle::parse(text.as_bytes(), Dialect::V3).unwrap()
}

#[track_caller]
fn same(bottle: &Bottle, bytes: &str, dialect: Dialect) {
    let bytes = hex(bytes);
    assert_eq!(Bytes::from(bottle.to_bytes(dialect)), bytes, "written");
    assert_eq!(&Bottle::from_bytes(&bytes, dialect).unwrap(), bottle, "read");
}

#[test]
fn yarp_060_bottles_are_the_bytes_of_yarp_3() {
    for (text, bytes) in [
        ("", "00010000 00000000"),
        ("hello", "04010000 01000000 05000000 68656C6C6F"),
        ("[fail]", "09010000 01000000 6661696C"),
        (
            "set gain 2.5",
            "00010000 03000000 04000000 03000000 736574 04000000 04000000 6761696E 0A000000 0000000000000440",
        ),
        ("()", "00010000 01000000 00010000 00000000"),
        ("(1 x)", "00010000 01000000 00010000 02000000 01000000 01000000 04000000 01000000 78"),
        ("x (1 2 3)", "00010000 02000000 04000000 01000000 78 01010000 03000000 01000000 02000000 03000000"),
        ("((1.0 2.0))", "00010000 01000000 00010000 01000000 0A010000 02000000 000000000000F03F 0000000000000040"),
        ("1 {1 2 255}", "00010000 02000000 01000000 01000000 0C000000 03000000 0102FF"),
        ("x 5000000000", "00010000 02000000 04000000 01000000 78 11000000 00F2052A01000000"),
        ("x true", "00010000 02000000 04000000 01000000 78 09000000 31000000"),
    ] {
        same(&read(text), bytes, Dialect::V3);
    }
    for (item, bytes) in [
        (Item::Int8(-5), "20010000 01000000 FB"),
        (Item::Int16(-5), "40010000 01000000 FBFF"),
        (Item::Int64(-5), "11010000 01000000 FBFFFFFFFFFFFFFF"),
        (Item::Float32(1.5), "80010000 01000000 0000C03F"),
    ] {
        same(&vec![item].into(), bytes, Dialect::V3);
    }
}

#[test]
fn yarp_060_bottles_are_the_bytes_of_yarp_4() {
    for (item, bytes) in [
        (Item::Float64(2.5), "14010000 01000000 0000000000000440"),
        (Item::Float32(1.5), "0A010000 01000000 0000C03F"),
        (Item::vocab("position"), "12010000 01000000 706F736974696F6E"),
    ] {
        same(&vec![item].into(), bytes, Dialect::V4);
    }
    let parsed = Bottle::parse(b"[position] [ok]", Dialect::V4).unwrap();
    assert_eq!(parsed.items, [Item::vocab("position"), Item::vocab("ok")]);
    let parsed = Bottle::parse(b"[position]", Dialect::V3).unwrap();
    assert_eq!(parsed.items, [Item::vocab("posi")]);
    // What is a double in one is a type of another width in the other.
    assert!(Bottle::from_bytes(&hex("0A010000 01000000 0000000000000440"), Dialect::V4).is_err());
}

#[test]
fn a_dict_is_read_and_written_as_pairs() {
    for tag in ["00030000", "00020000", "04020000"] {
        let bytes = format!(
            "00010000 01000000 {tag} 00010000 02000000 00010000 02000000 04000000 01000000 61 01000000 01000000 \
             04010000 02000000 01000000 62 03000000 74776F"
        );
        let bottle = Bottle::from_bytes(&hex(&bytes), Dialect::V3).unwrap();
        let entries = vec![("a".into(), Item::Int32(1)), ("b".into(), "two".into())];
        assert_eq!(bottle.items, [Item::Dict(entries)]);
        assert_eq!(bottle.to_string(), "((a 1) (b two))");
        let written = Bottle::from_bytes(&bottle.to_bytes(Dialect::V3).into(), Dialect::V3).unwrap();
        assert_eq!(written, read("((a 1) (b two))"));
    }
}

#[test]
fn a_list_of_one_type_is_read_with_tags_too() {
    let tagged = hex("00010000 02000000 01000000 01000000 01000000 02000000");
    assert_eq!(Bottle::from_bytes(&tagged, Dialect::V3).unwrap(), read("1 2"));
}

#[test]
fn a_vector_is_a_bottle_of_floats_and_an_image_one_with_a_blob() {
    same(&read("1.0 2.0"), "0A010000 02000000 000000000000F03F 0000000000000040", Dialect::V3);
    let image = "00010000 04000000 09000000 6D617400 09000000 72676201 01010000 05000000 03000000 20000000 08000000 \
                 04000000 02000000 0C000000 20000000";
    let bytes = [hex(image), Bytes::from(vec![7; 32])].concat();
    let bottle = Bottle::from_bytes(&bytes.clone().into(), Dialect::V3).unwrap();
    let [Item::Vocab(_), Item::Vocab(_), Item::List(sizes), Item::Blob(pixels)] = &bottle.items[..] else {
        panic!("{bottle:?}")
    };
    assert_eq!((sizes.len(), pixels.len()), (5, 32));
    assert_eq!(bottle.to_bytes(Dialect::V3), bytes);
}

#[test]
fn words_are_read_as_yarp_reads_them() {
    let int = Item::Int32;
    let float = Item::Float64;
    for (text, item) in [
        ("42", int(42)),
        ("-3", int(-3)),
        ("+5", int(5)),
        ("0x10", int(16)),
        ("-0x10", int(-16)),
        ("0x80000000", Item::Int64(0x8000_0000)),
        ("3000000000", Item::Int64(3_000_000_000)),
        ("99999999999999999999", Item::Int64(i64::MAX)),
        ("-9223372036854775808", Item::Int64(i64::MIN)),
        ("017", int(15)),
        ("1-2", int(1)),
        ("2026-11-21", int(2026)),
        ("2.5", float(2.5)),
        ("1.", float(1.0)),
        (".5", float(0.5)),
        ("1e3", float(1000.0)),
        ("-1.5e-3", float(-0.0015)),
        ("09.5", float(9.5)),
        ("1e400", float(f64::INFINITY)),
        ("inf", float(f64::INFINITY)),
        ("-inf", float(f64::NEG_INFINITY)),
        ("[ok]", Item::vocab("ok")),
        ("[abcdef]", Item::vocab("abcd")),
        ("[]", Item::from(false)),
        ("true", Item::from(true)),
        ("false", Item::from(false)),
        ("null", Item::vocab("null")),
        ("(1 2 x)", Item::List(vec![int(1), int(2), "x".into()])),
        ("()", Item::List(vec![])),
        ("{1 2 255}", Item::Blob(Bytes::from_static(&[1, 2, 255]))),
        ("{1,2}", Item::Blob(Bytes::from_static(&[1, 2]))),
        ("{}", Item::Blob(Bytes::new())),
    ] {
        assert_eq!(read(text).items, [item], "{text}");
    }
    for text in ["0x1234567890", "1.2.3", "--1", "9a", "+inf", "Inf", ".", "e", "e1", "a-b", "a.b", "zoé", "1d", "x=1"]
    {
        assert_eq!(read(text).items, [Item::from(text)], "{text}");
    }
    assert!(matches!(read("nan").items[..], [Item::Float64(nan)] if nan.is_nan()));
    for (text, string) in [
        (r#""a b""#, "a b"),
        (r#""true""#, "true"),
        (r#""\n\r\0\\\"x""#, "\n\r\0\\\"x"),
        (r"a\ b", "a b"),
        (r#"x"y z""#, r#"x"y z""#),
        (r"\42", "42"),
    ] {
        assert_eq!(read(text).items, [Item::from(string)], "{text}");
    }
    assert_eq!(read("a,,b\tc\nd").items.len(), 4);
}

#[test]
fn text_is_written_so_that_it_comes_back() {
    for (item, text) in [
        (Item::from("hello"), "hello"),
        (Item::from("a-b.c_1"), "a-b.c_1"),
        (Item::from(""), r#""""#),
        (Item::from("true"), r#""true""#),
        (Item::from("null"), r#""null""#),
        (Item::from("inf"), r#""inf""#),
        (Item::from("nan"), r#""nan""#),
        (Item::from("1a"), r#""1a""#),
        (Item::from("Zoé"), r#""Zoé""#),
        (Item::from("a\n\"b\"\\\r\0"), r#""a\n\"b\"\\\r\0""#),
        (Item::Float64(0.1), "0.1"),
        (Item::Float64(4.0), "4.0"),
        (Item::Float64(1e300), "1e300"),
        (Item::Float64(f64::NEG_INFINITY), "-inf"),
        (Item::Float32(f32::NAN), "nan"),
        (Item::from(true), "true"),
        (Item::from(false), "false"),
        (Item::vocab("fail"), "[fail]"),
        (Item::Blob(Bytes::from_static(&[0, 255])), "{0 255}"),
        (Item::List(vec![Item::Int8(1), Item::List(vec![])]), "(1 ())"),
    ] {
        assert_eq!(Bottle::from(vec![item]).to_string(), text);
    }
}

#[test]
fn halves_of_brackets_and_quotes_are_errors() {
    for text in ["(1 2", "1 )", "a)b", "a(b", "\"un", "{1", "{1 2", "1 }", "[ok", "[ab cd]", "((1)", "a\"b"] {
        let read = Bottle::parse(text.as_bytes(), Dialect::V3);
        assert!(matches!(read, Err(BottleError::Unbalanced(_))), "{text}: {read:?}");
    }
    for text in ["{a}", "{256}", "{-1}", "{1.5}", "{1 (2)}", "{\"1\"}"] {
        assert_eq!(Bottle::parse(text.as_bytes(), Dialect::V3), Err(BottleError::BadBlob), "{text}");
    }
}

#[test]
fn an_rpc_connection_is_the_bytes_of_yarp() {
    let mut connection = Accepted::new(Dialect::V3, Limits::default());
    let hello = hex("59 41 E4 1E 00 00 52 50  09 00 00 00 61 6E 6F 6E 5F 72 70 63 00");
    connection.buffer().extend_from_slice(&hello);
    let opened = Event::Opened { carrier: Carrier::Tcp, peer: "anon_rpc".to_owned() };
    assert_eq!(connection.event(), Ok(Some(opened)));
    assert_eq!(Accepted::welcome(Carrier::Tcp, "anon_rpc", 10008), hex("59 41 18 27 00 00 52 50"));

    let message = hex("59 41 0A 00 00 00 52 50  02 01 FF FF FF FF FF FF FF FF  13 00 00 00  0C 00 00 00  00 00 00 00 \
                       0B 00 00 00 7E 00 00 01 44 20 37 20 31 32 33 34 2E 35 00  01 01 00 00 01 00 00 00 2A 00 00 00");
    let written = encode_message(
        Carrier::Tcp,
        Dialect::V3,
        &Command::Data { reply: false },
        Some(b"7 1234.5"),
        &vec![Item::Int32(42)].into(),
    );
    assert_eq!(Bytes::from(written), message);
    connection.buffer().extend_from_slice(&message);
    let Ok(Some(Event::Message(read))) = connection.event() else { panic!("no message") };
    assert_eq!(read.command, Command::Data { reply: false });
    assert_eq!(read.envelope.as_deref(), Some(&b"7 1234.5"[..]));
    assert_eq!(read.bottle.unwrap().items, [Item::Int32(42)]);
    let acknowledgement = hex("59 41 00 00 00 00 52 50");
    assert_eq!(Accepted::answer(Carrier::Tcp, Dialect::V3, None), acknowledgement);

    let quit = encode_message(Carrier::Tcp, Dialect::V3, &Command::Disconnect, None, &Bottle::default());
    assert!(quit.ends_with(&hex("0A 00 00 00 00 00 00 00 02 00 00 00 7E 00 00 01 71 00")), "{quit:02x?}");
    connection.buffer().extend_from_slice(&quit);
    let Ok(Some(Event::Message(read))) = connection.event() else { panic!("no message") };
    assert_eq!(read.command, Command::Disconnect);
    assert_eq!(connection.event(), Ok(None));
}
