//! Signals of objects hosted here.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use keyway_value::{ActionId, CodecError, Encoder, QiValue, Signature};
use keyway_wire::Flags;
use parking_lot::Mutex;

use crate::{
    answer::arguments_signature,
    event_queue::{Event, EventQueue},
    exchange::Exchange,
    hub::Hub,
    stream::SignalStream,
};

/// A signal: `T` is the tuple of its parameters.
///
/// Make one, give it to [`ObjectBuilder::signal`](crate::ObjectBuilder::signal) (or name it in `#[service]`), keep a
/// clone and emit. Emissions reach every subscriber in the order in which they were made (spec 9.3); each is encoded
/// once, however many subscribe.
///
/// ```
/// let changed = keyway::Signal::<(i32, String)>::new();
/// changed.emit(&(1, "one".into()));
/// ```
pub struct Signal<T> {
    pub(crate) core: Arc<SignalCore>,
    _parameters: PhantomData<fn(&T)>,
}

impl<T: QiValue> Signal<T> {
    /// A signal that belongs to no object yet.
    pub fn new() -> Self {
        Self { core: Arc::new(SignalCore::new(arguments_signature::<T>())), _parameters: PhantomData }
    }

    /// Sends the event to all subscribers. Never waits: what a slow subscriber cannot take is queued for it, up to the
    /// limit of its connection.
    pub fn emit(&self, parameters: &T) {
        self.core.emit(&Emission::Encode(&|encoder| parameters.encode(encoder)));
    }

    /// Listens from within this process.
    pub fn listen(&self) -> SignalStream<T> {
        let queue = self.core.listen();
        SignalStream::new(queue, self.core.signature.clone(), Box::new(()))
    }

    /// How many subscriptions there are, here and remote.
    pub fn subscribers(&self) -> usize {
        self.core.subscribers()
    }
}

impl<T: QiValue> Default for Signal<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Signal<T> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), _parameters: PhantomData }
    }
}

impl<T> fmt::Debug for Signal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("signature", &self.core.signature).finish_non_exhaustive()
    }
}

/// What is emitted: bytes that hold no object and can go out as they are, or something to encode for each connection.
pub(crate) enum Emission<'a> {
    Bytes(Bytes),
    Encode(&'a dyn Fn(&mut Encoder<'_>) -> Result<(), CodecError>),
}

/// A signal without its type.
pub(crate) struct SignalCore {
    pub(crate) signature: Signature,
    bindings: Mutex<Vec<(Weak<Hub>, ActionId)>>,
    listeners: Mutex<Vec<Weak<EventQueue>>>,
}

impl SignalCore {
    pub(crate) fn new(signature: Signature) -> Self {
        Self { signature, bindings: Mutex::default(), listeners: Mutex::default() }
    }

    pub(crate) fn bind(&self, hub: &Arc<Hub>, action: ActionId) {
        self.bindings.lock().push((Arc::downgrade(hub), action));
    }

    pub(crate) fn listen(&self) -> Arc<EventQueue> {
        let queue = Arc::new(EventQueue::new());
        self.listeners.lock().push(Arc::downgrade(&queue));
        queue
    }

    pub(crate) fn subscribers(&self) -> usize {
        let remote: usize = {
            let bindings = self.bindings.lock();
            bindings.iter().filter_map(|(hub, action)| Some(hub.upgrade()?.subscribers(*action))).sum()
        };
        remote + self.listeners.lock().iter().filter(|listener| listener.strong_count() > 0).count()
    }

    pub(crate) fn emit(&self, emission: &Emission<'_>) {
        self.notify_listeners(emission);
        let mut bindings = self.bindings.lock();
        // An object that is gone takes its binding with it.
        bindings.retain(|(hub, action)| match hub.upgrade() {
            Some(hub) => {
                hub.emit(*action, &self.signature, emission);
                true
            }
            None => false,
        });
    }

    fn notify_listeners(&self, emission: &Emission<'_>) {
        let mut listeners = self.listeners.lock();
        if listeners.is_empty() {
            return;
        }
        let exchange = Exchange::loopback();
        let payload = match emission {
            Emission::Bytes(bytes) => bytes.clone(),
            Emission::Encode(encode) => match exchange.encode(encode) {
                Ok(payload) => payload.into_bytes(),
                Err(error) => {
                    tracing::warn!(%error, "a signal's parameters cannot be encoded");
                    return;
                }
            },
        };
        listeners.retain(|listener| match listener.upgrade() {
            Some(queue) => {
                queue.push(Event { payload: payload.clone(), flags: Flags::default(), exchange: exchange.clone() });
                true
            }
            None => false,
        });
    }
}

impl Drop for SignalCore {
    fn drop(&mut self) {
        for listener in self.listeners.get_mut() {
            if let Some(queue) = listener.upgrade() {
                queue.close();
            }
        }
    }
}
