//! Live objects on their way through payloads (spec 10).
//!
//! A payload only holds ids. What gives them life is the *exchange* they pass through: a connection, which binds what
//! goes out and makes proxies of what comes in, or the loopback of a call that never leaves the process.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use keyway_value::{
    CodecError, Decoder, Encoder, Limits, ObjectExporter, ObjectImporter, ObjectLayout, ObjectReference, ObjectValue,
    Payload, QiValue, Signature, Value, convert,
};
use keyway_value::{ObjectId, ServiceId};
use parking_lot::Mutex;

use crate::{Result, object::Object, peer::Peer, proxy::Proxy, remote_object::RemoteObject};

/// What an [`ObjectValue`] holds on to.
#[derive(Clone)]
pub(crate) enum Handle {
    Local(Object),
    Remote(Arc<RemoteObject>),
}

impl Handle {
    pub(crate) fn of(value: &ObjectValue) -> Option<&Self> {
        value.handle().and_then(|any| any.downcast_ref())
    }

    pub(crate) fn into_value(self) -> ObjectValue {
        let (metaobject, service, object, uid) = match &self {
            Self::Local(object) => (object.metaobject(), ServiceId::SERVER, ObjectId::NONE, Some(object.uid())),
            Self::Remote(remote) => (remote.metaobject.clone(), remote.service, remote.object, remote.uid),
        };
        ObjectValue::with_handle(ObjectReference { metaobject, service, object, uid }, Arc::new(self))
    }
}

/// Which way an object id is chosen (spec 10.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    /// Returned or emitted by an object hosted here: ids from 3 up.
    Returned,
    /// Passed as an argument to an object hosted there: ids from 2³¹ up.
    Argument,
}

/// The medium a payload passes through.
#[derive(Clone)]
pub(crate) enum Exchange {
    Peer { peer: Arc<Peer>, service: ServiceId, passing: Passing },
    Loopback(Arc<Loopback>),
}

impl Exchange {
    pub(crate) fn loopback() -> Self {
        Self::Loopback(Arc::default())
    }

    pub(crate) fn layout(&self) -> ObjectLayout {
        match self {
            Self::Peer { peer, .. } => peer.shared().layout(),
            Self::Loopback(_) => ObjectLayout::default(),
        }
    }

    pub(crate) fn encode(&self, write: impl FnOnce(&mut Encoder<'_>) -> Result<(), CodecError>) -> Result<Payload> {
        let mut this = self;
        let mut encoder = Encoder::with(self.layout(), Some(&mut this));
        write(&mut encoder)?;
        Ok(encoder.finish())
    }

    pub(crate) fn encode_value(&self, value: &Value) -> Result<Payload> {
        self.encode(|encoder| encoder.write_value(value))
    }

    pub(crate) fn decode<T>(
        &self,
        bytes: &Bytes,
        read: impl FnOnce(&mut Decoder<'_>) -> Result<T, CodecError>,
    ) -> Result<T> {
        let mut this = self;
        let mut decoder = Decoder::with(bytes, self.layout(), Limits::default(), Some(&mut this));
        Ok(read(&mut decoder)?)
    }

    pub(crate) fn decode_value(&self, bytes: &Bytes, signature: &Signature) -> Result<Value> {
        self.decode(bytes, |decoder| decoder.read_value(signature))
    }

    /// Reads a `T` from bytes of type `actual`, directly when they are of one type, by conversion (spec 3.4) otherwise.
    pub(crate) fn decode_as<T: QiValue>(&self, bytes: &Bytes, actual: &Signature) -> Result<T> {
        if *actual == T::signature() {
            return self.decode(bytes, T::decode);
        }
        from_value(self.decode_value(bytes, actual)?)
    }
}

/// Makes a `T` of a dynamic value, converting it.
pub(crate) fn from_value<T: QiValue>(value: Value) -> Result<T> {
    let wanted = T::signature();
    let value = if *wanted.kind() == keyway_value::Type::Dynamic {
        Value::Dynamic(Box::new(value.unwrap_dynamic()))
    } else {
        convert::convert(value.unwrap_dynamic(), &wanted)?
    };
    let exchange = Exchange::loopback();
    let bytes = exchange.encode_value(&value)?.into_bytes();
    exchange.decode(&bytes, T::decode)
}

/// Makes a dynamic value of a `T`.
pub(crate) fn to_value<T: QiValue>(value: &T) -> Result<Value> {
    let exchange = Exchange::loopback();
    let bytes = exchange.encode(|encoder| value.encode(encoder))?.into_bytes();
    exchange.decode_value(&bytes, &T::signature())
}

impl ObjectExporter for &Exchange {
    fn export(&mut self, object: &ObjectValue) -> Result<ObjectReference, CodecError> {
        if object.is_null() && Handle::of(object).is_none() {
            return Ok(object.reference.clone());
        }
        match self {
            Exchange::Loopback(table) => Ok(table.export(object)),
            Exchange::Peer { peer, service, passing } => {
                let local = match Handle::of(object) {
                    Some(Handle::Local(local)) => local.clone(),
                    Some(Handle::Remote(remote)) => Object::forward(&Proxy::from_remote(remote.clone())),
                    None => {
                        return Err(CodecError::Object(
                            "the object is not alive: it was built by hand or decoded without a session".into(),
                        ));
                    }
                };
                let metaobject = peer.shown(*service, local.metaobject());
                let uid = Some(local.uid());
                let (service, object) = peer.bind(*service, *passing, local);
                Ok(ObjectReference { metaobject, service, object, uid })
            }
        }
    }
}

impl ObjectImporter for &Exchange {
    fn import(&mut self, reference: ObjectReference) -> ObjectValue {
        match self {
            Exchange::Loopback(table) => table.import(reference),
            Exchange::Peer { peer, .. } => {
                if reference.object == ObjectId::NONE {
                    return ObjectValue::from_reference(reference);
                }
                let remote = RemoteObject::received(peer.clone(), &reference);
                ObjectValue::with_handle(reference, Arc::new(Handle::Remote(Arc::new(remote))))
            }
        }
    }
}

/// Objects of a payload that stays in this process, by position.
#[derive(Default)]
pub(crate) struct Loopback {
    objects: Mutex<Vec<ObjectValue>>,
}

impl Loopback {
    fn export(&self, object: &ObjectValue) -> ObjectReference {
        let mut objects = self.objects.lock();
        objects.push(object.clone());
        let position = u32::try_from(objects.len()).unwrap_or(u32::MAX);
        ObjectReference { object: ObjectId(position), ..object.reference.clone() }
    }

    fn import(&self, reference: ObjectReference) -> ObjectValue {
        let position = (reference.object.0 as usize).wrapping_sub(1);
        match self.objects.lock().get(position) {
            Some(object) => object.clone(),
            None => ObjectValue::from_reference(reference),
        }
    }
}

impl fmt::Debug for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loopback").finish_non_exhaustive()
    }
}
