//! Native clients of the gateway (docs/native-protocol.md).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::join_all;
use keyway::{
    Directory, Error, Object, QuicEndpoint, QuicOptions, Session, SessionBuilder, Signal, TlsClient, TlsServer,
    front::FrontSettings,
};
use keyway_auth::{AuthConfig, Authenticator, token};
use keyway_door_qi::{Door, DoorSettings};
use keyway_gateway::{BusSettings, Gateway, Rules};
use keyway_policy::Policy;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// A directory with a service, and a gateway in front of it.
struct Stage {
    directory: Directory,
    _gateway: Gateway,
    door: Door,
    tls: TlsClient,
    token: String,
    changed: Signal<(i32,)>,
    /// How often each call ran.
    runs: Arc<Mutex<HashMap<u32, u32>>>,
}

impl Stage {
    async fn new(shared: bool) -> Self {
        let directory = Directory::builder().start().await.unwrap();
        let changed = Signal::new();
        let runs: Arc<Mutex<HashMap<u32, u32>>> = Arc::default();
        let mut builder = Object::builder();
        builder.signal("changed", &changed);
        builder.method("echo", |(text,): (String,)| text);
        let counted = runs.clone();
        builder.method_async("run", move |(n,): (u32,)| {
            *counted.lock().unwrap().entry(n).or_default() += 1;
            async move {
                tokio::time::sleep(Duration::from_millis(u64::from(n % 400))).await;
                n
            }
        });
        directory.session().register("Robot", builder).await.unwrap();

        let (secret, hash) = token::generate().unwrap();
        let text = format!("[[user]]\nname = \"nao\"\nrole = \"admin\"\ntoken_hash = \"{hash}\"\n");
        let policy = Policy::default();
        let auth = AuthConfig::parse("keyway.toml", &text, &policy).unwrap();
        let authenticator = Authenticator::new(auth);
        let rules = Rules::new(policy, authenticator);
        let presence = Some("Presence".to_owned());
        let bus = BusSettings { shared, presence, ..BusSettings::new(directory.urls().remove(0), Session::builder()) };
        let gateway = Gateway::start(rules, vec![bus], None);

        let CertifiedKey::<KeyPair> { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let pem = cert.pem().into_bytes();
        let server = TlsServer::from_pem(&pem, signing_key.serialize_pem().as_bytes()).unwrap();
        let urls = vec!["quic://127.0.0.1:0".to_owned(), "tcp://127.0.0.1:0".to_owned()];
        let front = FrontSettings { tls: Some(server), ..FrontSettings::default() };
        let door =
            Door::open(&gateway, &gateway.buses()[0], DoorSettings { urls, front, anonymous: None }).await.unwrap();
        let tls = TlsClient::ca_pem(&pem).unwrap();
        let token = secret.expose().to_owned();
        Self { directory, _gateway: gateway, door, tls, token, changed, runs }
    }

    fn client(&self) -> SessionBuilder {
        Session::builder().tls(self.tls.clone()).credentials("nao", self.token.clone())
    }

    async fn connect(&self, builder: SessionBuilder) -> keyway::Result<Session> {
        timeout(PATIENCE, builder.connect(&self.door.urls()[0])).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_native_client_uses_a_qi_service_through_the_gateway() {
    for shared in [false, true] {
        let stage = Stage::new(shared).await;
        let session = stage.connect(stage.client()).await.unwrap();
        let robot = timeout(PATIENCE, session.wait_for_service("Robot")).await.unwrap().unwrap();
        let text = "keyway ".repeat(100_000);
        assert_eq!(robot.call::<String>("echo", (text.clone(),)).await.unwrap(), text);
        let mut events = robot.signal::<(i32,)>("changed").await.unwrap();
        for n in 0..1000 {
            stage.changed.emit(&(n,));
        }
        for n in 0..1000 {
            assert_eq!(timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap(), (n,));
        }
        // Others are not told of addresses they cannot use.
        let endpoints = session.service_info("Robot").await.unwrap().endpoints;
        assert!(!endpoints.is_empty() && endpoints.iter().all(|url| !url.starts_with("quic")), "{endpoints:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_native_client_s_service_is_used_from_inside() {
    let stage = Stage::new(false).await;
    let session = stage.connect(stage.client()).await.unwrap();
    timeout(PATIENCE, session.wait_for_service("Robot")).await.unwrap().unwrap();
    let mut builder = Object::builder();
    builder.method("twice", |(n,): (i32,)| 2 * n);
    session.register("Outside", builder).await.unwrap();
    let inside = Session::connect(&stage.directory.urls()[0]).await.unwrap();
    let outside = timeout(PATIENCE, inside.wait_for_service("Outside")).await.unwrap().unwrap();
    assert_eq!(outside.call::<i32>("twice", (21,)).await.unwrap(), 42);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b2_nobody_comes_in_without_the_right_token() {
    let stage = Stage::new(false).await;
    let nobody = Session::builder().tls(stage.tls.clone());
    let impostor = nobody.clone().credentials("nao", "guessed");
    for builder in [nobody, impostor] {
        let error = stage.connect(builder).await.unwrap_err();
        assert!(matches!(&error, Error::Closed(text) if text.starts_with("Authentication failed")), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b5_a_thousand_running_calls_survive_a_change_of_address_and_none_runs_twice() {
    let stage = Stage::new(false).await;
    let endpoint = QuicEndpoint::new(QuicOptions::default()).unwrap();
    let session = stage.connect(stage.client().quic_endpoint(endpoint.clone())).await.unwrap();
    let robot = timeout(PATIENCE, session.wait_for_service("Robot")).await.unwrap().unwrap();
    let before = endpoint.local_address().unwrap();
    let calls: Vec<_> = (0..1000).map(|n| robot.call::<u32>("run", (n,))).collect();
    let moving = async {
        for _ in 0..4 {
            endpoint.rebind().unwrap();
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    };
    let (answers, ()) = timeout(PATIENCE, async { tokio::join!(join_all(calls), moving) }).await.unwrap();
    assert!((0..).zip(answers).all(|(n, answer)| answer.unwrap() == n));
    assert_ne!(endpoint.local_address().unwrap(), before);
    let runs = stage.runs.lock().unwrap();
    assert!(runs.len() == 1000 && runs.values().all(|runs| *runs == 1), "each ran once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_inside_hear_that_a_client_is_at_another_address() {
    let stage = Stage::new(false).await;
    let endpoint = QuicEndpoint::new(QuicOptions::default()).unwrap();
    let session = stage.connect(stage.client().quic_endpoint(endpoint.clone())).await.unwrap();
    let robot = timeout(PATIENCE, session.wait_for_service("Robot")).await.unwrap().unwrap();
    let inside = Session::connect(&stage.directory.urls()[0]).await.unwrap();
    let presence = timeout(PATIENCE, inside.wait_for_service("Presence")).await.unwrap().unwrap();
    let mut moves = presence.signal::<keyway::Value>("addressChanged").await.unwrap();
    endpoint.rebind().unwrap();
    let port = endpoint.local_address().unwrap().port().to_string();
    let told = async {
        loop {
            // It is seen by what it sends.
            robot.call::<u32>("run", (400,)).await.unwrap();
            if let Ok(told) = timeout(Duration::from_millis(200), moves.next()).await {
                return format!("{:?}", told.unwrap().unwrap());
            }
        }
    };
    let told = timeout(PATIENCE, told).await.unwrap();
    assert!(told.contains(&format!("quic://127.0.0.1:{port}")), "{told}");
}
