//! Topics that call methods, and methods that are polled for topics.

use keyway_bridge::Mode;
use keyway_bridge_ros2::{
    Options, RosOptions,
    rules::{Expression, PollRule, Rule, Source, Sources},
};
use keyway_tests::bridge::Mover;

use crate::world::World;

fn position() -> Rule {
    Rule::Poll(PollRule {
        topic: "/angles".to_owned(),
        message: "geometry_msgs/PointStamped".parse().unwrap(),
        rate: 50.0,
        frame_id: "base_link".to_owned(),
        sources: Sources::new([("angle".to_owned(), Source::parse("Mover.position()").unwrap())].into()).unwrap(),
        finally: None,
        fields: [("point".to_owned(), Expression::parse("angle").unwrap())].into(),
        is_sensor: true,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn velocities_move_the_robot_and_angles_are_polled() {
    let options = |options| Options {
        ros: RosOptions { rules: vec![Mover::rule(), position()], ..RosOptions::default() },
        ..options
    };
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

#[tokio::test(flavor = "multi_thread")]
async fn stamps_are_of_the_simulation_if_the_bridge_is_told_to_use_it() {
    let ros = RosOptions { rules: vec![position()], ..RosOptions::default() };
    let options = |options| Options { use_sim_time: true, ros, ..options };
    let Some(mut world) = World::with(Mode::Read, options).await else { return };
    let _mover = Mover::register(&world.url).await;
    let program = "
from geometry_msgs.msg import PointStamped
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
stamps = []
tell = lambda message: stamps.append((message.header.stamp.sec, message.header.stamp.nanosec))
node.create_subscription(PointStamped, '/angles', tell, qos_profile_sensor_data)
until(lambda: stamps and stamps[-1] == (0, 0))
clock = node.create_publisher(Clock, '/clock', 10)
message = Clock()
message.clock.sec, message.clock.nanosec = 100, 500000000
def followed():
    clock.publish(message)
    return stamps[-1] == (100, 500000000)
until(followed)
print(set(stamps) == {(0, 0), (100, 500000000)})
";
    assert_eq!(world.node.run(program).await, "True\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn complaints_are_logs_of_ros() {
    let ros = RosOptions { rules: vec![Mover::rule()], ..RosOptions::default() };
    // The rule calls a method: the bridge complains that it is not in force.
    let Some(mut world) = World::with(Mode::Read, |options| Options { ros, ..options }).await else { return };
    let program = "
from rcl_interfaces.msg import Log
from rclpy.qos import DurabilityPolicy, QoSProfile
logs = []
qos = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
node.create_subscription(Log, '/rosout', lambda log: logs.append(log) if log.name == 'qi.bridge' else None, qos)
until(lambda: logs)
print(logs[0].level, '/cmd_vel' in logs[0].msg, logs[0].stamp.sec > 1000000000)
";
    assert_eq!(world.node.run(program).await, "30 True True\n");
}
