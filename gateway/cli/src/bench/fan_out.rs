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
use tokio::{sync::Notify, task::JoinSet};

use super::{
    figures::{Figures, histogram},
    signal::{Poster, Source, Subscription},
};

/// How long an event may be under way.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether events are due.
const TICK: Duration = Duration::from_millis(1);
/// Connections that are being made at a time.
const CONNECTING: usize = 32;
/// Histograms, so that readers on several threads seldom want the same one.
const SHARDS: usize = 8;

/// Subscribers and poster of one signal, idle between slices.
#[derive(Debug)]
pub(super) struct FanOut {
    poster: Poster,
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
        source: &Source,
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
        let poster = source.poster(size).await?;
        let (mut connecting, mut running) = (JoinSet::new(), JoinSet::new());
        let mut started = 0;
        loop {
            while started < subscribers && connecting.len() < CONNECTING {
                let source = source.clone();
                connecting.spawn(async move { source.subscribe().await });
                started += 1;
            }
            let Some(subscription) = connecting.join_next().await else { break };
            let subscription = subscription?.with_context(|| format!("cannot subscribe {subscribers} connections"))?;
            running.spawn(shared.clone().read(subscription, running.len() % SHARDS));
        }
        Ok(Self { poster, posted: 0, shared, subscribers: running })
    }

    /// Posts for a time, until everything posted has arrived.
    pub(super) async fn slice(&mut self, time: Duration) -> anyhow::Result<Figures> {
        let started = self.begin();
        while started.elapsed() < time {
            self.post(u64::MAX).await?;
            self.wait_for(self.posted + 1 - self.shared.window.len() as u64).await?;
        }
        self.end(started).await
    }

    /// Posts so many, with as many under way as may be.
    pub(super) async fn burst(&mut self, events: u64) -> anyhow::Result<()> {
        let last = self.posted + events;
        while self.posted < last {
            self.post(last - self.posted).await?;
            self.wait_for((self.posted + 1).saturating_sub(self.shared.window.len() as u64)).await?;
        }
        self.wait_for(self.posted).await
    }

    /// Posts for a time, so many in a second, until everything posted has arrived.
    pub(super) async fn paced(&mut self, time: Duration, per_second: u32) -> anyhow::Result<Figures> {
        let started = self.begin();
        let before = self.posted;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while started.elapsed() < time {
            tick.tick().await;
            let due = (started.elapsed().as_secs_f64() * f64::from(per_second)) as u64;
            self.post(due.saturating_sub(self.posted - before)).await?;
        }
        self.end(started).await
    }

    fn begin(&self) -> Instant {
        self.shared.latencies.iter().for_each(|shard| lock(shard).reset());
        Instant::now()
    }

    /// Waits for what is under way.
    async fn end(&mut self, started: Instant) -> anyhow::Result<Figures> {
        self.wait_for(self.posted).await?;
        let elapsed = started.elapsed();
        let mut latencies = histogram()?;
        for shard in &self.shared.latencies {
            latencies.add(&*lock(shard))?;
        }
        Ok(Figures::of(&latencies, elapsed))
    }

    /// Posts as many as are wanted and the window has room for, in one write.
    async fn post(&mut self, wanted: u64) -> anyhow::Result<()> {
        let shared = &self.shared;
        let free = shared.window.len() as u64 - (self.posted - shared.complete.load(Ordering::Acquire));
        let (now, count) = (shared.now(), free.min(wanted));
        for _ in 0..count {
            let event = shared.under_way(self.posted);
            event.posted.store(now, Ordering::Relaxed);
            event.missing.store(shared.subscribers, Ordering::Relaxed);
            self.posted += 1;
        }
        shared.posted.store(self.posted, Ordering::Release);
        self.poster.post(count).await
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
    async fn read(self: Arc<Self>, mut subscription: Subscription, shard: usize) -> anyhow::Error {
        let mut seen = 0;
        loop {
            let arrived = subscription.next().await.and_then(|events| {
                self.arrived(seen, events, shard)?;
                Ok(events)
            });
            match arrived {
                Ok(events) => seen += events,
                Err(error) => return error,
            }
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

fn lock(shard: &Mutex<Histogram<u64>>) -> std::sync::MutexGuard<'_, Histogram<u64>> {
    // A reader that panicked has counted all it had.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId, Signature};
    use keyway_wire::{Frame, FrameDecoder, FrameLimits, MessageKind};
    use tokio::{
        net::TcpListener,
        sync::broadcast::{self, Sender},
    };

    use super::{
        super::{
            peer::Peer,
            socket::{self, Address, Stream},
            target::Member,
        },
        *,
    };

    /// A host that lets everyone in, answers every call with zeroes, and sends each post back to all as an event.
    async fn host(listener: TcpListener) {
        let (events, _) = broadcast::channel(64);
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(socket::accepted(stream).unwrap(), events.clone()));
        }
    }

    async fn serve(stream: Stream, events: Sender<Frame>) {
        let mut incoming = events.subscribe();
        let mut decoder = FrameDecoder::new(FrameLimits::default());
        let (mut received, mut subscribed) = (BytesMut::new(), false);
        loop {
            received.reserve(512);
            tokio::select! {
                Ok(event) = incoming.recv(), if subscribed => {
                    socket::write_all(&stream, &event.to_bytes()).await.unwrap();
                }
                Ok(_) = socket::read(&stream, &mut received) => {}
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
                socket::write_all(&stream, &reply.to_bytes()).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_slice_ends_when_every_subscriber_has_got_every_event() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::plain(listener.local_addr().unwrap());
        tokio::spawn(host(listener));
        let signature = Signature::parse("(ir)").unwrap();
        let source = Source::Frames(Member { address, service: ServiceId(7), action: ActionId(101), signature });
        for in_flight in [1, 9] {
            let mut fan_out = FanOut::connect(&source, 100, 5, in_flight).await.unwrap();
            for _ in 0..2 {
                fan_out.slice(Duration::from_millis(10)).await.unwrap();
                let shared = &fan_out.shared;
                assert_eq!(shared.complete.load(Ordering::Relaxed), fan_out.posted);
                assert!(shared.window.iter().all(|event| event.missing.load(Ordering::Relaxed) == 0));
            }
            let posted = fan_out.posted;
            fan_out.burst(20).await.unwrap();
            assert_eq!(fan_out.posted, posted + 20);
            let figures = fan_out.paced(Duration::from_millis(30), 1000).await.unwrap();
            assert!(figures.per_second > 0.0 && fan_out.posted <= posted + 20 + 1000);

            assert!(fan_out.posted > in_flight as u64);
            // The next one's events must not reach these.
            drop(fan_out);
        }
    }

    #[tokio::test]
    async fn events_of_others_are_not_taken_for_our_own() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::plain(listener.local_addr().unwrap());
        tokio::spawn(host(listener));
        let signal = Member {
            address: address.clone(),
            service: ServiceId(7),
            action: ActionId(101),
            signature: Signature::void(),
        };
        let mut fan_out = FanOut::connect(&Source::Frames(signal.clone()), 0, 2, 1).await.unwrap();
        let stranger = Peer::connect(&address, None).await.unwrap().into_stream().unwrap();
        let post = Frame::post(MessageId(1), signal.service, ObjectId::MAIN, signal.action, Payload::new());
        socket::write_all(&stranger, &post.to_bytes()).await.unwrap();
        // Seen at once, or together with our own.
        let error = fan_out.slice(Duration::from_secs(5)).await.unwrap_err();
        assert!(error.to_string().contains("more events"), "{error}");
    }
}
