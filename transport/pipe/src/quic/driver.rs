//! The task of a QUIC connection, and those it starts.

use std::{fmt, future::Future, sync::Arc, time::Instant};

use keyway_session::CloseReason;
use keyway_wire::native::ControlDecoder;
use quinn::{RecvStream, SendStream};
use tokio::task::JoinSet;

use super::{
    error::{close, close_code, reason_of},
    lanes::Lanes,
    reader::{Shared, read_control, read_frames},
    writer::write,
};
use crate::{Handler, Sender};

/// The reading half of a QUIC connection, which also writes what senders queue.
pub struct QuicDriver {
    lanes: Arc<Lanes>,
    sender: Sender,
    control: (SendStream, RecvStream, ControlDecoder),
}

impl QuicDriver {
    /// For a connection whose handshake is done.
    pub(super) fn new(lanes: Arc<Lanes>, control: (SendStream, RecvStream, ControlDecoder)) -> Self {
        Self { sender: Sender::over_quic(lanes.clone()), lanes, control }
    }

    /// Pumps frames and time through `handler` until the connection closes.
    ///
    /// The future is to be spawned. It starts a task for each stream, which end with it. Dropping it closes the connection, and the
    /// handler hears of it.
    pub fn run<H: Handler + 'static>(self, handler: H) -> impl Future<Output = ()> + Send {
        let Self { lanes, sender, control } = self;
        let shared = Arc::new(Shared { handler: handler.into(), lanes, sender });
        let mut ending = Ending { shared, finished: false };
        async move {
            let reason = drive(&ending.shared, control).await;
            ending.finish(reason);
        }
    }
}

impl fmt::Debug for QuicDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicDriver").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// Lets handler, senders and peer know that it is over, whatever ends it.
struct Ending<H: Handler> {
    shared: Arc<Shared<H>>,
    finished: bool,
}

impl<H: Handler> Ending<H> {
    fn finish(&mut self, reason: CloseReason) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let Shared { handler, lanes, .. } = &*self.shared;
        lanes.refuse();
        let (code, text) = (close_code(&reason), reason.to_string());
        // First: a peer that sees the end and comes back at once finds free what it held.
        handler.lock().on_closed(reason);
        close(&lanes.connection, code, &text);
    }
}

impl<H: Handler> Drop for Ending<H> {
    fn drop(&mut self) {
        let reason = self.shared.lanes.take_reason().unwrap_or(CloseReason::Local);
        self.finish(reason);
    }
}

/// Runs the connection, and says why it ended.
async fn drive<H: Handler + 'static>(
    shared: &Arc<Shared<H>>,
    (send, receive, decoder): (SendStream, RecvStream, ControlDecoder),
) -> CloseReason {
    let lanes = &shared.lanes;
    let (mut readers, mut writers) = (JoinSet::new(), JoinSet::new());
    readers.spawn(read_control(shared.clone(), receive, decoder));
    writers.spawn(write(lanes.clone(), lanes.control.clone(), Some(send)));
    loop {
        for lane in lanes.take_fresh() {
            writers.spawn(write(lanes.clone(), lane, None));
        }
        if let Some(reason) = lanes.take_reason() {
            readers.abort_all();
            if !matches!(reason, CloseReason::SlowConsumer) {
                write_rest(lanes, &mut writers).await;
            }
            return reason;
        }
        let timeout = shared.handler.lock().poll_timeout();
        let alarm = async {
            match timeout {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            stream = lanes.connection.accept_uni() => match stream {
                Ok(stream) => _ = readers.spawn(read_frames(shared.clone(), stream)),
                Err(error) => {
                    lanes.refuse();
                    // What had arrived before is still handed over.
                    while let Some(ended) = readers.join_next().await {
                        if let Ok(Err(reason)) = ended {
                            return reason;
                        }
                    }
                    return reason_of(error);
                }
            },
            Some(ended) = readers.join_next() => match ended {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => lanes.close(reason),
                // A handler that panics must not leave its connection half alive.
                Err(error) => lanes.close(CloseReason::Protocol(format!("a reader failed: {error}"))),
            },
            Some(_) = writers.join_next() => {}
            () = lanes.driver.notified() => {}
            () = alarm => {
                let outcome = shared.handler.lock().on_timeout(Instant::now(), &shared.sender);
                if let Err(reason) = outcome {
                    lanes.close(reason);
                }
            }
        }
    }
}

/// Writes what was sent before the end, for no longer than the limit.
async fn write_rest(lanes: &Arc<Lanes>, writers: &mut JoinSet<()>) {
    for lane in lanes.take_fresh() {
        writers.spawn(write(lanes.clone(), lane, None));
    }
    lanes.end();
    let all = async { while writers.join_next().await.is_some() {} };
    // What the peer has not taken by then it does not get.
    let _ = tokio::time::timeout(lanes.limits().linger, all).await;
}
