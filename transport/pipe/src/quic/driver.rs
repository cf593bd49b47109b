//! The task of a session over QUIC, and those it starts.

use std::{
    fmt,
    future::Future,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use keyway_session::CloseReason;
use keyway_wire::native::{CloseCode, Held};
use quinn::{ConnectionError, Side};
use tokio::task::JoinSet;

use super::{
    between::{Admitted, believed, come_back},
    comeback::{Comeback, is_lost},
    control_io::ControlIo,
    error::{close, close_code, reason_of},
    lanes::Lanes,
    reader::{Shared, read_control, read_frames},
    writer::write,
};
use crate::{Handler, Sender};

/// The reading half of a session over QUIC, which also writes what senders queue.
pub struct QuicDriver {
    lanes: Arc<Lanes>,
    sender: Sender,
    connection: quinn::Connection,
    control: ControlIo,
    comeback: Comeback,
}

impl QuicDriver {
    /// For a connection whose handshake is done.
    pub(super) fn new(
        lanes: Arc<Lanes>,
        connection: quinn::Connection,
        control: ControlIo,
        comeback: Comeback,
    ) -> Self {
        Self { sender: Sender::over_quic(lanes.clone()), lanes, connection, control, comeback }
    }

    /// Pumps frames and time through `handler` until the session is over: with its connection, or where sessions are kept, when the
    /// other side does not come back in time.
    ///
    /// The future is to be spawned. It starts a task for each stream, which end with it. Dropping it closes the connection, and the
    /// handler hears of it.
    pub fn run<H: Handler + 'static>(self, handler: H) -> impl Future<Output = ()> + Send {
        let Self { lanes, sender, connection, control, mut comeback } = self;
        let shared = Arc::new(Shared {
            handler: handler.into(),
            lanes,
            sender,
            receipts: Default::default(),
            key: Default::default(),
            is_key_under_way: false.into(),
            said: Instant::now().into(),
        });
        let mut ending = Ending { shared, finished: false };
        async move {
            let shared = ending.shared.clone();
            let (mut connection, mut control) = (connection, control);
            let reason = loop {
                let (lost, comer) = match drive(&shared, &connection, control).await {
                    Ended::Over(reason) => break reason,
                    Ended::Lost(reason) => (reason, None),
                    Ended::Replaced(comer) => (CloseReason::Remote, Some(comer)),
                };
                // One that is not dead yet hears where its client is.
                close(&connection, CloseCode::REPLACED, "the session goes on elsewhere");
                shared.lanes.park();
                tracing::debug!(peer = %shared.lanes.peer(), reason = %lost, "connection lost; the session waits");
                match come_back(&shared, &mut comeback, lost, comer).await {
                    Ok(next) => (connection, control) = next,
                    Err(reason) => break reason,
                }
            };
            ending.finish(reason);
        }
    }
}

impl fmt::Debug for QuicDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicDriver")
            .field("sender", &self.sender)
            .field("comeback", &self.comeback)
            .finish_non_exhaustive()
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
        let connection = lanes.connection();
        let (code, text) = (close_code(&reason, connection.side() == Side::Server), reason.to_string());
        // First: a peer that sees the end and comes back at once finds free what it held.
        handler.lock().on_closed(reason);
        close(&connection, code, &text);
    }
}

impl<H: Handler> Drop for Ending<H> {
    fn drop(&mut self) {
        let reason = self.shared.lanes.take_reason().unwrap_or(CloseReason::Local);
        self.finish(reason);
    }
}

/// How a connection ended.
enum Ended {
    /// And the session with it.
    Over(CloseReason),
    /// The session may go on over another.
    Lost(CloseReason),
    /// It is dead, though nobody has noticed here: its client has come back.
    Replaced(Admitted),
}

