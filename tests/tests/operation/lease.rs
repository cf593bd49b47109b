//! Services that one client at a time may use.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use keyway::{Object, Session};
use keyway_tests::process::Keyway;

use crate::{
    gate::{Gate, until},
    outsider::Outsider,
};

/// A robot inside, and how often it was moved and stopped.
struct Robot {
    _session: Session,
    moves: Arc<AtomicU32>,
    stops: Arc<AtomicU32>,
}

impl Robot {
    async fn start(directory: &str) -> Self {
        let session = Session::connect(directory).await.unwrap();
        let (moves, stops): (Arc<AtomicU32>, Arc<AtomicU32>) = Default::default();
        let (moved, stopped) = (moves.clone(), stops.clone());
        let mut object = Object::builder();
        object.method("move", move |()| moved.fetch_add(1, SeqCst));
        object.method("stopMove", move |()| stopped.fetch_add(1, SeqCst));
        object.method_async("moveTo", |()| async {
            tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        });
        session.register("ALMotion", object.build()).await.unwrap();
        Self { _session: session, moves, stops }
    }

    fn stops(&self) -> u32 {
        self.stops.load(SeqCst)
    }
}

const LEASE: &str = "[[lease]]\nservice = \"ALMotion\"\non_loss = \"ALMotion.stopMove\"\n";

async fn client(gate: &Gate) -> (Session, keyway::Proxy) {
    let session = Session::connect(&gate.process.url).await.unwrap();
    let motion = session.wait_for_service("ALMotion").await.unwrap();
    (session, motion)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_who_calls_holds_the_service_until_it_leaves() {
    let directory = Keyway::directory(&[]);
    let robot = Robot::start(&directory.url).await;
    let gate = Gate::start(&directory.url, LEASE, &[]);
    let (first, motion) = client(&gate).await;
    let (_second, same) = client(&gate).await;
    motion.call::<u32>("move", ()).await.unwrap();
    let refused = same.call::<u32>("move", ()).await.unwrap_err().to_string();
    assert!(refused.contains("KW-L001: ALMotion is leased to anonymous"), "{refused}");
    assert_eq!(robot.moves.load(SeqCst), 1);
    assert_eq!(gate.metric("keyway_gateway_refusals_total{code=\"KW-L001\"}"), 1);
    motion.call::<u32>("move", ()).await.unwrap();
    assert_eq!(robot.stops(), 0);
    first.close().await;
    until("the robot is stopped", || (robot.stops() == 1).then_some(()));
    // Free as soon as the robot has answered.
    while same.call::<u32>("move", ()).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(robot.stops(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_robot_is_stopped_when_its_holder_is_killed() {
    let directory = Keyway::directory(&[]);
    let robot = Robot::start(&directory.url).await;
    let gate = Gate::start(&directory.url, LEASE, &[]);
    let (_watcher, presence) = {
        let session = Session::connect(&gate.process.url).await.unwrap();
        let presence = session.wait_for_service("Presence").await.unwrap();
        (session, presence)
    };
    let mut command = std::process::Command::new(Keyway::program());
    command.args(["call", "--qi-url", &gate.process.url, "ALMotion.moveTo"]);
    let mut holder = Outsider::start(command);
    let mut held: Vec<(String, String, String, String, f64)> = Vec::new();
    while held.is_empty() {
        held = presence.call("leases", ()).await.unwrap();
    }
    assert_eq!((held[0].0.as_str(), held[0].2.as_str()), ("ALMotion", "anonymous"));
    holder.kill();
    until("the robot is stopped", || (robot.stops() == 1).then_some(()));
    until("it is logged", || gate.process.said().contains("the stop call made").then_some(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_the_service_back_leaves_it_as_it_is() {
    let directory = Keyway::directory(&[]);
    let robot = Robot::start(&directory.url).await;
    let gate = Gate::start(&directory.url, LEASE, &[]);
    let (first, motion) = client(&gate).await;
    let (second, same) = client(&gate).await;
    motion.call::<u32>("move", ()).await.unwrap();
    let presence = second.wait_for_service("Presence").await.unwrap();
    assert!(!presence.call::<bool>("release", ("ALMotion".to_owned(),)).await.unwrap(), "it is not the second's");
    let presence = first.wait_for_service("Presence").await.unwrap();
    assert!(presence.call::<bool>("release", ("ALMotion".to_owned(),)).await.unwrap());
    same.call::<u32>("move", ()).await.unwrap();
    first.close().await;
    gate.wait_for("keyway_gateway_sessions_ended_total{why=\"closed\"}", 1);
    assert_eq!(robot.stops(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_nothing_for_long_loses_the_service_and_the_robot_is_stopped() {
    let directory = Keyway::directory(&[]);
    let robot = Robot::start(&directory.url).await;
    let gate = Gate::start(&directory.url, &format!("{LEASE}idle = \"1s\"\n"), &[]);
    let (_first, motion) = client(&gate).await;
    motion.call::<u32>("move", ()).await.unwrap();
    until("the robot is stopped", || (robot.stops() == 1).then_some(()));
}
