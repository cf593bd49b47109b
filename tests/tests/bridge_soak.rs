//! C4: all bridges in one process, with peers that come, go and are killed at random.
//!
//! A quarter of a minute unless `KEYWAY_SOAK_SECONDS` says how long. `KEYWAY_SOAK_SEED` repeats what a run has done.

use std::{
    env, fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use fastrand::Rng;
use keyway::{Directory, Object};
use keyway_tests::{
    bridge::{RosProbe, World, ros2::Nodes, rosbridge, start_directory, yarp::Tools},
    eventually,
    process::{Keyway, Running},
    ros1::{self, RosMaster},
    yarp::Reader,
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::RwLock,
    task::JoinHandle,
    time::sleep,
};

/// Whoever hears the events of `Probe.tick`; gone without a word when dropped, as after `kill -9`.
struct Listener {
    heard: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    fn start<F: Future<Output = ()> + Send + 'static>(listen: impl FnOnce(Arc<AtomicU64>) -> F) -> Self {
        let heard = Arc::new(AtomicU64::new(0));
        Self { task: tokio::spawn(listen(heard.clone())), heard }
    }

    /// Waits until it has heard some more.
    async fn hears(&self) {
        let before = self.heard.load(Relaxed);
        while self.heard.load(Relaxed) < before + 20 {
            assert!(!self.task.is_finished(), "a listener has ended by itself after {before} events");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A world whose peers listen.
trait Listening: World {
    const NAME: &str;

    fn listen(&self, bridge: &Running) -> Listener;

    /// Names in this world that are of a service.
    async fn names_of(&self, bridge: &Running, service: &str) -> Vec<String>;
}

impl Listening for RosMaster {
    const NAME: &str = "ROS 1";

    fn listen(&self, _: &Running) -> Listener {
        let process = self.start_tool("rostopic", &["echo", "/qi/Probe/tick"]);
        Listener::start(|heard| async move {
            // All of it, not only its output: it is killed when this ends.
            let mut process = process;
            let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                heard.fetch_add(u64::from(line.starts_with("data:")), Relaxed);
            }
        })
    }

    async fn names_of(&self, _: &Running, service: &str) -> Vec<String> {
        // What is published: the master remembers subscribers that were killed.
        let all = self.tool("rostopic", &["list", "-p"]).await.out + &self.tool("rosservice", &["list"]).await.out;
        all.lines().filter(|name| name.starts_with(&format!("/qi/{service}/"))).map(str::to_owned).collect()
    }
}

impl Listening for Nodes {
    const NAME: &str = "ROS 2";

    fn listen(&self, _: &Running) -> Listener {
        let program = "
import os, rclpy
from std_msgs.msg import Int32
rclpy.init()
node = rclpy.create_node('listener_%d' % os.getpid())
subscription = node.create_subscription(Int32, '/qi/Probe/tick', lambda message: print(message.data, flush=True), 10)
rclpy.spin(node)
";
        let mut reader = Reader::start(self.program(program));
        Listener::start(|heard| async move {
            loop {
                reader.line().await;
                heard.fetch_add(1, Relaxed);
            }
        })
    }

    async fn names_of(&self, _: &Running, service: &str) -> Vec<String> {
        // What is published: others see subscribers that were killed for a while.
        let program = "
import time
time.sleep(0.3)
topics = [name for name, _ in node.get_topic_names_and_types() if node.count_publishers(name)]
services = [name for name, _ in node.get_service_names_and_types()]
print('\\n'.join(name for name in topics + services if name.startswith('/qi/{service}/')))
";
        let said = self.run(&program.replace("{service}", service)).await;
        said.split_whitespace().map(str::to_owned).collect()
    }
}

impl Listening for rosbridge::Clients {
    const NAME: &str = "rosbridge";

    fn listen(&self, bridge: &Running) -> Listener {
        let url = Self::url(bridge).to_owned();
        Listener::start(|heard| async move {
            let Ok(mut client) = rosbridge::Client::connect(&url).await else { return };
            client.send(&json!({ "op": "subscribe", "topic": "/qi/Probe/tick", "queue_length": 10 })).await;
            loop {
                heard.fetch_add(u64::from(client.next().await["op"] == "publish"), Relaxed);
            }
        })
    }

    async fn names_of(&self, bridge: &Running, service: &str) -> Vec<String> {
        let Ok(mut client) = rosbridge::Client::connect(Self::url(bridge)).await else { return Vec::new() };
        let services = client.call("/rosapi/services", json!({})).await.unwrap()["services"].take();
        let topics = client.call("/rosapi/topics", json!({})).await.unwrap()["topics"].take();
        let all = [services, topics].into_iter().flat_map(|names| names.as_array().cloned().unwrap_or_default());
        all.filter_map(|name| Some(name.as_str()?.to_owned()))
            .filter(|name| name.starts_with(&format!("/qi/{service}/")))
            .collect()
    }
}

impl Listening for Tools {
    const NAME: &str = "YARP";

    fn listen(&self, _: &Running) -> Listener {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let port = format!("/soak/{}", NEXT.fetch_add(1, Relaxed));
        let mut reader: Reader = self.programs().reader(&[&port, "/qi/Probe/tick:o"]);
        Listener::start(|heard| async move {
            loop {
                reader.line().await;
                heard.fetch_add(1, Relaxed);
            }
        })
    }

    async fn names_of(&self, _: &Running, service: &str) -> Vec<String> {
        self.programs().names(&format!("/qi/{service}")).await
    }
}

/// Runs when a panic, and nothing else, passes by.
struct OnDrop<F: FnMut()>(Option<F>);

impl<F: FnMut()> OnDrop<F> {
    fn dismiss(mut self) {
        self.0 = None;
    }
}

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(run) = &mut self.0 {
            run();
        }
    }
}

