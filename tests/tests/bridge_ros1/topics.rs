//! Signals and properties as topics.

use std::time::Duration;

use keyway_tests::eventually;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::world::World;

/// What a topic says, as rostopic prints it.
struct Echo {
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    _process: tokio::process::Child,
}

impl Echo {
    fn start(world: &World, topic: &str) -> Self {
        let mut process = world.master.start_tool("rostopic", &["echo", topic]);
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { lines, _process: process }
    }

    /// The next line that is not a separator.
    async fn next(&mut self) -> String {
        loop {
            let line = eventually("a message", self.lines.next_line()).await.unwrap().unwrap();
            if line != "---" {
                return line;
            }
        }
    }
}

/// Waits until so many listen to ticks.
pub(crate) async fn listened_to(world: &World, count: usize) {
    eventually("a subscriber", async {
        loop {
            let told = world.master.tool("rosnode", &["info", "/qi_bridge"]).await.ok();
            if told.matches("topic: /qi/RosProbe/tick").count() == count && world.probe.tick.subscribers() == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_015_a_signal_is_echoed_in_order() {
    let Some(world) = World::start().await else { return };
    assert_eq!(world.probe.tick.subscribers(), 0, "nobody listens");
    let mut echo = Echo::start(&world, "/qi/RosProbe/tick");
    listened_to(&world, 1).await;
    for number in 0..3 {
        world.probe.tick.emit(&(number,));
    }
    for number in 0..3 {
        assert_eq!(echo.next().await, format!("data: {number}"));
    }
    drop(echo);
    eventually("nobody listens", async {
        while world.probe.tick.subscribers() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_016_and_017_a_property_has_its_value_at_once_and_then_each_change() {
    let Some(world) = World::start().await else { return };
    let first = world.master.tool("rostopic", &["echo", "-n", "1", "/qi/RosProbe/gain"]).await.ok();
    assert!(first.starts_with("data: 2.5\n"), "{first}");
    let told = world.master.tool("rostopic", &["info", "/qi/RosProbe/gain"]).await.ok();
    assert!(told.contains("Type: std_msgs/Float64") && told.contains("* /qi_bridge ("), "{told}");
    let mut echo = Echo::start(&world, "/qi/RosProbe/gain");
    assert_eq!(echo.next().await, "data: 2.5");
    world.probe.gain.set(3.5).unwrap();
    assert_eq!(echo.next().await, "data: 3.5");
    let mut late = Echo::start(&world, "/qi/RosProbe/gain");
    assert_eq!(late.next().await, "data: 3.5", "the latched one");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_generated_type_needs_no_package() {
    let Some(world) = World::start().await else { return };
    // The publisher sends the definition; genpy makes a class of it.
    let program = "
import rospy, genpy.dynamic
rospy.init_node('listener', anonymous=True)
def heard(message):
    kind = genpy.dynamic.generate_dynamic('qi_bridge_msgs/RosProbeAlarmEvent', message._connection_header['message_definition'])
    alarm = kind['qi_bridge_msgs/RosProbeAlarmEvent']()
    alarm.deserialize(message._buff)
    print(alarm.code, alarm.text, alarm.header.stamp.secs > 1600000000, alarm.header.seq, flush=True)
    rospy.signal_shutdown('done')
rospy.Subscriber('/qi/RosProbe/alarm', rospy.AnyMsg, heard)
print('ready', flush=True)
rospy.spin()
";
    let mut listener = world.master.start_python(program);
    let mut lines = BufReader::new(listener.stdout.take().unwrap()).lines();
    assert_eq!(eventually("ready", lines.next_line()).await.unwrap().unwrap(), "ready");
    let host = keyway::Session::connect(&world.url).await.unwrap();
    let probe = host.service("RosProbe").await.unwrap();
    let line = eventually("the alarm", async {
        loop {
            probe.call::<()>("emit_alarm", (7, "hot".to_owned())).await.unwrap();
            if let Ok(line) = tokio::time::timeout(Duration::from_millis(200), lines.next_line()).await {
                return line.unwrap().unwrap();
            }
        }
    })
    .await;
    assert!(line.starts_with("7 hot True "), "{line}");
}
