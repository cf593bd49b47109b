//! Connections that leave a port: each with a queue and a task of its own, so that a reader that stalls holds nobody up (LIM-1).

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use keyway_yarp_wire::{Bottle, Carrier, Command, Dialect, Dialled, WireError, encode_message};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::timeout,
};

use super::{
    Inner,
    dial::{Dialling, dial},
    link::Way,
    queue::{Emission, Queue},
};

/// What a port sends, and to whom.
#[derive(Debug)]
pub(crate) struct Outputs {
    table: Mutex<Table>,
    /// How many readers there are.
    count: watch::Sender<usize>,
    dialect: Dialect,
    /// Whether a new reader gets what was sent last.
    keeps_last: bool,
    /// Whether messages are numbered and dated.
    envelope: bool,
}

#[derive(Debug, Default)]
struct Table {
    readers: BTreeMap<String, Reader>,
    last: Option<Arc<Emission>>,
    sequence: u64,
}

/// One that is connected; its connection ends when this is dropped.
#[derive(Debug)]
struct Reader {
    id: u64,
    carrier: Carrier,
    queue: Arc<Queue>,
    _open: watch::Sender<()>,
}

impl Outputs {
    pub(crate) fn new(dialect: Dialect, keeps_last: bool, envelope: bool) -> Self {
        Self { table: Mutex::default(), count: watch::Sender::new(0), dialect, keeps_last, envelope }
    }

    /// Sends a bottle to all readers. Never waits.
    pub(crate) fn send(&self, port: &str, bottle: Bottle) {
        let mut table = self.table.lock();
        let emission = Arc::new(Emission::new(bottle, self.envelope.then_some(table.sequence)));
        table.sequence += 1;
        if self.keeps_last {
            table.last = Some(emission.clone());
        }
        let now = Instant::now();
        for (peer, reader) in &table.readers {
            self.give(port, peer, reader, &emission, now);
        }
    }

    /// Forgets what was sent last: nobody sees to it any more that it is true.
    pub(crate) fn forget(&self) {
        self.table.lock().last = None;
    }

    /// How many readers there are, now and as they change.
    pub(crate) fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    fn give(&self, port: &str, peer: &str, reader: &Reader, emission: &Arc<Emission>, now: Instant) {
        let bytes = emission.bytes(reader.carrier, self.dialect).len();
        if let Some(dropped) = reader.queue.push(emission, bytes, now) {
            tracing::warn!(port, peer, dropped, "a YARP reader is too slow; the oldest messages are dropped");
        }
    }

    /// One more reader, in place of the one of the same name, whose id it returns.
    fn insert(&self, port: &str, peer: &str, reader: Reader) -> Option<u64> {
        let mut table = self.table.lock();
        if let Some(last) = &table.last {
            self.give(port, peer, &reader, last, Instant::now());
        }
        let replaced = table.readers.insert(peer.to_owned(), reader);
        self.count.send_replace(table.readers.len());
        replaced.map(|reader| reader.id)
    }

    /// Ends the connection to a reader, if there is one; returns its id.
    pub(super) fn remove(&self, peer: &str) -> Option<u64> {
        let mut table = self.table.lock();
        let removed = table.readers.remove(peer);
        self.count.send_replace(table.readers.len());
        removed.map(|reader| reader.id)
    }

    /// A connection has ended, which may have been replaced.
    fn ended(&self, peer: &str, id: u64) {
        let mut table = self.table.lock();
        if table.readers.get(peer).is_some_and(|reader| reader.id == id) {
            table.readers.remove(peer);
            self.count.send_replace(table.readers.len());
        }
    }
}

/// Why a reader is not added, as YARP says it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddError {
    #[error("Outputs not allowed")]
    NotAllowed,
    #[error("Cannot connect to {0}")]
    Failed(String),
    #[error("Do not know how to connect to {0}")]
    Unknown(String),
}

