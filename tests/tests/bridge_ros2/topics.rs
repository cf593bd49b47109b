//! Signals and properties as topics.

use keyway_tests::eventually;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn ros_041_signals_come_in_order_and_a_property_has_its_value_at_once() {
    let Some(mut world) = World::start().await else { return };
    let program = "
from std_msgs.msg import Float64, Int32
print(first('/qi/RosProbe/gain', Float64).data)
ticks = []
subscription = node.create_subscription(Int32, '/qi/RosProbe/tick', lambda message: ticks.append(message.data), 10)
until(lambda: node.count_publishers('/qi/RosProbe/tick'))
";
    assert_eq!(world.node.run(program).await, "2.5\n");
    eventually("the subscription", async {
        while world.probe.tick.subscribers() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let program = "
print(named('RosProbe', 'emit_tick', 3)[0])
until(lambda: len(ticks) >= 3)
print(ticks)
node.destroy_subscription(subscription)
";
    assert_eq!(world.node.run(program).await, "True\n[0, 1, 2]\n");
    eventually("the end of the subscription", async {
        while world.probe.tick.subscribers() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_property_is_told_and_who_comes_back_gets_the_value_of_then() {
    let Some(mut world) = World::start().await else { return };
    let program = "
from std_msgs.msg import Float64
values = []
subscription = node.create_subscription(Float64, '/qi/RosProbe/gain', lambda message: values.append(message.data), LATCHED)
until(lambda: values == [2.5])
";
    world.node.run(program).await;
    world.probe.gain.set(3.5).unwrap();
    let program = "
until(lambda: values == [2.5, 3.5])
node.destroy_subscription(subscription)
until(lambda: not node.count_subscribers('/qi/RosProbe/gain'))
";
    world.node.run(program).await;
    world.probe.gain.set(4.5).unwrap();
    // A value of before may be told first, but not last.
    let program = "
values.clear()
subscription = node.create_subscription(Float64, '/qi/RosProbe/gain', lambda message: values.append(message.data), LATCHED)
until(lambda: values and values[-1] == 4.5)
";
    world.node.run(program).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_events_of_a_signal_all_arrive_at_a_reader_that_keeps_up() {
    let Some(mut world) = World::start().await else { return };
    let program = "
from std_msgs.msg import Int32
from rclpy.qos import QoSProfile
ticks = []
node.create_subscription(Int32, '/qi/RosProbe/tick', lambda message: ticks.append(message.data), QoSProfile(depth=20000))
until(lambda: node.count_publishers('/qi/RosProbe/tick'))
";
    world.node.run(program).await;
    eventually("the subscription", async {
        while world.probe.tick.subscribers() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let ticking = world.probe.tick.clone();
    let emitting = tokio::spawn(async move {
        for number in 0..10_000 {
            ticking.emit(&(number,));
            if number % 20 == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
    });
    let said = world.node.run("until(lambda: len(ticks) >= 10000)\nprint(ticks == list(range(10000)))").await;
    assert_eq!(said, "True\n");
    emitting.await.unwrap();
}
