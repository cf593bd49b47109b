//! Connections that keep a fixed number of calls in flight.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use bytes::BytesMut;
use hdrhistogram::Histogram;
use keyway_value::MessageId;
use keyway_wire::{Frame, Header, MessageKind};
use tokio::{task::JoinSet, time::timeout};

use super::{
    figures::{Figures, histogram},
    native::Caller,
    peer::Peer,
    scan::FrameScan,
    socket::{self, Address, Stream},
};

/// How long answers may be outstanding after the end of a slice.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests of this size and more are written from where they are, smaller ones are gathered into one write.
const GATHERED: usize = 16 << 10;
/// Large enough that a payload of a megabyte takes few reads.
const READ_BUFFER: usize = 256 << 10;

/// Connections to one server, idle between slices.
#[derive(Debug)]
pub(super) struct Load {
    connections: Vec<Driven>,
    depth: usize,
}

#[derive(Debug)]
enum Driven {
    Frames(Box<Connection>),
    Native(Box<Caller>),
}

/// What a load is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) connections: usize,
    /// Calls in flight on each connection.
    pub(super) depth: usize,
    /// Whether the server is a QiMessaging one, which wants authentication first.
    pub(super) authenticate: bool,
}

impl Load {
    /// Connects; `request` is sent again and again, with ids of its own.
    pub(super) async fn connect(address: &Address, shape: Shape, request: &Frame) -> anyhow::Result<Self> {
        let mut connections = Vec::with_capacity(shape.connections);
        for _ in 0..shape.connections {
            let stream = if shape.authenticate {
                Peer::connect(address, None).await?.into_stream()?
            } else {
                socket::connect(address, None).await.context("cannot connect to the echo server")?
            };
            connections.push(Driven::Frames(Box::new(Connection::new(stream, request, shape.depth))));
        }
        Ok(Self { connections, depth: shape.depth })
    }

    /// Of connections over QUIC.
    pub(super) fn native(callers: impl IntoIterator<Item = Caller>, depth: usize) -> Self {
        let connections = callers.into_iter().map(|caller| Driven::Native(Box::new(caller))).collect();
        Self { connections, depth }
    }

    /// Drives all connections for a time, until the last answer has come.
    pub(super) async fn slice(&mut self, time: Duration) -> anyhow::Result<Figures> {
        let started = Instant::now();
        let until = started + time;
        let depth = self.depth;
        let mut tasks: JoinSet<_> = self.connections.drain(..).map(|connection| connection.run(depth, until)).collect();
        let mut latencies = histogram()?;
        while let Some(done) =
            timeout(time + PATIENCE, tasks.join_next()).await.map_err(|_| anyhow!("the server stopped answering"))?
        {
            let (connection, measured) = done??;
            self.connections.push(connection);
            latencies.add(measured)?;
        }
        Ok(Figures::of(&latencies, started.elapsed()))
    }
}

impl Driven {
    async fn run(self, depth: usize, until: Instant) -> anyhow::Result<(Self, Histogram<u64>)> {
        Ok(match self {
            Self::Frames(connection) => {
                let (connection, latencies) = connection.run(until).await?;
                (Self::Frames(connection), latencies)
            }
            Self::Native(caller) => {
                let (caller, latencies) = caller.run(depth, until).await?;
                (Self::Native(Box::new(caller)), latencies)
            }
        })
    }
}

#[derive(Debug)]
struct Connection {
    stream: Stream,
    scan: FrameScan,
    buffer: BytesMut,
    outgoing: Outgoing,
    /// When the call of each slot was queued; none while the slot is free. The slot's number plus one is the message id, which
    /// hosts neither interpret nor want unique (spec 2.2), so that answers in any order find their start.
    started: Vec<Option<Instant>>,
}

impl Connection {
    fn new(stream: Stream, request: &Frame, depth: usize) -> Self {
        let outgoing = Outgoing::new(request, depth);
        let size = (outgoing.length * depth).clamp(4 << 10, READ_BUFFER);
        Self {
            stream,
            scan: FrameScan::new(),
            buffer: BytesMut::with_capacity(size),
            outgoing,
            started: vec![None; depth],
        }
    }

