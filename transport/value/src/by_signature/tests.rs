//! Each row of the table of the module.

use std::{collections::BTreeMap, fmt::Debug, net::Ipv4Addr};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{from_payload, to_payload};
use crate::{CodecError, Decoder, MAX_DEPTH, Signature, Value, transcode};

fn signature(text: &str) -> Signature {
    text.parse().unwrap()
}

fn bytes_of<T: Serialize + ?Sized>(value: &T, text: &str) -> Vec<u8> {
    let signature = signature(text);
    let bytes = to_payload(value, &signature).unwrap_or_else(|error| panic!("{text}: {error}")).into_bytes();
    let mut decoder = Decoder::new(&bytes);
    decoder.read_value(&signature).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(decoder.remaining(), 0, "{text}");
    bytes.to_vec()
}

fn json_of<T: Serialize + ?Sized>(value: &T, text: &str) -> String {
    transcode::to_json(&bytes_of(value, text).into(), &signature(text)).unwrap()
}

fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, text: &str) {
    assert_eq!(from_payload::<T>(&bytes_of(value, text), &signature(text)).as_ref(), Ok(value), "{text}");
}

fn write_error<T: Serialize + ?Sized>(value: &T, text: &str) -> String {
    to_payload(value, &signature(text)).unwrap_err().to_string()
}

fn read_error<T: DeserializeOwned + Debug>(bytes: &[u8], text: &str) -> String {
    from_payload::<T>(bytes, &signature(text)).unwrap_err().to_string()
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    label: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Circle(f64),
    Line(i32, i32),
    Text { label: String, size: Option<u8> },
}

fn point() -> Point {
    Point { x: 1, label: "a".into() }
}

#[test]
fn plain_types_go_there_and_back() {
    there_and_back(&true, "b");
    there_and_back(&-128_i8, "c");
    there_and_back(&255_u8, "C");
    there_and_back(&-5_i64, "w");
    there_and_back(&65535_u32, "W");
    there_and_back(&-5_i32, "i");
    there_and_back(&5_u8, "I");
    there_and_back(&i64::MIN, "l");
    there_and_back(&u64::MAX, "L");
    there_and_back(&i128::from(u64::MAX), "L");
    there_and_back(&1.5_f32, "f");
    there_and_back(&-2.25_f64, "d");
    there_and_back(&1.5_f64, "f");
    there_and_back(&1.5_f32, "d");
    there_and_back(&'h', "s");
    there_and_back(&"h\u{e9}llo".to_owned(), "s");
    there_and_back(&(), "v");
    there_and_back(&(), "()");
    there_and_back(&vec![0_u8, 1, 255], "r");
    there_and_back(&vec![0_u8, 1, 255], "[C]");
    assert_eq!(from_payload::<f64>(&bytes_of(&3, "i"), &signature("i")), Ok(3.0));
    assert_eq!(bytes_of(&3, "d"), 3.0_f64.to_le_bytes());
}

#[test]
fn containers_go_there_and_back() {
    there_and_back(&vec![1, 2, 3], "[i]");
    there_and_back(&vec![1, 2, 3], "#i");
    there_and_back(&(1, "a".to_owned()), "(is)");
    there_and_back(&(1, "a".to_owned()), "(is)<Point,x,label>");
    there_and_back(&[1, 2], "(ii)");
    there_and_back(&vec![(1, "a".to_owned())], "{is}");
    there_and_back(&BTreeMap::from([(1, vec![2_u8])]), "{i[C]}");
    there_and_back(&BTreeMap::from([("k".to_owned(), 1.5)]), "[(sd)]");
    there_and_back(&BTreeMap::from([("x".to_owned(), 1), ("y".to_owned(), 2)]), "(ii)<Point,x,y>");
    there_and_back(&Some(5), "+i");
    there_and_back(&None::<i32>, "+i");
    there_and_back(&Some(Some(5)), "++i");
    there_and_back(&Some(5), "i");
    assert_eq!(bytes_of(&5, "+i"), bytes_of(&Some(5), "+i"));
    // Addresses are text where text is wanted.
    there_and_back(&Ipv4Addr::LOCALHOST, "s");
    there_and_back(&Ipv4Addr::LOCALHOST, "(CCCC)");
}

