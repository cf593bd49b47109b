//! Native clients that lose their connection, and gateways that are restarted (docs/native-protocol.md, section 6).

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use futures_util::future::join_all;
use keyway::{
    Directory, Error, Object, QuicEndpoint, QuicOptions, Session, Signal, TlsClient, TlsServer, front::FrontSettings,
};
use keyway_auth::{AuthConfig, Authenticator, resume::SealingKeys, token};
use keyway_door_qi::{Door, DoorSettings};
use keyway_gateway::{BusSettings, Gateway, Rules};
use keyway_policy::Policy;
use keyway_session::Credentials;
use parking_lot::Mutex;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::{net::UdpSocket, time::timeout};

const PATIENCE: Duration = Duration::from_secs(30);
/// After how long a connection is given up.
const DEAD_AFTER: Duration = Duration::from_millis(500);

/// A directory with a service, and what every gateway in front of it is made of.
struct Stage {
    directory: Directory,
    server: TlsServer,
    tls: TlsClient,
    token: String,
    rules: Rules,
    keys: tempfile::TempDir,
    changed: Signal<(u32,)>,
    /// How often each call ran.
    runs: Arc<Mutex<HashMap<u32, u32>>>,
}

impl Stage {
    async fn new() -> Self {
        let directory = Directory::builder().start().await.unwrap();
        let changed = Signal::new();
        let runs: Arc<Mutex<HashMap<u32, u32>>> = Arc::default();
        let mut builder = Object::builder();
        builder.signal("changed", &changed);
        let counted = runs.clone();
        builder.method_async("run", move |(n,): (u32,)| {
            *counted.lock().entry(n).or_default() += 1;
            async move {
                tokio::time::sleep(Duration::from_millis(u64::from(n % 1500))).await;
                n
            }
        });
        builder.method("passed", |(): ()| {
            let mut builder = Object::builder();
            builder.method("answer", |(): ()| 42);
            builder.build()
        });
        directory.session().register("Robot", builder).await.unwrap();
        let (token, rules) = new_token();
        let CertifiedKey::<KeyPair> { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let pem = cert.pem().into_bytes();
        Self {
            directory,
            server: TlsServer::from_pem(&pem, signing_key.serialize_pem().as_bytes()).unwrap(),
            tls: TlsClient::ca_pem(&pem).unwrap(),
            token,
            rules,
            keys: tempfile::tempdir().unwrap(),
            changed,
            runs,
        }
    }

    /// A gateway, which begins with the keys of the one before if it is to `remember`.
    async fn gateway(&self, remember: bool) -> (Gateway, Door) {
        let bus = BusSettings::new(self.directory.urls().remove(0), Session::builder());
        let gateway = Gateway::start(self.rules.clone(), vec![bus], None);
        if remember {
            let file = self.keys.path().join("keys");
            let keys = SealingKeys::load(&file).unwrap().unwrap_or_else(|| {
                let keys = SealingKeys::generate(SystemTime::now()).unwrap();
                keys.save(&file).unwrap();
                keys
            });
            gateway.comebacks().seal_with(keys, file);
        }
        let front =
            FrontSettings { tls: Some(self.server.clone()), quic_dead_after: DEAD_AFTER, ..FrontSettings::default() };
        let urls = vec!["quic://127.0.0.1:0".to_owned()];
        let settings = DoorSettings { urls, front, anonymous: None };
        let door = Door::open(&gateway, &gateway.buses()[0], settings).await.unwrap();
        (gateway, door)
    }

    /// A client that knows its token once: a gateway that asks again gets a wrong one.
    async fn connect(&self, network: &Network, again: bool) -> Session {
        let mut options = QuicOptions::default();
        options.dead_after = DEAD_AFTER;
        let token = self.token.clone();
        // It is asked once to look whether it can be said, and once for the connection.
        let asked = AtomicU32::new(0);
        let builder = Session::builder()
            .tls(self.tls.clone())
            .quic_endpoint(QuicEndpoint::new(options).unwrap())
            .authenticator(move || {
                let first = asked.fetch_add(1, Ordering::SeqCst) < 2;
                let token = if again || first { token.clone() } else { "forgotten".to_owned() };
                Box::new(Credentials::new("nao".to_owned(), token))
            });
        let url = format!("quic://{}", network.address);
        timeout(PATIENCE, builder.connect(&url)).await.unwrap().unwrap()
    }
}

/// A token, and rules by which it is the one of `nao`.
fn new_token() -> (String, Rules) {
    let (secret, hash) = token::generate().unwrap();
    let text = format!("[[user]]\nname = \"nao\"\nrole = \"admin\"\ntoken_hash = \"{hash}\"\n");
    let policy = Policy::default();
    let authenticator = Authenticator::new(AuthConfig::parse("keyway.toml", &text, &policy).unwrap());
    (secret.expose().to_owned(), Rules::new(policy, authenticator))
}

/// A network between one client and a server that can be cut, and lead to another server.
struct Network {
    address: SocketAddr,
    server: Arc<Mutex<SocketAddr>>,
    works: Arc<AtomicBool>,
}

impl Network {
    async fn to(door: &Door) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (server, works) = (Arc::new(Mutex::new(address_of(door))), Arc::new(AtomicBool::new(true)));
        let (at, on) = (server.clone(), works.clone());
        tokio::spawn(async move {
            let (mut packet, mut client) = (vec![0; 65_536], None);
            loop {
                let Ok((length, from)) = socket.recv_from(&mut packet).await else { continue };
                let server = *at.lock();
                // What a server still sends that is led to no more is neither's.
                let to = match client {
                    _ if from == server => client,
                    Some(client) if from != client => None,
                    _ => {
                        client = Some(from);
                        Some(server)
                    }
                };
                if let (Some(to), true) = (to, on.load(Ordering::SeqCst)) {
                    let _ = socket.send_to(&packet[..length], to).await;
                }
            }
        });
        Self { address, server, works }
    }

