//! What a method gives back: at once, or later.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use keyway_value::{Payload, QiValue, Signature, Type};
use tokio::sync::oneshot;

use crate::{Error, Result};

/// A method's result on its way to the wire.
pub(crate) enum Answer {
    /// Computed already: answered from the connection's own task, without a hop.
    Ready(Result<Payload>),
    /// Still running; dropping the future stops it.
    Pending(Running),
    /// Still running and not to be stopped: a Cancel has no effect on it (spec 8.5).
    Unstoppable(Running),
    /// Still running, and told of a Cancel: what becomes of it is its own to say.
    Told(Box<dyn FnOnce(oneshot::Receiver<()>) -> Running + Send>),
}

/// A method that has not finished yet.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<Payload>> + Send>>;

impl Answer {
    /// Polls once in place: most asynchronous methods finish without waiting, and a hop to another task costs more than they do.
    pub(crate) fn poll_once(future: impl Future<Output = Result<Payload>> + Send + 'static) -> Self {
        let mut future: Running = Box::pin(future);
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Self::Ready(result),
            Poll::Pending => Self::Pending(future),
        }
    }
}

impl Answer {
    /// The outcome, whenever it comes.
    pub(crate) async fn outcome(self) -> Result<Payload> {
        match self {
            Self::Ready(result) => result,
            Self::Pending(future) | Self::Unstoppable(future) => future.await,
            Self::Told(start) => {
                let (_cancel, cancelled) = oneshot::channel();
                start(cancelled).await
            }
        }
    }

    /// Lets it run without waiting for it.
    pub(crate) fn detach(self) {
        if !matches!(self, Self::Ready(_)) {
            tokio::spawn(self.outcome());
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready(_) => "Ready",
            Self::Pending(_) => "Pending",
            Self::Unstoppable(_) => "Unstoppable",
            Self::Told(_) => "Told",
        })
    }
}

/// What a service method may return: a value, or a `Result` whose error's text goes to the caller.
///
/// The marker only tells the two implementations apart; it is always inferred.
pub trait IntoAnswer<Marker> {
    /// The value on the wire.
    type Value: QiValue;
    /// Turns the return value into a result.
    fn into_answer(self) -> Result<Self::Value>;
}

/// Marks methods that cannot fail.
#[derive(Debug)]
pub struct Plain;

/// Marks methods that return a `Result`.
#[derive(Debug)]
pub struct Fallible;

impl<T: QiValue> IntoAnswer<Plain> for T {
    type Value = T;
    fn into_answer(self) -> Result<T> {
        Ok(self)
    }
}

impl<T: QiValue, E: IntoError> IntoAnswer<Fallible> for std::result::Result<T, E> {
    type Value = T;
    fn into_answer(self) -> Result<T> {
        self.map_err(IntoError::into_error)
    }
}

/// Errors a method may return: anything that displays itself. [`Error`] keeps its kind, so that
/// [`Error::Canceled`] becomes a Canceled answer.
pub trait IntoError {
    /// The error as the caller gets it.
    fn into_error(self) -> Error;
}

impl<E: fmt::Display + 'static> IntoError for E {
    fn into_error(self) -> Error {
        let text = self.to_string();
        let any: Box<dyn std::any::Any> = Box::new(self);
        match any.downcast::<Error>() {
            Ok(error) => *error,
            Err(_) => Error::Remote(text),
        }
    }
}

/// The type of a list of arguments: `()` is no arguments there, while as a result it is `v`.
pub(crate) fn arguments_signature<A: QiValue>() -> Signature {
    match A::signature() {
        nothing if *nothing.kind() == Type::Void => Signature::tuple([]),
        arguments => arguments,
    }
}
