//! The handlers and connections the tests use.

use std::{
    future::poll_fn,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use keyway_pipe::{
    Carrier, Handler, Listener, QueueLimits, Sender, SocketOptions, TcpCarrier, TlsClient, TlsServer, connect,
    connect_with, inproc_pair, pipe,
};
use keyway_session::CloseReason;
use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
use keyway_wire::{Frame, Url};
use tokio::{
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

use crate::certificates::self_signed;

/// Nothing in these tests takes longer, unless it never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn post(id: u32, payload: Vec<u8>) -> Frame {
    Frame::post(MessageId(id), ServiceId(1), ObjectId(1), ActionId(100), Payload::from(payload))
}

/// Keeps what happens to it.
pub(crate) struct Recorder(UnboundedSender<Happening>);

#[derive(Debug)]
pub(crate) enum Happening {
    Frame(Frame),
    BatchEnd,
    Closed(CloseReason),
}

/// What a [`Recorder`] has kept.
#[derive(Debug)]
pub(crate) struct Record(UnboundedReceiver<Happening>);

impl Recorder {
    pub(crate) fn new() -> (Self, Record) {
        let (sender, receiver) = unbounded_channel();
        (Self(sender), Record(receiver))
    }
}

impl Handler for Recorder {
    fn on_frame(&mut self, _: Instant, frame: Frame, _: &Sender) -> Result<(), CloseReason> {
        let _ = self.0.send(Happening::Frame(frame));
        Ok(())
    }

    fn on_batch_end(&mut self) {
        let _ = self.0.send(Happening::BatchEnd);
    }

    fn max_payload(&self) -> u32 {
        1 << 26
    }

    fn on_closed(&mut self, reason: CloseReason) {
        let _ = self.0.send(Happening::Closed(reason));
    }
}

impl Record {
    pub(crate) async fn next(&mut self) -> Option<Happening> {
        timeout(PATIENCE, self.0.recv()).await.expect("something happens")
    }

    pub(crate) async fn frame(&mut self) -> Frame {
        loop {
            match self.next().await {
                Some(Happening::Frame(frame)) => return frame,
                Some(Happening::BatchEnd) => {}
                other => panic!("expected a frame, got {other:?}"),
            }
        }
    }

    pub(crate) async fn closed(&mut self) -> CloseReason {
        loop {
            match self.next().await {
                Some(Happening::Closed(reason)) => return reason,
                Some(_) => {}
                None => panic!("the handler never heard of the end"),
            }
        }
    }
}

/// Answers with the payload.
#[derive(Debug)]
pub(crate) struct Echo;

impl Handler for Echo {
    fn on_frame(&mut self, _: Instant, frame: Frame, sender: &Sender) -> Result<(), CloseReason> {
        let _ = sender.send(Frame::reply_to(&frame.header, frame.payload));
        Ok(())
    }

    fn max_payload(&self) -> u32 {
        1 << 26
    }

    fn on_closed(&mut self, _: CloseReason) {}
}

/// Wants to be called at a time, and then closes.
pub(crate) struct Impatient {
    pub(crate) recorder: Recorder,
    pub(crate) at: Instant,
}

impl Handler for Impatient {
    fn on_frame(&mut self, now: Instant, frame: Frame, sender: &Sender) -> Result<(), CloseReason> {
        self.recorder.on_frame(now, frame, sender)
    }

    fn max_payload(&self) -> u32 {
        0
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.at)
    }

    fn on_timeout(&mut self, now: Instant, _: &Sender) -> Result<(), CloseReason> {
        assert!(now >= self.at);
        Err(CloseReason::SlowConsumer)
    }

    fn on_closed(&mut self, reason: CloseReason) {
        self.recorder.on_closed(reason);
    }
}

/// A connected pair of each kind of carrier.
pub(crate) async fn carriers() -> Vec<(Arc<dyn Carrier>, Arc<dyn Carrier>)> {
    let folder = tempfile::tempdir().unwrap();
    let mut pairs = vec![inproc_pair()];
    for url in ["tcp://127.0.0.1:0".to_owned(), format!("unix://{}/bus", folder.path().display())] {
        let options = SocketOptions::default();
        let listener = Listener::bind(&Url::parse(&url), &options).await.unwrap();
        let connecting = connect(listener.local_url(), &options);
        let (there, here) = tokio::join!(connecting, listener.accept());
        pairs.push((there.unwrap(), here));
    }
    pairs.push(tls_pair().await);
    pairs
}

async fn tls_pair() -> (Arc<dyn Carrier>, Arc<dyn Carrier>) {
    let pair = self_signed(&["127.0.0.1"]);
    let server = TlsServer::from_pem(&pair.certificate, &pair.key).unwrap();
    let client = TlsClient::ca_pem(&pair.certificate).unwrap();
    let options = SocketOptions::default();
    let url = Url::parse("tcps://127.0.0.1:0");
    let listener = Listener::bind_with(&url, &options, Some(&server)).await.unwrap();
    let connecting = connect_with(listener.local_url(), &options, Some(&client));
    let accepting = async {
        let here = listener.accept().await;
        let handshake = async {
            let mut nothing = BytesMut::with_capacity(1);
            loop {
                poll_fn(|context| here.poll_read_ready(context)).await.unwrap();
                let _ = here.try_read(&mut nothing);
            }
        };
        // It is over for the server when it has read something else, or can write.
        let over = poll_fn(|context| here.poll_write_ready(context));
        tokio::select! {
            () = handshake => {}
            over = over => over.unwrap(),
        }
        here
    };
    let (there, here) = tokio::join!(connecting, accepting);
    (there.unwrap(), here)
}

/// A pipe on one end of a TCP connection, and the bare other end.
pub(crate) async fn against_raw(handler: impl Handler + 'static, limits: QueueLimits) -> (Sender, TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (raw, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let carrier = TcpCarrier::new(accepted.unwrap().0, &SocketOptions::default()).unwrap();
    let (sender, driver) = pipe(Arc::new(carrier), limits);
    tokio::spawn(driver.run(handler));
    (sender, raw.unwrap())
}

/// Limits with a small queue.
pub(crate) fn small_queue(max_bytes: usize) -> QueueLimits {
    let mut limits = QueueLimits::default();
    limits.max_bytes = max_bytes;
    limits
}

/// Waits until nothing is queued: whoever writes takes it out of the account a moment after it has arrived.
pub(crate) async fn written(sender: &Sender) {
    while sender.queued_bytes() > 0 {
        tokio::task::yield_now().await;
    }
}
