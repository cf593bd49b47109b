//! An object at the other end of a connection, and its signals.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use keyway_session::SignalAddress;
use keyway_value::{
    ActionId, CodecError, Encoder, Link, MetaObject, ObjectId, ObjectReference, ObjectUid, Payload, QiValue, ServiceId,
    Signature, Value,
};
use keyway_wire::Flags;

use crate::{
    Error, Result,
    call::{Call, Pending},
    event_queue::EventQueue,
    exchange::{Exchange, Passing},
    peer::Peer,
};

/// An object at the other end of a connection.
pub(crate) struct RemoteObject {
    pub(crate) peer: Arc<Peer>,
    pub(crate) metaobject: Arc<MetaObject>,
    pub(crate) service: ServiceId,
    pub(crate) object: ObjectId,
    pub(crate) uid: Option<ObjectUid>,
    /// Whether this is a reference the other side counts (spec 10.5).
    counted: bool,
    /// How often the other side had begun anew when this came.
    generation: u32,
    /// What has to live as long as the proxy does: the session it came from.
    _keep: Option<Arc<dyn Send + Sync>>,
}

impl RemoteObject {
    /// An object that came as a value.
    pub(crate) fn received(peer: Arc<Peer>, reference: &ObjectReference) -> Self {
        let generation = peer.generation();
        Self {
            peer,
            generation,
            metaobject: reference.metaobject.clone(),
            service: reference.service,
            object: reference.object,
            uid: reference.uid,
            counted: true,
            _keep: None,
        }
    }

    /// The main object of a service: asks for its metaobject.
    pub(crate) async fn of_service(
        peer: Arc<Peer>,
        service: ServiceId,
        uid: Option<ObjectUid>,
        keep: Option<Arc<dyn Send + Sync>>,
    ) -> Result<Self> {
        let key = (service, ObjectId::MAIN, ActionId::META_OBJECT);
        let exchange = Exchange::loopback();
        let payload = exchange.encode(|encoder| (service.0,).encode(encoder))?;
        let (id, answer) = peer.call(key, payload, Flags::default());
        let state = Pending::Remote { peer: peer.clone(), service, object: ObjectId::MAIN, id, answer };
        let metaobject = Call::<MetaObject>::new(state, MetaObject::signature(), exchange).await?;
        let metaobject = Arc::new(metaobject);
        let (object, generation) = (ObjectId::MAIN, peer.generation());
        Ok(Self { peer, metaobject, service, object, uid, counted: false, generation, _keep: keep })
    }

    /// Calls an action; `result` is its declared type.
    pub(crate) fn start<R: QiValue>(
        &self,
        action: ActionId,
        result: &Signature,
        write: impl FnOnce(&mut Encoder<'_>) -> Result<(), CodecError>,
    ) -> Call<R> {
        let exchange = self.exchange();
        let payload = match exchange.encode(write) {
            Ok(payload) => payload,
            Err(error) => return Call::failed(error),
        };
        if self.is_gone() {
            return Call::failed(gone());
        }
        let (service, object) = (self.service, self.object);
        let (id, answer) = self.peer.call((service, object, action), payload, Flags::default());
        let state = Pending::Remote { peer: self.peer.clone(), service, object, id, answer };
        Call::new(state, result.clone(), exchange)
    }

    /// Posts arguments of the declared type.
    pub(crate) fn post(&self, action: ActionId, arguments: &Value) -> Result<()> {
        let payload = self.exchange().encode_value(arguments)?;
        self.post_payload(action, payload)
    }

    /// Posts what is encoded already.
    pub(crate) fn post_payload(&self, action: ActionId, payload: Payload) -> Result<()> {
        if self.is_gone() {
            return Err(gone());
        }
        self.peer.post((self.service, self.object, action), payload)
    }

    /// Whether it was passed by a server that was restarted since: its ids may be another object's now.
    fn is_gone(&self) -> bool {
        self.object != ObjectId::MAIN && self.generation != self.peer.generation()
    }

    fn exchange(&self) -> Exchange {
        Exchange::Peer { peer: self.peer.clone(), service: self.service, passing: Passing::Argument }
    }
}

fn gone() -> Error {
    Error::Closed("the object is gone: it was passed by a server that was restarted since; ask for it again".to_owned())
}

impl Drop for RemoteObject {
    fn drop(&mut self) {
        if self.counted && !self.is_gone() {
            let payload = Payload::from(Bytes::copy_from_slice(&self.service.0.to_le_bytes()));
            // If the connection is gone, so is the reference.
            let _ = self.peer.post((self.service, self.object, ActionId::TERMINATE), payload);
        }
    }
}

impl fmt::Debug for RemoteObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteObject")
            .field("service", &self.service)
            .field("object", &self.object)
            .finish_non_exhaustive()
    }
}

/// Has the other side send a signal's events here.
pub(crate) async fn subscribe(peer: &Arc<Peer>, (service, object, signal): SignalAddress, link: Link) -> Result<u64> {
    let exchange = Exchange::loopback();
    let payload = exchange.encode(|encoder| (service.0, signal.0, link.0).encode(encoder))?;
    let (id, answer) = peer.call((service, object, ActionId::REGISTER_EVENT), payload, Flags::default());
    let state = Pending::Remote { peer: peer.clone(), service, object, id, answer };
    Call::new(state, u64::signature(), exchange).await
}

/// One listener of one remote signal.
pub(crate) struct Subscription {
    remote: Arc<RemoteObject>,
    action: ActionId,
    pub(crate) queue: Arc<EventQueue>,
}

impl Subscription {
    pub(crate) async fn register(remote: &Arc<RemoteObject>, action: ActionId) -> Result<Self> {
        let peer = &remote.peer;
        let _one_at_a_time = peer.subscribing.lock().await;
        let key = (remote.service, remote.object, action);
        let queue = Arc::new(EventQueue::new());
        let this = Self { remote: remote.clone(), action, queue };
        if let Some(link) = peer.add_route(key, &this.queue) {
            subscribe(peer, key, link).await?;
        }
        Ok(this)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let remote = &self.remote;
        let key = (remote.service, remote.object, self.action);
        if let Some(link) = remote.peer.remove_route(key, &self.queue) {
            let arguments = (remote.service.0, self.action.0, link.0);
            let action = ActionId::UNREGISTER_EVENT;
            remote.start::<()>(action, &Signature::void(), |encoder| arguments.encode(encoder)).detach();
        }
    }
}