impl Inner {
    /// Connects to another port, which gets what is sent from now on. `destination` is what errors call it.
    pub(crate) async fn add_output(
        self: &Arc<Self>,
        port: &str,
        carrier: Carrier,
        destination: &str,
    ) -> Result<(), AddError> {
        let outputs = self.purpose.outputs.as_ref().ok_or(AddError::NotAllowed)?;
        let failed = || AddError::Failed(destination.to_owned());
        let counted = self.admit().ok_or_else(failed)?;
        let connection = match dial(&self.shared, &self.name, port, carrier).await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::info!(port = self.name, to = port, %error, "not connected");
                return Err(match error {
                    super::DialError::Unknown(_) => AddError::Unknown(destination.to_owned()),
                    _ => failed(),
                });
            }
        };
        let (id, queue, (keep_open, open)) = (self.id(), Arc::new(Queue::default()), watch::channel(()));
        let reader = Reader { id, carrier, queue: queue.clone(), _open: keep_open };
        if let Some(replaced) = outputs.insert(&self.name, port, reader) {
            self.links.remove(replaced);
        }
        self.links.add(id, Way::Out, port, carrier);
        tracing::info!(port = self.name, to = port, %carrier, "connected");
        let (inner, port) = (self.clone(), port.to_owned());
        tokio::spawn(async move {
            let why = inner.feed(connection, &queue, open).await;
            inner.links.remove(id);
            if let Some(outputs) = &inner.purpose.outputs {
                outputs.ended(&port, id);
            }
            tracing::info!(port = inner.name, to = port, why, "disconnected");
            drop(counted);
        });
        Ok(())
    }

    /// Writes what waits until one side ends the connection; returns why that was.
    async fn feed(&self, connection: Dialling, queue: &Queue, mut open: watch::Receiver<()>) -> String {
        let Dialling { mut stream, mut dialled } = connection;
        let (carrier, dialect) = (dialled.carrier(), self.shared.options.dialect);
        tokio::select! {
            error = write(&mut stream, &mut dialled, queue, dialect) => return error.to_string(),
            // It is never sent to: it changes by its end.
            _ = open.changed() => {}
            () = self.closed() => {}
        }
        // Politeness: the reader finds out anyway.
        let quit = encode_message(carrier, dialect, &Command::Disconnect, None, &Bottle::default());
        let _ = timeout(GOODBYE, async {
            stream.write_all(&quit).await?;
            stream.shutdown().await
        })
        .await;
        "asked to".to_owned()
    }
}

/// Why a reader gets no more.
#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error("the reader is gone")]
    Gone(#[from] io::Error),
    #[error("the reader does not say that it has read")]
    Silent,
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// Writes for as long as there is somebody to write to.
async fn write(stream: &mut TcpStream, dialled: &mut Dialled, queue: &Queue, dialect: Dialect) -> FeedError {
    loop {
        let emission = tokio::select! {
            emission = queue.next() => emission,
            read = stream.read_buf(dialled.buffer()) => match read {
                Ok(1..) => {
                    // Nothing is due; whatever it is, nobody wants it.
                    dialled.buffer().clear();
                    continue;
                }
                Ok(0) => return io::Error::from(io::ErrorKind::UnexpectedEof).into(),
                Err(error) => return error.into(),
            },
        };
        if let Err(error) = stream.write_all(emission.bytes(dialled.carrier(), dialect)).await {
            return error.into();
        }
        match timeout(ACKNOWLEDGEMENT, acknowledged(stream, dialled)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(_) => return FeedError::Silent,
        }
    }
}

async fn acknowledged(stream: &mut TcpStream, dialled: &mut Dialled) -> Result<(), FeedError> {
    while dialled.acknowledgement()?.is_none() {
        if stream.read_buf(dialled.buffer()).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(())
}

const ACKNOWLEDGEMENT: Duration = Duration::from_secs(10);
const GOODBYE: Duration = Duration::from_millis(200);
