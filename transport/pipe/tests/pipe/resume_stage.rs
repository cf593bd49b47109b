//! Two ends of a session that outlives its connections, and a network between them that can be cut.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
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
    quic_stage::dialogue,
};

/// After how long a connection is given up.
pub(crate) const DEAD_AFTER: Duration = Duration::from_millis(400);

/// What a handler has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How often each call has run, or been answered.
    pub(crate) calls: HashMap<u32, u32>,
    pub(crate) events: Vec<u32>,
    pub(crate) missed: u64,
    pub(crate) restarts: u32,
    pub(crate) confirmed: u32,
    pub(crate) refused: u32,
    pub(crate) closed: Option<CloseReason>,
}

/// Either end: answers calls, and keeps book.
pub(crate) struct End {
    pub(crate) seen: Arc<Mutex<Seen>>,
    pub(crate) news: mpsc::UnboundedSender<()>,
    /// The number of the key that was given last.
    pub(crate) key: u32,
    /// The first key that is still worth something: a client that has not heard of the next one shows the one before again.
    pub(crate) floor: u32,
    /// The key that was shown last, until it is known that the client has the next one.
    pub(crate) shown: Option<u32>,
    pub(crate) is_waiting: bool,
    /// While it is held, nothing more is taken in.
    pub(crate) gate: Arc<Gate>,
}

/// Holds a reader up.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) is_shut: AtomicBool,
    /// Each stream has a reader of its own.
    pub(crate) waiting: Mutex<Vec<Waker>>,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.is_shut.store(false, Ordering::SeqCst);
        self.waiting.lock().drain(..).for_each(Waker::wake);
    }
}

impl End {
    pub(crate) fn new() -> (Self, Arc<Mutex<Seen>>, mpsc::UnboundedReceiver<()>) {
        let (news, heard) = mpsc::unbounded_channel();
        let seen = Arc::<Mutex<Seen>>::default();
        (
            Self { seen: seen.clone(), news, key: 0, floor: 0, shown: None, is_waiting: false, gate: Arc::default() },
            seen,
            heard,
        )
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
        let shown = (self.floor..=self.key).find(|number| key == key_of(*number));
        if shown.is_none() {
            self.seen.lock().refused += 1;
            let _ = self.news.send(());
            return None;
        }
        self.shown = shown;
        self.key += 1;
        Some(key_of(self.key))
    }

    fn on_resumed(&mut self) {
        self.floor = self.shown.take().map_or(self.floor, |shown| shown + 1);
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

pub(crate) fn key_of(number: u32) -> Bytes {
    Bytes::from(format!("key {number}"))
}

/// A server that keeps its sessions, one after the other.
pub(crate) struct Server {
    pub(crate) accepting: tokio::task::JoinHandle<()>,
    pub(crate) address: SocketAddr,
    pub(crate) sender: tokio::sync::watch::Receiver<Option<Sender>>,
    pub(crate) seen: Arc<Mutex<Seen>>,
    pub(crate) heard: mpsc::UnboundedReceiver<()>,
    pub(crate) gate: Arc<Gate>,
}

impl Server {
    pub(crate) async fn start(tls: &TlsServer, keeping: Keeping) -> Self {
        Self::start_with(tls, keeping, DEAD_AFTER).await
    }

    pub(crate) async fn start_with(tls: &TlsServer, keeping: Keeping, dead_after: Duration) -> Self {
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

    pub(crate) async fn sender(&mut self) -> Sender {
        self.sender.wait_for(Option::is_some).await.unwrap().clone().unwrap()
    }
}

pub(crate) fn keeping() -> Keeping {
    Keeping { time: Duration::from_secs(20), events: 100_000, bytes: 1 << 24, key: key_of(0) }
}

/// A network between one client and a server that can be cut in each direction.
pub(crate) struct Network {
    pub(crate) url: Url,
    pub(crate) server: Arc<Mutex<SocketAddr>>,
    pub(crate) up: Arc<AtomicBool>,
    pub(crate) down: Arc<AtomicBool>,
}

impl Network {
    pub(crate) async fn to(server: SocketAddr) -> Self {
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

    pub(crate) fn set(&self, up: bool, down: bool) {
        self.up.store(up, Ordering::SeqCst);
        self.down.store(down, Ordering::SeqCst);
    }

    /// Nothing gets through for longer than a connection lives.
    pub(crate) async fn cut(&self) {
        self.set(false, false);
        tokio::time::sleep(DEAD_AFTER * 2).await;
        self.set(true, true);
    }
}

pub(crate) struct Client {
    pub(crate) sender: Sender,
    pub(crate) seen: Arc<Mutex<Seen>>,
    pub(crate) heard: mpsc::UnboundedReceiver<()>,
}

impl Client {
    pub(crate) async fn connect(url: &Url, tls: &TlsClient) -> Self {
        Self::connect_with(url, tls, DEAD_AFTER, false).await
    }

    pub(crate) async fn connect_with(url: &Url, tls: &TlsClient, dead_after: Duration, is_waiting: bool) -> Self {
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
pub(crate) async fn until(seen: &Mutex<Seen>, heard: &mut mpsc::UnboundedReceiver<()>, wish: impl Fn(&Seen) -> bool) {
    let wished = async {
        while !wish(&seen.lock()) {
            heard.recv().await.unwrap_or_else(|| panic!("the end is gone: {:?}", seen.lock()));
        }
    };
    timeout(PATIENCE, wished).await.unwrap_or_else(|_| panic!("not yet: {:?}", seen.lock()));
}

pub(crate) fn certificates() -> (TlsServer, TlsClient) {
    let authority = Authority::new("authority");
    let Pair { certificate, key } = authority.issue(&["127.0.0.1"]);
    (TlsServer::from_pem(&certificate, &key).unwrap(), TlsClient::ca_pem(&authority.pem).unwrap())
}
