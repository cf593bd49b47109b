//! Objects hosted by this process.

mod builder;
mod forward;
mod observe;
mod reserved;

use std::{collections::HashMap, fmt, sync::Arc};

use bytes::Bytes;
use keyway_value::{ActionId, Encoder, MetaObject, ObjectUid, ObjectValue, QiValue, Signature};
use keyway_value::{CodecError, Decoder};

pub use builder::ObjectBuilder;

use crate::{
    answer::Answer, context::CallContext, exchange::Handle, hub::Hub, property::PropertyAccess, proxy::Proxy,
    signal::SignalCore,
};

/// A live object: methods, signals and properties behind ids, ready to be registered or passed to others.
///
/// ```
/// let mut builder = keyway::Object::builder();
/// builder.method("add", |(a, b): (i32, i32)| a + b);
/// let object = builder.build();
/// # let _ = object;
/// ```
#[derive(Clone)]
pub struct Object(pub(crate) Arc<Local>);

impl Object {
    /// Starts an object.
    pub fn builder() -> ObjectBuilder {
        ObjectBuilder::default()
    }

    /// Its members, the reserved ones included (spec 6.1).
    pub fn metaobject(&self) -> Arc<MetaObject> {
        self.0.metaobject.clone()
    }

    /// Its identity (spec 10.1).
    pub fn uid(&self) -> ObjectUid {
        self.0.uid
    }

    /// A way to use it as its remote users do, without a network.
    pub fn proxy(&self) -> Proxy {
        Proxy::from_object(self.clone())
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("uid", &self.0.uid).finish_non_exhaustive()
    }
}

impl QiValue for Object {
    const MIN_SIZE: usize = ObjectValue::MIN_SIZE;

    fn signature() -> Signature {
        Signature::object()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        encoder.write_object(&Handle::Local(self.clone()).into_value())
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let value = ObjectValue::decode(decoder)?;
        match Handle::of(&value) {
            Some(Handle::Local(object)) => Ok(object.clone()),
            Some(Handle::Remote(remote)) => Ok(Self::forward(&Proxy::from_remote(remote.clone()))),
            None => Err(CodecError::Object("the object is null or not alive".into())),
        }
    }
}

/// What can be registered as a service or passed as an object.
pub trait IntoObject {
    /// Makes the object.
    fn into_object(self) -> Object;
}

impl IntoObject for Object {
    fn into_object(self) -> Object {
        self
    }
}

impl IntoObject for ObjectBuilder {
    fn into_object(self) -> Object {
        self.build()
    }
}

impl IntoObject for Proxy {
    /// The object again, or for a remote one an object that forwards everything to it ("republish", spec 10.3).
    fn into_object(self) -> Object {
        match self.into_local() {
            Ok(object) => object,
            Err(proxy) => Object::forward(&proxy),
        }
    }
}

/// A type with members for others, as [`#[service]`](macro@crate::service) makes it. Its values are shared by their
/// callers; a clone of the `Arc` that was registered is a way to work with one from here.
pub trait Service: Send + Sync + 'static {
    /// An object with these members.
    fn object(self: Arc<Self>) -> Object;
}

impl<T: Service> IntoObject for Arc<T> {
    fn into_object(self) -> Object {
        self.object()
    }
}

/// The parts of an object.
pub(crate) struct Local {
    pub(crate) metaobject: Arc<MetaObject>,
    pub(crate) uid: ObjectUid,
    pub(crate) methods: HashMap<ActionId, Method>,
    pub(crate) signals: HashMap<ActionId, Arc<SignalCore>>,
    pub(crate) properties: HashMap<ActionId, Arc<dyn PropertyAccess>>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) observer: observe::Observer,
    /// Where a forwarding object gets its events from.
    pub(crate) origin: Option<forward::Origin>,
    /// Whether only this process may emit the signals (spec 7.11).
    pub(crate) refuse_posts: bool,
}

/// A method: its declared types and what runs it. The bytes it gets are of the declared parameters.
pub(crate) struct Method {
    pub(crate) parameters: Signature,
    pub(crate) result: Signature,
    pub(crate) run: Box<Run>,
}

type Run = dyn Fn(&Bytes, &CallContext) -> Answer + Send + Sync;

impl From<Object> for keyway_value::Value {
    fn from(object: Object) -> Self {
        Self::Object(Handle::Local(object).into_value())
    }
}
