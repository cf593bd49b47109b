//! B4: directories, gateways and services that die and come back. Each call is answered or failed, once.

use std::{collections::HashMap, net::TcpListener, time::Instant};

use bytes::Bytes;
use keyway::Session;
use keyway_tests::{
    eventually,
    libqi::{self, Driven, peer_python},
    process::{Keyway, Running},
    raw::{Address, Raw, payload},
};
use keyway_value::MessageId;
use keyway_wire::MessageKind;
use serde_json::json;

const UPSTREAMS: [&str; 2] = ["dedicated", "shared"];
/// Calls that run while something dies.
const CALLS: usize = 1000;

const SERVICE: &str = r#"
@qi.multiThreaded()
class Echo(object):
    def __init__(self):
        self.promises = []
    def echo(self, x):
        return x
    def slow(self):
        self.promises.append(qi.Promise())
        return self.promises[-1].future()
    def slows(self):
        return len(self.promises)
"#;

/// A client that notes which services come and go, and how often each of its calls ends.
const WATCH: &str = r#"
told = []
directory = session.service("ServiceDirectory")
links = [directory.serviceAdded.connect(lambda i, name: told.append("+" + name)),
         directory.serviceRemoved.connect(lambda i, name: told.append("-" + name))]
"#;

const CALL: &str = r#"
echo = do(session.service, "Echo")
ends, lock = [0] * COUNT, threading.Lock()
def end(number):
    def count(future):
        with lock:
            ends[number] += 1
    return count
futures = [echo.slow(_async=True) for number in range(COUNT)]
for number, future in enumerate(futures):
    future.addCallback(end(number))
until(lambda: do(echo.slows) >= COUNT)
"#;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Keyway,
    Libqi,
}

impl Kind {
    fn start(self, python: &str, url: &str) -> Running {
        match self {
            Self::Keyway => Keyway::directory(&["--listen", url]),
            Self::Libqi => libqi::directory(python, url),
        }
    }
}

/// An address where nobody listens yet.
fn free_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp://{}", listener.local_addr().unwrap())
}

async fn robot(python: &str, directory: &str) -> Driven {
    let mut robot = Driven::start(python);
    let register =
        "session.listen('tcp://127.0.0.1:0')\nservice = Echo()\ndo(session.registerService, 'Echo', service)";
    robot.run(&format!("session = connect({directory:?})\n{SERVICE}\n{register}")).await;
    robot
}

async fn client(python: &str, gateway: &str) -> Driven {
    let mut client = Driven::start(python);
    client.run(&format!("session = connect({gateway:?})\n{WATCH}")).await;
    client
}

fn gateway(directory: &str, upstream: &str) -> Running {
    Keyway::gateway(directory, &["--anonymous-role", "admin", "--upstream", upstream])
}

