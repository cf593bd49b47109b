//! Connections that come to a port.

use std::{io, sync::Arc, time::Duration};

use keyway_bridge::Peer;
use keyway_yarp_wire::{Accepted, Bottle, CONFUSED, Carrier, Command, Event, Limits, Message, WireError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Inner, Way, tune};
use crate::shared::{Counted, count};

/// Accepts until the port closes, and gives those who wait for an answer a moment to get one.
pub(super) async fn accept(port: Arc<Inner>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            () = port.closed() => break,
        };
        match accepted {
            // Too many: it is closed at once.
            Ok((stream, _)) => {
                if let Some(counted) = port.admit() {
                    let port = port.clone();
                    connections.spawn(async move { serve(&port, stream, counted).await });
                }
            }
            Err(error) => {
                tracing::warn!(port = port.name, %error, "a connection was not accepted");
                sleep(AGAIN).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(GRACE, all).await;
}

impl Inner {
    /// Room for another connection, if there is any.
    pub(super) fn admit(&self) -> Option<(Counted, Counted)> {
        Some((count(&self.connections, MAX_CONNECTIONS)?, self.shared.admit()?))
    }
}

async fn serve(port: &Arc<Inner>, stream: TcpStream, _counted: (Counted, Counted)) {
    tune(&stream);
    let address = stream.peer_addr().map(|address| address.to_string()).unwrap_or_default();
    let accepted = Accepted::new(port.shared.options.dialect, Limits::default());
    let mut connection = Connection { port, stream, accepted, address };
    let ended = connection.run().await;
    let Connection { mut stream, address, .. } = connection;
    match ended {
        Ok(()) => {}
        Err(End::Wire(WireError::UnknownCarrier(first))) => {
            tracing::debug!(port = port.name, address, ?first, "a connection that speaks something else");
            // It may not listen.
            let _ = timeout(GRACE, stream.write_all(CONFUSED)).await;
        }
        Err(End::Wire(error)) => tracing::info!(port = port.name, address, %error, "a connection is closed"),
        Err(End::Io(error)) => tracing::debug!(port = port.name, address, %error, "a connection was lost"),
    }
}

struct Connection<'a> {
    port: &'a Arc<Inner>,
    stream: TcpStream,
    accepted: Accepted,
    address: String,
}

enum End {
    Io(io::Error),
    Wire(WireError),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<WireError> for End {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl Connection<'_> {
    async fn run(&mut self) -> Result<(), End> {
        let Ok(opened) = timeout(HANDSHAKE, self.event()).await else { return Ok(()) };
        let Some(Event::Opened { carrier, peer }) = opened? else { return Ok(()) };
        let welcome = Accepted::welcome(carrier, &peer, self.port.address.port());
        self.stream.write_all(&welcome).await?;
        let id = self.port.id();
        self.port.links.add(id, Way::In, &peer, carrier);
        let ended = self.messages(carrier, &peer).await;
        self.port.links.remove(id);
        ended
    }

    async fn messages(&mut self, carrier: Carrier, name: &str) -> Result<(), End> {
        let peer = self.port.shared.peer(name, &self.address);
        while let Some(Event::Message(message)) = self.event().await? {
            if !self.message(carrier, &message, name, &peer).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Answers a message; false if the connection ends with it.
    async fn message(&mut self, carrier: Carrier, message: &Message, name: &str, peer: &Peer) -> Result<bool, End> {
        let dialect = self.port.shared.options.dialect;
        let answer = |reply: Option<&Bottle>| Accepted::answer(carrier, dialect, reply);
        let Ok(bottle) = &message.bottle else {
            let wants_reply = message.command != (Command::Data { reply: false });
            let fail = Bottle::fail("malformed bottle");
            self.stream.write_all(&answer(wants_reply.then_some(&fail))).await?;
            return Ok(false);
        };
        match &message.command {
            Command::Data { reply: true } => {
                let reply = self.port.read(bottle.clone(), message, peer).await;
                self.stream.write_all(&answer(Some(&reply))).await?;
            }
            Command::Data { reply: false } => {
                // Taken over: who sends does not wait for what comes of it.
                self.stream.write_all(&answer(None)).await?;
                drop(self.port.read(bottle.clone(), message, peer).await);
            }
            Command::Admin => {
                let reply = self.port.administer(bottle).await;
                self.stream.write_all(&answer(Some(&reply))).await?;
            }
            Command::Describe => {
                let lines = self.port.links.describe(&self.port.name, &self.port.contact());
                self.stream.write_all(&Accepted::lines(carrier, &lines)).await?;
            }
            Command::Disconnect => {
                self.stream.write_all(&answer(None)).await?;
                return Ok(false);
            }
            Command::Other(line) if line == "r" => return Ok(false),
            Command::Other(line) => {
                let text = self.port.route(line, name).await;
                self.stream.write_all(&Accepted::lines(carrier, &format!("{text}\n"))).await?;
            }
        }
        Ok(true)
    }

    /// The next event; `None` when the peer or the port is done.
    async fn event(&mut self) -> Result<Option<Event>, End> {
        loop {
            if let Some(event) = self.accepted.event()? {
                return Ok(Some(event));
            }
            let buffer = self.accepted.buffer();
            // Little for those that say little, and more for what is large already.
            buffer.reserve(if buffer.len() < SMALL { SMALL } else { LARGE });
            tokio::select! {
                read = self.stream.read_buf(buffer) => {
                    if read? == 0 {
                        return Ok(None);
                    }
                }
                () = self.port.closed() => return Ok(None),
            }
        }
    }
}

/// Of one port (spec 8).
const MAX_CONNECTIONS: usize = 64;
const HANDSHAKE: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(100);
const SMALL: usize = 4 << 10;
const LARGE: usize = 64 << 10;
