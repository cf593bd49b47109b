//! What the bridge is called and what it shows.

use keyway_tests::eventually;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn ros_005_services_are_listed() {
    let Some(world) = World::start().await else { return };
    let listed = world.master.tool("rosservice", &["list"]).await.ok();
    let listed: Vec<&str> = listed.lines().collect();
    for name in ["RosProbe/add", "RosProbe/get_gain", "RosProbe/set_gain", "call", "call_std", "definitions"] {
        assert!(listed.contains(&format!("/qi/{name}").as_str()), "{name}: {listed:?}");
    }
    assert!(!listed.iter().any(|name| name.contains("registerEvent") || name.contains("ServiceDirectory")));
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_006_services_have_types() {
    let Some(world) = World::start().await else { return };
    let kind = async |name: &str| world.master.tool("rosservice", &["type", name]).await.ok();
    assert_eq!(kind("/qi/RosProbe/add").await, "qi_bridge_msgs/RosProbeAdd\n");
    assert_eq!(kind("/qi/RosProbe/status").await, "std_srvs/Trigger\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_013_checksums_are_those_that_ros_computes() {
    let Some(mut world) = World::start().await else { return };
    world.generate().await;
    let listed = world.master.tool("rosservice", &["list"]).await.ok();
    // The header of a probe says type and checksum; rossrv computes the checksum of the text that the bridge gives out.
    let program = "
import sys, rosservice, genmsg, socket, struct
from rospy.impl.tcpros_base import *
from rosgraph.network import *
import roslib.message
for name in sys.argv[1:]:
    host, port = rosservice.rospy.core.parse_rosrpc_uri(rosservice.get_service_uri(name))
    s = socket.create_connection((host, port))
    write_ros_handshake_header(s, {'probe': '1', 'md5sum': '*', 'callerid': '/t', 'service': name})
    header = read_ros_handshake_header(s, BytesIO(), 2048)
    print(name, header['type'], header['md5sum'], roslib.message.get_service_class(header['type'])._md5sum)
";
    let names: Vec<&str> = listed.lines().filter(|name| name.starts_with("/qi/")).collect();
    let arguments: Vec<&str> = ["-c", program].into_iter().chain(names.iter().copied()).collect();
    let said = world.master.tool("python3", &arguments).await.ok();
    assert_eq!(said.lines().count(), names.len());
    for line in said.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[2], words[3], "{line}");
    }
    let added = world.master.tool("rossrv", &["md5", "qi_bridge_msgs/RosProbeAdd"]).await.ok();
    assert_eq!(added.trim(), "639add3ab84b002c09c84d1e872febf0");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_018_the_node_tells_what_it_is() {
    let Some(world) = World::start().await else { return };
    let told = world.master.tool("rosnode", &["info", "/qi_bridge"]).await.ok();
    assert!(told.contains("* /qi/RosProbe/gain [std_msgs/Float64]"), "{told}");
    assert!(told.contains("* /qi/RosProbe/add\n"), "{told}");
    assert!(told.contains(&format!("Pid: {}", std::process::id())), "{told}");
    let pinged = world.master.tool("rosnode", &["ping", "-c", "2", "/qi_bridge"]).await.ok();
    assert_eq!(pinged.matches("xmlrpc reply from").count(), 2, "{pinged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_comes_later_appears_and_one_that_leaves_is_gone() {
    let Some(world) = World::start().await else { return };
    world.probe.session.close().await;
    let lists = async |wanted: bool| {
        eventually("the list", async {
            loop {
                let listed = world.master.tool("rosservice", &["list"]).await.ok();
                if listed.contains("/qi/RosProbe/add") == wanted {
                    return;
                }
            }
        })
        .await;
    };
    lists(false).await;
    let _again = keyway_tests::bridge::RosProbe::register(&world.url, "RosProbe").await;
    lists(true).await;
    assert_eq!(world.call("/qi/RosProbe/enable", "data: true").await.ok(), "success: True\nmessage: ''\n");
}
