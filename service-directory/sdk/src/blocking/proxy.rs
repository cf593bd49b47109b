//! Objects, calls and signals, blocking.

use std::sync::Arc;

use super::{RUNTIME, wait};
use crate::{MetaObject, ObjectUid, QiValue, Result, Value};

/// A way to use an object; see [`keyway::Proxy`](crate::Proxy).
#[derive(Debug, Clone)]
pub struct Proxy(pub(super) crate::Proxy);

/// A call under way; see [`keyway::Call`](crate::Call). Dropping it cancels the call.
#[derive(Debug)]
pub struct Call<R>(crate::Call<R>);

/// The emissions of a signal, as an iterator that blocks; see [`keyway::SignalStream`](crate::SignalStream).
#[derive(Debug)]
pub struct SignalStream<T>(crate::SignalStream<T>);

impl Proxy {
    /// The object's members.
    pub fn metaobject(&self) -> Arc<MetaObject> {
        self.0.metaobject()
    }

    /// The object's identity.
    pub fn uid(&self) -> Option<ObjectUid> {
        self.0.uid()
    }

    /// Whether the connection to the object is up.
    pub fn is_connected(&self) -> bool {
        self.0.is_connected()
    }

    /// Starts a call; [`Call::wait`] gives its result.
    pub fn call<R: QiValue>(&self, name: &str, arguments: impl QiValue) -> Call<R> {
        let _runtime = RUNTIME.enter();
        Call(self.0.call(name, arguments))
    }

    /// Starts a call with values whose types are only known at run time.
    pub fn call_dynamic(&self, name: &str, arguments: Vec<Value>) -> Call<Value> {
        let _runtime = RUNTIME.enter();
        Call(self.0.call_dynamic(name, arguments))
    }

    /// Runs a method or emits a signal without waiting for anything.
    pub fn post(&self, name: &str, arguments: impl QiValue) -> Result<()> {
        let _runtime = RUNTIME.enter();
        self.0.post(name, arguments)
    }

    /// Reads a property.
    pub fn get<T: QiValue>(&self, property: &str) -> Result<T> {
        wait(self.0.get(property))
    }

    /// Sets a property.
    pub fn set(&self, property: &str, value: impl QiValue) -> Result<()> {
        wait(self.0.set(property, value))
    }

    /// Subscribes to a signal, or to the changes of a property.
    pub fn signal<T: QiValue>(&self, name: &str) -> Result<SignalStream<T>> {
        wait(self.0.signal(name)).map(SignalStream)
    }
}

impl<R: QiValue> Call<R> {
    /// Waits for the result.
    pub fn wait(self) -> Result<R> {
        wait(self.0)
    }

    /// Asks the other side to stop; the call still has its outcome.
    pub fn cancel(&mut self) {
        self.0.cancel();
    }

    /// Lets the call run without waiting for it.
    pub fn detach(self) {
        let _runtime = RUNTIME.enter();
        self.0.detach();
    }
}

impl<T: QiValue> SignalStream<T> {
    /// How many emissions were dropped because the listener was too slow.
    pub fn missed(&self) -> u64 {
        self.0.missed()
    }

    /// How often an unknown number of emissions was lost. See [`SignalStream::interruptions`](crate::SignalStream::interruptions).
    pub fn interruptions(&self) -> u32 {
        self.0.interruptions()
    }
}

impl<T: QiValue> Iterator for SignalStream<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        wait(self.0.next())
    }
}
