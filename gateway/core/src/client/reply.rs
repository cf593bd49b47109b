//! The result of a call.

use std::fmt;

use keyway::encoded::Encoded;
use keyway_value::{ObjectReference, Signature, transcode::Transcode};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{ClientError, ClientSession, GatewayCode, Target};

/// What a service returned, still encoded.
pub struct Reply {
    /// `None` once it was written out.
    value: Option<Encoded>,
    session: ClientSession,
    target: Target,
}

impl Reply {
    pub(super) fn new(value: Encoded, session: &ClientSession, target: &Target) -> Self {
        Self { value: Some(value), session: session.clone(), target: target.clone() }
    }

    /// How many bytes there are.
    pub fn size(&self) -> usize {
        self.value.as_ref().map_or(0, |value| value.bytes().len())
    }

    /// Writes it in any format. Objects become `{"$object": {"id", "uid", "methods"}}`, and are held for the session.
    pub fn write<S: Serializer>(mut self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(value) = self.value.take() else { return serializer.serialize_unit() };
        let describe = |reference: ObjectReference| match value.object(reference) {
            Some(proxy) => self.session.hold(&self.target, proxy),
            None => Value::Null,
        };
        // What an `m` holds is the value; the layer around it is the wire's.
        Transcode::with(value.bytes(), value.signature(), value.layout()).describing(&describe).serialize(serializer)
    }

    /// As JSON text.
    pub fn json(self) -> Result<Vec<u8>, ClientError> {
        let mut text = Vec::with_capacity(self.size() + 16);
        self.write(&mut serde_json::Serializer::new(&mut text))
            .map_err(|error| ClientError::new(GatewayCode::Unreadable, error.to_string()))?;
        Ok(text)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(value) = &self.value {
            release_objects(value);
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("value", &self.value).finish_non_exhaustive()
    }
}

/// Tells the hosts of objects in a value that nobody needs them.
pub(super) fn release_objects(value: &Encoded) {
    if !may_hold_objects(value.signature()) {
        return;
    }
    let release = |reference: ObjectReference| {
        drop(value.object(reference));
        Value::Null
    };
    let passed = Transcode::with(value.bytes(), value.signature(), value.layout()).describing(&release);
    // Bytes that are no value hold no objects either.
    let _ = passed.serialize(&mut serde_json::Serializer::new(std::io::sink()));
}

fn may_hold_objects(signature: &Signature) -> bool {
    signature.contains_object_or_dynamic()
}
