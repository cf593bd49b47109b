//! The handlers and connections the tests use.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use keyway_pipe::{
    Carrier, Handler, Listener, QueueLimits, Sender, SocketOptions, TcpCarrier, connect, inproc_pair, pipe,
};
use keyway_session::CloseReason;
use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
use keyway_wire::{Frame, Url};
use tokio::{
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

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
    pairs
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
