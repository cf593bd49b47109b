//! What the two ends of a connection can do (spec 5.3).

use std::{collections::BTreeMap, env, sync::Arc};

use bytes::Bytes;
use keyway_value::{CodecError, Decoder, Encoder, ObjectLayout, Payload, QiString, QiValue, Value, from_payload};
use keyway_wire::{Flags, Frame};

/// Capabilities as they are announced: names and values. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct CapabilityMap(Arc<BTreeMap<QiString, Value>>);

impl CapabilityMap {
    /// Nothing.
    pub fn empty() -> Self {
        Self(Arc::default())
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
        defaults.into_iter().map(|(name, on)| (name.into(), Value::Bool(on))).collect()
    }

    /// libqi's, changed as `QI_TRANSPORT_CAPABILITIES` says (spec 5.8).
    pub fn from_environment() -> Self {
        let mut map = Self::libqi();
        if let Ok(overrides) = env::var(VARIABLE) {
            map.apply(&overrides);
        }
        map
    }

    /// Applies overrides: `name`, `+name`, `-name` or `name=value`, separated by colons (spec 5.8).
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
            self.set(name, value);
        }
    }

    /// Sets one capability.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        Arc::make_mut(&mut self.0).insert(name.into(), value.into());
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
        let own = Arc::make_mut(&mut self.0);
        for (name, value) in Arc::unwrap_or_clone(other.0) {
            own.entry(name).or_insert(value);
        }
    }

    /// Merges what a peer announced, as far as it is worth keeping for the life of a connection.
    ///
    /// Words of the authentication dialogue are no capabilities and may be secret. Unknown capabilities are kept for the
    /// curious, but only small and few ones, copied out of the frame they came in: capability frames may come at any time
    /// and in any number (spec 5.2), and must not fill the memory.
    pub(crate) fn remember(&mut self, announced: &Self) {
        for (name, value) in announced.iter() {
            let bytes = name.as_bytes();
            if bytes.starts_with(b"auth_") || bytes.starts_with(b"__qi_auth_") || bytes.len() > LONGEST_KEPT {
                continue;
            }
            let is_full = self.0.len() >= MOST_KEPT && !KNOWN.iter().any(|known| known.as_bytes() == bytes);
            if is_full || self.0.contains_key(name) {
                continue;
            }
            if let Some(value) = small_copy(value.peel()) {
                Arc::make_mut(&mut self.0).insert(QiString::from(bytes.to_vec()), value);
            }
        }
    }

    /// The map in a payload.
    pub fn decode(payload: &Bytes) -> Result<Self, CodecError> {
        from_payload(payload).map(|map| Self(Arc::new(map)))
    }

    /// The map in a frame, as a `{sm}` or, with flag bit 0, in a dynamic that may hold a tuple of it (spec 2.7).
    pub(crate) fn of_frame(frame: &Frame) -> Result<Self, CodecError> {
        if !frame.header.flags.contains(Flags::DYNAMIC_PAYLOAD) {
            return Self::decode(frame.payload_bytes());
        }
        let value = Decoder::new(frame.payload_bytes()).read_dynamic()?;
        let map = match value.peel() {
            Value::Tuple(tuple) if tuple.items.len() == 1 => tuple.items[0].peel(),
            other => other,
        };
        let Value::Map(map) = map else {
            return Err(CodecError::Custom("Type mismatch".to_owned()));
        };
        let entries = map.entries.iter().map(|(key, value)| match key.peel() {
            Value::String(key) => Ok((key.clone(), value.clone())),
            _ => Err(CodecError::Custom("Type mismatch".to_owned())),
        });
        entries.collect()
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
        Self(Arc::new(entries.into_iter().collect()))
    }
}