/// What all have in common.
struct Soak {
    bridge: Running,
    began: Instant,
    until: Instant,
    /// Held for writing while the directory is away.
    directory: RwLock<()>,
    calls: AtomicU64,
    killed: AtomicU64,
    restarts: AtomicU64,
}

impl Soak {
    /// Waits for what has to happen, and says what the bridge said if it does not.
    async fn soon<T>(&self, world: &str, what: &str, future: impl Future<Output = T>) -> T {
        println!("{:8.3} {world}: {what}", self.began.elapsed().as_secs_f64());
        let said = OnDrop(Some(|| println!("the bridge said: {}", self.bridge.said())));
        let done = eventually(&format!("{what} in {world}"), future).await;
        said.dismiss();
        done
    }

    fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }

    async fn sees_only_the_probe(&self, world: &impl Listening, name: &str) {
        self.soon(name, "only the probe", async {
            while world.services(&self.bridge).await != ["Probe"]
                || !world.names_of(&self.bridge, "Guest").await.is_empty()
            {
                sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
    }

    /// One world: does what comes to mind until it is over, and gives back the world when all its listeners are gone.
    async fn live<W: Listening>(&self, mut world: W, mut random: Rng) -> W {
        let mut listeners: Vec<Listener> = Vec::new();
        while self.goes_on() {
            let here = self.directory.read().await;
            match random.u8(..32) {
                0..8 if listeners.len() < 3 => listeners.push(world.listen(&self.bridge)),
                8..16 if !listeners.is_empty() => {
                    drop(listeners.swap_remove(random.usize(..listeners.len())));
                    self.killed.fetch_add(1, Relaxed);
                }
                16..24 => {
                    let (a, b) = (random.i32(0..1000), random.i32(0..1000));
                    // A listing may be older than a restart of the world.
                    self.soon(W::NAME, "a sum", async {
                        while world.add(&self.bridge, a, b).await != Ok(a + b) {
                            sleep(Duration::from_millis(100)).await;
                        }
                    })
                    .await;
                    self.calls.fetch_add(1, Relaxed);
                }
                24..28 if !listeners.is_empty() => {
                    let listener = &listeners[random.usize(..listeners.len())];
                    self.soon(W::NAME, "events", listener.hears()).await;
                }
                28 => {
                    println!("{:8.3} {}: restart", self.began.elapsed().as_secs_f64(), W::NAME);
                    listeners.clear();
                    world.restart().await;
                    self.sees_anything(&world).await;
                }
                _ => sleep(Duration::from_millis(random.u64(..300))).await,
            }
            drop(here);
        }
        world
    }

    async fn sees_anything(&self, world: &impl Listening) {
        self.soon("a world", "the probe after its restart", async {
            while !world.services(&self.bridge).await.iter().any(|name| name == "Probe") {
                sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
    }
}

/// A directory with the probe, which emits a hundred events a second.
struct Bus {
    directory: Directory,
    probe: RosProbe,
    emitting: JoinHandle<()>,
}

impl Bus {
    async fn start(url: &str) -> Self {
        let directory = start_directory(url).await;
        let probe = RosProbe::register(&directory.urls()[0], "Probe").await;
        let tick = probe.tick.clone();
        let emitting = tokio::spawn(async move {
            let mut every = tokio::time::interval(Duration::from_millis(10));
            for number in 0.. {
                every.tick().await;
                tick.emit(&(number,));
            }
        });
        Self { directory, probe, emitting }
    }

    fn url(&self) -> String {
        self.directory.urls().remove(0)
    }

    async fn stop(self) {
        self.emitting.abort();
        self.probe.session.close().await;
        self.directory.close().await;
    }
}

/// A service that comes and goes, and a directory that does so less often.
async fn churn(soak: Arc<Soak>, mut bus: Bus, mut random: Rng) -> Bus {
    while soak.goes_on() {
        let mut guest = Object::builder();
        guest.method("hello", |()| 1).property("gain", &bus.probe.gain);
        let id = bus.probe.session.register("Guest", guest).await.unwrap();
        sleep(Duration::from_millis(random.u64(..2000))).await;
        bus.probe.session.unregister(id).await.unwrap();
        sleep(Duration::from_millis(random.u64(..1000))).await;
        if random.u8(..16) == 0 {
            let _nobody_calls = soak.directory.write().await;
            println!("{:8.3} directory: restart", soak.began.elapsed().as_secs_f64());
            let url = bus.url();
            bus.stop().await;
            bus = Bus::start(&url).await;
            soak.restarts.fetch_add(1, Relaxed);
        }
    }
    bus
}

/// What the bridge takes of memory, a sample a second.
async fn watch(soak: Arc<Soak>) -> Vec<u64> {
    let (mut samples, mut highest) = (Vec::new(), 0);
    while soak.goes_on() {
        sleep(Duration::from_secs(1)).await;
        let now = soak.bridge.resident_kib();
        if now > highest {
            highest = now;
            println!("{:8.3} memory: {now} KiB", soak.began.elapsed().as_secs_f64());
        }
        samples.push(now);
    }
    samples
}

#[tokio::test(flavor = "multi_thread")]
async fn c4_nothing_is_left_of_peers_that_come_and_go_at_all_bridges_at_once() {
    if !ros1::is_installed() {
        return;
    }
    let (Some(tools), Some(nodes)) = (Tools::start().await, Nodes::start().await) else { return };
    let seconds = env::var("KEYWAY_SOAK_SECONDS").map_or(15, |seconds| seconds.parse().expect("seconds"));
    let seed = env::var("KEYWAY_SOAK_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("KEYWAY_SOAK_SEED={seed} KEYWAY_SOAK_SECONDS={seconds}");
    let mut random = Rng::with_seed(seed);

    let master = RosMaster::start();
    let bus = Bus::start("tcp://127.0.0.1:0").await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("keyway.toml");
    let text = CONFIG.replace("{directory}", &bus.url()).replace("{master}", &master.uri());
    let text = text.replace("{name_server}", &tools.programs().name_server());
    fs::write(&config, text.replace("{domain}", &nodes.domain().to_string())).unwrap();
    let mut command = std::process::Command::new(Keyway::program());
    command.args(["bridge", "--insecure", "--config"]).arg(&config);
    let bridge = Running::start(&mut command);

    let soak = Arc::new(Soak {
        bridge,
        began: Instant::now(),
        until: Instant::now() + Duration::from_secs(seconds),
        directory: RwLock::default(),
        calls: AtomicU64::new(0),
        killed: AtomicU64::new(0),
        restarts: AtomicU64::new(0),
    });
    let clients = rosbridge::Clients;
    let churning = tokio::spawn(churn(soak.clone(), bus, random.fork()));
    let watching = tokio::spawn(watch(soak.clone()));
    let [first, second, third, fourth] = [random.fork(), random.fork(), random.fork(), random.fork()];
    let (master, clients, tools, nodes) = tokio::join!(
        soak.live(master, first),
        soak.live(clients, second),
        soak.live(tools, third),
        soak.live(nodes, fourth)
    );
    let bus = churning.await.unwrap();
    let samples = watching.await.unwrap();

    // No phantoms: what there is now is what the directory has.
    soak.sees_only_the_probe(&master, "ROS 1").await;
    soak.sees_only_the_probe(&clients, "rosbridge").await;
    soak.sees_only_the_probe(&tools, "YARP").await;
    soak.sees_only_the_probe(&nodes, "ROS 2").await;
    eventually("subscriptions of listeners that are gone", async {
        while bus.probe.tick.subscribers() > 0 {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;

    // Flat: the last quarter is no higher than the second.
    let quarter = samples.len() / 4;
    let highest = |samples: &[u64]| samples.iter().copied().max().unwrap_or_default();
    let (early, late) = (highest(&samples[quarter..2 * quarter]), highest(&samples[3 * quarter..]));
    println!(
        "{} calls, {} listeners killed, directory restarted {} times; memory of the bridge {early} KiB, at the end {late} KiB",
        soak.calls.load(Relaxed),
        soak.killed.load(Relaxed),
        soak.restarts.load(Relaxed)
    );
    assert!(late <= early + early / 8 + 4096, "memory grows: {samples:?}");

    let mut soak = Arc::into_inner(soak).unwrap();
    let said = soak.bridge.stop();
    assert!(!said.contains("panicked"), "{said}");
    assert!(master.names_of(&soak.bridge, "Probe").await.is_empty());
    assert!(tools.names_of(&soak.bridge, "Probe").await.is_empty());
    assert!(nodes.names_of(&soak.bridge, "Probe").await.is_empty());
    bus.stop().await;
}

const CONFIG: &str = r#"
[[directory]]
url = "{directory}"

[bridges]
services = ["Probe", "Guest"]
mode = "write"

[bridges.rosbridge]
enabled = true
listen = "127.0.0.1:0"

[bridges.ros1]
enabled = true
master = "{master}"

[bridges.ros2]
enabled = true
domain = {domain}
# The usual number takes hours to come together.
renew_after = 5

[bridges.yarp]
enabled = true
name_server = "{name_server}"
"#;
