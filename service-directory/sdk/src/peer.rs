//! One connection: calls that go out, calls that come in, and the objects that live on it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock, Weak},
};

use keyway_pipe::{ConnectionId, PeerAddress, Sender};
use keyway_session::{BoundObjects, CallTable, CloseReason, IncomingCalls, Input, SharedCapabilities, SignalAddress};
use keyway_value::{Link, MessageId, MetaObject, ObjectId, Payload, ServiceId};
use keyway_wire::{Flags, Frame, Header, MessageIds, MessageKind};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use crate::{
    Error, Result, dispatch,
    event_queue::{Event, EventQueue},
    exchange::{Exchange, Passing},
    front::Local,
    host::Host,
    hub::Hub,
    object::Object,
};

/// Message ids of this process (spec 2.1).
pub(crate) static IDS: MessageIds = MessageIds::new();

/// What waits for an answer.
type Waiter = oneshot::Sender<Result<Frame>>;

/// The shared side of a connection; the driver's task owns the other, [`PeerHandler`](crate::peer_handler::PeerHandler).
pub(crate) struct Peer {
    sender: Sender,
    address: String,
    host: Arc<Host>,
    shared: OnceLock<SharedCapabilities>,
    state: watch::Sender<State>,
    calls: Mutex<CallTable<Waiter>>,
    running: Mutex<IncomingCalls<oneshot::Sender<()>>>,
    bound: Mutex<BoundObjects<Object>>,
    routes: Mutex<HashMap<SignalAddress, Route>>,
    hubs: Mutex<Vec<Weak<Hub>>>,
    /// How often the other side has begun anew, and forgotten everything.
    restarts: watch::Sender<u32>,
    /// What the other side is shown of objects; everything if it is not said.
    shown: OnceLock<ShownObjects>,
    /// Serializes subscribing, so that whoever returns from it is really subscribed.
    pub(crate) subscribing: tokio::sync::Mutex<()>,
}

/// Gives the metaobject that is shown of an object, by way of a service.
pub(crate) type ShownObjects = Box<dyn Fn(ServiceId, &Arc<MetaObject>) -> Arc<MetaObject> + Send + Sync>;

/// How far the connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Opening,
    Open,
    Closed(String),
}

/// The listeners in this process to one remote signal, behind one remote subscription (spec 6.10).
struct Route {
    link: Link,
    queues: Vec<Arc<EventQueue>>,
}

