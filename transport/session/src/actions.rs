//! The actions that every object has (spec 6): what a Call or Post to one of them asks for.

use keyway_value::{ActionId, CodecError, Decoder, Link, QiString, QiValue, Signature, Value};

use crate::errors;

/// What is asked of an object.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ObjectRequest {
    /// Actions 0 and 8: subscribe.
    RegisterEvent {
        /// The signal.
        signal: ActionId,
        /// The subscriber's name for the subscription (6.6).
        link: Link,
        /// What events are to be converted to (6.9).
        signature: Option<Signature>,
    },
    /// Action 1: end a subscription.
    UnregisterEvent {
        /// The first argument; it is shown in the error of an unknown link (6.8).
        target: u32,
        /// The subscription.
        link: Link,
    },
    /// Action 2: introspection.
    MetaObject,
    /// Action 3: release an object.
    Terminate,
    /// Action 5: read a property.
    Property(PropertyKey),
    /// Action 6: write a property.
    SetProperty(PropertyKey, Value),
    /// Action 7: names of the properties.
    Properties,
    /// Action 80.
    IsStatsEnabled,
    /// Action 81.
    EnableStats(bool),
    /// Action 82.
    Stats,
    /// Action 83.
    ClearStats,
    /// Action 84.
    IsTraceEnabled,
    /// Action 85.
    EnableTrace(bool),
    /// Any other: a user's member, or none.
    User(ActionId),
}

/// How a property is named: both ways MUST work (6.15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertyKey {
    /// By old and foreign clients.
    Name(QiString),
    /// By proxies of libqi.
    Id(ActionId),
}

impl ObjectRequest {
    /// Reads the arguments of an action, which are of the types the action declares. Of user's members nothing is read.
    pub fn read(action: ActionId, arguments: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(match action {
            ActionId::REGISTER_EVENT => {
                let (_, signal, link) = <(u32, u32, u64)>::decode(arguments)?;
                Self::RegisterEvent { signal: ActionId(signal), link: Link(link), signature: None }
            }
            ActionId::UNREGISTER_EVENT => {
                let (target, _, link) = <(u32, u32, u64)>::decode(arguments)?;
                Self::UnregisterEvent { target, link: Link(link) }
            }
            ActionId::META_OBJECT => {
                u32::decode(arguments)?;
                Self::MetaObject
            }
            ActionId::TERMINATE => {
                u32::decode(arguments)?;
                Self::Terminate
            }
            ActionId::PROPERTY => Self::Property(PropertyKey::read(Value::decode(arguments)?)?),
            ActionId::SET_PROPERTY => {
                let (key, value) = <(Value, Value)>::decode(arguments)?;
                Self::SetProperty(PropertyKey::read(key)?, value)
            }
            ActionId::PROPERTIES => Self::Properties,
            ActionId::REGISTER_EVENT_WITH_SIGNATURE => {
                let (_, signal, link, wanted) = <(u32, u32, u64, QiString)>::decode(arguments)?;
                // A malformed one is accepted and ignored (6.9).
                let signature = Signature::parse_bytes(wanted.as_bytes()).ok();
                Self::RegisterEvent { signal: ActionId(signal), link: Link(link), signature }
            }
            ActionId::IS_STATS_ENABLED => Self::IsStatsEnabled,
            ActionId::ENABLE_STATS => Self::EnableStats(bool::decode(arguments)?),
            ActionId::STATS => Self::Stats,
            ActionId::CLEAR_STATS => Self::ClearStats,
            ActionId::IS_TRACE_ENABLED => Self::IsTraceEnabled,
            ActionId::ENABLE_TRACE => Self::EnableTrace(bool::decode(arguments)?),
            other => Self::User(other),
        })
    }
}

impl PropertyKey {
    /// A name (`s`) or an id (any integer).
    pub fn read(key: Value) -> Result<Self, CodecError> {
        match key.unwrap_dynamic() {
            Value::String(name) => Ok(Self::Name(name)),
            Value::Bool(_) | Value::Float(_) | Value::Double(_) => Err(wrong_type()),
            other => {
                let id = other.as_i64().ok_or_else(wrong_type)?;
                // No property has an id that is none.
                Ok(Self::Id(ActionId(u32::try_from(id).unwrap_or(u32::MAX))))
            }
        }
    }
}

fn wrong_type() -> CodecError {
    CodecError::Custom(errors::PROPERTY_KEY_TYPE.to_owned())
}

