//! Nodes on Cyclone DDS.

use std::{path::Path, process::Stdio};

use keyway_bridge::Mode;
use keyway_bridge_ros2::Middleware;
use keyway_tests::{eventually, ros2::python};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn ros_045_cyclone_dds_calls_and_listens() {
    let Some(python) = python() else { return };
    let with = |options| keyway_bridge_ros2::Options { middleware: Middleware::CycloneDds, ..options };
    let Some(world) = World::with(Mode::Write, with).await else { return };
    let only_this_machine = "<CycloneDDS><Domain><General><AllowMulticast>false</AllowMulticast><Interfaces>\
        <NetworkInterface address=\"127.0.0.1\"/></Interfaces></General><Discovery><Peers><Peer address=\"127.0.0.1\"/></Peers>\
        <ParticipantIndex>auto</ParticipantIndex></Discovery></Domain></CycloneDDS>";
    let mut peer = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/ros2_cyclone.py"))
        .arg(world.domain.id.to_string())
        .env("CYCLONEDDS_URI", only_this_machine)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(peer.stdout.take().unwrap()).lines();
    let mut line = async || eventually("the peer's answer", lines.next_line()).await.unwrap();
    assert_eq!(line().await.as_deref(), Some("gain 2.5"));
    for expected in ["True ''", "False ''", "True ''", "listening"] {
        assert_eq!(line().await.as_deref(), Some(expected));
    }
    eventually("the subscription", async {
        while world.probe.tick.subscribers() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    (0..3).for_each(|number| world.probe.tick.emit(&(number,)));
    assert_eq!(line().await.as_deref(), Some("[0, 1, 2]"));
}
