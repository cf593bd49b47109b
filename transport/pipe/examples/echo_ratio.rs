//! How much the pipe costs above a bare TCP echo of the same bytes, both measured in turns in one run.
//!
//! ```text
//! cargo run --release -p keyway-pipe --example echo_ratio [rounds [which]]
//! ```

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use keyway_pipe::{Handler, Listener, QueueLimits, Sender, SocketOptions, connect, pipe, runtime};
use keyway_session::CloseReason;
use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
use keyway_wire::{Frame, Url};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::Notify,
};

// The allocator of the `keyway` binary: buffers of large payloads stay warm.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Length of one measurement.
const SPAN: Duration = Duration::from_millis(1500);

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    let servers = runtime::build(None).expect("a runtime");
    let clients = runtime::build(None).expect("a runtime");
    let bare = servers.block_on(serve_bare());
    let framed = servers.block_on(serve_framed());

    let which = std::env::args().nth(2).unwrap_or_default();
    let loads = [
        ("1 x 1, 64 bytes", Load { connections: 1, depth: 1, payload: 64 }),
        ("16 x 16, 64 bytes", Load { connections: 16, depth: 16, payload: 64 }),
        ("16 x 1, 64 bytes", Load { connections: 16, depth: 1, payload: 64 }),
        ("1 x 1, 1 MiB", Load { connections: 1, depth: 1, payload: 1 << 20 }),
    ];
    for (name, load) in loads.into_iter().filter(|(name, _)| name.contains(&which)) {
        compare(name, rounds, &clients, bare, framed, load);
    }
    for (connections, depth) in [(1, 1), (16, 16)] {
        if "tasks".contains(&which) {
            tasks(&clients, framed, connections, depth);
        }
    }
    for in_flight in [1, 32] {
        if "fan-out".contains(&which) {
            fan_out(&servers, &clients, 1000, in_flight);
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Load {
    connections: usize,
    depth: usize,
    payload: usize,
}

fn compare(name: &str, rounds: usize, clients: &Runtime, bare: SocketAddr, framed: SocketAddr, load: Load) {
    let mut results = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (result, address) in results.iter_mut().zip([bare, framed]) {
            result.push(clients.block_on(measure(address, load)));
        }
    }
    let [bare, framed] = results.map(median);
    println!(
        "{name:20} bare p50 {:7.1} us {:9.0}/s | pipe p50 {:7.1} us {:9.0}/s | p50 ratio {:.3}, rate ratio {:.3}",
        bare.0,
        bare.1,
        framed.0,
        framed.1,
        framed.0 / bare.0,
        framed.1 / bare.1,
    );
}

fn median(mut results: Vec<(f64, f64)>) -> (f64, f64) {
    let middle = results.len() / 2;
    results.sort_by(|a, b| a.0.total_cmp(&b.0));
    let latency = results[middle].0;
    results.sort_by(|a, b| a.1.total_cmp(&b.1));
    (latency, results[middle].1)
}

/// Runs the load; gives the median latency in microseconds and the calls a second.
async fn measure(address: SocketAddr, load: Load) -> (f64, f64) {
    let until = Instant::now() + SPAN;
    let tasks: Vec<_> = (0..load.connections).map(|_| tokio::spawn(client(address, load, until))).collect();
    let mut all = Histogram::<u64>::new(3).expect("valid precision");
    for task in tasks {
        all += task.await.expect("a client");
    }
    (all.value_at_quantile(0.5) as f64 / 1000.0, all.len() as f64 / SPAN.as_secs_f64())
}

async fn client(address: SocketAddr, load: Load, until: Instant) -> Histogram<u64> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let frame = call(load.payload).to_bytes();
    let burst = frame.repeat(load.depth);
    let mut buffer = vec![0; (frame.len() * load.depth).max(64 * 1024)];
    let mut latencies = Histogram::new(3).expect("valid precision");
    let mut started = Instant::now();
    stream.write_all(&burst).await.expect("a peer that reads");
    let mut pending = 0;
    while Instant::now() < until {
        let length = stream.read(&mut buffer).await.expect("a peer that answers");
        assert!(length > 0, "the server closed the connection");
        pending += length;
        let answers = pending / frame.len();
        if answers > 0 {
            pending %= frame.len();
            let now = Instant::now();
            // Exact for one call in flight; of several it is the time between answers, and only the rate is looked at.
            latencies.record_n((now - started).as_nanos() as u64, answers as u64).expect("in range");
            started = now;
            stream.write_all(&burst[..answers * frame.len()]).await.expect("a peer that reads");
        }
    }
    latencies
}

fn call(payload: usize) -> Frame {
    Frame::call(MessageId(1), ServiceId(1), ObjectId(1), ActionId(100), Payload::from(vec![7; payload]))
}

// === servers ===

async fn serve_bare() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("no delay");
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..length]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// Answers each frame with its own payload.
struct Echo;

impl Handler for Echo {
    fn on_frame(&mut self, _: Instant, frame: Frame, sender: &Sender) -> Result<(), CloseReason> {
        // Sending fails only when the connection is closing.
        let _ = sender.send(Frame::reply_to(&frame.header, frame.payload));
        Ok(())
    }

    fn max_payload(&self) -> u32 {
        1 << 28
    }

