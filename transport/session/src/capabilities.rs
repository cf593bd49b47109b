//! What the two ends of a connection can do (spec 5.3).

use std::{collections::BTreeMap, env};

use bytes::Bytes;
use keyway_value::{CodecError, Encoder, ObjectLayout, Payload, QiString, QiValue, Value, from_payload};

/// Overrides the capabilities that are announced (spec 5.8).
const VARIABLE: &str = "QI_TRANSPORT_CAPABILITIES";

/// Capabilities as they are announced: names and values.
#[derive(Debug, Clone, PartialEq)]
pub struct CapabilityMap(BTreeMap<QiString, Value>);

impl CapabilityMap {
    /// Nothing.
    pub const fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// What libqi 4 announces, in the same order (spec 5.8).
    pub fn libqi() -> Self {
        let defaults = [
            ("ClientServerSocket", true),
            ("MessageFlags", true),
            ("MetaObjectCache", false),
            ("ObjectPtrUID", true),
            ("RelativeEndpointURI", true),
            ("RemoteCancelableCalls", true),
        ];
        Self(defaults.into_iter().map(|(name, on)| (name.into(), Value::Bool(on))).collect())
    }

    /// libqi's, changed as `QI_TRANSPORT_CAPABILITIES` says.
    pub fn from_environment() -> Self {
        let mut map = Self::libqi();
        if let Ok(overrides) = env::var(VARIABLE) {
            map.apply(&overrides);
        }
        map
    }

    /// Applies overrides: `name`, `+name`, `-name` or `name=value`, separated by colons.
    pub fn apply(&mut self, overrides: &str) {
        for item in overrides.split(':').filter(|item| !item.is_empty()) {
            let (name, value) = match item.split_once('=') {
                Some((name, "true")) => (name, Value::Bool(true)),
                Some((name, "false")) => (name, Value::Bool(false)),
                Some((name, value)) => (name, value.parse().map_or_else(|_| Value::from(value), Value::Int64)),
                None => match item.split_at_checked(1) {
                    Some(("-", name)) => (name, Value::Bool(false)),
                    Some(("+", name)) => (name, Value::Bool(true)),
                    _ => (item, Value::Bool(true)),
                },
            };
            self.0.insert(name.into(), value);
        }
    }

    /// Sets one capability.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Whether a capability is there and true; numbers count as bools (spec 5.3).
    pub fn has(&self, name: &str) -> bool {
        self.0.get(&QiString::from(name)).is_some_and(|value| value.as_f64().is_some_and(|number| number != 0.0))
    }

    /// An entry's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(&QiString::from(name)).map(Value::peel)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (&QiString, &Value)> {
        self.0.iter()
    }

    /// Adds what is new in `other`: the first value of a key wins (spec 5.2).
    pub fn merge(&mut self, other: Self) {
        for (name, value) in other.0 {
            self.0.entry(name).or_insert(value);
        }
    }

    /// The map in a payload.
    pub fn decode(payload: &Bytes) -> Result<Self, CodecError> {
        let map: BTreeMap<QiString, Value> = from_payload(payload)?;
        Ok(Self(map))
    }

    /// The payload of a map.
    pub fn encode(&self) -> Payload {
        let mut encoder = Encoder::new();
        // Made by this process: small, and without objects.
        let written = self.0.encode(&mut encoder);
        debug_assert!(written.is_ok());
        encoder.finish()
    }
}

impl Default for CapabilityMap {
    fn default() -> Self {
        Self::libqi()
    }
}

impl FromIterator<(QiString, Value)> for CapabilityMap {
    fn from_iter<I: IntoIterator<Item = (QiString, Value)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

/// What both ends agreed on; nothing before the connection is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedCapabilities {
    /// The peer serves calls on the connection on which it registered its services.
    pub client_server_socket: bool,
    /// The peer understands header flags.
    pub message_flags: bool,
    /// Metaobjects are sent once.
    pub metaobject_cache: bool,
    /// Objects carry uids.
    pub object_ptr_uid: bool,
    /// Relative endpoints are understood.
    pub relative_endpoint_uri: bool,
    /// Cancel and Canceled are understood.
    pub remote_cancelable_calls: bool,
}

impl SharedCapabilities {
    pub(crate) fn new(own: &CapabilityMap, remote: &CapabilityMap) -> Self {
        let shared = |name| own.has(name) && remote.has(name);
        Self {
            client_server_socket: remote.has("ClientServerSocket"),
            message_flags: remote.has("MessageFlags"),
            metaobject_cache: shared("MetaObjectCache"),
            object_ptr_uid: shared("ObjectPtrUID"),
            relative_endpoint_uri: shared("RelativeEndpointURI"),
            remote_cancelable_calls: shared("RemoteCancelableCalls"),
        }
    }

    /// How objects are written on this connection.
    pub const fn layout(&self) -> ObjectLayout {
        ObjectLayout { uid: self.object_ptr_uid, metaobject_cache: self.metaobject_cache }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_switch_capabilities_on_and_off() {
        let mut map = CapabilityMap::libqi();
        map.apply("-MessageFlags:+MetaObjectCache:Zorglub=3:Other");
        assert!(!map.has("MessageFlags") && map.has("MetaObjectCache") && map.has("Zorglub") && map.has("Other"));
    }

    #[test]
    fn the_first_value_of_a_key_wins_and_numbers_count_as_bools() {
        let mut map = CapabilityMap::empty();
        map.set("A", 1_i32);
        let mut other = CapabilityMap::empty();
        other.set("A", false).set("B", 0_i64);
        map.merge(other);
        assert!(map.has("A") && !map.has("B"));
    }
}
