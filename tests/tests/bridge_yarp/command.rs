//! `keyway bridge yarp` as a process (YARP-001, 002, 004, 041, and the suite of all bridges).

use std::{
    collections::HashSet,
    fs,
    process::{Command, Stdio},
};

use keyway::{Directory, Session};
use keyway_tests::{
    bridge::yarp::Tools,
    process::{Keyway, Running},
    yarp::World,
};

use crate::{probe::Probe, stage::R};

keyway_tests::bridge_suite!(Tools::start());

/// A directory with the probe.
async fn bus() -> (Directory, Session) {
    let directory = Directory::builder().start().await.unwrap();
    let host = Session::connect(&directory.urls()[0]).await.unwrap();
    host.register("YarpProbe", Probe::new().object()).await.unwrap();
    (directory, host)
}

fn command(world: &World, directory: &Directory, more: &[&str]) -> Command {
    let mut command = Command::new(Keyway::program());
    command.args(["bridge", "yarp", "--directory", &directory.urls()[0], "--name-server", &world.name_server()]);
    command.args(more);
    command
}

fn start(world: &World, directory: &Directory, more: &[&str]) -> Running {
    let more = [&["--insecure", "--service", "YarpProbe", "--mode", "write"], more].concat();
    Running::start(&mut command(world, directory, &more))
}

async fn refused(more: &[&str], reason: &str) {
    let Some(world) = World::start().await else { return };
    let (directory, _host) = bus().await;
    let output = command(&world, &directory, more).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(reason), "{said}");
    let listed = world.yarp(&["name", "list", "/qi"]).await;
    assert_eq!(listed.trim(), "*** end of message");
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_001_nothing_happens_without_the_flag() {
    refused(&["--service", "YarpProbe"], "--insecure").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_002_nothing_happens_without_a_list_of_services() {
    refused(&["--insecure"], "--service").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_004_all_listeners_are_on_loopback() {
    let Some(world) = World::start().await else { return };
    let (directory, _host) = bus().await;
    let bridge = start(&world, &directory, &[]);
    world.wait_for_name(R, true).await;
    let fds = fs::read_dir(format!("/proc/{}/fd", bridge.pid)).unwrap();
    let sockets: HashSet<_> = fds
        .filter_map(|fd| {
            let link = fs::read_link(fd.unwrap().path()).ok()?;
            Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())
        })
        .collect();
    let mut listeners = 0;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let columns: Vec<_> = line.split_whitespace().collect();
            if columns[3] == LISTENING && sockets.contains(columns[9]) {
                assert!(columns[1].starts_with(LOOPBACK), "{line}");
                listeners += 1;
            }
        }
    }
    // Two of the bridge, six of the probe.
    assert_eq!(listeners, 8);
    assert_eq!(bridge.urls.len(), 8, "{:?}", bridge.urls);
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_041_all_names_are_withdrawn_at_the_end() {
    let Some(world) = World::start().await else { return };
    let (directory, _host) = bus().await;
    let mut bridge = start(&world, &directory, &[]);
    assert_eq!(world.names("/qi").await.len(), 8, "whoever reads `ready` finds them");
    assert_eq!(world.rpc(R, "add 2 3").await, "5");
    bridge.stop();
    assert_eq!(world.yarp(&["name", "list", "/qi"]).await.trim(), "*** end of message");
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_set_properties_and_emit_signals() {
    let Some(world) = World::start().await else { return };
    let (directory, _host) = bus().await;
    let _bridge = start(&world, &directory, &["--inputs"]);
    let mut gain = world.reader(&["/g", "/qi/YarpProbe/gain:o"]);
    assert_eq!(gain.line().await, "2.5");
    world.run(&["write", "/w", "/qi/YarpProbe/gain:i"], "4.5\n").await;
    assert_eq!(gain.line().await, "4.5");
    let mut alarm = world.reader(&["/a", "/qi/YarpProbe/alarm:o"]);
    world.wait_until_said(&["ping", "/qi/YarpProbe/alarm:o"], "to \"/a\"").await;
    // The subscription follows the connection.
    keyway_tests::eventually("the signal", async {
        let line = alarm.line();
        tokio::pin!(line);
        loop {
            tokio::select! {
                line = &mut line => return assert_eq!(line, "hot 81.5"),
                _ = world.run(&["write", "/w", "/qi/YarpProbe/alarm:i"], "hot 81.5\n") => {}
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_for_readers_lets_nobody_call() {
    let Some(world) = World::start().await else { return };
    let (directory, _host) = bus().await;
    let mut command = command(&world, &directory, &["--insecure", "--service", "YarpProbe"]);
    let _bridge = Running::start(&mut command);
    for line in ["add 2 3", "set gain 4.5", "fire"] {
        assert_eq!(world.rpc(R, line).await, "[fail] \"read-only bridge\"", "{line}");
    }
    assert_eq!(world.rpc(R, "get gain").await, "2.5");
    assert!(world.rpc(R, "help").await.contains("Available commands"));
}

/// The state of a socket, in `/proc/net/tcp`.
const LISTENING: &str = "0A";
/// 127.0.0.1, in the order of this machine's bytes.
const LOOPBACK: &str = "0100007F:";
