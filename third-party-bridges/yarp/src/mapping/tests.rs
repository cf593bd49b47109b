use bytes::Bytes;
use keyway::{
    QiString, Signature, Value,
    value::{OptionalValue, convert::convert},
};
use keyway_yarp_wire::{Bottle, Dialect, Item};

use super::*;
use crate::options::StructStyle;

fn item(text: &str) -> Item {
    bottle(text).items.remove(0)
}

fn bottle(text: &str) -> Bottle {
    Bottle::parse(text.as_bytes(), Dialect::V3).unwrap()
}

fn signature(text: &str) -> Signature {
    text.parse().unwrap()
}

/// What an item becomes as a type, as text; `Err` if it does not fit.
fn incoming(text: &str, wanted: &str) -> Result<String, String> {
    from_item(&item(text), &signature(wanted)).map(|(value, _)| {
        assert_eq!(value.signature(), signature(wanted), "of the type that is wanted");
        value.to_string()
    })
}

fn outgoing(value: &Value) -> String {
    to_bottle(value, StructStyle::Plain).unwrap().to_string()
}

#[test]
fn items_become_the_types_that_are_wanted() {
    for (text, wanted, expected) in [
        ("true", "b", "true"),
        ("[ok]", "b", "true"),
        ("[fail]", "b", "false"),
        ("1", "b", "true"),
        ("0", "b", "false"),
        ("-5", "c", "-5"),
        ("200", "C", "200"),
        ("2.0", "i", "2"),
        ("5000000000", "l", "5000000000"),
        ("5000000000", "L", "5000000000"),
        ("3", "d", "3"),
        ("2.5", "f", "2.5"),
        ("[ok]", "s", "\"ok\""),
        ("true", "s", "\"true\""),
        ("42", "s", "\"42\""),
        ("2.5", "s", "\"2.5\""),
        ("{1 2}", "r", "<2 bytes>"),
        ("abc", "r", "<3 bytes>"),
        ("(1 2 3)", "r", "<3 bytes>"),
        ("(1 2.0)", "[i]", "[1,2]"),
        ("{1 255}", "[C]", "[1,255]"),
        ("{1 255}", "[c]", "[1,-1]"),
        ("((a 1) (b 2) (a 3))", "{si}", "{\"a\":3,\"b\":2}"),
        ("(3 4)", "(id)<Point,x,y>", "{\"x\":3,\"y\":4}"),
        ("((y 4) (x 3))", "(id)<Point,x,y>", "{\"x\":3,\"y\":4}"),
        ("(1 x)", "(is)", "[1,\"x\"]"),
        ("null", "+i", "null"),
        ("7", "+i", "7"),
        ("(a (1 true))", "m", "[\"a\",[1,true]]"),
        ("null", "m", "null"),
        ("[go]", "m", "\"go\""),
    ] {
        assert_eq!(incoming(text, wanted).as_deref(), Ok(expected), "{text} as {wanted}");
    }
}

#[test]
fn items_that_do_not_fit_are_refused_and_never_wrapped() {
    for (text, wanted) in [
        ("2", "b"),
        ("x", "b"),
        ("\"true\"", "b"),
        ("128", "c"),
        ("-1", "C"),
        ("-1", "L"),
        ("3000000000", "i"),
        ("2.5", "i"),
        ("nan", "i"),
        ("1e300", "l"),
        ("[ok]", "i"),
        ("true", "i"),
        ("x", "d"),
        ("(1)", "s"),
        ("{1}", "s"),
        ("(256)", "r"),
        ("5", "[i]"),
        ("(x)", "[i]"),
        ("{1}", "[i]"),
        ("(1 2)", "{si}"),
        ("((a 1 2))", "{si}"),
        ("(1)", "(ii)"),
        ("x", "+i"),
        ("1", "o"),
    ] {
        let error = incoming(text, wanted).unwrap_err();
        assert!(!error.is_empty(), "{text} as {wanted}");
    }
    let error = incoming("3000000000", "i").unwrap_err();
    assert_eq!(error, "3000000000 is not int32");
    let long = incoming(&"x".repeat(1000), "i").unwrap_err();
    assert!(long.len() < 100, "{long}");
}

#[test]
fn text_that_is_not_utf8_is_raw_or_refused() {
    let bad = Item::String(Bytes::from_static(b"\xff"));
    assert!(from_item(&bad, &Signature::string()).is_err());
    assert_eq!(from_item(&bad, &Signature::raw()).unwrap().0, Value::Raw(Bytes::from_static(b"\xff")));
    assert_eq!(to_dynamic(&bad).unwrap_dynamic(), Value::Raw(Bytes::from_static(b"\xff")));
}

