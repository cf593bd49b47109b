//! What a method may know about the call it serves.

use std::fmt;

use bytes::Bytes;
use keyway_pipe::ConnectionId;
use keyway_value::{ObjectId, Payload, QiValue, ServiceId, Signature, Value};

use crate::{Result, exchange::Exchange};

/// Who calls which object.
#[derive(Clone)]
pub struct CallContext {
    exchange: Exchange,
    service: ServiceId,
    object: ObjectId,
    /// Where the arguments' objects live, when the arguments had to be converted first.
    arguments: Option<Exchange>,
    /// Where the result's objects go, when the result is to be converted afterwards.
    results: Option<Exchange>,
}

impl CallContext {
    pub(crate) fn new(exchange: Exchange, service: ServiceId, object: ObjectId) -> Self {
        Self { exchange, service, object, arguments: None, results: None }
    }

    pub(crate) fn local() -> Self {
        Self::new(Exchange::loopback(), ServiceId::SERVER, ObjectId::NONE)
    }

    /// The connection of the caller; `None` for a call from within this process.
    pub fn connection(&self) -> Option<ConnectionId> {
        match &self.exchange {
            Exchange::Peer { peer, .. } => Some(peer.id()),
            Exchange::Loopback(_) => None,
        }
    }

    /// The caller's address, for logs.
    pub fn peer(&self) -> String {
        match &self.exchange {
            Exchange::Peer { peer, .. } => peer.address(),
            Exchange::Loopback(_) => "this process".to_owned(),
        }
    }

    /// The service id under which the object was called.
    pub fn service_id(&self) -> ServiceId {
        self.service
    }

    /// The object id under which the object was called, meaningful on the caller's connection only (spec 10.1).
    pub fn object_id(&self) -> ObjectId {
        self.object
    }

    /// Whether the caller shares the capability to follow relative endpoints (spec 5.3).
    pub fn relative_endpoints(&self) -> bool {
        match &self.exchange {
            Exchange::Peer { peer, .. } => peer.shared().relative_endpoint_uri,
            Exchange::Loopback(_) => true,
        }
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    pub(crate) fn set_arguments(&mut self, exchange: Exchange) {
        self.arguments = Some(exchange);
    }

    pub(crate) fn set_results(&mut self, exchange: Exchange) {
        self.results = Some(exchange);
    }

    /// What arguments come through.
    pub(crate) fn arguments(&self) -> &Exchange {
        self.arguments.as_ref().unwrap_or(&self.exchange)
    }

    /// What the result goes through.
    pub(crate) fn results(&self) -> &Exchange {
        self.results.as_ref().unwrap_or(&self.exchange)
    }

    pub(crate) fn decode<T: QiValue>(&self, bytes: &Bytes) -> Result<T> {
        self.arguments().decode(bytes, T::decode)
    }

    pub(crate) fn decode_value(&self, bytes: &Bytes, signature: &Signature) -> Result<Value> {
        self.arguments().decode_value(bytes, signature)
    }

    pub(crate) fn encode<T: QiValue>(&self, value: &T) -> Result<Payload> {
        self.results().encode(|encoder| value.encode(encoder))
    }
}

impl fmt::Debug for CallContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallContext").field("peer", &self.peer()).finish_non_exhaustive()
    }
}
