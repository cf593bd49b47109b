//! Services of ROS that are called with bodies.

use bytes::Bytes;
use keyway_bridge::keyway::Value;
use keyway_ros_types::{
    RosVersion, Shape,
    body::{self, BodyError, cdr},
};

use crate::{RosClient, RosService};

/// Carries the bodies of requests and responses.
pub trait BodyClient: Send + Sync + 'static {
    /// Why there is no response.
    type Error: std::error::Error + 'static;

    /// The body of the response.
    fn call(&self, request: Bytes) -> impl Future<Output = Result<Bytes, Self::Error>> + Send;
}

/// A service whose requests and responses are bodies.
#[derive(Debug)]
pub struct Called<C> {
    client: C,
    version: RosVersion,
    request: Shape,
    response: Shape,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum CalledError<E> {
    /// The request cannot be written.
    #[error("bad argument {0}")]
    Argument(BodyError),
    /// It did not come to a response.
    #[error(transparent)]
    Call(E),
    /// The response is of another type.
    #[error("cannot decode response: {0}")]
    Response(BodyError),
}

impl<C> Called<C> {
    /// Calls the service with bodies as this ROS has them.
    pub fn new(version: RosVersion, service: &RosService<'_>, client: C) -> Self {
        let (request, response) = (service.request.clone(), service.response.clone());
        Self { client, version, request: Shape::Message(request), response: Shape::Message(response) }
    }
}

impl<C: BodyClient> RosClient for Called<C> {
    type Error = CalledError<C::Error>;

    async fn call(&self, request: Value) -> Result<Value, Self::Error> {
        let request = match self.version {
            RosVersion::Ros1 => body::encode(&self.request, &request),
            RosVersion::Ros2 => cdr::encode(&self.request, &request),
        };
        let request = request.map_err(CalledError::Argument)?;
        let response = self.client.call(request.into()).await.map_err(CalledError::Call)?;
        let response = match self.version {
            RosVersion::Ros1 => body::decode(&self.response, &response),
            RosVersion::Ros2 => cdr::decode(&self.response, &response),
        };
        response.map_err(CalledError::Response)
    }
}
