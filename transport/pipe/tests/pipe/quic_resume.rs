//! Sessions that outlive their connections (docs/native-protocol.md, section 6).

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use keyway_pipe::{
    Handler, Keeping, QueueLimits, QuicConnected, QuicEndpoint, QuicListener, QuicOptions, Said, Sender, TlsClient,
    TlsServer,
};
use keyway_session::CloseReason;
use keyway_value::{ActionId, ObjectId, ServiceId};
use keyway_wire::{
    Frame, MessageKind, Url,
    native::{Proof, Resume, Welcome},
};
use parking_lot::Mutex;
use tokio::{net::UdpSocket, sync::mpsc, time::timeout};

use crate::{
    certificates::{Authority, Pair},
    peer::PATIENCE,
    quic_stage::{call, dialogue, event},
};

/// After how long a connection is given up.
const DEAD_AFTER: Duration = Duration::from_millis(400);

/// What a handler has seen.
#[derive(Debug, Default)]
struct Seen {
    /// How often each call has run, or been answered.
    calls: HashMap<u32, u32>,
    events: Vec<u32>,
    missed: u64,
    restarts: u32,
    confirmed: u32,
    refused: u32,
    closed: Option<CloseReason>,
}

/// Either end: answers calls, and keeps book.
struct End {
    seen: Arc<Mutex<Seen>>,
    news: mpsc::UnboundedSender<()>,
    /// The number of the key that is right.
    key: u32,
    is_waiting: bool,
    /// While it is held, nothing more is taken in.
    gate: Arc<Gate>,
}

/// Holds a reader up.
#[derive(Debug, Default)]
struct Gate {
    is_shut: AtomicBool,
    /// Each stream has a reader of its own.
    waiting: Mutex<Vec<Waker>>,
}

impl Gate {
    fn open(&self) {
        self.is_shut.store(false, Ordering::SeqCst);
        self.waiting.lock().drain(..).for_each(Waker::wake);
    }
}

impl End {
    fn new() -> (Self, Arc<Mutex<Seen>>, mpsc::UnboundedReceiver<()>) {
        let (news, heard) = mpsc::unbounded_channel();
        let seen = Arc::<Mutex<Seen>>::default();
        (Self { seen: seen.clone(), news, key: 0, is_waiting: false, gate: Arc::default() }, seen, heard)
    }
}

impl Handler for End {
    fn on_frame(&mut self, _: Instant, frame: Frame, sender: &Sender) -> Result<(), CloseReason> {
        let mut seen = self.seen.lock();
        match frame.header.kind {
            MessageKind::Event => seen.events.push(frame.header.id.0),
            kind => {
                *seen.calls.entry(frame.header.id.0).or_default() += 1;
                if kind == MessageKind::Call {
                    let _ = sender.send(Frame::reply_to(&frame.header, frame.payload));
                }
            }
        }
        let _ = self.news.send(());
        Ok(())
    }

    fn max_payload(&self) -> u32 {
        1 << 26
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.gate.waiting.lock().push(context.waker().clone());
        if self.gate.is_shut.load(Ordering::SeqCst) { Poll::Pending } else { Poll::Ready(()) }
    }

    fn on_gap(&mut self, _: (ServiceId, ObjectId, ActionId), missed: u64) {
        self.seen.lock().missed += missed;
    }

    fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    fn on_resuming(&mut self, key: &[u8]) -> Option<Bytes> {
        if key != key_of(self.key) {
            self.seen.lock().refused += 1;
            let _ = self.news.send(());
            return None;
        }
        self.key += 1;
        Some(key_of(self.key))
    }

    fn on_resumed(&mut self) {
        self.seen.lock().confirmed += 1;
        let _ = self.news.send(());
    }

    fn on_restarted(&mut self, _: Instant, welcome: &Welcome, _: &Sender) -> Result<(), CloseReason> {
        assert_eq!(welcome.capabilities[..], b"server"[..]);
        self.seen.lock().restarts += 1;
        let _ = self.news.send(());
        Ok(())
    }

    fn on_closed(&mut self, reason: CloseReason) {
        self.seen.lock().closed = Some(reason);
        let _ = self.news.send(());
    }
}

fn key_of(number: u32) -> Bytes {
    Bytes::from(format!("key {number}"))
}

/// A server that keeps its sessions, one after the other.
struct Server {
    accepting: tokio::task::JoinHandle<()>,
    address: SocketAddr,
    sender: tokio::sync::watch::Receiver<Option<Sender>>,
    seen: Arc<Mutex<Seen>>,
    heard: mpsc::UnboundedReceiver<()>,
    gate: Arc<Gate>,
}

