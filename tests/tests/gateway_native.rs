//! B4 for native clients: `keyway gateway` is killed during a thousand of their calls, and comes back.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use keyway::{Error, Object, Session, Signal, TlsClient};
use keyway_tests::{
    eventually,
    gateway::{Gateway, token_of, user},
    process::Keyway,
};
use rcgen::generate_simple_self_signed;

/// Calls that run while the gateway is killed.
const CALLS: u32 = 1000;

/// Kills the gateway and starts it again, with the keys of its sessions in a file or without.
async fn killed_and_back(settings: &str) {
    let directory = Keyway::directory(&[]);
    let robot = Session::connect(&directory.url).await.unwrap();
    let (moved, runs) = (Signal::<(u32,)>::new(), Arc::<Mutex<HashMap<u32, u32>>>::default());
    let (mut builder, counted) = (Object::builder(), runs.clone());
    builder.signal("moved", &moved);
    builder.method_async("run", move |(number,): (u32,)| {
        *counted.lock().unwrap().entry(number).or_default() += 1;
        async move {
            tokio::time::sleep(Duration::from_millis(u64::from(number % 1500))).await;
            number
        }
    });
    robot.register("Robot", builder).await.unwrap();

    let files = tempfile::tempdir().unwrap();
    let pair = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let path = |name: &str| files.path().join(name).display().to_string();
    std::fs::write(path("server.pem"), pair.cert.pem()).unwrap();
    std::fs::write(path("server.key"), pair.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (path("server.pem"), path("server.key"));
    let tls = ["--server-cert", &certificate, "--server-key", &key];
    let listen = ["--listen", "quic://127.0.0.1:0"];
    let config = user("admin", "admin") + settings;
    let mut gateway = Gateway::start(&directory.url, &config, &[&listen[..], &tls].concat());

    let builder = Session::builder().credentials("admin", token_of("admin"));
    let builder = builder.tls(TlsClient::ca_pem(pair.cert.pem().as_bytes()).unwrap());
    let client = builder.connect(gateway.url()).await.unwrap();
    let service = eventually("the service", client.wait_for_service("Robot")).await.unwrap();
    let mut events = service.signal::<(u32,)>("moved").await.unwrap();
    moved.emit(&(1,));
    assert_eq!(eventually("an event", events.next()).await.unwrap().unwrap(), (1,));
    let calls: Vec<_> = (0..CALLS).map(|number| service.call::<u32>("run", (number,))).collect();
    eventually("all calls run", async {
        while runs.lock().unwrap().len() < CALLS as usize {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;

    gateway.restart(&directory.url, &tls);
    let back = Instant::now();
    let (mut answered, mut failed) = (0, 0);
    for (call, number) in calls.into_iter().zip(0..) {
        match eventually("every call ends", call).await {
            Ok(answer) => {
                assert_eq!(answer, number);
                answered += 1;
            }
            Err(Error::Closed(text)) if text.contains("unknown") => failed += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(failed > 0 && answered + failed == CALLS, "{answered} {failed}");
    // The same proxy and the same stream.
    eventually("a call", async {
        while service.call::<u32>("run", (CALLS * 1500,)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    println!("{answered} answered, {failed} failed; served again {:?} after the gateway was back", back.elapsed());
    let heard = eventually("an event after it", async {
        for number in 2.. {
            moved.emit(&(number,));
            if let Ok(event) = tokio::time::timeout(Duration::from_millis(50), events.next()).await {
                return event.unwrap().unwrap().0;
            }
        }
        unreachable!()
    })
    .await;
    assert!(heard >= 2);
    assert_eq!((events.missed(), events.interruptions()), (0, 1));
    assert!(client.is_connected() && robot.is_connected());
    let runs = runs.lock().unwrap();
    assert!(runs.iter().all(|(number, times)| *times == 1 || *number == CALLS * 1500), "none ran twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b4_native_clients_go_on_when_the_gateway_is_killed_and_knows_its_keys() {
    killed_and_back("[session]\nkey_file = \"keys\"\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b4_native_clients_authenticate_anew_when_the_gateway_is_killed_and_knows_no_keys() {
    killed_and_back("").await;
}
