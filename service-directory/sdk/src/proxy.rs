//! Using an object, wherever it lives.

use std::{fmt, sync::Arc};

use keyway_value::{
    ActionId, CodecError, Decoder, Encoder, MetaMethod, MetaObject, ObjectId, ObjectUid, ObjectValue, Payload, QiValue,
    ServiceId, Signature, Value, convert,
};

use crate::{
    Error, Result,
    answer::arguments_signature,
    call::{Call, Pending},
    context::CallContext,
    encoded::{EncodedCall, EncodedEvents},
    exchange::{Handle, to_value},
    object::Object,
    remote_object::{RemoteObject, Subscription},
    stream::SignalStream,
};

/// A way to use an object: of another process, or of this one.
///
/// Members are found by name, or by full name (`add::(ii)`) where a name has several signatures; arguments convert to
/// the declared types (spec 3.3, 3.4). Clones are cheap and mean the same object. When the last proxy of an object that
/// was received as a value goes, its host is told (spec 10.4).
#[derive(Clone)]
pub struct Proxy(Target);

#[derive(Clone)]
enum Target {
    Local(Object),
    Remote(Arc<RemoteObject>),
}

impl Proxy {
    pub(crate) fn from_object(object: Object) -> Self {
        Self(Target::Local(object))
    }

    pub(crate) fn from_remote(remote: Arc<RemoteObject>) -> Self {
        Self(Target::Remote(remote))
    }

    pub(crate) fn into_local(self) -> Result<Object, Self> {
        match self.0 {
            Target::Local(object) => Ok(object),
            Target::Remote(_) => Err(self),
        }
    }

    /// The object's members.
    pub fn metaobject(&self) -> Arc<MetaObject> {
        match &self.0 {
            Target::Local(object) => object.metaobject(),
            Target::Remote(remote) => remote.metaobject.clone(),
        }
    }

    /// The service id on the object's connection; 0 for an object of this process.
    pub fn service_id(&self) -> ServiceId {
        match &self.0 {
            Target::Local(_) => ServiceId::SERVER,
            Target::Remote(remote) => remote.service,
        }
    }

    /// The object id on the object's connection; 1 is a service's main object, 0 an object of this process.
    pub fn object_id(&self) -> ObjectId {
        match &self.0 {
            Target::Local(_) => ObjectId::NONE,
            Target::Remote(remote) => remote.object,
        }
    }

    /// The object's identity: two proxies with equal uids are the same object (spec 10.1). Older peers send none.
    pub fn uid(&self) -> Option<ObjectUid> {
        match &self.0 {
            Target::Local(object) => Some(object.uid()),
            Target::Remote(remote) => remote.uid,
        }
    }

    /// Whether the connection to the object is up. Always true for an object of this process.
    pub fn is_connected(&self) -> bool {
        match &self.0 {
            Target::Local(_) => true,
            Target::Remote(remote) => remote.peer.is_open(),
        }
    }

    /// Waits until the connection to the object is gone, and says why; for an object of this process, for ever. Waiting keeps
    /// neither of them.
    pub fn disconnected(&self) -> impl Future<Output = String> + Send + use<> {
        let closed = match &self.0 {
            Target::Local(_) => None,
            Target::Remote(remote) => Some(remote.peer.closed()),
        };
        async move {
            match closed {
                Some(closed) => closed.await,
                None => std::future::pending().await,
            }
        }
    }

    /// Calls a method. `arguments` is a tuple: `(1, "two")`, `(x,)`, `()`.
    #[expect(clippy::needless_pass_by_value, reason = "callers write a tuple in place")]
    pub fn call<R: QiValue>(&self, name: &str, arguments: impl QiValue) -> Call<R> {
        self.try_call(name, &arguments).unwrap_or_else(Call::failed)
    }

    /// Calls a method with values whose types are only known at run time.
    pub fn call_dynamic(&self, name: &str, arguments: Vec<Value>) -> Call<Value> {
        let call = || {
            let metaobject = self.metaobject();
            let method = overload(&metaobject, name, &arguments)?;
            let arguments = fit(Value::tuple(arguments), &method.parameters_signature)?;
            Ok(self.start(ActionId(method.uid), &method.return_signature, |encoder| encoder.write_value(&arguments)))
        };
        call().unwrap_or_else(Call::failed)
    }