#[cfg(test)]
mod tests {
    use keyway_value::{Payload, to_payload};

    use super::*;

    fn parse(action: ActionId, payload: Payload) -> Result<ObjectRequest, CodecError> {
        ObjectRequest::read(action, &mut Decoder::new(&payload.into_bytes()))
    }

    fn parsed<T: QiValue>(action: ActionId, arguments: &T) -> ObjectRequest {
        parse(action, to_payload(arguments).unwrap()).unwrap()
    }

    fn dynamic(value: impl Into<Value>) -> Value {
        value.into()
    }

    #[test]
    fn every_reserved_action_is_read() {
        let register = |signature| ObjectRequest::RegisterEvent { signal: ActionId(106), link: Link(5), signature };
        let text = QiString::from;
        let id = |id| PropertyKey::Id(ActionId(id));
        assert_eq!(parsed(ActionId(0), &(1_u32, 106_u32, 5_u64)), register(None));
        assert_eq!(
            parsed(ActionId(1), &(1_u32, 0_u32, 5_u64)),
            ObjectRequest::UnregisterEvent { target: 1, link: Link(5) }
        );
        assert_eq!(parsed(ActionId(2), &(0_u32,)), ObjectRequest::MetaObject);
        assert_eq!(parsed(ActionId(3), &(3_u32,)), ObjectRequest::Terminate);
        assert_eq!(parsed(ActionId(4), &()), ObjectRequest::User(ActionId(4)));
        assert_eq!(
            parsed(ActionId(5), &(dynamic("level"),)),
            ObjectRequest::Property(PropertyKey::Name(text("level")))
        );
        assert_eq!(parsed(ActionId(5), &(dynamic(104_u32),)), ObjectRequest::Property(id(104)));
        assert_eq!(parsed(ActionId(5), &(dynamic(-1_i64),)), ObjectRequest::Property(id(u32::MAX)));
        let ObjectRequest::SetProperty(key, value) = parsed(ActionId(6), &(dynamic(104_i32), dynamic(3.7_f64))) else {
            panic!("not a request to set a property");
        };
        assert_eq!((key, value.unwrap_dynamic()), (id(104), Value::Double(3.7)));
        assert_eq!(parsed(ActionId(7), &()), ObjectRequest::Properties);
        assert_eq!(
            parsed(ActionId(8), &(1_u32, 106_u32, 5_u64, text("(l)"))),
            register(Some(Signature::parse("(l)").unwrap()))
        );
        assert_eq!(parsed(ActionId(80), &()), ObjectRequest::IsStatsEnabled);
        assert_eq!(parsed(ActionId(81), &(true,)), ObjectRequest::EnableStats(true));
        assert_eq!(parsed(ActionId(82), &()), ObjectRequest::Stats);
        assert_eq!(parsed(ActionId(83), &()), ObjectRequest::ClearStats);
        assert_eq!(parsed(ActionId(84), &()), ObjectRequest::IsTraceEnabled);
        assert_eq!(parsed(ActionId(85), &(false,)), ObjectRequest::EnableTrace(false));
        assert_eq!(parsed(ActionId(86), &()), ObjectRequest::User(ActionId(86)));
        assert_eq!(parsed(ActionId(100), &()), ObjectRequest::User(ActionId(100)));
    }

    #[test]
    fn a_malformed_wanted_signature_is_accepted_and_ignored() {
        let request = parsed(ActionId(8), &(1_u32, 106_u32, 5_u64, QiString::from("(")));
        assert!(matches!(request, ObjectRequest::RegisterEvent { signature: None, .. }));
    }

    #[test]
    fn a_property_is_named_by_a_text_or_an_integer_only() {
        for key in [dynamic(1.5_f64), dynamic(true), Value::tuple(Vec::new())] {
            let error = parse(ActionId(5), to_payload(&(key,)).unwrap()).unwrap_err();
            assert_eq!(error.to_string(), "Expected int or string for property index");
        }
    }

    #[test]
    fn payloads_that_are_too_short_are_refused_with_the_text_of_libqi() {
        for action in [0, 1, 2, 3, 5, 6, 8, 81, 85] {
            let error = parse(ActionId(action), Payload::new()).unwrap_err();
            assert_eq!(error.to_string(), "ISerialization error Status Read Past End", "{action}");
        }
    }
}
