//! What nodes of ROS 1 send: headers, XML-RPC, definitions and messages.

use keyway_bridge_ros1::{
    tcpros::{Header, mismatch},
    xmlrpc::{read_call, read_response, write_call, write_response},
};
use keyway_ros_types::{MessageDefinition, MessageShape, Registry, Shape, body, json};

/// Fields of a TCPROS header: any bytes are a header or refused, and a header is read again as it was written.
///
/// # Panics
///
/// When that does not hold.
pub fn ros_header(data: &[u8]) {
    let Ok(header) = Header::parse(data) else { return };
    let bytes = header.to_bytes();
    assert_eq!(Header::parse(&bytes[4..]).as_ref(), Ok(&header), "what is written is read");
    assert!(mismatch(&header, "topic /t", "std_msgs/String", "0").is_none_or(|text| text.contains("std_msgs/String")));
}

/// XML-RPC: any bytes are a call, a response or refused, and what is written of them is read again.
///
/// # Panics
///
/// When that does not hold.
pub fn ros_xmlrpc(data: &[u8]) {
    if let Ok(call) = read_call(data) {
        let text = write_call(&call);
        let again = read_call(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(again.params.len(), call.params.len());
    }
    if let Ok(Ok(value)) = read_response(data) {
        let text = write_response(&value);
        assert!(read_response(text.as_bytes()).is_ok_and(|again| again.is_ok()), "{text}");
    }
}

/// A definition, a zero byte, and a message of it: read again as it was written. The message alone is JSON or refused.
///
/// # Panics
///
/// When that does not hold.
pub fn ros_body(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (text, message) = data.split_at(end);
    let message = bytes::Bytes::copy_from_slice(message.get(1..).unwrap_or_default());
    if let Ok(value) = json::from_bytes(&message) {
        let text = json::to_json(&value);
        assert!(json::from_json(&text).is_ok(), "{text}");
    }
    let Ok(name) = "pkg/Name".parse() else { return };
    let Ok(definition) = MessageDefinition::parse(name, &String::from_utf8_lossy(text)) else { return };
    let Ok(shape) = MessageShape::of_definition(&Registry::standard(), &definition) else { return };
    let shape = Shape::Message(shape.into());
    let Ok(value) = body::decode(&shape, &message) else { return };
    let written = body::encode(&shape, &value).unwrap_or_else(|error| panic!("{error}"));
    let again = body::decode(&shape, &written.into()).unwrap_or_else(|error| panic!("{error}"));
    // NaN is not equal to itself.
    assert_eq!(again.to_string(), value.to_string());
}
