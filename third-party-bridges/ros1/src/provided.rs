//! Requests and responses as bodies of ROS 1.

use bytes::Bytes;
use keyway_bridge::{Bus, Peer};
use keyway_bridge_ros::Provided;
use keyway_ros_types::body;

/// Why a request has no response but a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The bytes are no request: what follows them may be anything.
    Undecodable(String),
    /// Anything else.
    Told(String),
}

/// The body of the response.
pub(crate) async fn answer(
    provided: &Provided,
    bus: &Bus,
    peer: &Peer,
    request: &Bytes,
    native_errors: bool,
) -> Result<Vec<u8>, Failure> {
    let request = match body::decode(provided.request(), request) {
        Ok(request) => Ok(request),
        Err(error) if error.is_of_a_value() => Err(format!("bad argument {error}")),
        Err(error) => return Err(Failure::Undecodable(format!("cannot decode request: {error}"))),
    };
    let answer = provided.answer(bus, peer, request).await;
    match answer.failure {
        Some(text) if native_errors || !provided.is_standard() => Err(Failure::Told(text)),
        _ => body::encode(&provided.response(), &answer.message)
            .map_err(|error| Failure::Told(format!("the result cannot be passed on: {error}"))),
    }
}
