//! A call under way.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use keyway_value::{MessageId, ObjectId, QiValue, ServiceId, Signature};
use keyway_wire::{Flags, Frame};
use tokio::sync::oneshot;

use crate::{
    Error, Result,
    exchange::{Exchange, from_value},
    peer::Peer,
};

/// The answer to come. Dropping it cancels the call (spec 8.5); [`detach`](Self::detach) lets it run.
pub struct Call<R> {
    state: Pending,
    result: Signature,
    exchange: Exchange,
    _result: PhantomData<fn() -> R>,
}

/// Where the answer comes from.
pub(crate) enum Pending {
    /// Refused before anything was sent, or taken already.
    Settled(Option<Error>),
    /// A Call frame on a connection.
    Remote {
        peer: Arc<Peer>,
        service: ServiceId,
        object: ObjectId,
        id: MessageId,
        answer: oneshot::Receiver<Result<Frame>>,
    },
    /// A method of this process; its future, once started, is polled in place.
    Local(Pin<Box<dyn Future<Output = Result<Bytes>> + Send>>),
}

impl<R: QiValue> Call<R> {
    pub(crate) fn new(state: Pending, result: Signature, exchange: Exchange) -> Self {
        Self { state, result, exchange, _result: PhantomData }
    }

    pub(crate) fn failed(error: Error) -> Self {
        Self::new(Pending::Settled(Some(error)), Signature::void(), Exchange::loopback())
    }

    /// Asks the other side to stop. The call still has its outcome: [`Error::Canceled`] if the method could be
    /// stopped, its normal result otherwise.
    pub fn cancel(&mut self) {
        match &self.state {
            Pending::Remote { peer, service, object, id, .. } => peer.cancel(*service, *object, *id),
            Pending::Local(_) => self.state = Pending::Settled(Some(Error::Canceled)),
            Pending::Settled(_) => {}
        }
    }

    /// Lets the call run without waiting for it.
    pub fn detach(mut self) {
        match std::mem::replace(&mut self.state, Pending::Settled(None)) {
            Pending::Local(future) => {
                tokio::spawn(future);
            }
            // The waiter stays in the table until the answer comes; the answer then falls on the floor.
            Pending::Remote { .. } | Pending::Settled(_) => {}
        }
    }

    fn read(&self, frame: &Frame) -> Result<R> {
        if frame.header.flags.contains(Flags::DYNAMIC_PAYLOAD) {
            let value = self.exchange.decode(frame.payload_bytes(), |decoder| decoder.read_dynamic())?;
            return from_value(value);
        }
        self.read_bytes(frame.payload_bytes())
    }

    fn read_bytes(&self, bytes: &Bytes) -> Result<R> {
        self.exchange.decode_as(bytes, &self.result)
    }
}

impl<R: QiValue> Future for Call<R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let result = match &mut this.state {
            Pending::Settled(error) => Err(error.take().unwrap_or(Error::Canceled)),
            Pending::Remote { answer, .. } => match Pin::new(answer).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(answer)) => answer.and_then(|frame| this.read(&frame)),
                Poll::Ready(Err(_)) => Err(Error::Closed("Socket Disconnected".into())),
            },
            Pending::Local(future) => match future.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(result) => result.and_then(|bytes| this.read_bytes(&bytes)),
            },
        };
        this.state = Pending::Settled(None);
        Poll::Ready(result)
    }
}

impl<R> Drop for Call<R> {
    fn drop(&mut self) {
        if let Pending::Remote { peer, service, object, id, .. } = &self.state
            && peer.abandon(*id)
        {
            peer.cancel(*service, *object, *id);
        }
    }
}

impl<R> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("result", &self.result).finish_non_exhaustive()
    }
}
