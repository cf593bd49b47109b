//! Texts of Error frames that clients show and match (spec 2.4, 6, 8), as libqi writes them.

use keyway_value::{ConversionError, Decoder, Link, Signature, Value};
use keyway_wire::{Frame, Header};

/// Unknown service or object, or not authenticated.
pub const CALL_NOT_HANDLED: &str = "The call request could not be handled.";
/// The connection to the host of a service is gone (7.6).
pub const NOT_CONNECTED: &str = "Socket is not connected";
/// The answer to a canceled call where Canceled is not understood (spec 14.4).
pub const CALL_CANCELED: &str = "Call has been canceled.";
/// Subscribing to what is no signal (6.8).
pub const NO_SUCH_SIGNAL: &str = "No such signal";
/// Subscribing more often than one connection may.
pub const TOO_MANY_SUBSCRIPTIONS: &str = "too many subscriptions of one connection: unregister some first";
/// Reading a property by an id that none has (6.3).
pub const PROPERTY_ID_NOT_FOUND: &str = "property: Id is not id of a property";
/// Setting a property by an id that none has (6.3).
pub const SET_PROPERTY_ID_NOT_FOUND: &str = "Id is not id of a property";
/// A property's key is neither name nor id (6.3).
pub const PROPERTY_KEY_TYPE: &str = "Expected int or string for property index";
/// A refused authentication.
pub const AUTHENTICATION_FAILED: &str = "Authentication failed";

/// Unknown action of a known object.
pub fn no_such_method(call: &Header) -> String {
    format!("No such method {{{}.{}.{}, id:{}}}", call.service, call.object, call.action, call.id)
}

/// A frame of a version that does not exist yet.
pub fn version_mismatch(version: u16) -> String {
    format!("Cannot negotiate QiMessaging connection: remote end doesn't support binary protocol v{version}")
}

/// The wanted type of the result can never be had (2.3).
pub fn cannot_convert_return(declared: &Signature, wanted: &Signature) -> String {
    format!("Call error: will not be able to convert return type from {declared} to {wanted}")
}

/// Arguments that do not convert (8.7).
pub fn argument_conversion(error: &ConversionError, declared: &Signature) -> String {
    format!("Call argument conversion failure: {error}. Function signature: {declared}.")
}

/// Unknown link (6.8).
pub fn unregister_failed(link: Link, target: u32) -> String {
    format!("Unregister request failed for {link} {target}")
}

/// Unknown property (6.3).
pub fn property_not_found(name: &str) -> String {
    format!("property \"{name}\" was not found")
}

/// Anything but authentication on a connection that needs it (5.4).
pub fn expected_authentication(header: &Header) -> String {
    format!(
        "Expected authentication (service #0, type #Call, action #8), received service #{}, type #{:?}, action #{}",
        header.service, header.kind, header.action
    )
}

/// The text of an Error frame; what went wrong with it if it holds none (spec 2.4).
pub fn text_of(frame: &Frame) -> String {
    match Decoder::new(frame.payload_bytes()).read_dynamic() {
        Ok(Value::String(text)) => text.to_string_lossy().into_owned(),
        Ok(_) => "Type mismatch".to_owned(),
        Err(error) => error.to_string(),
    }
}
