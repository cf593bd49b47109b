//! Calls and events whose payloads stay bytes, for gateways and bridges that only pass them on.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use keyway_value::{ObjectImporter, ObjectLayout, ObjectReference, Signature};

use crate::{
    Result,
    call::Call,
    exchange::{Exchange, Handle},
    proxy::Proxy,
    stream::SignalStream,
};

/// A value as it came over a connection.
#[derive(Clone)]
pub struct Encoded {
    bytes: Bytes,
    signature: Signature,
    exchange: Exchange,
}

impl Encoded {
    pub(crate) fn new(bytes: Bytes, is_dynamic: bool, declared: &Signature, exchange: Exchange) -> Self {
        let signature = if is_dynamic { Signature::dynamic() } else { declared.clone() };
        Self { bytes, signature, exchange }
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What they hold: the declared type, or `m` from peers that send another one.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// How objects are written in them.
    pub fn layout(&self) -> ObjectLayout {
        self.exchange.layout()
    }

    /// The object that a reference in the bytes means; `None` for the null object. Every reference is to be asked for once:
    /// its host counts it until the proxy is dropped (spec 10.4).
    pub fn object(&self, reference: ObjectReference) -> Option<Proxy> {
        let mut exchange = &self.exchange;
        let value = exchange.import(reference);
        match Handle::of(&value)? {
            Handle::Local(object) => Some(Proxy::from_object(object.clone())),
            Handle::Remote(remote) => Some(Proxy::from_remote(remote.clone())),
        }
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded").field("signature", &self.signature).field("bytes", &self.bytes.len()).finish()
    }
}

/// A call whose answer stays bytes. Dropping it cancels the call (spec 8.5).
#[derive(Debug)]
pub struct EncodedCall(pub(crate) Call<()>);

impl Future for EncodedCall {
    type Output = Result<Encoded>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_encoded(cx)
    }
}

/// The emissions of a signal, as bytes. See [`SignalStream`].
#[derive(Debug)]
pub struct EncodedEvents(pub(crate) SignalStream<()>);

impl EncodedEvents {
    /// The next emission; `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Encoded> {
        poll_fn(|cx| Poll::Ready(ready!(self.0.poll_encoded(cx)))).await
    }

    /// How many emissions were dropped because nobody took them.
    pub fn missed(&self) -> u64 {
        self.0.missed()
    }

    /// How often an unknown number of emissions was lost. See [`SignalStream::interruptions`].
    pub fn interruptions(&self) -> u32 {
        self.0.interruptions()
    }
}
