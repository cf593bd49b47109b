//! Objects that stand for a remote one: proxies passed onward (spec 10.3), services republished (QI-025).

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Weak},
};

use arc_swap::ArcSwap;
use keyway_value::{ActionId, Signature, Value};
use parking_lot::Mutex;
use tokio::{sync::oneshot, task::AbortHandle};

use crate::{
    Error, Result,
    answer::Answer,
    call::Call,
    exchange::Exchange,
    object::{
        Local, Method, Object,
        builder::{Kind, Parts, assemble, encode_result},
    },
    property::PropertyAccess,
    proxy::Proxy,
    signal::{Emission, SignalCore},
    stream::SignalStream,
    uid,
};

impl Object {
    /// An object with the same members and the same identity as `proxy`, which passes everything on to it.
    pub(crate) fn forward(proxy: &Proxy) -> Self {
        let metaobject = proxy.metaobject();
        let way = Way(Arc::new(ArcSwap::from_pointee(proxy.clone())));
        let user = |id: &u32| *id >= ActionId::FIRST_USER.0;
        let methods = metaobject
            .methods
            .iter()
            .filter(|(id, _)| user(id))
            .map(|(id, method)| {
                let action = ActionId(*id);
                let parameters = method.parameters_signature.clone();
                let result = method.return_signature.clone();
                (action, forward_method(way.clone(), action, parameters, result))
            })
            .collect();
        let signals: HashMap<_, _> = metaobject
            .signals
            .iter()
            .filter(|(id, _)| user(id))
            .map(|(id, signal)| (ActionId(*id), Arc::new(SignalCore::new(signal.signature.clone()))))
            .collect();
        let properties = metaobject
            .properties
            .iter()
            .filter_map(|(id, property)| {
                let action = ActionId(*id);
                let changed = signals.get(&action)?.clone();
                let property = Forwarded { way: way.clone(), action, signature: property.signature.clone(), changed };
                Some((action, Arc::new(property) as Arc<dyn PropertyAccess>))
            })
            .collect();
        let origin = Origin { way, running: Mutex::default() };
        let uid = proxy.uid().unwrap_or_else(uid::next);
        let parts = Parts { methods, signals, properties };
        assemble(metaobject, uid, parts, Kind { origin: Some(origin), refuse_posts: false })
    }

    /// Has an object that passes everything on to a [`Proxy`] (as [`IntoObject`](crate::IntoObject) makes it) pass it on to another
    /// one from now on: to the same object over another connection, when the one before was lost. Its subscribers hear of
    /// what is emitted there from now on; what was emitted between is lost.
    ///
    /// An error says that it is no such object, that `proxy` has other members, or that a signal could not be subscribed to: try
    /// again then.
    pub async fn redirect(&self, proxy: &Proxy) -> Result<()> {
        let Some(origin) = &self.0.origin else {
            return Err(Error::remote("only an object that stands for a remote one can be led elsewhere"));
        };
        if *proxy.metaobject() != *self.0.metaobject {
            return Err(Error::remote("an object with other members cannot stand in for this one"));
        }
        origin.way.0.store(Arc::new(proxy.clone()));
        let subscribed: Vec<_> = origin.running.lock().keys().copied().collect();
        for action in subscribed {
            let stream = proxy.signal_by_id::<Value>(action).await?;
            // Unless nobody listens any more.
            if let Some(task) = origin.running.lock().get_mut(&action) {
                task.abort();
                *task = tokio::spawn(carry(stream, Arc::downgrade(&self.0), action)).abort_handle();
            }
        }
        Ok(())
    }
}

/// Where a forwarding object leads at present.
#[derive(Clone)]
struct Way(Arc<ArcSwap<Proxy>>);

impl Way {
    fn call(&self, action: ActionId, arguments: &Value, result: &Signature) -> Call<Value> {
        self.0.load().call_action(action, arguments, result)
    }
}

fn forward_method(way: Way, action: ActionId, parameters: Signature, result: Signature) -> Method {
    let (declared, returned) = (parameters.clone(), result.clone());
    Method {
        parameters,
        result,
        run: Box::new(move |bytes, context| {
            let arguments = match context.decode_value(bytes, &declared) {
                Ok(arguments) => arguments,
                Err(error) => return Answer::Ready(Err(error)),
            };
            // Sent before anything is awaited, which keeps the order of calls.
            let call = way.call(action, &arguments, &returned);
            let (context, returned) = (context.clone(), returned.clone());
            // Whether it can be stopped is the far end's to say (8.5).
            Answer::Told(Box::new(|cancelled| {
                Box::pin(async move { encode_result(&context, outcome(call, cancelled).await?, &returned) })
            }))
        }),
    }
}

