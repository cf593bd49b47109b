//! One poster, many subscribers, a bounded number of events under way.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use keyway_value::{ActionId, MessageId, ObjectId, to_payload};
use keyway_wire::{Frame, MessageKind};
use tokio::{net::TcpStream, sync::Notify, task::JoinSet};

use super::{
    figures::{Figures, histogram},
    peer::Peer,
    sample,
    scan::FrameScan,
    socket,
    target::Member,
};

/// How long an event may be under way.
const PATIENCE: Duration = Duration::from_secs(30);
/// For each subscriber: a few dozen events at once.
const READ_BUFFER: usize = 4 << 10;
/// Connections that are being made at a time.
const CONNECTING: usize = 32;
/// Histograms, so that readers on several threads seldom want the same one.
const SHARDS: usize = 8;

/// Subscribers and poster of one signal, idle between slices.
#[derive(Debug)]
pub(super) struct FanOut {
    poster: TcpStream,
    post: Frame,
    /// Events posted so far.
    posted: u64,
    shared: Arc<Shared>,
    subscribers: JoinSet<anyhow::Error>,
}

/// What poster and subscribers know of each other. Hosts may permute events (spec 9.3) but lose and double none, so a subscriber's
/// n-th event is taken for the n-th that was posted: exact with one under way, and right on average with more.
#[derive(Debug)]
struct Shared {
    started: Instant,
    subscribers: usize,
    /// The events under way; event n is in place n modulo the length.
    window: Vec<UnderWay>,
    /// Events posted, as the subscribers see it.
    posted: AtomicU64,
    /// Events that all subscribers have got.
    complete: AtomicU64,
    completed: Notify,
    latencies: Vec<Mutex<Histogram<u64>>>,
}

#[derive(Debug, Default)]
struct UnderWay {
    /// Nanoseconds since the start.
    posted: AtomicU64,
    /// Subscribers that have not got it.
    missing: AtomicUsize,
}

impl FanOut {
    /// Connects and subscribes.
    pub(super) async fn connect(
        signal: &Member,
        size: usize,
        subscribers: usize,
        in_flight: usize,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            started: Instant::now(),
            subscribers,
            window: (0..in_flight).map(|_| UnderWay::default()).collect(),
            posted: AtomicU64::new(0),
            complete: AtomicU64::new(0),
            completed: Notify::new(),
            latencies: (0..SHARDS).map(|_| histogram().map(Mutex::new)).collect::<Result<_, _>>()?,
        });
        let payload = sample::payload(&signal.signature, size)?;
        let post = Frame::post(MessageId(0), signal.service, ObjectId::MAIN, signal.action, payload);
        let poster = Peer::connect(signal.address, None).await?.into_stream()?;
        let (mut connecting, mut running) = (JoinSet::new(), JoinSet::new());
        let mut started = 0;
        loop {
            while started < subscribers && connecting.len() < CONNECTING {
                connecting.spawn(subscribe(signal.clone()));
                started += 1;
            }
            let Some(stream) = connecting.join_next().await else { break };
            let stream = stream?.with_context(|| format!("cannot subscribe {subscribers} connections"))?;
            running.spawn(shared.clone().read(stream, running.len() % SHARDS));
        }
        Ok(Self { poster, post, posted: 0, shared, subscribers: running })
    }

    /// Posts for a time, until everything posted has arrived.
    pub(super) async fn slice(&mut self, time: Duration) -> anyhow::Result<Figures> {
        self.shared.latencies.iter().for_each(|shard| lock(shard).reset());
        let started = Instant::now();
        while started.elapsed() < time {
            self.post_what_fits().await?;
            self.wait_for(self.posted + 1 - self.shared.window.len() as u64).await?;
        }
        self.wait_for(self.posted).await?;
        let elapsed = started.elapsed();
        let mut latencies = histogram()?;
        for shard in &self.shared.latencies {
            latencies.add(&*lock(shard))?;
        }
        Ok(Figures::of(&latencies, elapsed))
    }

    /// Fills the window, in one write.
    async fn post_what_fits(&mut self) -> anyhow::Result<()> {
        let shared = &self.shared;
        let free = shared.window.len() as u64 - (self.posted - shared.complete.load(Ordering::Acquire));
        let now = shared.now();
        let mut batch = bytes::BytesMut::new();
        for _ in 0..free {
            let event = shared.under_way(self.posted);
            event.posted.store(now, Ordering::Relaxed);
            event.missing.store(shared.subscribers, Ordering::Relaxed);
            self.posted += 1;
            self.post.header.id = MessageId(self.posted as u32);
            self.post.encode_into(&mut batch);
        }
        shared.posted.store(self.posted, Ordering::Release);
        socket::write_all(&mut self.poster, &batch).await.context("the server closed the poster's connection")
    }

    async fn wait_for(&mut self, complete: u64) -> anyhow::Result<()> {
        while self.shared.complete.load(Ordering::Acquire) < complete {
            tokio::select! {
                biased;
                _ = self.shared.completed.notified() => {}
                failed = self.subscribers.join_next() => match failed {
                    Some(failed) => return Err(failed?),
                    None => bail!("no subscriber is left"),
                },
                _ = tokio::time::sleep(PATIENCE) => bail!("an event did not arrive within {PATIENCE:?}"),
            }
        }
        Ok(())
    }
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn under_way(&self, event: u64) -> &UnderWay {
        &self.window[(event % self.window.len() as u64) as usize]
    }

    /// Reads a subscriber's events; ends with what went wrong.
    async fn read(self: Arc<Self>, mut stream: TcpStream, shard: usize) -> anyhow::Error {
        let (mut scan, mut buffer, mut seen) = (FrameScan::new(), vec![0; READ_BUFFER], 0);
        loop {
            let length = match socket::read(&mut stream, &mut buffer).await {
                Ok(length) => length,
                Err(error) => return anyhow::Error::new(error).context("the server closed a subscriber's connection"),
            };
            let mut events = 0;
            let scanned = scan.feed(&buffer[..length], |header| {
                events += u64::from(header.kind == MessageKind::Event);
            });
            if let Err(error) = scanned {
                return error.into();
            }
            if let Err(error) = self.arrived(seen, events, shard) {
                return error;
            }
            seen += events;
        }
    }

    /// A subscriber that had got `seen` events has got `events` more.
    fn arrived(&self, seen: u64, events: u64, shard: usize) -> anyhow::Result<()> {
        if seen + events > self.posted.load(Ordering::Acquire) {
            bail!("more events arrive than were posted: is someone else using this signal?");
        }
        let now = self.now();
        let mut latencies = lock(&self.latencies[shard]);
        for event in seen..seen + events {
            let event = self.under_way(event);
            latencies.saturating_record(now.saturating_sub(event.posted.load(Ordering::Relaxed)));
            if event.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.complete.fetch_add(1, Ordering::AcqRel);
                self.completed.notify_one();
            }
        }
        Ok(())
    }
}