#[test]
fn values_become_what_their_type_says() {
    let items = |value: Value| to_bottle(&value, StructStyle::Plain).unwrap().items;
    assert_eq!(items(Value::Int8(-5)), [Item::Int8(-5)]);
    assert_eq!(items(Value::UInt8(200)), [Item::Int16(200)]);
    assert_eq!(items(Value::UInt16(60_000)), [Item::Int32(60_000)]);
    assert_eq!(items(Value::UInt32(u32::MAX)), [Item::Int64(u32::MAX.into())]);
    assert_eq!(items(Value::UInt64(7)), [Item::Int64(7)]);
    assert_eq!(items(Value::Float(1.5)), [Item::Float32(1.5)]);
    assert_eq!(items(Value::from(QiString::from(vec![0xff]))), [Item::String(Bytes::from_static(b"\xff"))]);
    assert_eq!(to_bottle(&Value::UInt64(u64::MAX), StructStyle::Plain), Err(OutgoingError::TooLarge(u64::MAX)));
    let object = Value::Object(keyway::value::ObjectValue::null());
    assert_eq!(to_bottle(&object, StructStyle::Plain), Err(OutgoingError::Object));
    assert_eq!(items(Value::Void), []);
    assert_eq!(outgoing(&Value::Void.into_dynamic()), "[null]");
    let none = Value::Optional(OptionalValue { signature: signature("+i"), value: None });
    assert_eq!(outgoing(&none), "[null]");
    let map = vec![("b".into(), 1.into()), ("a".into(), 2.into())];
    assert_eq!(outgoing(&Value::map(Signature::string(), Signature::int32(), map)), "((a 2) (b 1))");
    let map = vec![(Value::from(10), 1.into()), (Value::from(9), 2.into())];
    assert_eq!(outgoing(&Value::map(Signature::int32(), Signature::int32(), map)), "((9 2) (10 1))");
}

#[test]
fn structs_stand_side_by_side_and_may_be_named() {
    let point = convert(Value::tuple(vec![3.into(), 4.5.into()]), &signature("(id)<Point,x,y>")).unwrap();
    let line = Value::tuple(vec![point.clone(), point.clone()]);
    assert_eq!(outgoing(&point), "3 4.5");
    assert_eq!(outgoing(&line), "(3 4.5) (3 4.5)");
    assert_eq!(outgoing(&point.clone().into_dynamic()), "(3 4.5)");
    assert_eq!(to_bottle(&point, StructStyle::Named).unwrap().to_string(), "(x 3) (y 4.5)");
    assert_eq!(to_bottle(&line, StructStyle::Named).unwrap().to_string(), "((x 3) (y 4.5)) ((x 3) (y 4.5))");
}

#[test]
fn what_is_written_to_a_port_may_stand_side_by_side() {
    let read = |text: &str, wanted: &str| from_bottle(&bottle(text), &signature(wanted)).map(|value| value.to_string());
    assert_eq!(read("1.0 2.0", "[d]").as_deref(), Ok("[1,2]"));
    assert_eq!(read("(1.0 2.0)", "[d]").as_deref(), Ok("[1,2]"));
    assert_eq!(read("3 4.5", "(id)").as_deref(), Ok("[3,4.5]"));
    assert_eq!(read("(3 4.5)", "(id)").as_deref(), Ok("[3,4.5]"));
    assert_eq!(read("4", "d").as_deref(), Ok("4"));
    assert!(read("4 5", "d").is_err());
    assert!(read("", "d").is_err());
}

#[test]
fn dynamics_come_back_with_equal_tags_and_values() {
    let all = vec![
        Item::from(true),
        Item::Int8(-1),
        Item::Int16(300),
        Item::Int32(-70_000),
        Item::Int64(5_000_000_000),
        Item::Float32(1.5),
        Item::Float64(0.1),
        Item::from("Zoé"),
        Item::Blob(Bytes::from_static(&[0, 255])),
        item("null"),
        item("(1 (2.5 \"x y\") ())"),
    ];
    let echoed = to_bottle(&to_dynamic(&Item::List(all.clone())), StructStyle::Plain).unwrap();
    assert_eq!(echoed.items, [Item::List(all)]);
    let dict = Item::Dict(vec![("a".into(), Item::Int32(1))]);
    assert_eq!(to_dynamic(&dict).unwrap_dynamic().signature(), signature("{sm}"));
}

#[test]
fn types_have_the_names_that_yarp_gives_them() {
    for (text, name) in [
        ("i", "int32"),
        ("[d]", "list<float64>"),
        ("{si}", "map<string,int32>"),
        ("(dd)", "(float64,float64)"),
        ("(id)<Point,x,y>", "struct{int32 x; float64 y}"),
        ("+m", "optional<dynamic>"),
    ] {
        assert_eq!(type_name(&signature(text)), name);
    }
}
