//! Running an object's actions: the user's own, and those every object has (spec 6).

use std::{collections::HashMap, sync::LazyLock};

use bytes::Bytes;
use keyway_session::{ObjectRequest, PropertyKey, errors};
use keyway_value::{ActionId, Link, MetaObject, Payload, QiValue, Signature};

use crate::{
    Error, Result,
    answer::Answer,
    context::CallContext,
    dispatch,
    exchange::Exchange,
    hub::Subscriber,
    object::{Object, observe},
    property::PropertyAccess,
};

impl Object {
    /// Parameters and result of a method, reserved ones included.
    pub(crate) fn signatures(&self, action: ActionId) -> Option<(&Signature, &Signature)> {
        if let Some(method) = self.0.methods.get(&action) {
            return Some((&method.parameters, &method.result));
        }
        RESERVED.get(&action).map(|(parameters, result)| (parameters, result))
    }

    /// Runs a method; the bytes are of its declared parameters.
    pub(crate) fn invoke(&self, action: ActionId, bytes: &Bytes, context: &CallContext) -> Answer {
        let run = || match self.0.methods.get(&action) {
            Some(method) => (method.run)(bytes, context),
            None => self.reserved(action, bytes, context).unwrap_or_else(|error| Answer::Ready(Err(error))),
        };
        if self.0.observer.is_idle() { run() } else { observe::observed(self, action, bytes, context, run) }
    }

    /// Emits a signal, or runs a method of which nobody hears anything.
    pub(crate) fn post_local(&self, action: ActionId, bytes: &Bytes, context: &CallContext) -> Result<()> {
        match self.0.signals.get(&action) {
            Some(signal) => dispatch::emit(signal, bytes, context),
            None => {
                self.invoke(action, bytes, context).detach();
                Ok(())
            }
        }
    }

    fn reserved(&self, action: ActionId, bytes: &Bytes, context: &CallContext) -> Result<Answer> {
        let observer = &self.0.observer;
        Ok(match context.arguments().decode(bytes, |decoder| ObjectRequest::read(action, decoder))? {
            ObjectRequest::RegisterEvent { signal, link, signature } => {
                self.register_event(signal, link, signature, context)
            }
            ObjectRequest::UnregisterEvent { target, link } => self.unregister_event(target, link, context),
            ObjectRequest::MetaObject => {
                Answer::Ready(context.results().encode(|encoder| self.0.metaobject.as_ref().encode(encoder)))
            }
            // Reached for main objects only: no effect.
            ObjectRequest::Terminate => done(),
            ObjectRequest::Property(key) => self.property(&key, errors::PROPERTY_ID_NOT_FOUND)?.read(context.results()),
            ObjectRequest::SetProperty(key, value) => {
                self.property(&key, errors::SET_PROPERTY_ID_NOT_FOUND)?.write(value)
            }
            ObjectRequest::Properties => {
                let names: Vec<String> = self.0.metaobject.properties.values().map(|p| p.name.clone()).collect();
                Answer::Ready(context.encode(&names))
            }
            ObjectRequest::IsStatsEnabled => Answer::Ready(context.encode(&observer.is_measuring())),
            ObjectRequest::EnableStats(on) => {
                observer.measure(on);
                done()
            }
            ObjectRequest::Stats => {
                let stats = observer.stats().lock().snapshot();
                Answer::Ready(context.encode(&stats))
            }
            ObjectRequest::ClearStats => {
                observer.stats().lock().clear();
                done()
            }
            ObjectRequest::IsTraceEnabled => Answer::Ready(context.encode(&observer.is_tracing())),
            ObjectRequest::EnableTrace(on) => {
                observer.set_tracing(on);
                done()
            }
            _ => return Err(Error::remote(errors::CALL_NOT_HANDLED)),
        })
    }

    fn register_event(&self, signal: ActionId, link: Link, wanted: Option<Signature>, context: &CallContext) -> Answer {
        if signal != ActionId::TRACE_OBJECT && !self.0.signals.contains_key(&signal) {
            return Answer::Ready(Err(Error::remote(errors::NO_SUCH_SIGNAL)));
        }
        let Exchange::Peer { peer, .. } = context.exchange() else {
            return Answer::Ready(Err(Error::remote("local objects are listened to through their proxy's signal()")));
        };
        let subscriber =
            Subscriber { peer: peer.clone(), service: context.service_id(), object: context.object_id(), wanted };
        let (object, context) = (self.clone(), context.clone());
        let subscribe = move || {
            object.0.hub.subscribe(signal, link, subscriber)?;
            object.0.observer.subscriptions_changed();
            context.encode(&link.0)
        };
        match &self.0.origin {
            Some(origin) => {
                let upstream = origin.attach(self, signal);
                Answer::Pending(Box::pin(async move {
                    upstream.await?;
                    subscribe()
                }))
            }
            None => Answer::Ready(subscribe()),
        }
    }

    fn unregister_event(&self, target: u32, link: Link, context: &CallContext) -> Answer {
        let Some(connection) = context.connection() else { return done() };
        // The invalid link is accepted without effect (6.8).
        if link.0 != u64::MAX && !self.0.hub.unsubscribe(connection, link) {
            return Answer::Ready(Err(Error::Remote(errors::unregister_failed(link, target))));
        }
        self.0.observer.subscriptions_changed();
        if let Some(origin) = &self.0.origin {
            origin.release_unused(self);
        }
        done()
    }

    fn property(&self, key: &PropertyKey, unknown_id: &str) -> Result<&dyn PropertyAccess> {
        let action = match key {
            PropertyKey::Name(name) => {
                let name = name.to_string_lossy();
                let found = self.0.metaobject.property_by_name(&name).map(|property| ActionId(property.uid));
                found.ok_or_else(|| Error::Remote(errors::property_not_found(&name)))?
            }
            PropertyKey::Id(id) => *id,
        };
        self.0.properties.get(&action).map(AsRef::as_ref).ok_or_else(|| Error::remote(unknown_id))
    }
}

fn done() -> Answer {
    Answer::Ready(Ok(Payload::default()))
}

/// Types of the members every object has, from the metaobject of one that has no others.
static RESERVED: LazyLock<HashMap<ActionId, (Signature, Signature)>> = LazyLock::new(|| {
    let members = MetaObject::default().with_reserved().methods;
    members
        .into_values()
        .map(|method| (ActionId(method.uid), (method.parameters_signature, method.return_signature)))
        .collect()
});
