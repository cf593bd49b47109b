//! One connection to a port that answers; requests wait for each other (IMP-3).

use std::{sync::Arc, time::Duration};

use keyway_yarp_wire::{Bottle, Carrier, Command, Dialect, WireError, encode_message};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{RPC, Status, connected::Backoff, unavailable};
use crate::{
    port::{Dialling, dial},
    shared::Shared,
};

/// Asks the port. Clones share the connection.
#[derive(Debug, Clone)]
pub(super) struct Client {
    requests: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    bottle: Bottle,
    answer: oneshot::Sender<Result<Bottle, String>>,
}

impl Client {
    pub(super) async fn ask(&self, bottle: Bottle) -> Result<Bottle, String> {
        let (answer, answered) = oneshot::channel();
        // The queue is short: who finds it full is told so, instead of waiting behind everybody's time limit.
        self.requests.try_send(Request { bottle, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => "busy: too many calls wait for the YARP port".to_owned(),
            mpsc::error::TrySendError::Closed(_) => unavailable("the bridge ends"),
        })?;
        answered.await.unwrap_or_else(|_| Err(unavailable("the bridge ends")))
    }
}

/// Begins to connect, and goes on for ever.
pub(super) fn start(
    shared: &Arc<Shared>,
    folder: &str,
    port: &str,
    carrier: Carrier,
    status: &Status,
    tasks: &mut JoinSet<()>,
) -> Client {
    let (requests, received) = mpsc::channel(QUEUE);
    let line = Line {
        shared: shared.clone(),
        from: format!("{folder}/rpc:o"),
        port: port.to_owned(),
        carrier,
        status: status.clone(),
        connection: None,
        backoff: Backoff::new(),
    };
    tasks.spawn(line.run(received));
    Client { requests }
}

struct Line {
    shared: Arc<Shared>,
    from: String,
    port: String,
    carrier: Carrier,
    status: Status,
    connection: Option<Dialling>,
    backoff: Backoff,
}

impl Line {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut next = Instant::now();
        loop {
            let request = match &mut self.connection {
                Some(connection) => tokio::select! {
                    request = requests.recv() => request,
                    // Nothing is due: whatever comes, the connection is of no use any more.
                    _ = connection.stream.read_buf(connection.dialled.buffer()) => {
                        self.hang_up("the connection was lost");
                        next = Instant::now() + self.backoff.next();
                        continue;
                    }
                },
                None => tokio::select! {
                    request = requests.recv() => request,
                    () = sleep_until(next) => {
                        if self.connect().await.is_err() {
                            next = Instant::now() + self.backoff.next();
                        }
                        continue;
                    }
                },
            };
            let Some(request) = request else { return };
            if request.answer.is_closed() {
                continue;
            }
            let answer = self.ask(&request.bottle).await;
            if self.connection.is_none() {
                next = Instant::now() + self.backoff.next();
            }
            // Who asked may have given up.
            let _ = request.answer.send(answer);
        }
    }

    async fn connect(&mut self) -> Result<(), String> {
        match dial(&self.shared, &self.from, &self.port, self.carrier).await {
            Ok(connection) => {
                self.connection = Some(connection);
                self.backoff = Backoff::new();
                self.status.set(RPC, true);
                tracing::info!(port = self.port, "connected to an imported port");
                Ok(())
            }
            Err(error) => {
                tracing::debug!(port = self.port, %error, "an imported port is not there");
                Err(unavailable(&error.to_string()))
            }
        }
    }

    fn hang_up(&mut self, why: &str) {
        self.connection = None;
        self.status.set(RPC, false);
        tracing::info!(port = self.port, why, "disconnected from an imported port");
    }

    async fn ask(&mut self, bottle: &Bottle) -> Result<Bottle, String> {
        if self.connection.is_none() {
            let Ok(connected) = timeout(AT_ONCE, self.connect()).await else {
                return Err(unavailable("it does not answer"));
            };
            connected?;
        }
        let Some(connection) = &mut self.connection else { return Err(unavailable("it is gone")) };
        let dialect = self.shared.options.dialect;
        let outcome = timeout(CALL, exchange(connection, dialect, bottle)).await;
        match outcome {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(Some(error))) => {
                self.hang_up("it does not keep to the protocol");
                Err(unavailable(&error.to_string()))
            }
            Ok(Err(None)) => {
                self.hang_up("the connection was lost");
                Err(unavailable("the connection was lost"))
            }
            Err(_) => {
                // A reply that comes later could not be told from the next one.
                self.hang_up("it did not answer in time");
                Err(format!("timeout after {CALL:?}"))
            }
        }
    }
}

/// A request and its reply; without an error that says more, the connection was lost.
async fn exchange(connection: &mut Dialling, dialect: Dialect, bottle: &Bottle) -> Result<Bottle, Option<WireError>> {
    let Dialling { stream, dialled } = connection;
    let message = encode_message(dialled.carrier(), dialect, &Command::Data { reply: true }, None, bottle);
    stream.write_all(&message).await.map_err(|_| None)?;
    let mut reply = None;
    loop {
        if reply.is_none() {
            reply = dialled.reply().map_err(Some)?;
        }
        if reply.is_some() && dialled.acknowledgement().map_err(Some)?.is_some() {
            return Ok(reply.unwrap_or_default());
        }
        if !matches!(stream.read_buf(dialled.buffer()).await, Ok(1..)) {
            return Err(None);
        }
    }
}

/// Requests that wait.
const QUEUE: usize = 32;
const CALL: Duration = Duration::from_secs(30);
/// For an attempt to connect that somebody waits for.
const AT_ONCE: Duration = Duration::from_millis(800);
