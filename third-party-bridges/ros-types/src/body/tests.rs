use keyway_value::{Signature, Value};

use super::*;
use crate::{MessageDefinition, MessageShape, Registry, Shape};

fn shape(text: &str) -> Shape {
    let definition = MessageDefinition::parse("pkg/Name".parse().unwrap(), text).unwrap();
    Shape::Message(MessageShape::of_definition(&Registry::standard(), &definition).unwrap().into())
}

fn bytes(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

#[test]
fn fields_follow_each_other_without_padding() {
    let shape = shape("bool a\nint32 b\nstring c\nuint8[] d\nint16[2] e\ntime f\nstd_msgs/Int8[] g\n");
    let wire = bytes(b"\x01\x02\0\0\0\x02\0\0\0hi\x01\0\0\0\xff\x03\0\x04\0\x05\0\0\0\x06\0\0\0\x02\0\0\0\x07\xf8");
    let value = decode(&shape, &wire).unwrap();
    assert_eq!(
        value.to_string(),
        r#"{"a":true,"b":2,"c":"hi","d":<1 bytes>,"e":[3,4],"f":{"sec":5,"nsec":6},"g":[{"data":7},{"data":-8}]}"#
    );
    assert_eq!(encode(&shape, &value).unwrap(), wire);
}

#[test]
fn bytes_that_are_too_few_or_too_many_are_refused() {
    let shape = shape("string name\nfloat64[] numbers");
    let error = |wire: &[u8]| decode(&shape, &bytes(wire)).unwrap_err().to_string();
    assert_eq!(error(b"\x02\0\0\0a"), "name: the bytes end too early");
    assert_eq!(error(b"\0\0\0\0\xff\xff\xff\xff"), "numbers: the bytes end too early");
    assert_eq!(error(b"\0\0\0\0\0\0\0\0\0"), "1 bytes are left over");
}

#[test]
fn elements_that_take_no_bytes_are_few() {
    let shape = shape("std_msgs/Empty[] nothing");
    assert!(decode(&shape, &bytes(b"\xff\xff\0\0")).is_ok());
    assert_eq!(decode(&shape, &bytes(b"\0\0\xff\xff")).unwrap_err().kind, BodyErrorKind::TooManyParts);
}

#[test]
fn a_number_that_does_not_fit_is_refused_with_its_field() {
    let shape = shape("uint8 level\nint32[2] pair");
    let value = |level: i32, pair: Vec<Value>| Value::tuple(vec![level.into(), Value::list(Signature::int32(), pair)]);
    let error = encode(&shape, &value(300, vec![])).unwrap_err().to_string();
    assert_eq!(error, "level: 300 does not fit into uint8");
    let error = encode(&shape, &value(3, vec![1.into()])).unwrap_err().to_string();
    assert_eq!(error, "pair: 2 elements are wanted, and there are 1");
    let error = encode(&shape, &Value::tuple(vec!["a".into(), "b".into()])).unwrap_err().to_string();
    assert_eq!(error, "level: uint8 is wanted, not s");
}

#[test]
fn a_message_without_fields_has_no_bytes() {
    let shape = shape("");
    assert_eq!(encode(&shape, &shape.default_value()).unwrap(), b"");
    assert_eq!(decode(&shape, &bytes(b"")).unwrap(), shape.default_value());
}

/// Bytes that rclpy 9.1.2 has written (`serialize_message`), without the four in front and with its padding made zero.
#[test]
fn bytes_of_ros_2_are_read_and_written() {
    let header = "05000000 06000000 03000000 616200";
    let cases = [
        (
            "std_msgs/Header header",
            header.to_owned(),
            r#"{"header":{"seq":0,"stamp":{"sec":5,"nsec":6},"frame_id":"ab"}}"#,
        ),
        (
            "diagnostic_msgs/DiagnosticArray array",
            format!(
                "{header} 00 01000000 02 000000 02000000 6e00 0000 01000000 00 000000 03000000 687700 00 01000000 \
                 02000000 6b00 0000 04000000 76767600"
            ),
            r#"{"array":{"header":{"seq":0,"stamp":{"sec":5,"nsec":6},"frame_id":"ab"},"status":[{"level":2,"name":"n","message":"","hardware_id":"hw","values":[{"key":"k","value":"vvv"}]}]}}"#,
        ),
        (
            "std_msgs/Header header\ngeometry_msgs/Point point",
            format!("{header} 00 000000000000f03f 0000000000000040 0000000000000840"),
            r#"{"header":{"seq":0,"stamp":{"sec":5,"nsec":6},"frame_id":"ab"},"point":{"x":1,"y":2,"z":3}}"#,
        ),
        ("bool success\nstring message", "01 000000 03000000 6f6b00".to_owned(), r#"{"success":true,"message":"ok"}"#),
        ("std_msgs/Empty nothing", "00".to_owned(), r#"{"nothing":{}}"#),
    ];
    for (definition, hex, json) in cases {
        let digits: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
        let pairs = (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap());
        let wire: Vec<u8> = pairs.collect();
        let shape = shape(definition);
        let value = cdr::decode(&shape, &bytes(&wire)).unwrap();
        assert_eq!(value.to_string(), json, "{definition}");
        assert_eq!(cdr::encode(&shape, &value).unwrap(), wire, "{definition}");
        let filled = [&wire[..], &[0; 3]].concat();
        assert_eq!(cdr::decode(&shape, &bytes(&filled)).unwrap(), value, "{definition}");
        assert!(cdr::decode(&shape, &bytes(&[&wire[..], &[0; 4]].concat())).is_err(), "{definition}");
        for end in 0..wire.len() {
            assert!(cdr::decode(&shape, &bytes(&wire[..end])).is_err(), "{definition} cut at {end}");
        }
    }
}

#[test]
fn a_text_that_ros_2_cannot_hold_is_refused() {
    let error = cdr::encode(&shape("string data"), &Value::tuple(vec!["a\0b".into()])).unwrap_err();
    assert_eq!(error.to_string(), "data: a text of ROS 2 holds no zero byte");
}

#[test]
fn an_array_of_ros_2_that_claims_more_than_there_is_takes_no_memory() {
    for definition in ["float64[] numbers", "std_msgs/Empty[] nothing", "std_msgs/Header[] headers"] {
        let error = cdr::decode(&shape(definition), &bytes(b"\xff\xff\xff\xff\0\0\0\0")).unwrap_err();
        assert_eq!(error.kind, BodyErrorKind::TooShort, "{definition}");
    }
    // Headers without text fill what they take to the last byte.
    let headers = shape("std_msgs/Header[] headers");
    let Shape::Message(message) = &headers else { unreachable!() };
    let header = Shape::of_message(&Registry::standard(), &"std_msgs/Header".parse().unwrap()).unwrap();
    let list = Value::list(header.signature(), vec![header.default_value(); 5]);
    let value = message.value(vec![list]);
    assert_eq!(cdr::decode(&headers, &cdr::encode(&headers, &value).unwrap().into()).unwrap(), value);
}