/// Waits until clients of the gateway are told of the service, and calls it: it may still be finding out what there is.
async fn is_served(gateway: &str) {
    let session = Session::connect(gateway).await.unwrap();
    let service = eventually("the service", session.wait_for_service("Echo")).await.unwrap();
    assert_eq!(service.call::<i32>("echo", (7,)).await.unwrap(), 7);
    session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_was_there_before_its_directory_serves_when_it_comes() {
    let Some(python) = peer_python() else { return };
    for kind in [Kind::Keyway, Kind::Libqi] {
        let url = free_url();
        let gateway = gateway(&url, "dedicated");
        let mut outside = client(&python, &gateway.url).await;
        assert_eq!(outside.run("names(session)").await, json!(["ServiceDirectory"]), "{kind:?}");
        let _directory = kind.start(&python, &url);
        let _robot = robot(&python, &url).await;
        outside.run("until(lambda: '+Echo' in told)").await;
        assert_eq!(outside.run("do(do(session.service, 'Echo').echo, 5)").await, 5, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_stay_connected_while_the_directory_restarts_and_are_served_again() {
    let Some(python) = peer_python() else { return };
    for kind in [Kind::Keyway, Kind::Libqi] {
        for upstream in UPSTREAMS {
            let url = free_url();
            let mut directory = kind.start(&python, &url);
            let first_robot = robot(&python, &url).await;
            let gateway = gateway(&url, upstream);
            is_served(&gateway.url).await;
            let mut outside = client(&python, &gateway.url).await;
            outside.run(&CALL.replace("COUNT", "100")).await;
            directory.end();
            // All calls end, although their host is still there: nobody could say where it is.
            outside.run("until(lambda: not any(future.isRunning() for future in futures))").await;
            outside.run("until(lambda: '-Echo' in told)").await;
            drop(first_robot);
            let _directory = kind.start(&python, &url);
            let _robot = robot(&python, &url).await;
            let back = Instant::now();
            outside.run("until(lambda: told[-1:] == ['+Echo'])").await;
            assert_eq!(outside.run("do(do(session.service, 'Echo').echo, 6)").await, 6);
            let took = back.elapsed();
            println!("{kind:?}, {upstream}: served again {took:?} after the service was back at its directory");
            let ended = outside.run("[session.isConnected(), told, set(ends) == {1}]").await;
            assert_eq!(ended, json!([true, ["-Echo", "+Echo"], true]), "{kind:?}, {upstream}");
            assert!(!gateway.said().contains("panicked"), "{}", gateway.said());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_calls_fail_once_when_the_gateway_is_killed_and_the_next_one_serves() {
    let Some(python) = peer_python() else { return };
    for upstream in UPSTREAMS {
        let directory = Keyway::directory(&[]);
        let mut robot = robot(&python, &directory.url).await;
        let mut first = gateway(&directory.url, upstream);
        is_served(&first.url).await;
        let mut outside = client(&python, &first.url).await;
        outside.run(&CALL.replace("COUNT", &CALLS.to_string())).await;
        let url = first.url.clone();
        first.end();
        outside.run("until(lambda: sum(ends) >= len(ends))").await;
        let ended = outside.run("[set(ends) == {1}, all(future.hasError() for future in futures)]").await;
        assert_eq!(ended, json!([true, true]), "{upstream}");
        let back = Instant::now();
        let arguments = ["--listen", &url, "--anonymous-role", "admin", "--upstream", upstream];
        let _second = Keyway::gateway(&directory.url, &arguments);
        is_served(&url).await;
        println!("{upstream}: served again {:?} after the gateway was started", back.elapsed());
        outside.run(&format!("session = connect({url:?})")).await;
        assert_eq!(outside.run("do(do(session.service, 'Echo').echo, 6)").await, 6);
        // The robot has noticed nothing.
        assert_eq!(robot.run("[session.isConnected(), service.slows()]").await, json!([true, CALLS]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_running_call_is_answered_or_failed_once_when_the_service_is_killed() {
    let Some(python) = peer_python() else { return };
    for kind in [Kind::Keyway, Kind::Libqi] {
        for upstream in UPSTREAMS {
            let directory = kind.start(&python, "tcp://127.0.0.1:0");
            let mut first = robot(&python, &directory.url).await;
            let gateway = gateway(&directory.url, upstream);
            is_served(&gateway.url).await;
            let mut outside = client(&python, &gateway.url).await;
            let (mut raw, addresses) = (Raw::authenticated(&gateway.url).await, addresses(&directory.url).await);
            // Half of them can be answered, and are or are not.
            let mut ids = Vec::new();
            for number in 0..CALLS {
                let (address, arguments) = match number % 2 {
                    0 => (addresses["slow"], Bytes::new()),
                    _ => (addresses["echo"], payload(&(keyway::Value::Int32(1),))),
                };
                ids.push(raw.send(MessageKind::Call, address, arguments).await);
            }
            outside.run("echo = do(session.service, 'Echo')\nuntil(lambda: do(echo.slows) > 0)").await;
            first.kill().await;
            let mut ends: HashMap<MessageId, u32> = HashMap::new();
            while ends.len() < CALLS {
                let frame = raw.read().await.expect("the client stays connected");
                assert!(matches!(frame.header.kind, MessageKind::Reply | MessageKind::Error), "{frame:?}");
                *ends.entry(frame.header.id).or_default() += 1;
            }
            raw.expect_silence().await;
            assert!(ids.iter().all(|id| ends.get(id) == Some(&1)), "{kind:?}, {upstream}: {ends:?}");
            outside.run("until(lambda: '-Echo' in told)").await;
            let _second = robot(&python, &directory.url).await;
            outside.run("until(lambda: told == ['-Echo', '+Echo'])").await;
            assert_eq!(outside.run("do(do(session.service, 'Echo').echo, 6)").await, 6);
            assert!(!gateway.said().contains("panicked"), "{}", gateway.said());
        }
    }
}

/// The methods of the service by their names.
async fn addresses(directory: &str) -> HashMap<String, Address> {
    let inside = Session::connect(directory).await.unwrap();
    let id = inside.service_info("Echo").await.unwrap().service_id;
    let metaobject = inside.service("Echo").await.unwrap().metaobject();
    metaobject.methods.values().map(|method| (method.name.clone(), (id.0, 1, method.uid))).collect()
}
