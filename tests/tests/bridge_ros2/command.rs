//! `keyway bridge ros2` as a command.

use std::{fs, process::Command};

use keyway_tests::process::{Keyway, Running};

use crate::world::World;

/// A world whose bridge is a process of its own.
async fn world() -> Option<World> {
    let mut world = World::start().await?;
    keyway_bridge::Front::stop(world.bridge.take()?).await;
    Some(world)
}

fn bridge(world: &World, more: &[&str]) -> Command {
    let mut command = Command::new(Keyway::program());
    command.args([
        "bridge",
        "ros2",
        "--insecure",
        "--directory",
        &world.url,
        "--service",
        "RosProbe",
        "--mode",
        "write",
    ]);
    command.args(more);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_003_its_sockets_stay_on_loopback() {
    let Some(mut world) = world().await else { return };
    let domain = world.domain.id.to_string();
    let mut running = Running::start(&mut bridge(&world, &["--domain", &domain]));
    assert_eq!(running.urls, [format!("dds://127.0.0.1/{domain}")]);
    let program = "
from std_srvs.srv import Trigger
print(call('/qi/RosProbe/status', Trigger).message)
";
    assert_eq!(world.node.run(program).await, "ready\n");
    let said = Command::new("ss").args(["-lunpH"]).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let own = format!("pid={},", running.pid);
    let own: Vec<&str> = said.lines().filter(|line| line.contains(&own)).collect();
    assert!(own.len() >= 4, "{said}");
    for line in own {
        assert!(line.contains("%lo:") || line.contains(" 127.0.0.1"), "{line}");
    }
    let warned = running.stop();
    assert!(warned.contains(&format!("dds://127.0.0.1/{domain}")) && warned.contains("RosProbe"), "{warned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_says_is_done_without_flags() {
    let Some(mut world) = world().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keyway.toml");
    let text = format!(
        "[[directory]]\nurl = {:?}\n[bridges]\nservices = [\"RosProbe\"]\nmode = \"write\"\n[bridges.ros]\nroot = \"/lab\"\n\
         [bridges.ros2]\nenabled = true\ndomain = {}\nnode = \"/lab/door\"\n\
         [[bridges.ros.import]]\nfront = \"ros2\"\nservice = \"RosChat\"\n\
         subscribe = [{{ topic = \"/chatter\", type = \"std_msgs/String\", signal = \"heard\" }}]\n",
        world.url, world.domain.id
    );
    fs::write(&file, text).unwrap();
    let mut command = Command::new(Keyway::program());
    let _running = Running::start(command.args(["bridge", "--insecure", "--config", file.to_str().unwrap()]));
    let program = "
from std_srvs.srv import Trigger
print(call('/lab/RosProbe/status', Trigger).message)
until(lambda: ('door', '/lab') in node.get_node_names_and_namespaces())
until(lambda: node.count_subscribers('/chatter'))
until(lambda: node.count_publishers('/lab/services') and node.count_publishers('/lab/definitions'))
";
    assert_eq!(world.node.run(program).await, "ready\n");
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    if keyway_tests::ros2::python().is_none() {
        return;
    }
    let run = |more: &[&str]| {
        let arguments = ["bridge", "ros2", "--insecure", "--service", "RosProbe", "--directory", "tcp://127.0.0.1:1"];
        let output = Keyway::run(&[&arguments[..], more].concat());
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = run(&["--domain", "233"]);
    assert!(said.contains("domain: 233 is none"), "{said}");
    let said = run(&["--root", "/a__b"]);
    assert!(said.contains("\"/a__b\" is no name of ROS 2"), "{said}");
}