#[test]
fn structs_go_by_name_or_by_position() {
    for text in ["(is)", "(is)<Point,x,label>", "(si)<Point,label,x>", "{sm}", "[(sm)]", "m"] {
        there_and_back(&point(), text);
    }
    assert_eq!(json_of(&point(), "(si)<Point,label,x>"), r#"{"label":"a","x":1}"#);
    // What the struct does not have is passed over, whatever it is.
    let wide = bytes_of(&(1, ["p", "q"], "a", 2.5), "(i[s]sm)");
    assert_eq!(from_payload(&wide, &signature("(i[s]sm)<P,x,others,label,more>")), Ok(point()));
    assert_eq!(read_error::<Point>(&bytes_of(&1, "i"), "(i)<P,x>"), "missing field `label`");
    assert!(read_error::<Point>(&wide, "(i[s]sm)").starts_with("[1]: invalid type: sequence"));
    assert!(write_error(&point(), "(i)<P,x>").contains("\"label\""));
    assert!(write_error(&point(), "(isd)<P,x,label,weight>").contains("\"weight\" is missing"));
    assert_eq!(json_of(&point(), "(is+d)<P,x,label,weight>"), r#"{"x":1,"label":"a","weight":null}"#);
    assert!(write_error(&point(), "(i)").contains("no place"));
    assert!(write_error(&point(), "(isd)").contains("is missing"));
}

#[test]
fn text_and_buffers_are_borrowed() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        tags: Vec<&'a str>,
        data: &'a [u8],
    }
    let text = "([s]r)<Named,tags,data>";
    let bytes = bytes_of(&(["one", "two"], [1_u8, 2, 3]), text);
    let named: Named<'_> = from_payload(&bytes, &signature(text)).unwrap();
    assert_eq!(named, Named { tags: vec!["one", "two"], data: &[1, 2, 3] });
    assert!(bytes.as_ptr_range().contains(&named.tags[1].as_ptr()));
    assert!(bytes.as_ptr_range().contains(&named.data.as_ptr()));
    let dynamic = bytes_of("three", "m");
    assert_eq!(from_payload::<&str>(&dynamic, &Signature::dynamic()), Ok("three"));
}

