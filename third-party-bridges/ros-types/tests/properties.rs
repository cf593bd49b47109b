//! What holds for all values and all bytes (ROS-060).

#[path = "../../../transport/value/tests/strategies/mod.rs"]
#[expect(dead_code, reason = "shared with the tests of keyway-value")]
mod strategies;

use keyway_ros_types::{
    Mapping, MappingOptions, MessageDefinition, Registry, ServiceDefinition, Shape, Stamp, body, json,
};
use keyway_value::{MetaObject, Signature, Value};
use proptest::prelude::*;
use strategies::{Kinds, typed_value};

fn mapping(value: &Signature) -> Mapping {
    let mut builder = MetaObject::builder();
    builder.method("get", Signature::tuple([]), value.clone());
    builder.method("put", Signature::tuple([value.clone()]), Signature::void());
    builder.signal("changed", Signature::tuple([value.clone(), value.clone()]));
    Mapping::new(MappingOptions::default(), Registry::standard(), [("S", &builder.build())])
}

/// Read as it was written, but for keys that were there twice and the types of dynamic values.
fn same(shape: &Shape, value: &Value) -> Result<(), TestCaseError> {
    let bytes = body::encode(shape, value).unwrap();
    let read = match body::decode(shape, &bytes.clone().into()) {
        // Objects in dynamic values are said to be there, and not read back.
        Err(_) if json::to_json(value).contains("$object") => return Ok(()),
        read => read.unwrap(),
    };
    let text = value.signature().to_string();
    if !text.contains(['{', 'm']) {
        prop_assert_eq!(json::to_json(&read), json::to_json(value));
    }
    let again = body::decode(shape, &body::encode(shape, &read).unwrap().into()).unwrap();
    prop_assert_eq!(json::to_json(&again), json::to_json(&read));
    prop_assert!(bytes.len() >= shape.min_size());
    same_in_ros_2(shape, value, &read)
}

/// Both layouts say the same. A text with a zero byte is refused by one of them.
fn same_in_ros_2(shape: &Shape, value: &Value, read: &Value) -> Result<(), TestCaseError> {
    let Ok(bytes) = body::cdr::encode(shape, value) else {
        prop_assert!(format!("{value:?}").contains("\\0") || json::to_json(value).contains("\\u0000"), "{value:?}");
        return Ok(());
    };
    prop_assert_eq!(json::to_json(&body::cdr::decode(shape, &bytes.into()).unwrap()), json::to_json(read));
    Ok(())
}

proptest! {
    #[test]
    fn what_is_answered_is_read_as_it_was_written((signature, value) in typed_value(Kinds::WithValues)) {
        let mapping = mapping(&signature);
        for callable in mapping.callables().filter(|callable| callable.member == "get") {
            let answer = callable.answer(Ok(value.clone()));
            same(&callable.response, &answer)?;
            same(&callable.response, &callable.answer(Err("no")))?;
        }
        for topic in mapping.topics() {
            same(&topic.shape, &topic.message(Value::tuple(vec![value.clone(), value.clone()]), Stamp::default()))?;
        }
    }

    #[test]
    fn generated_definitions_are_those_of_the_bytes((signature, value) in typed_value(Kinds::WithValues)) {
        let mapping = mapping(&signature);
        for topic in mapping.topics() {
            // As a peer reads it: from what the publisher says of the type.
            let registry = Registry::of_publisher(&topic.type_name, &topic.definition).unwrap();
            prop_assert_eq!(&registry.message_md5(&topic.type_name).unwrap(), &topic.md5);
            let shape = Shape::of_message(&registry, &topic.type_name);
            let Ok(shape) = shape else { continue };
            let message = topic.message(Value::tuple(vec![value.clone(), value.clone()]), Stamp::default());
            let bytes = body::encode(&topic.shape, &message).unwrap();
            let read = body::decode(&shape, &bytes.clone().into()).unwrap();
            prop_assert_eq!(body::encode(&shape, &read).unwrap(), bytes);
        }
    }

    #[test]
    fn json_is_read_as_it_was_written((signature, value) in typed_value(Kinds::Json)) {
        // Objects of JSON have a key once, and no order.
        let plain = |text: &str| text.parse::<serde_json::Value>().unwrap();
        let text = json::to_json(&value);
        // Nested deeper than JSON may be is refused.
        if let Ok(read) = json::from_json_as(&text, &signature) {
            prop_assert_eq!(plain(&json::to_json(&read)), plain(&text));
        } else {
            prop_assert!(text.matches(['[', '{']).count() > json::MAX_DEPTH, "{signature} {text}");
        }
        if let Ok(read) = json::from_json(&text) {
            let text = json::to_json(&read);
            prop_assert_eq!(plain(&json::to_json(&json::from_json(&text).unwrap())), plain(&text));
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_refused((signature, _) in typed_value(Kinds::WithValues), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = bytes::Bytes::from(bytes);
        for callable in mapping(&signature).callables() {
            if let Ok(value) = body::cdr::decode(&callable.response, &bytes) {
                let text = body::cdr::encode(&callable.response, &value).map_err(|error| error.kind);
                prop_assert!(matches!(text, Ok(_) | Err(body::BodyErrorKind::ZeroByte)));
            }
            if let Ok(value) = body::decode(&callable.response, &bytes) {
                prop_assert!(body::encode(&callable.response, &value).is_ok());
            }
            if let Ok(request) = body::decode(&callable.request, &bytes) {
                let _ = callable.arguments(request);
            }
        }
    }

    #[test]
    fn any_text_is_a_definition_or_refused(text in "([a-z0-9_/]{1,8}(\\[[0-9]{0,3}\\])? ?[a-zA-Z0-9_= #]{0,8}\n|---\n|={80}\nMSG: a/B\n){0,6}") {
        let name: keyway_ros_types::TypeName = "a/A".parse().unwrap();
        let _ = MessageDefinition::parse(name.clone(), &text);
        let _ = ServiceDefinition::parse(name.clone(), &text);
        if let Ok(registry) = Registry::of_publisher(&name, &text) {
            let _ = registry.message_md5(&name);
            if let Ok(shape) = Shape::of_message(&registry, &name) {
                let _ = body::decode(&shape, &vec![0; 64].into());
            }
        }
    }

    #[test]
    fn any_text_is_json_or_refused(text in "[\\[\\]{}:,\"$0-9a-eE.+-]{0,40}") {
        let _ = json::from_json(&text);
        let _ = json::from_json_as(&text, &"[{s(id)}]".parse().unwrap());
    }
}
