//! Values as JSON.

use keyway::{
    Value,
    value::{Encoder, transcode},
};

/// One line of JSON. Objects and raw buffers as `keyway::value::transcode` writes them.
pub(crate) fn text(value: &Value) -> String {
    let value = value.peel();
    let mut encoder = Encoder::new();
    let written = encoder.write_value(value);
    let bytes = encoder.finish().into_bytes();
    match written.and_then(|()| transcode::to_json(&bytes, &value.signature())) {
        Ok(json) => json,
        // A value that cannot be JSON is still shown.
        Err(_) => value.to_string(),
    }
}

/// The same as a tree, to be part of a larger document.
pub(crate) fn tree(value: &Value) -> serde_json::Value {
    serde_json::from_str(&text(value)).unwrap_or_else(|_| serde_json::Value::String(value.to_string()))
}