    async fn run(mut self: Box<Self>, until: Instant) -> anyhow::Result<(Box<Self>, Histogram<u64>)> {
        let mut latencies = histogram()?;
        let mut now = Instant::now();
        let mut in_flight = self.started.len();
        for (slot, started) in self.started.iter_mut().enumerate() {
            *started = Some(now);
            self.outgoing.queue.push_back(slot);
        }
        while in_flight > 0 {
            self.turn().await.context("the server closed the connection")?;
            now = Instant::now();
            let over = now >= until;
            let Self { scan, buffer, started, outgoing, .. } = &mut *self;
            let mut refused = false;
            scan.feed(buffer, |header| {
                let slot = (header.id.0 as usize).wrapping_sub(1);
                let Some(start) = started.get_mut(slot).and_then(Option::take) else { return };
                refused |= header.kind == MessageKind::Error;
                latencies.saturating_record(u64::try_from((now - start).as_nanos()).unwrap_or(u64::MAX));
                if over {
                    in_flight -= 1;
                } else {
                    started[slot] = Some(now);
                    outgoing.queue.push_back(slot);
                }
            })?;
            if refused {
                return Err(anyhow!("the server answers calls with errors"));
            }
        }
        Ok((self, latencies))
    }

    /// Writes what is queued, as far as the peer takes it, and reads. Both at once: a peer that
    /// answers while it reads must not wait for us while we wait for it.
    async fn turn(&mut self) -> io::Result<usize> {
        self.buffer.clear();
        poll_fn(|cx| {
            // The waker is left with the socket if not everything was taken.
            if let Poll::Ready(result) = self.outgoing.poll_flush(&self.stream, cx) {
                result?;
            }
            socket::poll_read(&self.stream, cx, &mut self.buffer)
        })
        .await
    }
}

#[derive(Debug)]
struct Outgoing {
    /// One encoded request after the other, one for each slot.
    requests: Vec<u8>,
    length: usize,
    /// Slots to be sent.
    queue: VecDeque<usize>,
    /// Small requests gathered for one write.
    batch: Vec<u8>,
    /// What of the batch, or of the large request in front, is written.
    written: usize,
}

impl Outgoing {
    fn new(request: &Frame, depth: usize) -> Self {
        let mut request = request.clone();
        let length = Header::SIZE + request.payload.len();
        let mut requests = Vec::with_capacity(length * depth);
        for id in (1..=u32::MAX).take(depth) {
            request.header.id = MessageId(id);
            requests.extend_from_slice(&request.to_bytes());
        }
        Self { requests, length, queue: VecDeque::new(), batch: Vec::new(), written: 0 }
    }

    fn poll_flush(&mut self, stream: &Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let rest = if self.length < GATHERED { self.gathered() } else { self.direct() };
            if rest.is_empty() {
                return Poll::Ready(Ok(()));
            }
            match socket::poll_write(stream, cx, rest) {
                Poll::Ready(Ok(written)) => self.written += written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn gathered(&mut self) -> &[u8] {
        if self.written == self.batch.len() {
            self.written = 0;
            self.batch.clear();
            for slot in self.queue.drain(..) {
                self.batch.extend_from_slice(&self.requests[slot * self.length..][..self.length]);
            }
        }
        &self.batch[self.written..]
    }

    fn direct(&mut self) -> &[u8] {
        if self.written == self.length {
            self.written = 0;
            self.queue.pop_front();
        }
        self.queue.front().map_or(&[], |slot| &self.requests[slot * self.length..][self.written..self.length])
    }
}

#[cfg(test)]
mod tests {
    use keyway_value::{ActionId, ObjectId, Payload, ServiceId};
    use tokio::net::TcpListener;

    use super::{super::echo_server, *};

    /// Small requests and ones that fill every socket buffer twice over, all of which come back.
    #[tokio::test]
    async fn all_calls_in_flight_are_answered_whatever_their_size() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::plain(listener.local_addr().unwrap());
        tokio::spawn(echo_server::serve(listener));
        for (size, depth) in [(0, 16), (100, 1), (24 << 20, 1), (GATHERED, 3)] {
            let payload = Payload::from(vec![0; size]);
            let request = Frame::call(MessageId(0), ServiceId(1), ObjectId(1), ActionId(100), payload);
            let shape = Shape { connections: 2, depth, authenticate: false };
            let mut load = Load::connect(&address, shape, &request).await.unwrap();
            for _ in 0..2 {
                assert!(load.slice(Duration::from_millis(20)).await.unwrap().per_second > 0.0, "{size} bytes");
            }
        }
    }
}