/// The outcome of a call that is asked to stop when its caller wants so.
async fn outcome(mut call: Call<Value>, cancelled: oneshot::Receiver<()>) -> Result<Value> {
    tokio::select! {
        biased;
        result = &mut call => return result.map(Value::unwrap_dynamic),
        cancel = cancelled => match cancel {
            Ok(()) => call.cancel(),
            // The caller is gone, and so is the call.
            Err(_) => return Err(Error::Canceled),
        },
    }
    call.await.map(Value::unwrap_dynamic)
}

/// A property of the remote object.
struct Forwarded {
    way: Way,
    action: ActionId,
    signature: Signature,
    changed: Arc<SignalCore>,
}

impl PropertyAccess for Forwarded {
    fn signature(&self) -> Signature {
        self.signature.clone()
    }

    fn changed(&self) -> Arc<SignalCore> {
        self.changed.clone()
    }

    fn read(&self, exchange: &Exchange) -> Answer {
        let key = Value::Dynamic(Box::new(Value::from(self.action.0)));
        let call = self.way.call(ActionId::PROPERTY, &Value::tuple(vec![key]), &Signature::dynamic());
        let exchange = exchange.clone();
        Answer::Pending(Box::pin(async move {
            let value = call.await?.unwrap_dynamic();
            exchange.encode(|encoder| encoder.write_dynamic(&value))
        }))
    }

    fn write(&self, value: Value) -> Answer {
        let key = Value::Dynamic(Box::new(Value::from(self.action.0)));
        let value = Value::Dynamic(Box::new(value.unwrap_dynamic()));
        let arguments = Value::tuple(vec![key, value]);
        let call = self.way.call(ActionId::SET_PROPERTY, &arguments, &Signature::void());
        Answer::Pending(Box::pin(async move { call.await.map(|_| Default::default()) }))
    }
}

/// The remote object behind a forwarding one, and the tasks that carry its events here. A signal is subscribed to at
/// the far end only while somebody is subscribed at this one.
pub(crate) struct Origin {
    way: Way,
    running: Mutex<HashMap<ActionId, AbortHandle>>,
}

impl Origin {
    /// Resolves when events of `action` flow.
    pub(crate) fn attach(
        &self,
        object: &Object,
        action: ActionId,
    ) -> impl Future<Output = Result<()>> + Send + 'static {
        let known = self.running.lock().contains_key(&action);
        let proxy = self.way.0.load_full();
        let object = Arc::downgrade(&object.0);
        async move {
            if known {
                return Ok(());
            }
            let stream = proxy.signal_by_id::<Value>(action).await?;
            let strong = object.upgrade().ok_or_else(|| Error::Closed("the object is gone".into()))?;
            let Some(origin) = &strong.origin else { return Ok(()) };
            let mut running = origin.running.lock();
            if !proxy.is_connected() {
                // Lost meanwhile: whoever leads the object elsewhere may not have seen this subscription.
                return Err(Error::NotConnected);
            }
            // Somebody else may have been quicker; then this stream ends here.
            running.entry(action).or_insert_with(|| tokio::spawn(carry(stream, object, action)).abort_handle());
            Ok(())
        }
    }

    /// Stops carrying the events nobody is subscribed to any more.
    pub(crate) fn release_unused(&self, object: &Object) {
        self.running.lock().retain(|action, task| {
            let used = object.0.hub.subscribers(*action) > 0;
            if !used {
                task.abort();
            }
            used
        });
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        for task in self.running.get_mut().values() {
            task.abort();
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("proxy", &self.way.0.load()).finish_non_exhaustive()
    }
}

async fn carry(mut stream: SignalStream<Value>, object: Weak<Local>, action: ActionId) {
    while let Some(event) = stream.next().await {
        let Some(object) = object.upgrade() else { return };
        let Some(signal) = object.signals.get(&action) else { return };
        match event {
            Ok(value) => {
                let value = match *signal.signature.kind() {
                    keyway_value::Type::Dynamic => Value::Dynamic(Box::new(value.unwrap_dynamic())),
                    _ => value.unwrap_dynamic(),
                };
                signal.emit(&Emission::Encode(&|encoder| encoder.write_value(&value)));
            }
            Err(error) => tracing::debug!(%error, %action, "an event could not be read and was not passed on"),
        }
    }
}
