//! Topics that call methods, and methods that are polled for topics.

use keyway_bridge::Mode;
use keyway_bridge_ros2::{
    Options, RosOptions,
    rules::{Expression, PollRule, Rule, Source, Sources},
};
use keyway_tests::bridge::Mover;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn velocities_move_the_robot_and_angles_are_polled() {
    let tell = Rule::Poll(PollRule {
        topic: "/angles".to_owned(),
        message: "geometry_msgs/PointStamped".parse().unwrap(),
        rate: 50.0,
        frame_id: "base_link".to_owned(),
        sources: Sources::new([("angle".to_owned(), Source::parse("Mover.position()").unwrap())].into()).unwrap(),
        finally: None,
        fields: [("point".to_owned(), Expression::parse("angle").unwrap())].into(),
        is_sensor: true,
    });
    let options =
        |options| Options { ros: RosOptions { rules: vec![Mover::rule(), tell], ..RosOptions::default() }, ..options };
    let Some(mut world) = World::with(Mode::Write, options).await else { return };
    let mover = Mover::register(&world.url).await;

    let program = "
import threading, time
from geometry_msgs.msg import PointStamped, Twist
from rclpy.qos import qos_profile_sensor_data
told = first('/angles', PointStamped, qos_profile_sensor_data)
print(told.header.frame_id, told.header.stamp.sec > 0, told.point.x, told.point.y, told.point.z)
publisher = node.create_publisher(Twist, '/cmd_vel', 10)
message = Twist()
message.linear.x, message.angular.z = 0.1, 0.5
driven = threading.Event()
def drive():
    while not driven.wait(0.01):
        publisher.publish(message)
driver = threading.Thread(target=drive, daemon=True)
driver.start()
";
    assert_eq!(world.node.run(program).await, "base_link True 0.5 -0.5 1.0\n");
    mover.is_driven().await;
    world.node.run("driven.set()\ndriver.join()").await;
    mover.has_stopped().await;
}
