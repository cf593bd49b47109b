//! Limits of a configured gateway: what clients may send before they have said who they are, and what waits for those who read slowly.

use std::{net::TcpListener, time::Duration};

use bytes::Bytes;
use keyway::{Object, Session, Signal};
use keyway_tests::{
    eventually,
    gateway::{Gateway, token_of, user},
    libqi::{Driven, peer_python},
    process::{Keyway, Running},
    raw::{Raw, payload},
};
use keyway_wire::MessageKind;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A service whose events are large.
struct Camera {
    frames: Signal<(u32, Bytes)>,
    _session: Session,
}

const FRAME: usize = 100_000;
/// Together less than the 64 MiB that a host keeps for a connection: it must not hang up on a gateway that waits for a processor.
const EVENTS: u32 = 600;

impl Camera {
    async fn at(directory: &Running) -> Self {
        let session = Session::connect(&directory.url).await.unwrap();
        let (frames, mut builder) = (Signal::new(), Object::builder());
        builder.signal("frame", &frames);
        builder.method("ping", |(): ()| 1);
        session.register("Camera", builder).await.unwrap();
        Self { frames, _session: session }
    }

    fn emit(&self, number: u32) {
        self.frames.emit(&(number, vec![0; FRAME].into()));
    }
}

fn start(directory: &Running, settings: &str, upstream: &str) -> Gateway {
    let config = format!("{}\n{settings}", user("admin", "admin"));
    Gateway::start(&directory.url, &config, &["--upstream", upstream])
}

async fn client(gateway: &Gateway) -> Session {
    let builder = Session::builder().credentials("admin", token_of("admin"));
    builder.connect(gateway.url()).await.unwrap()
}

/// Clients that have subscribed to the camera, and read nothing more.
async fn subscribers(gateway: &Gateway, count: usize) -> Vec<Raw> {
    let session = client(gateway).await;
    let service = eventually("the service", session.wait_for_service("Camera")).await.unwrap();
    let id = session.service_info("Camera").await.unwrap().service_id.0;
    let signal = service.metaobject().signals.values().find(|signal| signal.name == "frame").unwrap().uid;
    let mut subscribers = Vec::new();
    for _ in 0..count {
        let mut raw = Raw::authenticated_as(gateway.url(), "admin").await;
        let _: u64 = raw.call_typed((id, 1, 0), &(id, signal, 1_u64)).await;
        subscribers.push(raw);
    }
    subscribers
}

#[tokio::test]
async fn who_sends_much_before_authenticating_is_closed() {
    let directory = Keyway::directory(&[]);
    let gateway = start(&directory, "[limits]\nunauthenticated_bytes = \"4KiB\"\n", "dedicated");
    let address = gateway.url().trim_start_matches("tcp://");
    for (size, closed) in [(2_000_u32, false), (5_000, true)] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut header =
            keyway_wire::Frame::capability(keyway_value::MessageId(1), Default::default()).to_bytes().to_vec();
        header[8..12].copy_from_slice(&size.to_le_bytes());
        stream.write_all(&header).await.unwrap();
        let read = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut [0; 64])).await;
        let is_closed = matches!(read, Ok(Ok(0) | Err(_)));
        assert_eq!(is_closed, closed, "{size} bytes: {read:?}");
    }
    // Afterwards it may send more.
    let mut raw = Raw::authenticated_as(gateway.url(), "admin").await;
    let session = raw.call((1, 1, 101), payload(&())).await;
    assert_eq!(session.header.kind, MessageKind::Reply);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_read_nothing_share_a_budget_and_others_do_not_notice() {
    let directory = Keyway::directory(&[]);
    let camera = Camera::at(&directory).await;
    let limits = "[limits]\nqueue_per_session = \"8MiB\"\nqueue_total = \"8MiB\"\n";
    // One connection inside for all: what waits, waits in the gateway.
    let gateway = start(&directory, limits, "shared");
    let before = gateway.process.resident_kib();
    let reader = client(&gateway).await;
    let service = eventually("the service", reader.wait_for_service("Camera")).await.unwrap();
    let mut events = service.signal::<(u32, Bytes)>("frame").await.unwrap();
    let stalled = subscribers(&gateway, 4).await;
    let mut largest = 0;
    for number in 0..2000 {
        camera.emit(number);
        let event = eventually("an event", events.next()).await.unwrap().unwrap();
        assert_eq!(event.0, number);
        largest = largest.max(gateway.process.resident_kib());
    }
    assert_eq!(events.missed(), 0);
    // Those who read nothing would have had 200 MB each.
    assert!(largest < before + 48 * 1024, "{before} KiB before, {largest} KiB at most");
    for mut raw in stalled {
        let found = raw.closed().await.len();
        assert!(found < 2000, "it was closed before it got {found} events");
    }
    assert_eq!(service.call::<i32>("ping", ()).await.unwrap(), 1);
}

