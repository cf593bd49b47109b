//! B3: a libqi program to which nobody can connect hosts a service behind the gateway, for programs inside and for other
//! clients. In a network namespace that drops what comes in, where the system lets us make one.

use std::time::Duration;

use keyway_tests::{
    eventually,
    gateway::{Gateway, token_of, user},
    libqi::{Driven, peer_python},
    namespace::Namespace,
    process::{Keyway, Running},
};
use keyway_wire::Url;
use serde_json::json;
use tokio::net::TcpStream;

/// A service with one member of each kind.
const METER: &str = r#"
class Child(object):
    def __init__(self):
        self.fired = qi.Signal("(i)")
    def who(self):
        return "child"
    def fire(self, number):
        self.fired(number)

class Callback(object):
    def twice(self, x):
        return 2 * x

@qi.multiThreaded()
class Meter(object):
    def __init__(self):
        self.changed = qi.Signal("(is)")
        self.handed = qi.Signal("(o)")
        self.level = qi.Property("i")
        self.kept = []
        self.slow_calls = 0
    @qi.bind("i", ["i", "i"])
    def add(self, a, b):
        return a + b
    def echo(self, x):
        return x
    def emit(self, number, text):
        self.changed(number, text)
    def hand(self):
        self.handed(Child())
    def make(self):
        return Child()
    def keep(self, callback):
        self.kept.append(callback)
        return len(self.kept)
    def call_kept(self, index, x):
        return self.kept[index].twice(x)
    def boom(self):
        raise ValueError("kaboom")
    def slows(self):
        return self.slow_calls
    def slow(self):
        self.slow_calls += 1
        self.promise = qi.Promise(lambda promise: promise.setCanceled())
        return self.promise.future()

meter = Meter()
meter.level.setValue(1)
"#;

/// Uses all of it from `session`; ends with what came of it.
const USE: &str = r#"
class Callback(object):
    def twice(self, x):
        return 2 * x

do(session.waitForService, "Meter")
meter = do(session.service, "Meter")
heard, levels, children, fired = [], [], [], []
links = [meter.changed.connect(lambda n, t: heard.append([n, t])), meter.level.connect(levels.append),
         meter.handed.connect(children.append)]
for n in range(3):
    do(meter.emit, n, "event")
until(lambda: len(heard) == 3)
do(meter.level.setValue, 5 + do(meter.level.value))
until(lambda: levels)
do(meter.hand)
until(lambda: children)
child = do(meter.make)
link = child.fired.connect(fired.append)
do(child.fire, 7)
until(lambda: fired)
mine = Callback()
place = do(meter.keep, mine)
slow_calls = do(meter.slows)
future = meter.slow(_async=True)
until(lambda: do(meter.slows) > slow_calls)
future.cancel()
until(lambda: not future.isRunning())
text = "keyway " * 100000
[do(meter.add, 40, 2), sorted(heard), levels, do(children[0].who), do(child.who), fired, do(meter.call_kept, place - 1, 21),
 "kaboom" in refused(meter.boom), future.isCanceled(), do(meter.echo, text) == text]
"#;

struct Stage {
    outside: Driven,
    inside: Driven,
    other: Driven,
    namespace: Option<Namespace>,
    gateway: Running,
    _directory: Running,
}

impl Stage {
    async fn new(upstream: &str) -> Option<Self> {
        let python = peer_python()?;
        let namespace = Namespace::new();
        let directory = Keyway::directory(&[]);
        let host = namespace.as_ref().map_or_else(|| "127.0.0.1".to_owned(), |namespace| namespace.here.to_string());
        let listen = format!("tcp://{host}:0");
        let arguments = ["--listen", &listen, "--anonymous-role", "admin", "--upstream", upstream];
        let gateway = Keyway::gateway(&directory.url, &arguments);
        let mut outside = match &namespace {
            Some(namespace) => {
                namespace.admit_only(Url::parse(&gateway.url).port.unwrap());
                Driven::start_by(namespace.command(&python).into())
            }
            None => Driven::start(&python),
        };
        // Without a namespace it does not listen where anybody could connect to.
        let listen = if namespace.is_some() { "session.listen('tcp://0.0.0.0:0')" } else { "" };
        outside.run(&format!("session = connect({:?})\n{listen}\n{METER}", gateway.url)).await;
        let (mut inside, mut other) = (Driven::start(&python), Driven::start(&python));
        inside.run(&format!("session = connect({:?})", directory.url)).await;
        other.run(&format!("session = connect({:?})", gateway.url)).await;
        let mut stage = Self { outside, inside, other, namespace, gateway, _directory: directory };
        stage
            .both(
                "told = []\ndirectory = session.service('ServiceDirectory')\n\
                    watching = [directory.serviceAdded.connect(lambda i, name: told.append('+' + name)),\n\
                    directory.serviceRemoved.connect(lambda i, name: told.append('-' + name))]",
            )
            .await;
        stage.outside.run("do(session.registerService, 'Meter', meter)").await;
        Some(stage)
    }

    /// Runs a program on both sides of the gateway.
    async fn both(&mut self, program: &str) -> [serde_json::Value; 2] {
        [self.inside.run(program).await, self.other.run(program).await]
    }
}

