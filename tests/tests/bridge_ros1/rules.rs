//! Rules and imports.

use std::time::Duration;

use keyway::{Session, value::Value};
use keyway_bridge::{Front, Mode};
use keyway_bridge_ros1::{
    Options, RosOptions,
    rules::{CallRule, Condition, Expression, Import, Imported, PollRule, Rule, Source, Sources},
};
use keyway_tests::{bridge::Mover, eventually};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::world::World;

fn ruled(rule: Rule, options: Options) -> Options {
    Options { ros: RosOptions { rules: vec![rule], ..options.ros }, ..options }
}

fn importing(import: Import, options: Options) -> Options {
    Options { ros: RosOptions { imports: vec![import], ..options.ros }, ..options }
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_023_velocities_move_the_robot_20_times_a_second_and_silence_stops_it_once() {
    let Some(world) = World::with(Mode::Write, |options| ruled(Mover::rule(), options)).await else { return };
    let mover = Mover::register(&world.url).await;
    let program = "
import rospy, geometry_msgs.msg
rospy.init_node('driver')
publisher = rospy.Publisher('/cmd_vel', geometry_msgs.msg.Twist, queue_size=1)
message = geometry_msgs.msg.Twist()
message.linear.x = 0.1
message.angular.z = 0.5
rate = rospy.Rate(100)
while True:
    publisher.publish(message)
    rate.sleep()
";
    let driver = world.master.start_python(program);
    mover.is_driven().await;
    drop(driver);
    mover.has_stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_calls_does_nothing_in_read_mode() {
    let Some(world) = World::with(Mode::Read, |options| ruled(Mover::rule(), options)).await else { return };
    let mover = Mover::register(&world.url).await;
    let topics = world.master.tool("rosnode", &["info", "/qi_bridge"]).await.ok();
    assert!(!topics.contains("/cmd_vel"), "it is not even listened to: {topics}");
    assert!(mover.is_idle());
}

fn joint_states() -> Rule {
    Rule::Poll(PollRule {
        topic: "/joint_states".to_owned(),
        message: "sensor_msgs/JointState".parse().unwrap(),
        rate: 50.0,
        frame_id: "base_link".to_owned(),
        sources: Sources::new(
            [
                ("names".to_owned(), Source::parse("Mover.names(\"Hand\") @once").unwrap()),
                ("angles".to_owned(), Source::parse("Mover.angles()").unwrap()),
            ]
            .into(),
        )
        .unwrap(),
        finally: None,
        fields: [
            ("name".to_owned(), Expression::parse("names").unwrap()),
            ("position".to_owned(), Expression::parse("angles").unwrap()),
        ]
        .into(),
        is_sensor: false,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_are_polled_for_a_topic() {
    let Some(world) = World::with(Mode::Read, |options| ruled(joint_states(), options)).await else { return };
    let _mover = Mover::register(&world.url).await;
    let state = world.master.tool("rostopic", &["echo", "-n", "1", "/joint_states"]).await.ok();
    assert!(state.contains("frame_id: \"base_link\""), "{state}");
    assert!(state.contains("- HandLeft\n  - HandRight") || state.contains("- HandLeft\n - HandRight"), "{state}");
    assert!(state.contains("position: [0.5, -0.5]"), "{state}");
}

fn imported(name: &str, kind: &str, member: &str) -> Imported {
    let (name, member) = (name.to_owned(), member.to_owned());
    Imported { name, kind: kind.parse().unwrap(), member, timeout: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_024_an_imported_topic_is_a_signal_and_a_method_publishes() {
    let import = Import {
        service: "RosChat".to_owned(),
        subscribe: vec![imported("/chatter", "std_msgs/String", "heard")],
        publish: vec![imported("/answers", "std_msgs/Header", "answer")],
        call: Vec::new(),
    };
    let options = |options| importing(import, options);
    let Some(world) = World::with(Mode::Write, options).await else { return };
    let session = Session::connect(&world.url).await.unwrap();
    let chat = eventually("the import", session.wait_for_service("RosChat")).await.unwrap();
    let mut heard = chat.signal::<Value>("heard").await.unwrap();
    let program = "
import rospy, std_msgs.msg
rospy.init_node('talker')
publisher = rospy.Publisher('/chatter', std_msgs.msg.String, queue_size=1000)
while publisher.get_num_connections() == 0: rospy.sleep(0.01)
for number in range(200): publisher.publish('message %d' % number)
rospy.sleep(1)
";
    let talker = world.master.start_python(program);
    for number in 0..200 {
        let event = eventually("a message", heard.next()).await.unwrap().unwrap();
        assert_eq!(event.to_string(), format!("[{{\"data\":\"message {number}\"}}]"));
    }
    let last: Value = chat.get("last_heard").await.unwrap();
    assert_eq!(last.field("data").and_then(Value::as_str), Some("message 199"));
    drop(talker);

    let mut echo = world.master.start_tool("rostopic", &["echo", "/answers/frame_id"]);
    let mut lines = BufReader::new(echo.stdout.take().unwrap()).lines();
    let stamp = Value::tuple(vec![1_u32.into(), 2_u32.into()]);
    let line = eventually("an answer", async {
        loop {
            let arguments = vec![0_u32.into(), stamp.clone(), "yes".into()];
            chat.call_dynamic("answer", arguments).await.unwrap();
            if let Ok(line) = tokio::time::timeout(Duration::from_millis(200), lines.next_line()).await {
                return line.unwrap().unwrap();
            }
        }
    })
    .await;
    assert_eq!(line, "\"yes\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_025_an_imported_service_is_a_method_that_fails_at_once_when_its_node_is_gone() {
    let import = Import {
        service: "RosSwitch".to_owned(),
        subscribe: Vec::new(),
        publish: Vec::new(),
        call: vec![imported("/switch", "std_srvs/SetBool", "set")],
    };
    let options = |options| importing(import, options);
    let Some(world) = World::with(Mode::Write, options).await else { return };
    let program = "
import rospy, std_srvs.srv
rospy.init_node('switch')
def switch(request):
    if not request.data: raise Exception('it does not go off')
    return True, 'on'
rospy.Service('/switch', std_srvs.srv.SetBool, switch)
print('ready', flush=True)
rospy.spin()
";
    let mut node = world.master.start_python(program);
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
    assert_eq!(eventually("ready", lines.next_line()).await.unwrap().unwrap(), "ready");
    let session = Session::connect(&world.url).await.unwrap();
    let switch = eventually("the import", session.wait_for_service("RosSwitch")).await.unwrap();
    for _ in 0..3 {
        let result = switch.call_dynamic("set", vec![true.into()]).await.unwrap();
        assert_eq!(result.to_string(), r#"{"success":true,"message":"on"}"#);
    }
    let error = switch.call_dynamic("set", vec![false.into()]).await.unwrap_err().to_string();
    assert!(error.contains("it does not go off"), "{error}");
    node.kill().await.unwrap();
    let error = switch.call_dynamic("set", vec![true.into()]).await.unwrap_err().to_string();
    assert_eq!(error, "ros service /switch not available");
}

#[tokio::test(flavor = "multi_thread")]
async fn stamps_are_of_the_simulation_while_there_is_one() {
    let Some(world) = World::with(Mode::Read, |options| ruled(joint_states(), options)).await else { return };
    let _mover = Mover::register(&world.url).await;
    let program = "
import genpy, rospy, time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
rospy.init_node('simulation', disable_rostime=True)
stamps = []
rospy.Subscriber('/joint_states', JointState, lambda message: stamps.append((message.header.stamp.secs, message.header.stamp.nsecs)))
def until(is_so):
    while not stamps or not is_so(stamps[-1]): time.sleep(0.02)
until(lambda stamp: stamp[0] > 1000000000)
rospy.set_param('/use_sim_time', True)
until(lambda stamp: stamp == (0, 0))
clock = rospy.Publisher('/clock', Clock, queue_size=1, latch=True)
clock.publish(Clock(clock=genpy.Time(100, 500000000)))
until(lambda stamp: stamp == (100, 500000000))
clock.publish(Clock(clock=genpy.Time(101, 0)))
until(lambda stamp: stamp == (101, 0))
rospy.set_param('/use_sim_time', False)
until(lambda stamp: stamp[0] > 1000000000)
print('followed')
";
    assert!(world.master.python(program).await.ok().ends_with("followed\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_nobody_has_defined_is_learned_from_the_publisher() {
    let import = Import {
        service: "RosLoggers".to_owned(),
        subscribe: vec![imported("/loggers", "roscpp/Logger", "heard")],
        publish: Vec::new(),
        call: Vec::new(),
    };
    let rule = Rule::Call(CallRule {
        topic: "/levels".to_owned(),
        message: "roscpp/Logger".parse().unwrap(),
        when: Condition::default(),
        call: Source::new("Mover.names", vec![Expression::parse("level").unwrap()]).unwrap(),
        max_rate: None,
        timeout: None,
        on_timeout: Some(Source::new("Mover.stop", Vec::new()).unwrap()),
        float_seconds: false,
    });
    let options = |options| ruled(rule, importing(import, options));
    let Some(world) = World::with(Mode::Write, options).await else { return };
    let mover = Mover::register(&world.url).await;
    let session = Session::connect(&world.url).await.unwrap();
    assert!(session.service("RosLoggers").await.is_err(), "nobody knows its types");
    let program = "
import rospy, time
from roscpp.msg import Logger
rospy.init_node('logging')
rospy.Publisher('/loggers', Logger, queue_size=10, latch=True).publish(name='ros.keyway', level='warn')
levels = rospy.Publisher('/levels', Logger, queue_size=10)
while True:
    levels.publish(name='ros.keyway', level='warn')
    time.sleep(0.1)
";
    let _logging = world.master.start_python(program);
    let loggers = eventually("the import", session.wait_for_service("RosLoggers")).await.unwrap();
    // The only message there is was not missed.
    eventually("the message", async {
        while loggers.get::<Value>("last_heard").await.unwrap().to_string()
            != r#"{"name":"ros.keyway","level":"warn"}"#
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    // The rule has one, too: it stops what it has begun when the bridge ends.
    mover.is_asked_for_names().await;
    eventually("the rule", world.bridge.unwrap().stop()).await;
    mover.has_stopped().await;
}