const WATCH: &str = r#"
seen = []
camera = do(session.service, "Camera")
link = camera.frame.connect(lambda number, pixels: seen.append(number))
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_subscriber_gets_the_latest_events_and_what_it_misses_is_counted() {
    for upstream in ["dedicated", "shared"] {
        let directory = Keyway::directory(&[]);
        let camera = Camera::at(&directory).await;
        let limits = "[limits]\nevents = [{ signal = \"Camera.*\", overflow = \"latest\" }]\n";
        let admin = free_address();
        let config = format!("{}\n{limits}", user("admin", "admin"));
        let gateway = Gateway::start(&directory.url, &config, &["--upstream", upstream, "--admin", &admin]);
        let before = gateway.process.resident_kib();
        let mut raw = subscribers(&gateway, 1).await.remove(0);
        for number in 0..EVENTS {
            camera.emit(number);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(gateway.process.resident_kib() < before + 32 * 1024, "{upstream}");
        let mut numbers = Vec::new();
        while numbers.last() != Some(&(EVENTS - 1)) {
            let frame = eventually("an event", raw.read()).await.expect("it stays connected");
            assert_eq!(frame.header.kind, MessageKind::Event);
            numbers.push(u32::from_le_bytes(*frame.payload_bytes().first_chunk().unwrap()));
        }
        assert!(numbers.is_sorted() && numbers.len() < 300, "{upstream}: {} events", numbers.len());
        let metrics = metrics(&admin).await;
        let dropped = metrics.lines().find(|line| line.starts_with("keyway_gateway_events_dropped_total")).unwrap();
        let dropped: u64 = dropped.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(dropped as usize + numbers.len(), EVENTS as usize, "{upstream}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_libqi_client_that_keeps_up_misses_nothing_under_a_rule() {
    let Some(python) = peer_python() else { return };
    let directory = Keyway::directory(&[]);
    let camera = Camera::at(&directory).await;
    let limits = "[limits]\nevents = [{ signal = \"Camera.*\", overflow = \"drop-oldest\" }]\n";
    let gateway = start(&directory, limits, "dedicated");
    let mut client = Driven::start(&python);
    let connect = format!("session = connect({:?}, \"admin\", {:?})\n{WATCH}", gateway.url(), token_of("admin"));
    client.run(&connect).await;
    for number in 0..200 {
        camera.emit(number);
        // No more than may wait by the rule, however busy the machine is.
        if number % 10 == 9 {
            client.run(&format!("until(lambda: len(seen) > {number})")).await;
        }
    }
    assert_eq!(client.run("sorted(seen) == list(range(200))").await, json!(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_libqi_subscriber_hears_again_after_the_host_has_hung_up_on_a_gateway_that_did_not_read() {
    let Some(python) = peer_python() else { return };
    for upstream in ["dedicated", "shared"] {
        let directory = Keyway::directory(&[]);
        let camera = Camera::at(&directory).await;
        let gateway = start(&directory, "", upstream);
        let mut client = Driven::start(&python);
        let connect = format!("session = connect({:?}, \"admin\", {:?})\n{WATCH}", gateway.url(), token_of("admin"));
        client.run(&connect).await;
        camera.emit(0);
        client.run("until(lambda: 0 in seen)").await;
        gateway.process.signal("STOP");
        let hung_up = async {
            while camera.frames.subscribers() > 0 {
                camera.emit(1);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        eventually("the host hangs up", hung_up).await;
        gateway.process.signal("CONT");
        let subscribed = async {
            while camera.frames.subscribers() == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        eventually("the gateway subscribes again", subscribed).await;
        camera.emit(2);
        client.run("until(lambda: 2 in seen)").await;
        assert_eq!(client.run("do(camera.ping)").await, json!(1), "{upstream}");
        assert_eq!(client.run("seen.count(0) == seen.count(2) == 1").await, json!(true), "{upstream}");
        // The subscription is the client's still.
        client.run("camera.frame.disconnect(link)").await;
        let ended = async {
            while camera.frames.subscribers() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        eventually("the subscription ends", ended).await;
    }
}

async fn metrics(address: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// An address where nobody listens yet.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
