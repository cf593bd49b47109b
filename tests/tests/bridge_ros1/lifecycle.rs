//! Beginnings and ends: masters that go and come, read-only mode, goodbyes.

use std::time::Duration;

use keyway_bridge::{Front, Mode};
use keyway_tests::eventually;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn ros_020_a_master_that_is_started_again_learns_everything_again() {
    let Some(mut world) = World::start().await else { return };
    world.master.kill();
    // Long enough for the bridge to find nobody.
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.master.restart();
    world.registered().await;
    assert_eq!(world.call("/qi/RosProbe/enable", "data: true").await.ok(), "success: True\nmessage: ''\n");
    let first = world.master.tool("rostopic", &["echo", "-n", "1", "/qi/RosProbe/gain"]).await.ok();
    assert!(first.starts_with("data: 2.5\n"), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_021_names_are_gone_when_the_bridge_has_ended() {
    let Some(mut world) = World::start().await else { return };
    world.bridge.take().unwrap().stop().await;
    for tool in ["rosservice", "rostopic"] {
        let listed = world.master.tool(tool, &["list"]).await.ok();
        assert!(!listed.contains("/qi"), "{listed}");
    }
    let nodes = world.master.tool("rosnode", &["list"]).await.ok();
    assert!(!nodes.contains("/qi_bridge"), "{nodes}");
    let parameters = world.master.tool("rosparam", &["list"]).await.ok();
    assert!(!parameters.contains("/qi"), "{parameters}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_022_read_mode_shows_and_changes_nothing() {
    let Some(mut world) = World::with(Mode::Read, |options| options).await else { return };
    world.generate().await;
    let first = world.master.tool("rostopic", &["echo", "-n", "1", "/qi/RosProbe/gain"]).await.ok();
    assert!(first.starts_with("data: 2.5\n"), "{first}");
    for (service, request) in [("enable", "data: true"), ("set_gain", "value: 1.0")] {
        let said = world.call(&format!("/qi/RosProbe/{service}"), request).await;
        assert_eq!(said.status, Some(2), "{said:?}");
        assert!(said.err.contains("read-only bridge"), "{said:?}");
    }
    let gain = world.master.tool("rosservice", &["call", "/qi/RosProbe/get_gain"]).await.ok();
    assert!(gain.contains("value: 2.5"), "{gain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_from_ros_does_not_end_the_bridge() {
    let Some(world) = World::start().await else { return };
    let mut listener = world.master.start_tool("rostopic", &["echo", "/rosout/msg"]);
    let mut complaints = BufReader::new(listener.stdout.take().unwrap()).lines();
    eventually("somebody who listens", async {
        while !world.master.tool("rosnode", &["info", "/qi_bridge"]).await.ok().contains("topic: /rosout") {}
    })
    .await;
    let killed = world.master.tool("rosnode", &["kill", "/qi_bridge"]).await.ok();
    assert!(killed.contains("killed"), "{killed}");
    let complaint = eventually("a complaint", complaints.next_line()).await.unwrap().unwrap();
    assert!(complaint.contains("told to shut down by /rosnode"), "{complaint}");
    eventually("the bridge leaves", async {
        while world.master.tool("rosservice", &["list"]).await.ok().contains("/qi/") {}
    })
    .await;
    world.registered().await;
    assert_eq!(world.call("/qi/RosProbe/enable", "data: false").await.ok(), "success: False\nmessage: ''\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_another_node_provides_is_left_alone() {
    let Some(mut world) = World::start().await else { return };
    world.bridge.take().unwrap().stop().await;
    let program = "
import rospy, std_srvs.srv
rospy.init_node('other')
rospy.Service('/qi/RosProbe/status', std_srvs.srv.Trigger, lambda request: (True, 'mine'))
print('ready', flush=True)
rospy.spin()
";
    let mut other = world.master.start_python(program);
    let mut lines = BufReader::new(other.stdout.take().unwrap());
    let mut line = String::new();
    eventually("ready", lines.read_line(&mut line)).await.unwrap();
    let options = keyway_bridge_ros1::Options { master: world.master.uri(), ..Default::default() };
    let opt_in = keyway_bridge::OptIn::new(true, false).unwrap();
    world.bridge = Some(keyway_bridge_ros1::Ros1::start(&opt_in, &world.bus, options).await.unwrap());
    world.registered().await;
    let status = world.master.tool("rosservice", &["call", "/qi/RosProbe/status"]).await.ok();
    assert_eq!(status, "success: True\nmessage: \"mine\"\n");
    assert_eq!(world.call("/qi/RosProbe/enable", "data: true").await.ok(), "success: True\nmessage: ''\n");
}