async fn is_used_from_both_sides(upstream: &str) {
    let Some(mut stage) = Stage::new(upstream).await else { return };
    let expected = |level: u32| {
        json!([42, [[0, "event"], [1, "event"], [2, "event"]], [level], "child", "child", [7], 42, true, true, true])
    };
    assert_eq!(stage.inside.run(USE).await, expected(6));
    assert_eq!(stage.other.run(USE).await, expected(11));
    // What each of them has passed can be called for the other.
    assert_eq!(stage.inside.run("do(meter.call_kept, 1, 4)").await, 8);
    assert_eq!(stage.other.run("do(meter.call_kept, 0, 5)").await, 10);
    assert_eq!(stage.both("until(lambda: told) and told").await, [json!(["+Meter"]), json!(["+Meter"])]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_nobody_can_connect_to_is_used_from_inside_and_outside() {
    is_used_from_both_sides("dedicated").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_nobody_can_connect_to_is_used_over_shared_connections() {
    is_used_from_both_sides("shared").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_own_address_is_told_to_nobody_and_would_lead_nowhere() {
    let Some(mut stage) = Stage::new("dedicated").await else { return };
    let own =
        stage.outside.run("[e for i in do(session.services) if i['name'] == 'Meter' for e in i['endpoints']]").await;
    let own: Vec<String> = serde_json::from_value(own).unwrap();
    let shown = stage.both("[e for i in do(session.services) if i['name'] == 'Meter' for e in i['endpoints']]").await;
    for endpoints in shown {
        let endpoints: Vec<String> = serde_json::from_value(endpoints).unwrap();
        assert!(
            !endpoints.is_empty() && endpoints.iter().all(|url| url.starts_with("qi:") || !own.contains(url)),
            "{endpoints:?}"
        );
    }
    let Some(namespace) = &stage.namespace else { return eprintln!("no namespace: nothing listens at {own:?}") };
    let there = namespace.there.to_string();
    let address = own.iter().map(|url| Url::parse(url)).find(|url| url.host.as_deref() == Some(&there));
    let port = address.and_then(|url| url.port).unwrap_or_else(|| panic!("it says that it listens at {own:?}"));
    let attempt = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect((there, port))).await;
    assert!(!matches!(attempt, Ok(Ok(_))), "somebody has connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_uses_services_inside_and_passes_its_objects_to_them() {
    for upstream in ["dedicated", "shared"] {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let robot = METER.replace("Meter()", "Meter()\nsession.listen('tcp://127.0.0.1:0')");
        stage.inside.run(&format!("{robot}\nsession.registerService('Robot', meter)")).await;
        let used = USE.replace("\"Meter\"", "\"Robot\"");
        let got = stage.outside.run(&used).await;
        let expected =
            json!([42, [[0, "event"], [1, "event"], [2, "event"]], [6], "child", "child", [7], 42, true, true, true]);
        assert_eq!(got, expected, "{upstream}");
        // The robot calls the outside client's object whenever it wants to.
        assert_eq!(stage.inside.run("do(meter.kept[0].twice, 8)").await, 16, "{upstream}");
        let from_the_bus = stage.other.run("robot = do(session.service, 'Robot')\ndo(robot.call_kept, 0, 9)").await;
        assert_eq!(from_the_bus, 18, "{upstream}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_leaves_both_sides_when_its_program_dies_and_running_calls_fail() {
    for upstream in ["dedicated", "shared"] {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let calling = "meter = do(session.service, 'Meter')\nfuture = meter.slow(_async=True)\ndo(meter.add, 1, 1)";
        assert_eq!(stage.both(calling).await, [json!(2), json!(2)]);
        stage.outside.kill().await;
        let gone = "until(lambda: '-Meter' in told) and until(lambda: not future.isRunning()) and \
                    [told, future.hasError(), 'Meter' in names(session)]";
        let expected = json!([["+Meter", "-Meter"], true, false]);
        let seen = eventually("the end", stage.both(gone)).await;
        assert_eq!(seen, [expected.clone(), expected], "{upstream}");
        assert!(!stage.gateway.said().contains("panicked"), "{}", stage.gateway.said());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_may_only_register_calls_what_it_is_passed_and_nothing_else() {
    for upstream in ["dedicated", "shared"] {
        let Some(python) = peer_python() else { return };
        let directory = Keyway::directory(&[]);
        let rules =
            "[[role]]\nname = \"host\"\n[[rule]]\nrole = \"host\"\nservice = \"Meter\"\nallow = [\"register\"]\n";
        let config = [rules.to_owned(), user("host", "host"), user("admin", "admin")].concat();
        let gateway = Gateway::start(&directory.url, &config, &["--upstream", upstream]);
        let [mut host, mut client, mut inside] = [(); 3].map(|()| Driven::start(&python));
        inside
            .run(&format!("session = connect({:?})\nsession.listen('tcp://127.0.0.1:0')\n{METER}", directory.url))
            .await;
        inside.run("session.registerService('Robot', meter)").await;
        for (program, user) in [(&mut host, "host"), (&mut client, "admin")] {
            program.run(&format!("session = connect({:?}, {user:?}, {:?})", gateway.url(), token_of(user))).await;
        }
        client.run("do(session.waitForService, 'Robot')").await;
        host.run(&format!("session.listen('tcp://127.0.0.1:0')\n{METER}\ndo(session.registerService, 'Meter', meter)"))
            .await;
        let got = client.run(USE).await;
        assert_eq!((&got[6], &got[7]), (&json!(42), &json!(true)), "{upstream}");
        let refused = host.run("refused(session.service, 'Robot')").await;
        assert!(refused.as_str().is_some_and(|text| text.contains("Cannot find service")), "{refused}");
    }
}
