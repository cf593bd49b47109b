//! Topics that call methods, and methods that are polled for topics.

use std::{sync::Arc, time::Duration};

use keyway::{Object, Session};
use keyway_bridge::Mode;
use keyway_bridge_ros2::{
    Options,
    rules::{CallRule, Expression, PollRule, Rule, Source, Sources},
};
use keyway_tests::eventually;
use parking_lot::Mutex;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn velocities_move_the_robot_and_angles_are_polled() {
    let arguments = ["linear.x", "linear.y", "-angular.z"].map(|text| Expression::parse(text).unwrap());
    let drive = Rule::Call(CallRule {
        topic: "/cmd_vel".to_owned(),
        message: "geometry_msgs/Twist".parse().unwrap(),
        call: Source::new("Mover.move", arguments.to_vec()).unwrap(),
        max_rate: Some(20.0),
        timeout: Some(Duration::from_millis(500)),
        on_timeout: Some(Source::new("Mover.stop", Vec::new()).unwrap()),
        float_seconds: false,
    });
    let tell = Rule::Poll(PollRule {
        topic: "/angles".to_owned(),
        message: "geometry_msgs/PointStamped".parse().unwrap(),
        rate: 50.0,
        frame_id: "base_link".to_owned(),
        sources: Sources::new([("angle".to_owned(), Source::parse("Mover.angle()").unwrap())].into()).unwrap(),
        finally: None,
        fields: [("point".to_owned(), Expression::parse("angle").unwrap())].into(),
        is_sensor: true,
    });
    let options = |options| Options { rules: vec![drive, tell], ..options };
    let Some(mut world) = World::with(Mode::Write, options).await else { return };
    let session = Session::connect(&world.url).await.unwrap();
    let noted = Arc::new(Mutex::new(Vec::new()));
    let (moved, stopped) = (noted.clone(), noted.clone());
    let mut mover = Object::builder();
    mover.method("move", move |(x, y, theta): (f64, f64, f64)| moved.lock().push(format!("{x} {y} {theta}")));
    mover.method("stop", move |(): ()| stopped.lock().push("stop".to_owned()));
    mover.method("angle", |(): ()| (0.5, -0.5, 1.0));
    session.register("Mover", mover).await.unwrap();

    // At 100 Hz for 3 s by the publisher's own clock.
    let program = "
import time
from geometry_msgs.msg import PointStamped, Twist
from rclpy.qos import qos_profile_sensor_data
told = first('/angles', PointStamped, qos_profile_sensor_data)
print(told.header.frame_id, told.header.stamp.sec > 0, told.point.x, told.point.y, told.point.z)
publisher = node.create_publisher(Twist, '/cmd_vel', 10)
until(lambda: publisher.get_subscription_count())
message = Twist()
message.linear.x, message.angular.z = 0.1, 0.5
began = time.monotonic()
for number in range(300):
    publisher.publish(message)
    time.sleep(max(0, began + (number + 1) / 100 - time.monotonic()))
";
    assert_eq!(world.node.run(program).await, "base_link True 0.5 -0.5 1.0\n");
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
    assert!((50..=65).contains(&moves.len()), "{} calls", moves.len());
}
