//! Rules and imports.

use std::{sync::Arc, time::Duration};

use keyway::{Object, Session, value::Value};
use keyway_bridge::Mode;
use keyway_bridge_ros1::rules::{CallRule, Expression, Import, Imported, PollRule, Rule, Source, Sources};
use keyway_tests::eventually;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::world::World;

/// A service that notes how it is moved; not one of those that are shown.
async fn mover(url: &str) -> (Session, Arc<Mutex<Vec<String>>>) {
    let session = Session::connect(url).await.unwrap();
    let noted = Arc::new(Mutex::new(Vec::new()));
    let (moved, stopped) = (noted.clone(), noted.clone());
    let mut mover = Object::builder();
    mover.method("move", move |(x, y, theta): (f64, f64, f64)| moved.lock().push(format!("{x} {y} {theta}")));
    mover.method("stop", move |(): ()| stopped.lock().push("stop".to_owned()));
    mover.method("names", |(body,): (String,)| vec![format!("{body}Left"), format!("{body}Right")]);
    mover.method("angles", |(): ()| vec![0.5_f32, -0.5]);
    session.register("Mover", mover).await.unwrap();
    (session, noted)
}

fn expressions(texts: &[&str]) -> Vec<Expression> {
    texts.iter().map(|text| Expression::parse(text).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_023_velocities_move_the_robot_20_times_a_second_and_silence_stops_it_once() {
    let rule = Rule::Call(CallRule {
        topic: "/cmd_vel".to_owned(),
        message: "geometry_msgs/Twist".parse().unwrap(),
        call: Source::new("Mover.move", expressions(&["linear.x", "linear.y", "-angular.z"])).unwrap(),
        max_rate: Some(20.0),
        timeout: Some(Duration::from_millis(500)),
        on_timeout: Some(Source::new("Mover.stop", Vec::new()).unwrap()),
        float_seconds: false,
    });
    let Some(world) =
        World::with(Mode::Write, |options| keyway_bridge_ros1::Options { rules: vec![rule], ..options }).await
    else {
        return;
    };
    let (_session, noted) = mover(&world.url).await;
    // At 100 Hz for 3 s by the publisher's own clock.
    let program = "
import rospy, geometry_msgs.msg
rospy.init_node('driver')
publisher = rospy.Publisher('/cmd_vel', geometry_msgs.msg.Twist, queue_size=1)
while publisher.get_num_connections() == 0: rospy.sleep(0.01)
message = geometry_msgs.msg.Twist()
message.linear.x = 0.1
message.angular.z = 0.5
rate = rospy.Rate(100)
began = rospy.get_time()
while rospy.get_time() - began < 3:
    publisher.publish(message)
    rate.sleep()
";
    world.master.python(program).await.ok();
    eventually("the stop", async {
        while noted.lock().last().is_none_or(|last| last != "stop") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // A second stop would come within another limit.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let noted = noted.lock().clone();
    let (stops, moves): (Vec<_>, Vec<_>) = noted.iter().partition(|note| *note == "stop");
    assert_eq!(stops.len(), 1, "{noted:?}");
    assert!(moves.iter().all(|note| *note == "0.1 0 -0.5"), "{noted:?}");
    assert!((55..=65).contains(&moves.len()), "{} calls", moves.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_calls_does_nothing_in_read_mode() {
    let rule = Rule::Call(CallRule {
        topic: "/cmd_vel".to_owned(),
        message: "geometry_msgs/Twist".parse().unwrap(),
        call: Source::new("Mover.move", expressions(&["linear.x", "linear.y", "angular.z"])).unwrap(),
        max_rate: None,
        timeout: None,
        on_timeout: None,
        float_seconds: false,
    });
    let Some(world) =
        World::with(Mode::Read, |options| keyway_bridge_ros1::Options { rules: vec![rule], ..options }).await
    else {
        return;
    };
    let (_session, noted) = mover(&world.url).await;
    let topics = world.master.tool("rosnode", &["info", "/qi_bridge"]).await.ok();
    assert!(!topics.contains("/cmd_vel"), "it is not even listened to: {topics}");
    assert!(noted.lock().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_are_polled_for_a_topic() {
    let rule = Rule::Poll(PollRule {
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
    });
    let Some(world) =
        World::with(Mode::Read, |options| keyway_bridge_ros1::Options { rules: vec![rule], ..options }).await
    else {
        return;
    };
    let (_session, _) = mover(&world.url).await;
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
    let options = |options| keyway_bridge_ros1::Options { imports: vec![import], ..options };
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
    let options = |options| keyway_bridge_ros1::Options { imports: vec![import], ..options };
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