    fn on_closed(&mut self, _: CloseReason) {}
}

async fn serve_framed() -> SocketAddr {
    let (address, _) = serve(|_| {}).await;
    address
}

async fn serve(mut accepted: impl FnMut(Sender) + Send + 'static) -> (SocketAddr, tokio::task::AbortHandle) {
    let url = Url::parse("tcp://127.0.0.1:0");
    let listener = Listener::bind(&url, &SocketOptions::default()).await.expect("a port");
    let address = listener.local_address().expect("an address");
    let task = tokio::spawn(async move {
        loop {
            let (sender, driver) = pipe(listener.accept().await, QueueLimits::default());
            accepted(sender);
            tokio::spawn(driver.run(Echo));
        }
    });
    (address, task.abort_handle())
}

/// Calls through pipes at both ends, each of them made by a task of its own, as programs do.
fn tasks(clients: &Runtime, framed: SocketAddr, connections: usize, depth: usize) {
    let calls = Arc::new(AtomicU64::new(0));
    let until = Instant::now() + SPAN;
    clients.block_on(async {
        let mut callers = Vec::new();
        for _ in 0..connections {
            let url = Url::parse(&format!("tcp://{framed}"));
            let carrier = connect(&url, &SocketOptions::default()).await.expect("a connection");
            let (sender, driver) = pipe(carrier, QueueLimits::default());
            let (answered, mut answers): (Vec<_>, Vec<_>) =
                (0..depth).map(|_| tokio::sync::mpsc::channel::<Frame>(1)).unzip();
            tokio::spawn(driver.run(Answers(answered)));
            for (index, mut answer) in answers.drain(..).enumerate() {
                let (sender, calls) = (sender.clone(), calls.clone());
                callers.push(tokio::spawn(async move {
                    while Instant::now() < until {
                        let mut frame = call(64);
                        frame.header.id = MessageId(index as u32);
                        sender.send(frame).expect("an open pipe");
                        answer.recv().await.expect("an answer");
                        calls.fetch_add(1, Ordering::Relaxed);
                    }
                }));
            }
        }
        for caller in callers {
            caller.await.expect("a caller");
        }
    });
    let rate = calls.load(Ordering::Relaxed) as f64 / SPAN.as_secs_f64();
    println!("{connections} x {depth} tasks: {rate:.0} calls/s");
}

/// Gives each answer to the task with its number.
struct Answers(Vec<tokio::sync::mpsc::Sender<Frame>>);

impl Handler for Answers {
    fn on_frame(&mut self, _: Instant, frame: Frame, _: &Sender) -> Result<(), CloseReason> {
        let _ = self.0[frame.header.id.0 as usize].try_send(frame);
        Ok(())
    }

    fn max_payload(&self) -> u32 {
        1 << 28
    }

    fn on_closed(&mut self, _: CloseReason) {}
}

/// What all subscribers together have read.
#[derive(Default)]
struct Received {
    bytes: AtomicU64,
    all: Notify,
}

/// One event to many subscribers, `in_flight` events at a time.
fn fan_out(servers: &Runtime, clients: &Runtime, subscribers: usize, in_flight: u64) {
    let (connected, connections) = std::sync::mpsc::channel();
    let (address, accepting) = servers.block_on(serve(move |sender| drop(connected.send(sender))));
    let received = Arc::new(Received::default());
    let event =
        Frame::event(MessageId(1), ServiceId(2), ObjectId(1), ActionId(100), Payload::from(vec![7; 16])).to_bytes();
    let length = event.len() as u64;
    let round = in_flight * subscribers as u64 * length;
    let readers: Vec<_> = (0..subscribers)
        .map(|_| {
            let received = received.clone();
            clients.spawn(async move {
                let mut stream = TcpStream::connect(address).await.expect("a connection");
                let mut buffer = vec![0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    let before = received.bytes.fetch_add(read as u64, Ordering::Relaxed);
                    if (before + read as u64).is_multiple_of(round) {
                        received.all.notify_one();
                    }
                }
            })
        })
        .collect();
    let senders: Vec<Sender> = connections.iter().take(subscribers).collect();
    let (mut sent, mut queueing, started) = (0, Duration::ZERO, Instant::now());
    servers.block_on(async {
        tokio::spawn({
            let received = received.clone();
            async move {
                while started.elapsed() < SPAN {
                    let begun = Instant::now();
                    for _ in 0..in_flight {
                        for sender in &senders {
                            let _ = sender.send_shared(Bytes::clone(&event));
                        }
                    }
                    queueing += begun.elapsed();
                    sent += in_flight * subscribers as u64;
                    // Every reader that sees the last byte wakes the emitter.
                    while received.bytes.load(Ordering::Relaxed) < sent * length {
                        received.all.notified().await;
                    }
                }
                let rate = sent as f64 / started.elapsed().as_secs_f64();
                let each = queueing.as_nanos() as f64 / sent as f64;
                println!("fan-out to {subscribers}, {in_flight:2} in flight: {rate:9.0} deliveries/s, {each:.0} ns to queue each");
            }
        })
        .await
        .expect("the emitter");
    });
    accepting.abort();
    for reader in readers {
        reader.abort();
    }
}
