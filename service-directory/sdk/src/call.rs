//! A call under way.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use keyway_value::{MessageId, ObjectId, QiValue, ServiceId, Signature};
use keyway_wire::{Flags, Frame};
use tokio::sync::oneshot;

use crate::{
    Error, Result,
    encoded::Encoded,
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

    fn read(&self, answer: &Answered) -> Result<R> {
        if answer.is_dynamic {
            let value = self.exchange.decode(&answer.bytes, |decoder| decoder.read_dynamic())?;
            return from_value(value);
        }
        self.exchange.decode_as(&answer.bytes, &self.result)
    }
}

/// What a reply holds.
struct Answered {
    bytes: Bytes,
    is_dynamic: bool,
}

impl<R> Call<R> {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answered>> {
        let result = match &mut self.state {
            Pending::Settled(error) => Err(error.take().unwrap_or(Error::Canceled)),
            Pending::Remote { answer, .. } => match ready!(Pin::new(answer).poll(cx)) {
                Ok(answer) => answer.map(|frame| Answered {
                    bytes: frame.payload_bytes().clone(),
                    is_dynamic: frame.header.flags.contains(Flags::DYNAMIC_PAYLOAD),
                }),
                Err(_) => Err(Error::Closed("Socket Disconnected".into())),
            },
            Pending::Local(future) => {
                ready!(future.as_mut().poll(cx)).map(|bytes| Answered { bytes, is_dynamic: false })
            }
        };
        self.state = Pending::Settled(None);
        Poll::Ready(result)
    }

    /// The answer as it came.
    pub(crate) fn poll_encoded(&mut self, cx: &mut Context<'_>) -> Poll<Result<Encoded>> {
        let answer = ready!(self.poll_answer(cx));
        let encode =
            |answer: Answered| Encoded::new(answer.bytes, answer.is_dynamic, &self.result, self.exchange.clone());
        Poll::Ready(answer.map(encode))
    }
}

impl<R: QiValue> Future for Call<R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.poll_answer(cx));
        Poll::Ready(answer.and_then(|answer| self.read(&answer)))
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
