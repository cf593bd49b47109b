use keyway_value::{Signature, Value};

use super::*;
use crate::{MessageDefinition, MessageShape, Registry, Shape};

fn shape(text: &str) -> Shape {
    let definition = MessageDefinition::parse("pkg/Name".parse().unwrap(), text).unwrap();
    Shape::Message(MessageShape::of_definition(&Registry::standard(), &definition).unwrap().into())
}

fn bytes(bytes: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(bytes)
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