    /// Runs a method or emits a signal without waiting for anything. An error means that nothing was sent; what happens
    /// over there stays there (spec 8.3).
    #[expect(clippy::needless_pass_by_value, reason = "callers write a tuple in place")]
    pub fn post(&self, name: &str, arguments: impl QiValue) -> Result<()> {
        self.post_value(name, to_value(&arguments)?)
    }

    /// Like [`post`](Self::post), with values whose types are only known at run time.
    pub fn post_dynamic(&self, name: &str, arguments: Vec<Value>) -> Result<()> {
        self.post_value(name, Value::tuple(arguments))
    }

    /// Reads a property.
    pub async fn get<T: QiValue>(&self, property: &str) -> Result<T> {
        let id = self.property(property)?;
        let call = self.start::<Value>(ActionId::PROPERTY, &Signature::dynamic(), |encoder| {
            encoder.write_dynamic(&Value::from(id.0))
        });
        crate::exchange::from_value(call.await?)
    }

    /// Sets a property; the value converts to the property's type.
    pub async fn set(&self, property: &str, value: impl QiValue) -> Result<()> {
        let id = self.property(property)?;
        let value = to_value(&value)?.unwrap_dynamic();
        let call = self.start::<()>(ActionId::SET_PROPERTY, &Signature::void(), |encoder| {
            encoder.write_dynamic(&Value::from(id.0))?;
            encoder.write_dynamic(&value)
        });
        call.await
    }

    /// Subscribes to a signal, or to the changes of a property. Every emission after this returns is delivered.
    pub async fn signal<T: QiValue>(&self, name: &str) -> Result<SignalStream<T>> {
        let metaobject = self.metaobject();
        let signal = metaobject
            .signal_by_name(name)
            .ok_or_else(|| Error::NoSuchMember(format!("signal \"{name}\" was not found")))?;
        self.signal_by_id(ActionId(signal.uid)).await
    }

    pub(crate) async fn signal_by_id<T: QiValue>(&self, action: ActionId) -> Result<SignalStream<T>> {
        let signature = self.metaobject().signals.get(&action.0).map(|signal| signal.signature.clone());
        let signature = signature.ok_or_else(|| Error::NoSuchMember(format!("no signal has the id {action}")))?;
        match &self.0 {
            Target::Local(object) => {
                let signal = match action {
                    ActionId::TRACE_OBJECT => object.0.observer.trace_signal(),
                    _ => object.0.signals.get(&action).ok_or_else(|| Error::remote("No such signal"))?,
                };
                let queue = signal.listen();
                object.0.observer.subscriptions_changed();
                Ok(SignalStream::new(queue, signature, Box::new(object.clone())))
            }
            Target::Remote(remote) => {
                let subscription = Subscription::register(remote, action).await?;
                Ok(SignalStream::new(subscription.queue.clone(), signature, Box::new(subscription)))
            }
        }
    }

    /// Calls by id with a value that already has the declared type.
    pub(crate) fn call_action(&self, action: ActionId, arguments: &Value, result: &Signature) -> Call<Value> {
        self.start(action, result, |encoder| encoder.write_value(arguments))
    }

    /// Calls by id with arguments of the declared types that are encoded already, none of them an object; `result` is what the
    /// method declares to return.
    pub fn call_encoded(&self, action: ActionId, arguments: &Payload, result: &Signature) -> EncodedCall {
        EncodedCall(self.start(action, result, |encoder| {
            encoder.append(arguments);
            Ok(())
        }))
    }

    /// Like [`post`](Self::post), by id and with arguments that are encoded already, none of them an object.
    pub fn post_encoded(&self, action: ActionId, arguments: Payload) -> Result<()> {
        match &self.0 {
            Target::Remote(remote) => remote.post_payload(action, arguments),
            Target::Local(object) => object.post_local(action, &arguments.into_bytes(), &CallContext::local()),
        }
    }

    /// Like [`signal`](Self::signal), by id and with events that stay bytes.
    pub async fn signal_encoded(&self, action: ActionId) -> Result<EncodedEvents> {
        self.signal_by_id(action).await.map(EncodedEvents)
    }