    fn lead_to(&self, door: &Door) {
        *self.server.lock() = address_of(door);
    }
}

fn address_of(door: &Door) -> SocketAddr {
    door.urls()[0].trim_start_matches("quic://").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b4_a_thousand_running_calls_survive_a_lost_connection_and_none_runs_twice_and_no_event_is_missed() {
    let stage = Stage::new().await;
    let (_gateway, door) = stage.gateway(false).await;
    let network = Network::to(&door).await;
    let session = stage.connect(&network, true).await;
    let robot = timeout(PATIENCE, session.wait_for_service("Robot")).await.unwrap().unwrap();
    let mut events = robot.signal::<(u32,)>("changed").await.unwrap();
    let calls: Vec<_> = (0..1000).map(|n| robot.call::<u32>("run", (n,))).collect();
    let happening = async {
        for n in 0..400 {
            if n == 50 || n == 250 {
                network.works.store(false, Ordering::SeqCst);
            }
            if n == 200 || n == 399 {
                network.works.store(true, Ordering::SeqCst);
            }
            stage.changed.emit(&(n,));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (answers, ()) = timeout(PATIENCE, async { tokio::join!(join_all(calls), happening) }).await.unwrap();
    assert!((0..).zip(answers).all(|(n, answer)| answer.unwrap() == n));
    let runs = stage.runs.lock().clone();
    assert!(runs.len() == 1000 && runs.values().all(|runs| *runs == 1), "each ran once");
    for n in 0..400 {
        assert_eq!(timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap(), (n,));
    }
    assert_eq!((events.missed(), events.interruptions()), (0, 0));
    assert!(session.is_connected());
}

/// The gateway is gone at once and another one comes, while a client calls, listens and hosts.
async fn restarted(remember: bool, again: bool) {
    let stage = Stage::new().await;
    let (gateway, door) = stage.gateway(remember).await;
    let network = Network::to(&door).await;
    let session = stage.connect(&network, again).await;
    let robot = timeout(PATIENCE, session.wait_for_service("Robot")).await.unwrap().unwrap();
    let mut events = robot.signal::<(u32,)>("changed").await.unwrap();
    let passed = robot.call::<keyway::Proxy>("passed", ()).await.unwrap();
    assert_eq!(passed.call::<i32>("answer", ()).await.unwrap(), 42);
    let mut builder = Object::builder();
    builder.method("twice", |(n,): (i32,)| 2 * n);
    let outside = session.register("Outside", builder).await.unwrap();
    stage.changed.emit(&(1,));
    assert_eq!(timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap(), (1,));
    let calls: Vec<_> = (0..1000).map(|n| robot.call::<u32>("run", (n,))).collect();
    while stage.runs.lock().len() < 1000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // As by kill -9: nobody hears of it.
    network.works.store(false, Ordering::SeqCst);
    drop((gateway, door));
    let (_gateway, door) = stage.gateway(remember).await;
    network.lead_to(&door);
    network.works.store(true, Ordering::SeqCst);

    let (mut answered, mut failed) = (0, 0);
    for answer in timeout(PATIENCE, join_all(calls)).await.unwrap() {
        match answer {
            Ok(_) => answered += 1,
            Err(Error::Closed(text)) if text.contains("unknown") => failed += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(answered + failed == 1000 && failed > 0, "{answered} {failed}");
    assert!(stage.runs.lock().values().all(|runs| *runs == 1), "none ran twice");
    // The same proxy, the same stream, the same service.
    let called = async {
        while robot.call::<u32>("run", (0,)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, called).await.unwrap();
    let heard = async {
        for n in 100.. {
            stage.changed.emit(&(n,));
            if let Ok(event) = timeout(Duration::from_millis(50), events.next()).await {
                return event.unwrap().unwrap();
            }
        }
        unreachable!()
    };
    assert!(timeout(PATIENCE, heard).await.unwrap().0 >= 100);
    assert_eq!((events.missed(), events.interruptions()), (0, 1));
    let inside = Session::connect(&stage.directory.urls()[0]).await.unwrap();
    let hosted = async {
        loop {
            // The directory may still list the one of the gateway that is gone, whom nobody reaches.
            if let Ok(service) = inside.wait_for_service("Outside").await
                && let Ok(answer) = service.call::<i32>("twice", (21,)).await
            {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert_eq!(timeout(PATIENCE, hosted).await.unwrap(), 42);
    // What was passed by the gateway that is gone is gone, and says so.
    assert!(matches!(passed.call::<i32>("answer", ()).await, Err(Error::Closed(text)) if text.contains("gone")));
    timeout(PATIENCE, session.unregister(outside)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b4_a_gateway_that_was_restarted_with_its_keys_asks_nobody_who_he_is() {
    restarted(true, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b4_a_gateway_that_was_restarted_without_keys_lets_clients_authenticate_anew() {
    restarted(false, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_when_its_token_was_replaced_while_its_connection_was_lost() {
    let stage = Stage::new().await;
    let (gateway, door) = stage.gateway(true).await;
    let network = Network::to(&door).await;
    let session = stage.connect(&network, true).await;
    let robot = timeout(PATIENCE, session.wait_for_service("Robot")).await.unwrap().unwrap();
    gateway.reload(stage.rules.clone());
    assert_eq!(timeout(PATIENCE, robot.call::<u32>("run", (0,))).await.unwrap().unwrap(), 0, "it goes on");
    network.works.store(false, Ordering::SeqCst);
    tokio::time::sleep(2 * DEAD_AFTER).await;
    gateway.reload(new_token().1);
    network.works.store(true, Ordering::SeqCst);
    timeout(PATIENCE, session.disconnected()).await.unwrap();
    assert!(!session.is_connected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_worth_nothing_to_a_restarted_gateway_once_the_token_was_replaced() {
    let mut stage = Stage::new().await;
    let (gateway, door) = stage.gateway(true).await;
    let network = Network::to(&door).await;
    let session = stage.connect(&network, true).await;
    timeout(PATIENCE, session.wait_for_service("Robot")).await.unwrap().unwrap();
    network.works.store(false, Ordering::SeqCst);
    drop((gateway, door));
    stage.rules = new_token().1;
    let (gateway, door) = stage.gateway(true).await;
    network.lead_to(&door);
    network.works.store(true, Ordering::SeqCst);
    timeout(PATIENCE, session.disconnected()).await.unwrap();
    assert!(gateway.snapshot().sessions.values().all(|count| *count == 0));
}