/// Runs one connection, and says why it ended.
async fn drive<H: Handler + 'static>(
    shared: &Arc<Shared<H>>,
    connection: &quinn::Connection,
    control: ControlIo,
) -> Ended {
    let ControlIo { send, receive, decoder } = control;
    let lanes = &shared.lanes;
    let (mut readers, mut writers) = (JoinSet::new(), JoinSet::new());
    readers.spawn(read_control(shared.clone(), receive, decoder));
    writers.spawn(write(lanes.clone(), connection.clone(), lanes.control.clone(), Some(send)));
    loop {
        for lane in lanes.take_fresh() {
            writers.spawn(write(lanes.clone(), connection.clone(), lane, None));
        }
        if let Some(reason) = lanes.take_reason() {
            readers.abort_all();
            if !matches!(reason, CloseReason::SlowConsumer) {
                write_rest(lanes, connection, &mut writers).await;
            }
            return Ended::Over(reason);
        }
        if let Some(comer) = believed(shared) {
            readers.shutdown().await;
            writers.shutdown().await;
            return Ended::Replaced(comer);
        }
        tokio::select! {
            stream = connection.accept_uni() => match stream {
                Ok(stream) => _ = readers.spawn(read_frames(shared.clone(), stream)),
                Err(error) => return lost(shared, error, readers, writers).await,
            },
            Some(ended) = readers.join_next() => match ended {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => lanes.close(reason),
                // A handler that panics must not leave its connection half alive.
                Err(error) => lanes.close(CloseReason::Protocol(format!("a reader failed: {error}"))),
            },
            Some(_) = writers.join_next() => {}
            () = lanes.driver.notified() => {}
            () = alarm(shared) => shared.ring(),
        }
    }
}

/// The connection is gone: what had arrived before is still handed over.
async fn lost<H: Handler + 'static>(
    shared: &Arc<Shared<H>>,
    error: ConnectionError,
    mut readers: JoinSet<Result<(), CloseReason>>,
    mut writers: JoinSet<()>,
) -> Ended {
    // A client that has not heard yet that its session goes on gives up an attempt, not its session.
    let is_attempt = shared.is_key_under_way.load(Relaxed);
    let may_come_back = shared.lanes.keeps() && (is_attempt || is_lost(&error));
    if !may_come_back {
        shared.lanes.refuse();
    }
    loop {
        tokio::select! {
            ended = readers.join_next() => match ended {
                None => break,
                Some(Ok(Err(reason))) => return Ended::Over(reason),
                Some(_) => {}
            },
            // What is still read may wait for somebody else. Its sender is back, and sends again what was not taken.
            () = shared.lanes.driver.notified() => if let Some(comer) = believed(shared) {
                readers.shutdown().await;
                writers.shutdown().await;
                return Ended::Replaced(comer);
            },
        }
    }
    writers.shutdown().await;
    // Whoever goes on from here looks for itself what there is to do.
    shared.lanes.driver.notify_one();
    let reason = reason_of(error);
    if may_come_back { Ended::Lost(reason) } else { Ended::Over(reason) }
}

/// When handler or receipts want to be asked, or the other side is to hear something.
pub(super) async fn alarm<H: Handler>(shared: &Shared<H>) {
    let (timeout, waits) = {
        let handler = shared.handler.lock();
        (handler.poll_timeout(), handler.is_waiting())
    };
    let (due, beat) = match shared.lanes.keeps() {
        true => (shared.receipts.lock().poll_timeout(), waits.then(|| *shared.said.lock() + BEAT)),
        false => (None, None),
    };
    match [timeout, due, beat].into_iter().flatten().min() {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

impl<H: Handler> Shared<H> {
    /// Their time has come.
    pub(super) fn ring(&self) {
        let now = Instant::now();
        self.acknowledge(now);
        let mut handler = self.handler.lock();
        let mut said = self.said.lock();
        if handler.is_waiting() && now >= *said + BEAT && self.lanes.keeps() {
            *said = now;
            self.lanes.acknowledge(Held::default());
        }
        drop(said);
        if handler.poll_timeout().is_some_and(|at| at <= now)
            && let Err(reason) = handler.on_timeout(now, &self.sender)
        {
            self.lanes.close(reason);
        }
    }
}

/// Writes what was sent before the end, for no longer than the limit.
async fn write_rest(lanes: &Arc<Lanes>, connection: &quinn::Connection, writers: &mut JoinSet<()>) {
    for lane in lanes.take_fresh() {
        writers.spawn(write(lanes.clone(), connection.clone(), lane, None));
    }
    lanes.end();
    let all = async { while writers.join_next().await.is_some() {} };
    // What the peer has not taken by then it does not get.
    let _ = tokio::time::timeout(lanes.limits().linger, all).await;
}

/// How often who waits for answers says something: a side that was restarted answers that it knows nothing of the other.
const BEAT: Duration = Duration::from_secs(1);