    fn try_call<A: QiValue, R: QiValue>(&self, name: &str, arguments: &A) -> Result<Call<R>> {
        let metaobject = self.metaobject();
        let wanted = arguments_signature::<A>();
        // The common case needs no values: one method of that name with just these types.
        let mut named = metaobject.methods_named(name);
        if let (Some(method), None) = (named.next(), named.next())
            && method.parameters_signature == wanted
        {
            return Ok(self.start(ActionId(method.uid), &method.return_signature, |encoder| arguments.encode(encoder)));
        }
        let values = match to_value(arguments)? {
            Value::Tuple(tuple) => tuple.items,
            Value::Void => Vec::new(),
            other => vec![other],
        };
        let method = overload(&metaobject, name, &values)?;
        let arguments = fit(Value::tuple(values), &method.parameters_signature)?;
        Ok(self.start(ActionId(method.uid), &method.return_signature, |encoder| encoder.write_value(&arguments)))
    }

    fn post_value(&self, name: &str, arguments: Value) -> Result<()> {
        let metaobject = self.metaobject();
        let (action, parameters) = match metaobject.signal_by_name(name) {
            Some(signal) => (ActionId(signal.uid), &signal.signature),
            None => {
                let items = match &arguments {
                    Value::Tuple(tuple) => tuple.items.as_slice(),
                    _ => &[],
                };
                let method = overload(&metaobject, name, items)?;
                (ActionId(method.uid), &method.parameters_signature)
            }
        };
        let arguments = fit(arguments, parameters)?;
        match &self.0 {
            Target::Remote(remote) => remote.post(action, &arguments),
            Target::Local(object) => {
                let context = CallContext::local();
                let bytes = context.exchange().encode_value(&arguments)?.into_bytes();
                object.post_local(action, &bytes, &context)
            }
        }
    }

    fn property(&self, name: &str) -> Result<ActionId> {
        let metaobject = self.metaobject();
        let property = metaobject.property_by_name(name);
        let id = property.map(|property| ActionId(property.uid));
        id.ok_or_else(|| Error::NoSuchMember(format!("property \"{name}\" was not found")))
    }

    fn start<R: QiValue>(
        &self,
        action: ActionId,
        result: &Signature,
        write: impl FnOnce(&mut Encoder<'_>) -> Result<(), CodecError>,
    ) -> Call<R> {
        match &self.0 {
            Target::Remote(remote) => remote.start(action, result, write),
            Target::Local(local) => {
                let context = CallContext::local();
                let exchange = context.exchange().clone();
                let bytes = match exchange.encode(write) {
                    Ok(payload) => payload.into_bytes(),
                    Err(error) => return Call::failed(error),
                };
                let answer = local.invoke(action, &bytes, &context);
                let state = Pending::Local(Box::pin(async move { answer.outcome().await.map(Payload::into_bytes) }));
                Call::new(state, result.clone(), exchange)
            }
        }
    }
}

fn overload<'m>(metaobject: &'m MetaObject, name: &str, arguments: &[Value]) -> Result<&'m MetaMethod> {
    convert::resolve_overload(metaobject, name, arguments).map_err(|error| Error::NoSuchMember(error.to_string()))
}

/// Converts a tuple of arguments to the declared parameters; `m` takes the tuple as it is (spec 3.3).
fn fit(arguments: Value, parameters: &Signature) -> Result<Value> {
    Ok(convert::convert(arguments, parameters)?)
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("service", &self.service_id())
            .field("object", &self.object_id())
            .finish_non_exhaustive()
    }
}

impl QiValue for Proxy {
    const MIN_SIZE: usize = ObjectValue::MIN_SIZE;

    fn signature() -> Signature {
        Signature::object()
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        let handle = match &self.0 {
            Target::Local(object) => Handle::Local(object.clone()),
            Target::Remote(remote) => Handle::Remote(remote.clone()),
        };
        encoder.write_object(&handle.into_value())
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Self::try_from(&ObjectValue::decode(decoder)?)
    }
}

impl TryFrom<&ObjectValue> for Proxy {
    type Error = CodecError;

    fn try_from(value: &ObjectValue) -> Result<Self, CodecError> {
        match Handle::of(value) {
            Some(Handle::Local(object)) => Ok(Self::from_object(object.clone())),
            Some(Handle::Remote(remote)) => Ok(Self::from_remote(remote.clone())),
            None => Err(CodecError::Object("the object is null or not alive".into())),
        }
    }
}

impl From<Proxy> for Value {
    fn from(proxy: Proxy) -> Self {
        let handle = match proxy.0 {
            Target::Local(object) => Handle::Local(object),
            Target::Remote(remote) => Handle::Remote(remote),
        };
        Self::Object(handle.into_value())
    }
}