/// What both ends agreed on (spec 5.3); nothing before the connection is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedCapabilities {
    /// The peer serves calls on the connection on which it registered its services. Needs the peer's word only.
    pub client_server_socket: bool,
    /// The peer understands header flags. Needs the peer's word only.
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
    /// What follows from what both ends announced.
    pub fn new(own: &CapabilityMap, remote: &CapabilityMap) -> Self {
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

/// A copy that shares no memory with a frame; `None` of what is not small.
fn small_copy(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) if text.as_bytes().len() > LONGEST_KEPT => None,
        Value::String(text) => Some(Value::String(QiString::from(text.as_bytes().to_vec()))),
        number if number.as_f64().is_some() => Some(number.clone()),
        _ => None,
    }
}

/// Overrides the capabilities that are announced (spec 5.8).
const VARIABLE: &str = "QI_TRANSPORT_CAPABILITIES";

/// Those that mean something; there is always room for them.
const KNOWN: [&str; 6] = [
    "ClientServerSocket",
    "MessageFlags",
    "MetaObjectCache",
    "ObjectPtrUID",
    "RelativeEndpointURI",
    "RemoteCancelableCalls",
];
/// Number of a peer's capabilities that are remembered.
const MOST_KEPT: usize = 32;
/// Length in bytes of names and texts that are remembered.
const LONGEST_KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_switch_capabilities_on_and_off() {
        let mut map = CapabilityMap::libqi();
        map.apply("-MessageFlags:+MetaObjectCache:Zorglub=3:Other:ObjectPtrUID=false");
        assert!(!map.has("MessageFlags") && !map.has("ObjectPtrUID"));
        assert!(map.has("MetaObjectCache") && map.has("Zorglub") && map.has("Other"));
    }

    #[test]
    fn the_default_map_is_written_as_libqi_writes_it() {
        // The payload of the first frame of vector 01.
        let mut expected = b"\x06\0\0\0".to_vec();
        for name in KNOWN {
            expected.extend_from_slice(&u32::try_from(name.len()).unwrap().to_le_bytes());
            expected.extend_from_slice(name.as_bytes());
            expected.extend_from_slice(&[1, 0, 0, 0, b'b', u8::from(name != "MetaObjectCache")]);
        }
        let encoded = CapabilityMap::libqi().encode().into_bytes();
        assert_eq!(encoded[..], expected);
        assert_eq!(CapabilityMap::decode(&encoded).unwrap(), CapabilityMap::libqi());
    }

    #[test]
    fn the_first_value_of_a_key_wins_and_numbers_count_as_bools() {
        let mut map = CapabilityMap::empty();
        map.set("A", 1_i32);
        let mut other = CapabilityMap::empty();
        other.set("A", false).set("B", 0_i64);
        map.remember(&other);
        map.merge(other);
        assert!(map.has("A") && !map.has("B"));
    }

    #[test]
    fn flags_and_reverse_calls_need_the_peers_word_and_the_rest_that_of_both() {
        let all_on = |on: bool| {
            let mut map = CapabilityMap::empty();
            KNOWN.iter().for_each(|name| _ = map.set(name, on));
            map
        };
        let shared = SharedCapabilities::new(&all_on(false), &all_on(true));
        let expected =
            SharedCapabilities { client_server_socket: true, message_flags: true, ..SharedCapabilities::default() };
        assert_eq!(shared, expected);
        assert_eq!(SharedCapabilities::new(&all_on(true), &CapabilityMap::empty()), SharedCapabilities::default());
    }

    #[test]
    fn credentials_and_large_or_many_capabilities_are_not_remembered() {
        let mut announced = CapabilityMap::libqi();
        announced.set("auth_token", "secret").set("__qi_auth_state", 3_u32);
        announced.set("Text", "x".repeat(1000)).set("List", Value::list(keyway_value::Signature::bool(), Vec::new()));
        (0..1000).for_each(|n| _ = announced.set(&format!("A{n}"), true));
        let mut remote = CapabilityMap::empty();
        remote.remember(&announced);
        assert!(KNOWN.iter().all(|name| remote.get(name).is_some()), "the known ones always find room");
        assert!(remote.iter().count() <= MOST_KEPT + KNOWN.len());
        assert!(["auth_token", "__qi_auth_state", "Text", "List"].iter().all(|name| remote.get(name).is_none()));
    }
}
