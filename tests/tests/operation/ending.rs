//! How a gateway ends, and what it tells systemd.

use std::{
    os::unix::net::UnixDatagram,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use keyway::{Object, Session};
use keyway_tests::process::Keyway;

use crate::gate::{Gate, until};

/// A host of `Slow.wait`, which answers when `go` is set, and of `Slow.stop`.
async fn slow(directory: &str, go: &Arc<AtomicBool>, stopped: &Arc<AtomicBool>) -> Session {
    let session = Session::connect(directory).await.unwrap();
    let mut object = Object::builder();
    let (go, stopped) = (go.clone(), stopped.clone());
    object.method_async("wait", move |()| {
        let go = go.clone();
        async move {
            while !go.load(SeqCst) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            "done".to_owned()
        }
    });
    object.method("stop", move |()| stopped.store(true, SeqCst));
    session.register("Slow", object.build()).await.unwrap();
    session
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_run_finish_and_new_ones_and_new_clients_are_refused() {
    let directory = Keyway::directory(&[]);
    let (go, stopped) = Default::default();
    let _host = slow(&directory.url, &go, &stopped).await;
    let lease = "[[lease]]\nservice = \"Slow\"\non_loss = \"Slow.stop\"\n";
    let mut gate = Gate::start(&directory.url, lease, &["--drain", "30"]);
    let client = Session::connect(&gate.process.url).await.unwrap();
    let service = client.wait_for_service("Slow").await.unwrap();
    let running = service.call::<String>("wait", ());
    gate.wait_for("keyway_gateway_calls_in_flight", 1);
    gate.process.signal("TERM");
    let draining = until("draining", || Some(gate.get("/readyz")).filter(|answer| answer.status == 503));
    assert_eq!(draining.json()["phase"], "draining");
    let refused = service.call::<String>("wait", ()).await.unwrap_err().to_string();
    assert!(refused.contains("KW-O001"), "{refused}");
    until("nobody comes in", || std::net::TcpStream::connect(gate.process.url.trim_start_matches("tcp://")).err());
    go.store(true, SeqCst);
    assert_eq!(running.await.unwrap(), "done");
    gate.process.ended();
    assert!(stopped.load(SeqCst), "the lease of a client that the gateway leaves is lost, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_take_too_long_are_cut_off() {
    let directory = Keyway::directory(&[]);
    let (go, stopped) = Default::default();
    let _host = slow(&directory.url, &go, &stopped).await;
    let mut gate = Gate::start(&directory.url, "", &["--drain", "1"]);
    let client = Session::connect(&gate.process.url).await.unwrap();
    let service = client.wait_for_service("Slow").await.unwrap();
    let running = service.call::<String>("wait", ());
    gate.wait_for("keyway_gateway_calls_in_flight", 1);
    gate.process.signal("TERM");
    running.await.unwrap_err();
    gate.process.ended();
}

#[test]
fn systemd_hears_of_readiness_of_life_and_of_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let hear = || {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    };
    let directory = Keyway::directory(&[]);
    let mut command = Command::new(Keyway::program());
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").env_remove("WATCHDOG_PID");
    let mut gate = Gate::start_by(command, &directory.url, "", &[]);
    assert_eq!(hear(), "READY=1");
    assert_eq!((hear().as_str(), hear().as_str()), ("WATCHDOG=1", "WATCHDOG=1"));
    gate.process.signal("TERM");
    while hear() != "STOPPING=1" {}
    gate.process.ended();
}
