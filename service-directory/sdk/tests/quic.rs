//! Sessions, services and signals over `quic` (docs/native-protocol.md).

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use keyway::{
    CallContext, Directory, Error, HandshakeError, Object, ObjectBuilder, QuicEndpoint, QuicOptions, Session, Signal,
    TlsClient, TlsServer,
};
use parking_lot::Mutex;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::{sync::Notify, time::timeout};

const PATIENCE: Duration = Duration::from_secs(20);

fn robot() -> (TlsServer, TlsClient) {
    let CertifiedKey::<KeyPair> { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let pem = cert.pem().into_bytes();
    let server = TlsServer::from_pem(&pem, signing_key.serialize_pem().as_bytes()).unwrap();
    (server, TlsClient::ca_pem(&pem).unwrap())
}

async fn directory() -> (Directory, String, TlsClient) {
    let (server, client) = robot();
    let directory = Directory::builder().listen("quic://127.0.0.1:0").tls(server).start().await.unwrap();
    let url = directory.urls().remove(0);
    assert!(url.starts_with("quic://127.0.0.1:") && !url.ends_with(":0"), "{url}");
    (directory, url, client)
}

async fn connect(url: &str, tls: &TlsClient) -> Session {
    Session::builder().tls(tls.clone()).connect(url).await.unwrap()
}

fn doubling(signal: &Signal<(i32,)>) -> ObjectBuilder {
    let mut builder = Object::builder();
    builder.method("twice", |(n,): (i32,)| 2 * n);
    builder.method("echo", |(text,): (String,)| text);
    builder.signal("changed", signal);
    builder
}

/// A call, a large call and a signal.
async fn use_service(client: &Session, changed: &Signal<(i32,)>) {
    let service = client.service("Doubling").await.unwrap();
    assert_eq!(service.call::<i32>("twice", (21,)).await.unwrap(), 42);
    let text = "keyway ".repeat(300_000);
    assert_eq!(service.call::<String>("echo", (text.clone(),)).await.unwrap(), text);
    let mut events = service.signal::<(i32,)>("changed").await.unwrap();
    for n in 0..1000 {
        changed.emit(&(n,));
    }
    for n in 0..1000 {
        assert_eq!(timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap(), (n,));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_and_signals_of_the_directory_s_process_work_over_quic() {
    let (directory, url, tls) = directory().await;
    let changed = Signal::new();
    directory.session().register("Doubling", doubling(&changed)).await.unwrap();
    let session = connect(&url, &tls).await;
    use_service(&session, &changed).await;
    assert_eq!(session.machine_id().await.unwrap().len(), 36);
    session.close().await;
    assert!(!session.is_connected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_behind_quic_is_called_over_its_own_connection() {
    let (directory, url, tls) = directory().await;
    let host = connect(&url, &tls).await;
    let changed = Signal::new();
    host.register("Doubling", doubling(&changed)).await.unwrap();
    assert_eq!(host.endpoints(), Vec::<String>::new());
    let client = connect(&url, &tls).await;
    use_service(&client, &changed).await;
    let local = directory.session().service("Doubling").await.unwrap();
    assert_eq!(local.call::<i32>("twice", (4,)).await.unwrap(), 8);
    let mut events = client.service_events().await.unwrap();
    host.close().await;
    let event = timeout(PATIENCE, events.next()).await.unwrap().unwrap();
    assert!(!event.added && event.name == "Doubling", "{event:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_by_quic_and_one_by_tcp_use_each_other_s_services() {
    let (server, tls) = robot();
    let builder = Directory::builder().listen("tcp://127.0.0.1:0").listen("quic://127.0.0.1:0").tls(server);
    let directory = builder.start().await.unwrap();
    let urls = directory.urls();
    let by_tcp = Session::builder().without_listener().connect(&urls[0]).await.unwrap();
    let by_quic = connect(&urls[1], &tls).await;
    let changed = Signal::new();
    for (host, client) in [(&by_tcp, &by_quic), (&by_quic, &by_tcp)] {
        let id = host.register("Doubling", doubling(&changed)).await.unwrap();
        use_service(client, &changed).await;
        host.unregister(id).await.unwrap();
    }
    // Only whoever asks for it speaks QUIC.
    let endpoints = by_tcp.service_info("ServiceDirectory").await.unwrap().endpoints;
    assert!(endpoints.iter().all(|endpoint| !endpoint.starts_with("quic")), "{endpoints:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_cancelled_over_quic() {
    let (directory, url, tls) = directory().await;
    let (running, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let mut builder = Object::builder();
    {
        let (running, dropped) = (running.clone(), dropped.clone());
        builder.method_async("wait", move |()| {
            let (running, dropped) = (running.clone(), OnDrop(dropped.clone()));
            async move {
                let _dropped = dropped;
                running.notify_one();
                std::future::pending::<()>().await;
            }
        });
    }
    directory.session().register("Waiting", builder).await.unwrap();
    let session = connect(&url, &tls).await;
    let waiting = session.service("Waiting").await.unwrap();
    let mut call = waiting.call::<()>("wait", ());
    tokio::select! {
        _ = &mut call => panic!("it waits for ever"),
        () = running.notified() => {}
    }
    call.cancel();
    assert!(matches!(timeout(PATIENCE, call).await.unwrap(), Err(Error::Canceled)));
    timeout(PATIENCE, dropped.notified()).await.unwrap();
}

struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_travel_over_quic_in_both_directions() {
    let (directory, url, tls) = directory().await;
    let mut builder = Object::builder();
    builder.method("make", |(factor,): (i32,)| {
        let mut made = Object::builder();
        made.method("times", move |(n,): (i32,)| factor * n);
        made.build()
    });
    builder.method_async("use", |(object,): (Object,)| async move { object.proxy().call::<i32>("times", (7,)).await });
    directory.session().register("Factory", builder).await.unwrap();
    let session = connect(&url, &tls).await;
    let factory = session.service("Factory").await.unwrap();
    let made: Object = factory.call("make", (6,)).await.unwrap();
    assert_eq!(made.proxy().call::<i32>("times", (7,)).await.unwrap(), 42);
    let mut own = Object::builder();
    own.method("times", |(n,): (i32,)| 3 * n);
    assert_eq!(factory.call::<i32>("use", (own.build(),)).await.unwrap(), 21);
}

/// What a test has seen of calls: how often each ran, and over which connections.
#[derive(Default)]
struct Seen {
    runs: HashMap<u32, u32>,
    connections: Vec<u64>,
}

/// Counts what it runs, and answers after a while.
fn counting(seen: &Arc<Mutex<Seen>>, started: &Arc<AtomicU32>) -> ObjectBuilder {
    let (seen, started) = (seen.clone(), started.clone());
    let mut builder = Object::builder();
    builder.method_async_with_context("run", move |context: CallContext, (n,): (u32,)| {
        let mut seen = seen.lock();
        *seen.runs.entry(n).or_default() += 1;
        seen.connections.extend(context.connection().map(|connection| connection.0));
        started.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(Duration::from_millis(u64::from(n % 400))).await;
            n
        }
    });
    builder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_running_calls_survive_a_change_of_address_and_none_runs_twice() {
    let (directory, url, tls) = directory().await;
    let (seen, started) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicU32::new(0)));
    directory.session().register("Counting", counting(&seen, &started)).await.unwrap();
    let endpoint = QuicEndpoint::new(QuicOptions::default()).unwrap();
    let builder = Session::builder().tls(tls).quic_endpoint(endpoint.clone());
    let session = builder.connect(&url).await.unwrap();
    let counting = session.service("Counting").await.unwrap();

    let before = endpoint.local_address().unwrap();
    let mut calls = Vec::new();
    for n in 0..1000 {
        calls.push(counting.call::<u32>("run", (n,)));
        // In the middle of sending as well as of waiting.
        if n % 250 == 125 {
            endpoint.rebind().unwrap();
            tokio::task::yield_now().await;
        }
    }
    let moving = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            endpoint.rebind().unwrap();
        }
    };
    let (answers, ()) = timeout(PATIENCE, async { tokio::join!(join_all(calls), moving) }).await.unwrap();
    for (n, answer) in (0..).zip(answers) {
        assert_eq!(answer.unwrap(), n);
    }
    assert_ne!(endpoint.local_address().unwrap(), before);
    let seen = seen.lock();
    assert!(seen.runs.len() == 1000 && seen.runs.values().all(|runs| *runs == 1), "each ran once");
    let first = seen.connections[0];
    // A new handshake would have been another connection to the server.
    assert!(seen.connections.iter().all(|connection| *connection == first));
    assert!(session.is_connected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_trusted_is_not_talked_to() {
    let (_directory, url, _) = directory().await;
    let (_, stranger) = robot();
    let error = Session::builder().tls(stranger).connect(&url).await.unwrap_err();
    assert!(matches!(error, Error::Tls { source: HandshakeError::NotTrusted { .. }, .. }), "{error:?}");
    let error = Session::connect(&url).await.unwrap_err();
    assert!(error.to_string().contains("--pin"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_of_quic_wants_a_certificate() {
    let error = Directory::builder().listen("quic://127.0.0.1:0").start().await.unwrap_err();
    assert!(error.to_string().contains("needs --cert and --key"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_directory_goes_calls_fail_and_the_session_ends() {
    let (directory, url, tls) = directory().await;
    let mut builder = Object::builder();
    builder.method_async("wait", |()| std::future::pending::<()>());
    directory.session().register("Waiting", builder).await.unwrap();
    let session = connect(&url, &tls).await;
    let call = session.service("Waiting").await.unwrap().call::<()>("wait", ());
    let closing = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        directory.close().await;
    };
    let (outcome, ()) = timeout(PATIENCE, async { tokio::join!(call, closing) }).await.unwrap();
    assert!(matches!(outcome, Err(Error::Closed(_))), "{outcome:?}");
    timeout(PATIENCE, session.disconnected()).await.unwrap();
}