impl Server {
    async fn start(tls: &TlsServer, keeping: Keeping) -> Self {
        Self::start_with(tls, keeping, DEAD_AFTER).await
    }

    async fn start_with(tls: &TlsServer, keeping: Keeping, dead_after: Duration) -> Self {
        let mut options = QuicOptions::default();
        options.dead_after = dead_after;
        let listener = QuicListener::bind(&Url::parse("quic://127.0.0.1:0"), tls, options).await.unwrap();
        let address = listener.local_address().unwrap();
        let (announce, sender) = tokio::sync::watch::channel(None);
        let (end, seen, heard) = End::new();
        let gate = end.gate.clone();
        let accepting = tokio::spawn(async move {
            let (mut end, mut driving) = (Some(end), tokio::task::JoinSet::new());
            while let Some(incoming) = listener.accept().await {
                let Ok(mut request) = incoming.handshake(QueueLimits::default()).await else { continue };
                if let Said::Resume(Resume { .. }) = request.said() {
                    if request.finds(&[7; 16]) {
                        assert!(request.rejoin(&[7; 16]));
                        continue;
                    }
                    match request.challenge("who are you?".into()).await {
                        Ok(challenged) => request = challenged,
                        Err(_) => continue,
                    }
                }
                let sender = request.sender().clone();
                let driver = request.welcome([7; 16], Bytes::from_static(b"server"), Some(keeping.clone())).await;
                let end = end.take().expect("one session only");
                driving.spawn(driver.unwrap().run(end));
                announce.send_replace(Some(sender));
            }
        });
        Self { accepting, address, sender, seen, heard, gate }
    }

    async fn sender(&mut self) -> Sender {
        self.sender.wait_for(Option::is_some).await.unwrap().clone().unwrap()
    }
}

fn keeping() -> Keeping {
    Keeping { time: Duration::from_secs(20), events: 100_000, bytes: 1 << 24, key: key_of(0) }
}

/// A network between one client and a server that can be cut in each direction.
struct Network {
    url: Url,
    server: Arc<Mutex<SocketAddr>>,
    up: Arc<AtomicBool>,
    down: Arc<AtomicBool>,
}

impl Network {
    async fn to(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("quic://{}", socket.local_addr().unwrap()));
        let (up, down) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
        let server = Arc::new(Mutex::new(server));
        let (flags, at) = ((up.clone(), down.clone()), server.clone());
        tokio::spawn(async move {
            let (mut packet, mut client) = (vec![0; 65_536], None);
            loop {
                let Ok((length, from)) = socket.recv_from(&mut packet).await else { continue };
                let server = *at.lock();
                let (to, works) = if from == server { (client, &flags.1) } else { (Some(server), &flags.0) };
                if from != server {
                    client = Some(from);
                }
                if let (Some(to), true) = (to, works.load(Ordering::SeqCst)) {
                    let _ = socket.send_to(&packet[..length], to).await;
                }
            }
        });
        Self { url, server, up, down }
    }

    fn set(&self, up: bool, down: bool) {
        self.up.store(up, Ordering::SeqCst);
        self.down.store(down, Ordering::SeqCst);
    }

    /// Nothing gets through for longer than a connection lives.
    async fn cut(&self) {
        self.set(false, false);
        tokio::time::sleep(DEAD_AFTER * 2).await;
        self.set(true, true);
    }
}

struct Client {
    sender: Sender,
    seen: Arc<Mutex<Seen>>,
    heard: mpsc::UnboundedReceiver<()>,
}

impl Client {
    async fn connect(url: &Url, tls: &TlsClient) -> Self {
        Self::connect_with(url, tls, DEAD_AFTER, false).await
    }

    async fn connect_with(url: &Url, tls: &TlsClient, dead_after: Duration, is_waiting: bool) -> Self {
        let mut options = QuicOptions::default();
        options.dead_after = dead_after;
        let endpoint = QuicEndpoint::new(options).unwrap();
        let capabilities = Bytes::from_static(b"client");
        let who = dialogue(Proof::Nothing, |_| None);
        let connecting = endpoint.connect(url, tls, capabilities, who, QueueLimits::default());
        let QuicConnected { sender, driver, .. } = timeout(PATIENCE, connecting).await.unwrap().unwrap();
        let (mut end, seen, heard) = End::new();
        end.is_waiting = is_waiting;
        tokio::spawn(driver.run(end));
        Self { sender, seen, heard }
    }
}

