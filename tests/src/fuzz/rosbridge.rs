//! What clients of rosbridge send: JSON, pieces of it, and CBOR.

use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

use keyway_bridge_rosbridge::{
    Flavour, cbor,
    fragment::Fragments,
    message::{Reader, to_json},
    op::{self, Op},
};
use keyway_ros_types::{MessageShape, Registry, Shape, Stamp};
use serde_json::Value;

/// Text frames: messages of clients, and what is in them as messages of topics. What is read once is read again as the same.
pub fn rosbridge_json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(message) = op::read_text(text) else { return };
    round_trips(&message);
    let mut fragments = Fragments::default();
    let mut op = op::read(message).op;
    for _ in 0..2 {
        let Ok(Op::Fragment(fragment)) = op else { break };
        let Ok(Some(text)) = fragments.add(Instant::now(), fragment) else { return };
        let Ok(message) = op::read_text(&text) else { return };
        op = op::read(message).op;
    }
    match op {
        Ok(Op::Publish { message, .. }) => round_trips(&message),
        Ok(Op::CallService(call)) => round_trips(&call.args),
        _ => {}
    }
}

/// Binary frames.
pub fn rosbridge_cbor(data: &[u8]) {
    if let Ok(message) = cbor::read(data) {
        round_trips(&message);
        // Whatever it is, it is a message or refused.
        let _ = op::read(message);
    }
}

fn round_trips(json: &Value) {
    for shape in SHAPES.iter() {
        let read = |json: &Value| Reader::new(Stamp::default()).message(shape, json);
        let Ok(value) = read(json) else { continue };
        let whole = Shape::Message(shape.clone());
        let written = to_json(&whole, &value, Flavour::Ros1);
        let again = read(&written).unwrap_or_else(|error| panic!("{written} is not read again: {error}"));
        assert_eq!(to_json(&whole, &again, Flavour::Ros1), written);
        cbor::encode(&cbor::to_cbor(&whole, &value, Flavour::Ros2));
    }
}

/// With every kind of field in them.
static SHAPES: LazyLock<Vec<Arc<MessageShape>>> = LazyLock::new(|| {
    let registry = Registry::standard();
    let shape = |name: &str| match Shape::of_message(&registry, &name.parse().ok()?).ok()? {
        Shape::Message(message) => Some(message),
        _ => None,
    };
    let names =
        ["geometry_msgs/PoseStamped", "sensor_msgs/Image", "sensor_msgs/JointState", "std_msgs/UInt8MultiArray"];
    names.into_iter().filter_map(shape).collect()
});