impl Peer {
    pub(crate) fn new(sender: Sender, address: String, host: Arc<Host>) -> Arc<Self> {
        Arc::new(Self {
            sender,
            address,
            host,
            shared: OnceLock::new(),
            state: watch::Sender::new(State::Opening),
            calls: Mutex::default(),
            running: Mutex::default(),
            bound: Mutex::default(),
            routes: Mutex::default(),
            hubs: Mutex::default(),
            restarts: watch::Sender::new(0),
            shown: OnceLock::new(),
            subscribing: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.sender.id()
    }

    /// Whether the native protocol is spoken: the other side passes calls on to every service.
    pub(crate) fn is_native(&self) -> bool {
        matches!(self.sender.peer(), PeerAddress::Quic(_))
    }

    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// The shared capabilities; none before the connection is open.
    pub(crate) fn shared(&self) -> SharedCapabilities {
        self.shared.get().copied().unwrap_or_default()
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.state.borrow() == State::Open
    }

    /// Waits until the handshake is through.
    pub(crate) async fn opened(&self) -> Result<()> {
        let mut state = self.state.subscribe();
        match &*state.wait_for(|state| *state != State::Opening).await.map_err(|_| closed("disconnected"))? {
            State::Closed(reason) => Err(closed(reason)),
            _ => Ok(()),
        }
    }

    /// Waits until the connection is gone, and says why. Waiting keeps nothing of it.
    pub(crate) fn closed(&self) -> impl Future<Output = String> + Send + use<> {
        let mut state = self.state.subscribe();
        async move {
            match state.wait_for(|state| matches!(state, State::Closed(_))).await.as_deref() {
                Ok(State::Closed(reason)) => reason.clone(),
                _ => "disconnected".to_owned(),
            }
        }
    }

    pub(crate) fn close(&self, reason: CloseReason) {
        self.sender.close(reason);
    }

    // === calls that go out ===

    /// Sends a Call; the receiver gets its answer.
    pub(crate) fn call(
        &self,
        (service, object, action): SignalAddress,
        payload: Payload,
        flags: Flags,
    ) -> (MessageId, oneshot::Receiver<Result<Frame>>) {
        let (waiter, answer) = oneshot::channel();
        let id = self.calls.lock().insert(&IDS, service, object, action, waiter);
        let mut frame = Frame::call(id, service, object, action, payload);
        frame.header.flags = flags;
        // A refused send means that the connection is closing. The state is read after the insertion: either the
        // closing sees the waiter, or this sees the closing.
        if (self.sender.send(frame).is_err() || matches!(*self.state.borrow(), State::Closed(_)))
            && let Some(waiter) = self.calls.lock().remove(id)
        {
            let _ = waiter.send(Err(self.why_closed()));
        }
        (id, answer)
    }

    pub(crate) fn post(&self, (service, object, action): SignalAddress, payload: Payload) -> Result<()> {
        let frame = Frame::post(IDS.next(), service, object, action, payload);
        self.sender.send(frame).map_err(|_| self.why_closed())
    }

    /// Asks the other side to stop a call. Only where both sides know how (spec 5.3).
    pub(crate) fn cancel(&self, service: ServiceId, object: ObjectId, call: MessageId) {
        if self.shared().remote_cancelable_calls {
            // Nothing is lost if the connection is closing: the call ends with it.
            let _ = self.sender.send(Frame::cancel(IDS.next(), service, object, call));
        }
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn abandon(&self, call: MessageId) -> bool {
        self.calls.lock().remove(call).is_some()
    }

    /// Whether calls wait for their answers.
    pub(crate) fn has_calls(&self) -> bool {
        !self.calls.lock().is_empty()
    }

    /// The service is gone from the directory: its calls fail (spec 7.6).
    pub(crate) fn fail_service(&self, service: ServiceId, text: &str) {
        let waiters = self.calls.lock().take_service(service);
        for waiter in waiters {
            let _ = waiter.send(Err(Error::Closed(text.to_owned())));
        }
        let routes: Vec<_> = {
            let mut routes = self.routes.lock();
            let keys: Vec<_> = routes.keys().filter(|key| key.0 == service).copied().collect();
            keys.iter().filter_map(|key| routes.remove(key)).collect()
        };
        for queue in routes.iter().flat_map(|route| &route.queues) {
            queue.close();
        }
    }

    fn why_closed(&self) -> Error {
        match &*self.state.borrow() {
            State::Closed(reason) => closed(reason),
            _ => closed(keyway_session::errors::NOT_CONNECTED),
        }
    }

    // === signals that come in ===

    /// Adds a listener; a link if it is the first, to be registered with the other side.
    pub(crate) fn add_route(&self, key: SignalAddress, queue: &Arc<EventQueue>) -> Option<Link> {
        let mut routes = self.routes.lock();
        if let Some(route) = routes.get_mut(&key) {
            route.queues.push(queue.clone());
            return None;
        }
        let link = Link((u64::from(key.2.0) << 32) | u64::from(IDS.next().0));
        routes.insert(key, Route { link, queues: vec![queue.clone()] });
        Some(link)
    }

    /// Removes a listener; the link if it was the last.
    pub(crate) fn remove_route(&self, key: SignalAddress, queue: &Arc<EventQueue>) -> Option<Link> {
        let mut routes = self.routes.lock();
        let route = routes.get_mut(&key)?;
        route.queues.retain(|other| !Arc::ptr_eq(other, queue));
        if route.queues.is_empty() { routes.remove(&key).map(|route| route.link) } else { None }
    }

    fn deliver(self: &Arc<Self>, frame: &Frame) {
        let header = &frame.header;
        let queues = match self.routes.lock().get(&(header.service, header.object, header.action)) {
            Some(route) => route.queues.clone(),
            None => return,
        };
        // Objects in the event are received once for each listener, but their reference is one: the first to let go
        // must not take it from the others, so with several listeners each sees the same bytes and the last releases.
        let exchange = Exchange::Peer { peer: self.clone(), service: header.service, passing: Passing::Argument };
        let event = Event { payload: frame.payload_bytes().clone(), flags: header.flags, exchange };
        for queue in queues {
            queue.push(event.clone());
        }
    }

    // === objects hosted here ===

    /// Gives an object an id on this connection (spec 10.2).
    pub(crate) fn bind(&self, service: ServiceId, passing: Passing, object: Object) -> (ServiceId, ObjectId) {
        let mut bound = self.bound.lock();
        match passing {
            Passing::Returned => bound.bind_returned(service, object),
            Passing::Argument => bound.bind_argument(service, object),
        }
    }

    /// The first to say what is shown of objects counts.
    pub(crate) fn show_objects(&self, shown: ShownObjects) {
        // Said already.
        let _ = self.shown.set(shown);
    }

    /// What the other side is shown of an object.
    pub(crate) fn shown(&self, service: ServiceId, metaobject: Arc<MetaObject>) -> Arc<MetaObject> {
        match self.shown.get() {
            Some(shown) => shown(service, &metaobject),
            None => metaobject,
        }
    }

    pub(crate) fn terminate(&self, service: ServiceId, object: ObjectId) -> bool {
        // Dropped outside of the lock: an object's own parts may call back.
        let released = self.bound.lock().terminate(service, object);
        released.is_some()
    }

    pub(crate) fn find(&self, service: ServiceId, object: ObjectId) -> Option<Object> {
        if object == ObjectId::MAIN
            && let Some(object) = self.host.service(service)
        {
            return Some(object);
        }
        self.bound.lock().get(service, object).cloned()
    }

    /// Does what a message asks for: runs a method, answers a waiting call, hands an event to its listeners. `main` stands for the
    /// service's main object where it is not the host's.
    pub(crate) fn serve(self: &Arc<Self>, Local { input, object: main, answered }: Local) {
        match input {
            Input::Call(frame) => dispatch::call(self, &frame, main.as_ref(), answered),
            Input::Post(frame) => dispatch::post(self, &frame, main.as_ref()),
            Input::Cancel { call, .. } => {
                if let Some(cancel) = self.running.lock().cancel(call) {
                    let _ = cancel.send(());
                }
            }
            Input::Answer(frame) => {
                let waiter = self.calls.lock().complete(&frame.header);
                if let Some(waiter) = waiter {
                    let answer = match frame.header.kind {
                        MessageKind::Error => Err(Error::Remote(keyway_session::errors::text_of(&frame))),
                        MessageKind::Canceled => Err(Error::Canceled),
                        _ => Ok(frame),
                    };
                    let _ = waiter.send(answer);
                }
            }
            Input::Event(frame) => self.deliver(&frame),
            _ => {}
        }
    }

    pub(crate) fn remember_hub(&self, hub: &Arc<Hub>) {
        let mut hubs = self.hubs.lock();
        let known = hubs.iter().any(|other| std::ptr::eq(other.as_ptr(), Arc::as_ptr(hub)));
        if !known {
            hubs.retain(|other| other.strong_count() > 0);
            hubs.push(Arc::downgrade(hub));
        }
        if matches!(*self.state.borrow(), State::Closed(_)) {
            hub.forget(self.id());
        }
    }

    /// Notes a running call, so that a Cancel finds it; the receiver resolves when it is cancelled or the connection ends.
    pub(crate) fn start(&self, header: &Header) -> (keyway_session::IncomingKey, oneshot::Receiver<()>) {
        let (cancel, cancelled) = oneshot::channel();
        (self.running.lock().insert(header, cancel), cancelled)
    }

    pub(crate) fn finish(&self, key: keyway_session::IncomingKey) {
        self.running.lock().finish(key);
    }

    pub(crate) fn open(&self, shared: SharedCapabilities) {
        let _ = self.shared.set(shared);
        self.state.send_replace(State::Open);
    }

    pub(crate) fn end(&self, reason: &CloseReason) {
        self.state.send_replace(State::Closed(reason.to_string()));
        let waiters = self.calls.lock().drain();
        for waiter in waiters {
            let _ = waiter.send(Err(closed("Socket Disconnected")));
        }
        let routes = std::mem::take(&mut *self.routes.lock());
        for queue in routes.into_values().flat_map(|route| route.queues) {
            queue.close();
        }
        self.forget();
        self.host.disconnected(self.id());
    }

    /// What the other side had of this one is gone: its subscriptions, references and calls.
    fn forget(&self) {
        let hubs = std::mem::take(&mut *self.hubs.lock());
        for hub in hubs.iter().filter_map(Weak::upgrade) {
            hub.forget(self.id());
        }
        let bound = self.bound.lock().drain();
        drop(bound);
        let running = self.running.lock().drain();
        drop(running);
    }

    // === another server at the other end ===

    /// Counts the times that the other side has begun anew.
    pub(crate) fn restarts(&self) -> watch::Receiver<u32> {
        self.restarts.subscribe()
    }

    /// How often it has. An object of the other side's that was passed here is gone when this changes.
    pub(crate) fn generation(&self) -> u32 {
        *self.restarts.borrow()
    }

    /// The other side has begun anew: calls fail once, passed objects are gone, and subscriptions wait to be
    /// [made again](Self::routes).
    pub(crate) fn restarted(&self) {
        self.restarts.send_modify(|restarts| *restarts += 1);
        let waiters = self.calls.lock().drain();
        for waiter in waiters {
            let _ = waiter.send(Err(closed(UNKNOWN)));
        }
        self.forget();
        let gone: Vec<_> = {
            let mut routes = self.routes.lock();
            routes.values().flat_map(|route| &route.queues).for_each(|queue| queue.interrupt());
            let gone: Vec<_> = routes.keys().filter(|key| key.1 != ObjectId::MAIN).copied().collect();
            gone.iter().filter_map(|key| routes.remove(key)).collect()
        };
        gone.iter().flat_map(|route| &route.queues).for_each(|queue| queue.close());
    }

    /// Signals that are listened to here, with their links.
    pub(crate) fn routes(&self) -> Vec<(SignalAddress, Link)> {
        self.routes.lock().iter().map(|(key, route)| (*key, route.link)).collect()
    }

    /// No more events will come of a signal.
    pub(crate) fn close_route(&self, key: SignalAddress) {
        let route = self.routes.lock().remove(&key);
        route.iter().flat_map(|route| &route.queues).for_each(|queue| queue.close());
    }

    /// Events of a signal are missing before the next one.
    pub(crate) fn missed(&self, key: SignalAddress, missed: u64) {
        if let Some(route) = self.routes.lock().get(&key) {
            route.queues.iter().for_each(|queue| queue.miss(missed));
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Of calls whose answer was lost.
const UNKNOWN: &str = "the server was restarted: whether this call had its effect is unknown; look, or make it again if that does no harm";

fn closed(reason: &str) -> Error {
    Error::Closed(reason.to_owned())
}
