//! Signals as streams.

use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use keyway_value::{QiValue, Signature};
use keyway_wire::Flags;

use crate::{
    Result,
    encoded::Encoded,
    event_queue::{Event, EventQueue},
    exchange::from_value,
};

/// The emissions of a signal, in order, from the moment of subscription (spec 9.5). Dropping it unsubscribes.
///
/// `T` is the tuple of parameters, or [`Value`](crate::Value) for whatever comes. The queue behind it is bounded: a
/// listener that falls behind by 65,536 events or 64 MiB loses the oldest, and [`missed`](Self::missed) counts them.
/// The stream ends when the object's connection does; over QUIC, when the session does.
pub struct SignalStream<T> {
    queue: Arc<EventQueue>,
    signature: Signature,
    _subscription: Box<dyn Send + Sync>,
    _item: PhantomData<fn() -> T>,
}

impl<T: QiValue> SignalStream<T> {
    pub(crate) fn new(queue: Arc<EventQueue>, signature: Signature, subscription: Box<dyn Send + Sync>) -> Self {
        Self { queue, signature, _subscription: subscription, _item: PhantomData }
    }

    /// The next emission; `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// How many emissions were dropped because the listener was too slow, or the connection was lost for longer than the server
    /// keeps events (over QUIC).
    pub fn missed(&self) -> u64 {
        self.queue.missed()
    }

    /// How often the server was restarted while this was listened to (over QUIC, where a session outlives that): each time an
    /// unknown number of emissions is missing, beside those that [`missed`](Self::missed) counts.
    pub fn interruptions(&self) -> u32 {
        self.queue.interruptions()
    }

    /// When the next event arrived, to be compared with those of other streams.
    pub(crate) fn poll_arrival(&self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        self.queue.poll_arrival(cx)
    }

    pub(crate) fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let event = ready!(self.queue.poll(cx));
        Poll::Ready(event.map(|event| self.read(&event)))
    }

    fn read(&self, event: &Event) -> Result<T> {
        if event.flags.contains(Flags::DYNAMIC_PAYLOAD) {
            from_value(event.exchange.decode(&event.payload, |decoder| decoder.read_dynamic())?)
        } else {
            event.exchange.decode_as(&event.payload, &self.signature)
        }
    }
}

impl<T> SignalStream<T> {
    /// The next event as it came.
    pub(crate) fn poll_encoded(&self, cx: &mut Context<'_>) -> Poll<Option<Encoded>> {
        let event = ready!(self.queue.poll(cx));
        Poll::Ready(event.map(|event| {
            let is_dynamic = event.flags.contains(Flags::DYNAMIC_PAYLOAD);
            Encoded::new(event.payload, is_dynamic, &self.signature, event.exchange)
        }))
    }
}

impl<T: QiValue> futures_core::Stream for SignalStream<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl<T> fmt::Debug for SignalStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalStream").field("signature", &self.signature).finish_non_exhaustive()
    }
}
