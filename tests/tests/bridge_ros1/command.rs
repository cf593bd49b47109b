//! `keyway bridge ros1` as a command.

use std::{fs, process::Command};

use keyway_tests::{
    eventually,
    process::{Keyway, Running, resident_kib},
};

use crate::{topics::listened_to, world::World};

fn bridge(world: &World, more: &[&str]) -> Command {
    let mut command = Command::new(Keyway::program());
    let master = world.master.uri();
    command.args(["bridge", "ros1", "--directory", &world.url, "--master", &master, "--service", "RosProbe"]);
    command.args(more);
    command
}

/// A world whose bridge is a process of its own.
async fn world() -> Option<World> {
    let mut world = World::start().await?;
    keyway_bridge::Front::stop(world.bridge.take()?).await;
    Some(world)
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_001_and_004_nothing_serves_without_consent() {
    let Some(world) = world().await else { return };
    let output = bridge(&world, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--insecure"), "{output:?}");
    let nodes = world.master.tool("rosnode", &["list"]).await.ok();
    assert!(!nodes.contains("/qi_bridge"), "{nodes}");

    let file = world.master.folder().join("keyway.toml");
    fs::write(&file, "[bridges.ros1]\nadvertise_host = \"0.0.0.0\"\n").unwrap();
    let output = bridge(&world, &["--insecure", "--config", file.to_str().unwrap()]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("--allow-non-loopback"), "{output:?}");
    let mut elsewhere = Command::new(Keyway::program());
    elsewhere.args(["bridge", "ros1", "--insecure", "--directory", &world.url, "--service", "RosProbe"]);
    let output = elsewhere.args(["--master", "http://192.0.2.1:11311"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("--allow-non-loopback"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_002_an_empty_list_of_services_is_refused() {
    let Some(world) = world().await else { return };
    let mut command = Command::new(Keyway::program());
    command.args(["bridge", "ros1", "--insecure", "--directory", &world.url, "--master", &world.master.uri()]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--service"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_003_and_021_it_listens_on_loopback_only_and_leaves_when_it_is_told_to() {
    let Some(world) = world().await else { return };
    let mut running = Running::start(&mut bridge(&world, &["--insecure", "--mode", "write"]));
    world.registered().await;
    for url in &running.urls {
        assert!(url.contains("://127.0.0.1:"), "{url}");
    }
    for local in listening(running.pid) {
        assert_eq!(local, "0100007F", "it listens on 127.0.0.1 only");
    }
    assert_eq!(world.call("/qi/RosProbe/enable", "data: true").await.ok(), "success: True\nmessage: ''\n");
    running.stop();
    let listed = world.master.tool("rosservice", &["list"]).await.ok();
    assert!(!listed.contains("/qi"), "{listed}");
    let listed = world.master.tool("rostopic", &["list"]).await.ok();
    assert!(!listed.contains("/qi"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_061_subscribers_that_keep_up_get_everything() {
    let Some(world) = world().await else { return };
    let running = Running::start(&mut bridge(&world, &["--insecure"]));
    world.registered().await;
    let program = "
import rospy, std_msgs.msg
rospy.init_node('listener', anonymous=True)
seen = []
def heard(message):
    seen.append(message.data)
    if len(seen) == 10000:
        print('all' if seen == list(range(10000)) else 'out of order', flush=True)
        rospy.signal_shutdown('done')
rospy.Subscriber('/qi/RosProbe/tick', std_msgs.msg.Int32, heard, tcp_nodelay=True)
rospy.spin()
";
    let listeners: Vec<_> = (0..5).map(|_| world.master.start_python(program)).collect();
    listened_to(&world, 5).await;
    let before = resident_kib(running.pid);
    for number in 0..10_000 {
        world.probe.tick.emit(&(number,));
        if number % 100 == 99 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    for listener in listeners {
        let said = eventually("all ticks", listener.wait_with_output()).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), "all\n");
    }
    let after = resident_kib(running.pid);
    assert!(after < before + (20 << 10), "{before} KiB, then {after} KiB");
}

/// The addresses, as the system writes them, on which a process listens.
fn listening(pid: u32) -> Vec<String> {
    let sockets = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let sockets: Vec<String> = sockets
        .filter_map(|entry| {
            fs::read_link(entry.ok()?.path())
                .ok()?
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')
                .map(str::to_owned)
        })
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        for line in fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap().lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_open = words[3] == "0A" || table.starts_with("udp");
            if is_open && sockets.iter().any(|socket| socket == words[9]) {
                found.push(words[1].split(':').next().unwrap().to_owned());
            }
        }
    }
    assert!(found.len() >= 2, "{found:?}");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn gen_msgs_writes_a_package_that_ros_takes() {
    let Some(mut world) = world().await else { return };
    let out = world.master.folder().join("qi_bridge_msgs");
    let arguments = ["bridge", "ros1", "gen-msgs", "--directory", &world.url, "--service", "RosProbe", "--out"];
    let output = Keyway::run(&[&arguments[..], &[out.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{output:?}");
    world.master.generate_modules(&out);
    let _running = Running::start(&mut bridge(&world, &["--insecure", "--mode", "write"]));
    world.registered().await;
    let added = world.call("/qi/RosProbe/add", "{a: 2, b: 3}").await.ok();
    assert_eq!(added, "ok: True\nerror: ''\nvalue: 5\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_says_is_done_without_flags() {
    let Some(world) = world().await else { return };
    let file = world.master.folder().join("keyway.toml");
    let text = format!(
        "[[directory]]\nurl = {:?}\n[bridges]\nservices = [\"RosProbe\"]\nmode = \"write\"\n[bridges.ros1]\nenabled = true\nmaster = {:?}\n\
         [[bridges.ros.rule]]\nfront = \"ros1\"\nsubscribe = \"/say\"\ntype = \"std_msgs/Float64\"\ncall = \"RosProbe.greet\"\nargs = [\"\\\"ROS\\\"\"]\n\
         [[bridges.ros.import]]\nfront = \"ros1\"\nservice = \"RosChat\"\nsubscribe = [{{ topic = \"/chatter\", type = \"std_msgs/String\", signal = \"heard\" }}]\n",
        world.url,
        world.master.uri()
    );
    fs::write(&file, text).unwrap();
    let mut command = Command::new(Keyway::program());
    let _running = Running::start(command.args(["bridge", "--insecure", "--config", file.to_str().unwrap()]));
    world.registered().await;
    let told = world.master.tool("rosnode", &["info", "/qi_bridge"]).await.ok();
    assert!(told.contains("* /say [") && told.contains("* /chatter ["), "{told}");
    let session = keyway::Session::connect(&world.url).await.unwrap();
    eventually("the import", session.wait_for_service("RosChat")).await.unwrap();
}