/// Waits until what was seen is as wished.
async fn until(seen: &Mutex<Seen>, heard: &mut mpsc::UnboundedReceiver<()>, wish: impl Fn(&Seen) -> bool) {
    let wished = async {
        while !wish(&seen.lock()) {
            heard.recv().await.expect("the end is there");
        }
    };
    timeout(PATIENCE, wished).await.unwrap_or_else(|_| panic!("not yet: {:?}", seen.lock()));
}

fn certificates() -> (TlsServer, TlsClient) {
    let authority = Authority::new("authority");
    let Pair { certificate, key } = authority.issue(&["127.0.0.1"]);
    (TlsServer::from_pem(&certificate, &key).unwrap(), TlsClient::ca_pem(&authority.pem).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_call_is_lost_or_runs_twice_while_the_network_comes_and_goes() {
    let (server_tls, tls) = certificates();
    let mut server = Server::start(&server_tls, keeping()).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    let (sent, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let calling = {
        let (sender, sent, stop) = (client.sender.clone(), sent.clone(), stop.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let id = sent.load(Ordering::SeqCst) + 1;
                // Of every size, and to several objects.
                let size = if id.is_multiple_of(50) { 100_000 } else { id as usize % 3000 };
                sender.send(call(id, id % 7, size)).unwrap();
                sent.store(id, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    };
    for times in 1..=3 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        network.cut().await;
        until(&server.seen, &mut server.heard, |seen| seen.confirmed >= times).await;
    }
    stop.store(true, Ordering::SeqCst);
    calling.await.unwrap();
    let sent = sent.load(Ordering::SeqCst);
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == sent as usize).await;
    for seen in [&client.seen, &server.seen] {
        let seen = seen.lock();
        assert_eq!(seen.calls.len(), sent as usize);
        assert!(seen.calls.values().all(|times| *times == 1), "{:?}", seen.calls);
    }
    assert!(sent > 300, "{sent}");
}

/// Emits through two cuts, and says what was emitted, received and missed.
async fn events_over(keeping: Keeping) -> (u32, Vec<u32>, u64) {
    let (server_tls, tls) = certificates();
    let mut server = Server::start(&server_tls, keeping).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    let sender = server.sender().await;
    let (count, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let emitting = {
        let (count, stop) = (count.clone(), stop.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let number = count.load(Ordering::SeqCst) + 1;
                sender.send(event(number, 300, 500)).unwrap();
                count.store(number, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    };
    for times in 1..=2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        network.cut().await;
        // Only then it has been lost once more.
        until(&server.seen, &mut server.heard, |seen| seen.confirmed >= times).await;
    }
    stop.store(true, Ordering::SeqCst);
    emitting.await.unwrap();
    let last = count.load(Ordering::SeqCst);
    until(&client.seen, &mut client.heard, |seen| seen.events.last() == Some(&last)).await;
    let seen = client.seen.lock();
    (last, seen.events.clone(), seen.missed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn missed_events_are_replayed_from_the_window() {
    let (last, events, missed) = events_over(keeping()).await;
    assert_eq!(missed, 0);
    assert!(events.into_iter().eq(1..=last));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn events_beyond_the_window_are_a_gap_of_the_right_size() {
    let (last, events, missed) = events_over(Keeping { events: 20, ..keeping() }).await;
    assert!(missed > 100, "{missed}");
    assert!(events.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(events.len() as u64 + missed, u64::from(last));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_client_that_comes_back_before_its_loss_is_noticed_takes_the_session_over() {
    let (server_tls, tls) = certificates();
    let mut server = Server::start(&server_tls, keeping()).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    // The server goes on hearing the client's pings, which hears nothing.
    network.set(true, false);
    client.sender.send(call(1, 1, 10)).unwrap();
    until(&server.seen, &mut server.heard, |seen| seen.calls.len() == 1).await;
    tokio::time::sleep(DEAD_AFTER * 2).await;
    network.set(true, true);
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == 1).await;
    until(&server.seen, &mut server.heard, |seen| seen.confirmed == 1).await;
    assert_eq!(server.seen.lock().calls[&1], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_attempt_to_come_back_that_is_given_up_does_not_end_the_session() {
    let (server_tls, tls) = certificates();
    let mut server = Server::start(&server_tls, keeping()).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    client.sender.send(call(1, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == 1).await;
    // While nothing comes back from the server, the client makes attempts that the server may see, and gives them up.
    for _ in 0..40 {
        network.set(true, false);
        tokio::time::sleep(Duration::from_millis(90)).await;
        network.set(true, true);
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    network.set(true, true);
    client.sender.send(call(2, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.contains_key(&2)).await;
    until(&server.seen, &mut server.heard, |seen| seen.calls.contains_key(&2)).await;
    assert!(client.seen.lock().closed.is_none() && server.seen.lock().closed.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_server_that_was_restarted_is_noticed_at_once_and_begins_anew() {
    let (server_tls, tls) = certificates();
    let server = Server::start(&server_tls, keeping()).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    client.sender.send(call(1, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == 1).await;
    // As if by kill -9: nobody is told. The client's pings reach the next one, which does not know them.
    network.set(false, false);
    server.accepting.abort();
    let mut server = Server::start(&server_tls, keeping()).await;
    *network.server.lock() = server.address;
    network.set(true, true);
    until(&client.seen, &mut client.heard, |seen| seen.restarts == 1).await;
    client.sender.send(call(2, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.contains_key(&2)).await;
    // And the new session is kept like the first.
    network.cut().await;
    client.sender.send(call(3, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.contains_key(&3)).await;
    until(&server.seen, &mut server.heard, |seen| seen.confirmed == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_client_that_waits_for_answers_does_not_wait_for_its_next_ping() {
    let (server_tls, tls) = certificates();
    // Pings come every ten minutes.
    let dead_after = Duration::from_secs(1800);
    let server = Server::start_with(&server_tls, keeping(), dead_after).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect_with(&network.url, &tls, dead_after, true).await;
    client.sender.send(call(1, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == 1).await;
    // Everything is acknowledged; nothing is to be sent.
    tokio::time::sleep(Duration::from_millis(500)).await;
    network.set(false, false);
    server.accepting.abort();
    let server = Server::start_with(&server_tls, keeping(), dead_after).await;
    *network.server.lock() = server.address;
    network.set(true, true);
    until(&client.seen, &mut client.heard, |seen| seen.restarts == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_client_that_does_not_come_back_is_gone_when_its_time_is_over() {
    let (server_tls, tls) = certificates();
    let time = Duration::from_secs(1);
    let mut server = Server::start(&server_tls, Keeping { time, ..keeping() }).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    let sender = server.sender().await;
    network.set(false, false);
    until(&server.seen, &mut server.heard, |seen| seen.closed.is_some()).await;
    until(&client.seen, &mut client.heard, |seen| seen.closed.is_some()).await;
    assert!(sender.is_closed() && client.sender.is_closed());
    assert!(matches!(client.seen.lock().closed, Some(CloseReason::Io(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_session_without_a_connection_can_be_closed_by_either_side() {
    let (server_tls, tls) = certificates();
    let mut server = Server::start(&server_tls, keeping()).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    let sender = server.sender().await;
    network.set(false, false);
    tokio::time::sleep(DEAD_AFTER * 2).await;
    assert!(!sender.is_closed() && !client.sender.is_closed());
    sender.close(CloseReason::Local);
    client.sender.close(CloseReason::Local);
    until(&server.seen, &mut server.heard, |seen| matches!(seen.closed, Some(CloseReason::Local))).await;
    until(&client.seen, &mut client.heard, |seen| matches!(seen.closed, Some(CloseReason::Local))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_key_that_is_not_the_session_s_opens_nothing() {
    let (server_tls, tls) = certificates();
    // The client is told a key that the session does not know.
    let wrong = Keeping { key: key_of(9), ..keeping() };
    let mut server = Server::start(&server_tls, wrong).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    server.sender().await;
    network.cut().await;
    until(&client.seen, &mut client.heard, |seen| matches!(seen.closed, Some(CloseReason::Io(_)))).await;
    until(&server.seen, &mut server.heard, |seen| seen.refused == 1).await;
    // The session itself goes on waiting.
    assert!(server.seen.lock().closed.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_client_comes_back_while_what_it_sent_before_waits_to_be_taken_in() {
    let (server_tls, tls) = certificates();
    let mut server = Server::start(&server_tls, keeping()).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    client.sender.send(call(1, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == 1).await;
    server.gate.is_shut.store(true, Ordering::SeqCst);
    for id in 2..200 {
        client.sender.send(call(id, id % 3, 2_000)).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    network.cut().await;
    until(&server.seen, &mut server.heard, |seen| seen.confirmed == 1).await;
    server.gate.open();
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == 199).await;
    for seen in [&client.seen, &server.seen] {
        assert!(seen.lock().calls.values().all(|times| *times == 1), "{:?}", seen.lock().calls);
    }
}
