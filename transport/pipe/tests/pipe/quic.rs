//! Pipes over QUIC (docs/native-protocol.md).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use keyway_pipe::{
    Handler, HandshakeError, PeerAddress, QueueLimits, QuicConnected, QuicError, QuicIncoming, Said, SendError, Sender,
};
use keyway_session::CloseReason;
use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};
use keyway_wire::{
    Frame, MessageKind,
    native::{CloseCode, Overflow, Proof},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::{
    sync::{
        RwLock,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    time::timeout,
};

use crate::{
    certificates::{Authority, Pair},
    peer::{Echo, PATIENCE, Recorder, post},
    quic_stage::{Stage, call, dialogue, event, network, user},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_every_size_come_back_over_quic() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let (QuicConnected { sender, driver, welcome }, _) = stage.open_with(Echo, QueueLimits::default()).await;
    assert_eq!((&welcome.capabilities[..], welcome.session), (&b"server"[..], [7; 16]));
    assert!(
        matches!(sender.peer(), PeerAddress::Quic(_)) && sender.peer().to_string().starts_with("quic://127.0.0.1:")
    );
    let (recorder, mut record) = Recorder::new();
    tokio::spawn(driver.run(recorder));
    let sizes = [0, 1, 100, 5000, 16 << 10, 65_535, 65_536, 1 << 20, 20 << 20];
    for (id, size) in (1..).zip(sizes) {
        sender.send(call(id, 1, size)).unwrap();
        let answer = record.frame().await;
        assert_eq!((answer.header.id, answer.header.kind), (MessageId(id), MessageKind::Reply));
        assert!(answer.payload_bytes().len() == size && answer.payload_bytes().iter().all(|byte| *byte == 7));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_each_object_and_events_of_each_signal_keep_their_order() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let (client, server, mut record) = stage.open().await;
    let (recorder, mut events) = Recorder::new();
    tokio::spawn(client.driver.run(recorder));
    for id in 0..2000 {
        client.sender.send(call(id, 1 + id % 10, 50)).unwrap();
        server.send(event(id, 300 + id % 10, 50)).unwrap();
    }
    let mut last = [None; 21];
    for _ in 0..2000 {
        let header = record.frame().await.header;
        let before = last[header.object.0 as usize].replace(header.id.0);
        assert!(before < Some(header.id.0));
        let header = events.frame().await.header;
        let before = last[11 + header.action.0 as usize % 10].replace(header.id.0);
        assert!(before.is_none_or(|before| before < header.id.0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_encoded_for_others_is_sent_as_frames() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let (client, _server, mut record) = stage.open().await;
    tokio::spawn(client.driver.run(Recorder::new().0));
    let both = [post(1, vec![1; 10]).to_bytes(), event(2, 300, 20).to_bytes()].concat();
    client.sender.send_shared(both.into()).unwrap();
    let mut ids = [record.frame().await.header.id.0, record.frame().await.header.id.0];
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_judged_by_what_it_says_and_may_be_asked_again() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let serving = async {
        let request = stage.request().await;
        assert_eq!((&request.hello().capabilities[..], request.said()), (&b"client"[..], &Said::Proof(Proof::Nothing)));
        assert!(request.sender().peer_certificates().is_empty());
        let request = request.challenge("user and token".to_owned()).await.unwrap();
        assert_eq!(request.said(), &Said::Proof(user("secret")));
        request.refuse(CloseCode::REFUSED, "not today");
    };
    let answer = |text: &str| (text == "user and token").then(|| user("secret"));
    let (refused, ()) = tokio::join!(stage.connect_as(&stage.tls, Proof::Nothing, answer), serving);
    let error = refused.unwrap_err();
    assert!(matches!(&error, QuicError::Closed { code: CloseCode::REFUSED, text } if text == "not today"), "{error:?}");
    let serving = async { stage.request().await.challenge("a token".to_owned()).await.unwrap_err() };
    let (challenged, seen) = tokio::join!(stage.connect(Proof::Nothing), serving);
    assert!(matches!(challenged.unwrap_err(), QuicError::Challenged(text) if text == "a token"));
    assert!(matches!(seen, QuicError::Closed { .. }), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_s_certificate_is_verified_and_shown_to_the_judge() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let Pair { certificate, key } = stage.authority.issue(&["client"]);
    let tls = stage.tls.clone().certificate_pem(&certificate, &key).unwrap();
    let serving = async {
        let request = stage.request().await;
        assert_eq!(request.sender().peer_certificates().len(), 1);
        request.welcome([0; 16], Bytes::new(), None).await.unwrap()
    };
    let (connected, _server) = tokio::join!(stage.connect_as(&tls, Proof::Nothing, |_| None), serving);
    connected.unwrap();

    let Pair { certificate, key } = Authority::new("stranger").issue(&["client"]);
    let tls = stage.tls.clone().certificate_pem(&certificate, &key).unwrap();
    let serving = async { stage.listener.accept().await.unwrap().handshake(QueueLimits::default()).await.unwrap_err() };
    let (refused, _) = tokio::join!(stage.connect_as(&tls, Proof::Nothing, |_| None), serving);
    let error = refused.unwrap_err();
    assert!(matches!(error, QuicError::Tls(HandshakeError::Refused { .. })), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_come_in_beside_many_handshakes_that_go_nowhere() {
    let stage = Arc::new(Stage::new(Duration::from_secs(10)).await);
    let mut waiting = Vec::new();
    let mut held = Vec::new();
    for _ in 0..64 {
        let stage = stage.clone();
        waiting.push(tokio::spawn(async move { stage.connect(Proof::Nothing).await.map(drop) }));
    }
    for _ in 0..64 {
        held.push(timeout(PATIENCE, stage.listener.accept()).await.unwrap().unwrap());
    }
    // From now on a client has to show that it receives where it sends from.
    let (client, _server, mut record) = stage.open().await;
    tokio::spawn(client.driver.run(Recorder::new().0));
    client.sender.send(call(1, 1, 0)).unwrap();
    assert_eq!(record.frame().await.header.id, MessageId(1));
    held.into_iter().for_each(QuicIncoming::refuse);
    for attempt in waiting {
        assert!(timeout(PATIENCE, attempt).await.unwrap().unwrap().is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_too_long_is_refused_before_it_is_sent() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let capabilities = Bytes::from(vec![7; 40 << 10]);
    let limits = QueueLimits::default();
    let connecting = stage.endpoint.connect(
        &stage.url,
        &stage.tls,
        capabilities,
        dialogue(Proof::Nothing, |_| None),
        limits.clone(),
    );
    let serving = async { stage.listener.accept().await.unwrap().handshake(limits).await.unwrap_err() };
    let (refused, _) = timeout(PATIENCE, async { tokio::join!(connecting, serving) }).await.unwrap();
    let error = refused.unwrap_err();
    assert!(matches!(&error, QuicError::Protocol(text) if text.contains("32768 are allowed")), "{error:?}");
}

/// A client that speaks QUIC and whatever else it likes.
async fn stranger(stage: &Stage, alpn: &[u8]) -> Result<quinn::Connection, quinn::ConnectionError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&stage.authority.pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(tls));
    let address = stage.listener.local_address().unwrap();
    endpoint.connect_with(config, address, "127.0.0.1").unwrap().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_gets_the_control_stream_and_is_closed_when_it_says_something_else_on_it() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let handshake = async { stage.listener.accept().await.unwrap().handshake(QueueLimits::default()).await };
    let knocking = async {
        let connection = stranger(&stage, b"keyway/1").await.unwrap();
        let (mut send, _receive) = connection.open_bi().await.unwrap();
        let some_time = Duration::from_millis(100);
        assert!(timeout(some_time, connection.open_bi()).await.is_err(), "one is all");
        assert!(timeout(some_time, connection.open_uni()).await.is_err(), "and none of the other kind");
        // A Hello that ends in the middle of a number.
        send.write_all(b"\x02\x00\xFF").await.unwrap();
        connection.closed().await
    };
    let (heard, closed) = timeout(PATIENCE, async { tokio::join!(handshake, knocking) }).await.unwrap();
    assert!(matches!(heard, Err(QuicError::Protocol(_))));
    assert!(
        matches!(&closed, quinn::ConnectionError::ApplicationClosed(close) if close.error_code == 1_u32.into()),
        "{closed:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_another_protocol_is_refused_in_the_tls_handshake() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let handshake = async { stage.listener.accept().await.unwrap().handshake(QueueLimits::default()).await };
    let (heard, refused) = tokio::join!(handshake, stranger(&stage, b"h3"));
    assert!(heard.is_err() && matches!(refused, Err(quinn::ConnectionError::ConnectionClosed(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_before_the_end_arrives_and_both_sides_hear_of_it() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let (client, _server, mut record) = stage.open().await;
    let (recorder, mut own) = Recorder::new();
    tokio::spawn(client.driver.run(recorder));
    for id in 0..100 {
        client.sender.send(call(id, id, if id % 10 == 0 { 200_000 } else { 10 })).unwrap();
    }
    client.sender.close(CloseReason::Local);
    assert_eq!(client.sender.send(call(100, 1, 0)), Err(SendError::Closed));
    for _ in 0..100 {
        record.frame().await;
    }
    assert!(matches!(record.closed().await, CloseReason::Remote));
    assert!(matches!(own.closed().await, CloseReason::Local));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_that_is_dropped_closes_and_its_handler_hears_of_it() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let (client, _server, mut record) = stage.open().await;
    let (recorder, mut own) = Recorder::new();
    drop(client.driver.run(recorder));
    assert!(matches!(own.closed().await, CloseReason::Local));
    assert!(client.sender.is_closed());
    assert!(matches!(record.closed().await, CloseReason::Remote));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_over_the_limit_closes_the_connection() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let (client, _server, mut record) = stage.open().await;
    let (recorder, mut own) = Recorder::new();
    tokio::spawn(client.driver.run(recorder));
    client.sender.send(call(1, 1, (1 << 26) + 1)).unwrap();
    assert!(matches!(record.closed().await, CloseReason::Frame(_)));
    assert!(own.closed().await.to_string().contains("too large"));
}

/// Says what it got, and what was missing before it; takes nothing while it is told not to.
struct Gaps(UnboundedSender<(u32, u64)>, u64, Arc<RwLock<()>>);

impl Handler for Gaps {
    fn on_frame(&mut self, _: Instant, frame: Frame, _: &Sender) -> Result<(), CloseReason> {
        while self.2.try_read().is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.0.send((frame.header.id.0, std::mem::take(&mut self.1)));
        Ok(())
    }

    fn max_payload(&self) -> u32 {
        1 << 26
    }

    fn on_gap(&mut self, _: (ServiceId, ObjectId, ActionId), missed: u64) {
        self.1 = missed;
    }

    fn on_closed(&mut self, _: CloseReason) {}
}

/// Events of a signal with this rule, sent to a client that does not read until all are sent: ids, how many were missing before
/// each, and how many were sent. They are sent until no more than `bound` bytes wait for it: the rule has arrived.
async fn overflowing(overflow: Overflow, bound: usize) -> (Vec<(u32, u64)>, u32) {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let (client, server, _record) = stage.open().await;
    let (sender, mut received): (_, UnboundedReceiver<_>) = unbounded_channel();
    let gate = Arc::new(RwLock::new(()));
    let closed = gate.clone().write_owned().await;
    client.sender.ask_overflow(ServiceId(2), ObjectId(1), ActionId(300), overflow).unwrap();
    tokio::spawn(client.driver.run(Gaps(sender, 0, gate)));
    let mut sent = 0;
    loop {
        for _ in 0..2000 {
            sent += 1;
            server.send(event(sent, 300, 2000)).unwrap();
        }
        if server.queued_bytes() <= bound {
            break;
        }
        assert!(sent < 30_000, "{} bytes wait", server.queued_bytes());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(closed);
    let mut found = Vec::new();
    while found.last().is_none_or(|(id, _)| *id != sent) {
        found.push(timeout(PATIENCE, received.recv()).await.unwrap().unwrap());
    }
    (found, sent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn events_that_are_not_taken_are_dropped_by_the_subscriber_s_rule_and_missed_ones_are_counted() {
    let (all, _) = overflowing(Overflow::Block, usize::MAX).await;
    assert!(all.into_iter().eq((1..=2000).map(|id| (id, 0))));
    for (overflow, bound) in [(Overflow::DropOldest, 1 << 20), (Overflow::Latest, 100_000)] {
        let (found, sent) = overflowing(overflow, bound).await;
        let missed: u64 = found.iter().map(|(_, missed)| missed).sum();
        assert!(missed > 0 && found.len() as u64 + missed == u64::from(sent), "{overflow:?}: {missed} of {sent}");
        assert!(found.windows(2).all(|pair| u64::from(pair[1].0 - pair[0].0) == pair[1].1 + 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_peer_that_does_not_read_is_closed_as_a_slow_consumer() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let (recorder, mut record) = Recorder::new();
    let mut limits = QueueLimits::default();
    limits.max_bytes = 1 << 20;
    let (client, server) = stage.open_with(recorder, limits).await;
    // The client's driver does not run.
    let refused = (0..10_000).map(|id| server.send(call(id, 1, 10_000))).find(Result::is_err);
    assert_eq!(refused, Some(Err(SendError::SlowConsumer)));
    assert!(matches!(record.closed().await, CloseReason::SlowConsumer));
    drop(client);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_without_power_is_found_after_dead_after() {
    let mut stage = Stage::new(Duration::from_millis(500)).await;
    let (url, network) = network(stage.listener.local_address().unwrap()).await;
    stage.url = url;
    let (client, _server, mut record) = stage.open().await;
    let (recorder, mut own) = Recorder::new();
    tokio::spawn(client.driver.run(recorder));
    // Idle is not dead: pings go to and fro.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    client.sender.send(call(1, 1, 0)).unwrap();
    assert_eq!(record.frame().await.header.id, MessageId(1));
    network.abort();
    assert!(matches!(record.closed().await, CloseReason::Io(error) if error.kind() == std::io::ErrorKind::TimedOut));
    assert!(matches!(own.closed().await, CloseReason::Io(error) if error.kind() == std::io::ErrorKind::TimedOut));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_sees_the_address_change() {
    let stage = Stage::new(Duration::from_secs(10)).await;
    let (client, server, mut record) = stage.open().await;
    tokio::spawn(client.driver.run(Recorder::new().0));
    let before = server.current_address().unwrap();
    assert_eq!(before.port(), stage.endpoint.local_address().unwrap().port());
    stage.endpoint.rebind().unwrap();
    client.sender.send(call(1, 1, 0)).unwrap();
    record.frame().await;
    let after = server.current_address().unwrap();
    assert_eq!(after.port(), stage.endpoint.local_address().unwrap().port());
    assert_ne!(before, after);
}