#[test]
fn variants_are_names_numbers_or_maps() {
    let shapes =
        || [Shape::Empty, Shape::Circle(1.5), Shape::Line(1, 2), Shape::Text { label: "a".into(), size: None }];
    for shape in shapes() {
        there_and_back(&shape, "m");
    }
    there_and_back(&Vec::from(shapes()), "[m]");
    there_and_back(&Shape::Empty, "s");
    there_and_back(&Shape::Empty, "C");
    there_and_back(&Shape::Circle(0.5), "{sd}");
    there_and_back(&Shape::Line(3, 4), "{s(ii)}");
    there_and_back(&Shape::Text { label: "b".into(), size: Some(3) }, "{s(s+C)<Text,label,size>}");
    assert_eq!(json_of(&Shape::Line(1, 2), "m"), r#"{"Line":[1,2]}"#);
    assert!(write_error(&Shape::Circle(1.5), "s").contains("the variant Circle with content"));
    assert!(write_error(&Shape::Empty, "d").contains("unit variant"));
    assert!(read_error::<Shape>(&[9], "C").contains('9'));
    assert!(read_error::<Shape>(&bytes_of("Star", "s"), "s").contains("unknown variant `Star`"));
    assert!(read_error::<Shape>(&bytes_of("Circle", "s"), "s").contains("newtype variant"));
}

#[test]
fn dynamics_hold_what_serde_says() {
    for (value, content) in [
        (bytes_of(&true, "m"), "b"),
        (bytes_of(&7_u8, "m"), "l"),
        (bytes_of(&u64::MAX, "m"), "L"),
        (bytes_of(&1.5_f64, "m"), "d"),
        (bytes_of(&1.5_f32, "m"), "f"),
        (bytes_of("x", "m"), "s"),
        (bytes_of(&(), "m"), "v"),
        (bytes_of(&None::<i32>, "m"), "v"),
        (bytes_of(&Some(1), "m"), "l"),
        (bytes_of(&[1, 2], "m"), "[m]"),
        (bytes_of(&BTreeMap::from([("k", 1)]), "m"), "{sm}"),
        (bytes_of(&BTreeMap::from([(1, "k")]), "m"), "{mm}"),
        (bytes_of(&BTreeMap::<i32, i32>::new(), "m"), "{sm}"),
        (bytes_of(&point(), "m"), "{sm}"),
    ] {
        let value = Decoder::new(&value.into()).read_dynamic().unwrap();
        assert_eq!(value.signature(), signature(content));
    }
    there_and_back(&BTreeMap::from([(1, "k".to_owned()), (2, "l".to_owned())]), "m");
    there_and_back(&BTreeMap::from([("k".to_owned(), None), ("l".to_owned(), Some(2))]), "{sm}");
    there_and_back(&serde_json::json!({"a": [1, 2.5, null, "x", {"b": true}]}), "m");
    // However many there are around it (spec 4.1).
    let nested = Value::Dynamic(Box::new(Value::Dynamic(Box::new(Value::from(5)))));
    let nested = crate::to_payload(&vec![nested]).unwrap().into_bytes();
    assert_eq!(from_payload::<Vec<i8>>(&nested, &signature("[m]")), Ok(vec![5]));
}

#[test]
fn errors_name_value_type_and_place() {
    assert_eq!(write_error(&300, "C"), "invalid value: integer `300`, expected a value of type C");
    assert_eq!(read_error::<u8>(&300_i32.to_le_bytes(), "i"), "invalid value: integer `300`, expected u8");
    assert!(write_error(&-1, "L").contains("`-1`"));
    assert!(write_error(&u128::MAX, "L").contains("expected a value of type L"));
    assert!(write_error(&"x", "i").contains("string \"x\""));
    assert!(write_error(&1, "s").contains("integer `1`"));
    assert!(write_error(&1, "o").contains("object"));
    assert!(write_error(&(1, 2, 3), "(ii)").contains("3"));
    assert!(write_error(&(1,), "(ii)").contains("length 1"));
    let points = vec![(1, "a"), (2, "b")];
    let error = read_error::<Vec<Point>>(&bytes_of(&points, "[(ls)]"), "[(lm)<P,x,label>]");
    assert!(error.starts_with("[0].label: "), "{error}");
    assert!(write_error(&vec![vec![1, 300]], "[[C]]").starts_with("[0][1]: invalid value"));
    let map = bytes_of(&BTreeMap::from([("a", 1), ("b", 300)]), "{si}");
    assert!(read_error::<BTreeMap<String, u8>>(&map, "{si}").starts_with("b: invalid value: integer `300`"));
    assert_eq!(from_payload::<String>(b"\x01\0\0\0\xff", &signature("s")), Err(CodecError::InvalidUtf8));
    assert!(read_error::<(i32, i32)>(&bytes_of(&[1, 2, 3], "[i]"), "[i]").contains("length 3"));
}

#[test]
fn the_limits_are_those_of_the_codec() {
    assert_eq!(from_payload::<Vec<i32>>(&[255; 8], &signature("[i]")), Err(CodecError::ReadPastEnd));
    assert_eq!(from_payload::<i32>(&[0; 4], &signature("m")), Err(CodecError::NullType));
    let units = [255, 255, 255, 0];
    assert_eq!(from_payload::<Vec<()>>(&units, &signature("[v]")), Err(CodecError::CountTooLarge(0xff_ffff)));
    assert_eq!(to_payload(&vec![(); 70_000], &signature("[v]")), Err(CodecError::CountTooLarge(70_000)));
    // Dynamics in dynamics, without end.
    let deep = b"\x01\0\0\0m".repeat(500);
    assert_eq!(from_payload::<i32>(&deep, &Signature::dynamic()), Err(CodecError::TooDeep(MAX_DEPTH)));
    let mut json = serde_json::json!(1);
    for _ in 0..MAX_DEPTH {
        json = serde_json::json!([json]);
    }
    assert!(write_error(&json, "m").ends_with("the value nests deeper than 64 levels"));
}