async fn subscribe(signal: Member) -> anyhow::Result<TcpStream> {
    let mut peer = Peer::connect(signal.address, None).await?;
    let link = u64::from(signal.action.0) << 32 | 1;
    let arguments = to_payload(&(signal.service.0, signal.action.0, link))?;
    peer.call(signal.service, ObjectId::MAIN, ActionId::REGISTER_EVENT, arguments).await?;
    peer.into_stream()
}

fn lock(shard: &Mutex<Histogram<u64>>) -> std::sync::MutexGuard<'_, Histogram<u64>> {
    // A reader that panicked has counted all it had.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use keyway_value::{Payload, ServiceId, Signature};
    use keyway_wire::{FrameDecoder, FrameLimits};
    use tokio::{
        net::TcpListener,
        sync::broadcast::{self, Sender},
    };

    use super::*;

    /// A host that lets everyone in, answers every call with zeroes, and sends each post back to all as an event.
    async fn host(listener: TcpListener) {
        let (events, _) = broadcast::channel(64);
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, events.clone()));
        }
    }

    async fn serve(mut stream: TcpStream, events: Sender<Frame>) {
        let mut incoming = events.subscribe();
        let mut decoder = FrameDecoder::new(FrameLimits::default());
        let (mut received, mut chunk, mut subscribed) = (BytesMut::new(), [0; 512], false);
        loop {
            tokio::select! {
                Ok(event) = incoming.recv(), if subscribed => {
                    socket::write_all(&mut stream, &event.to_bytes()).await.unwrap();
                }
                Ok(length) = socket::read(&mut stream, &mut chunk) => received.extend_from_slice(&chunk[..length]),
                else => return,
            }
            while let Some(frame) = decoder.decode(&mut received).unwrap() {
                let header = frame.header;
                if header.kind == MessageKind::Post {
                    let event = Frame::event(header.id, header.service, header.object, header.action, frame.payload);
                    events.send(event).unwrap();
                    continue;
                }
                subscribed |= header.service != ServiceId::SERVER;
                let reply = Frame::reply_to(&header, Payload::from(vec![0; 8]));
                socket::write_all(&mut stream, &reply.to_bytes()).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_slice_ends_when_every_subscriber_has_got_every_event() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(host(listener));
        let signature = Signature::parse("(ir)").unwrap();
        let signal = Member { address, service: ServiceId(7), action: ActionId(101), signature };
        for in_flight in [1, 9] {
            let mut fan_out = FanOut::connect(&signal, 100, 5, in_flight).await.unwrap();
            for _ in 0..2 {
                fan_out.slice(Duration::from_millis(10)).await.unwrap();
                let shared = &fan_out.shared;
                assert_eq!(shared.complete.load(Ordering::Relaxed), fan_out.posted);
                assert!(shared.window.iter().all(|event| event.missing.load(Ordering::Relaxed) == 0));
            }
            assert!(fan_out.posted > in_flight as u64);
            // The next one's events must not reach these.
            drop(fan_out);
        }
    }

    #[tokio::test]
    async fn events_of_others_are_not_taken_for_our_own() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(host(listener));
        let signal = Member { address, service: ServiceId(7), action: ActionId(101), signature: Signature::void() };
        let mut fan_out = FanOut::connect(&signal, 0, 2, 1).await.unwrap();
        let mut stranger = Peer::connect(address, None).await.unwrap().into_stream().unwrap();
        let post = Frame::post(MessageId(1), signal.service, ObjectId::MAIN, signal.action, Payload::new());
        socket::write_all(&mut stranger, &post.to_bytes()).await.unwrap();
        // Seen at once, or together with our own.
        let error = fan_out.slice(Duration::from_secs(5)).await.unwrap_err();
        assert!(error.to_string().contains("more events"), "{error}");
    }
}
