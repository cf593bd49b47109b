//! Methods and properties as services.

use keyway_bridge::Mode;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn ros_040_rclpy_finds_a_service_and_calls_it() {
    let Some(mut world) = World::start().await else { return };
    let program = "
from std_srvs.srv import SetBool, Trigger
client = node.create_client(SetBool, '/qi/RosProbe/enable')
assert client.wait_for_service(timeout_sec=5)
for on in (True, False, True):
    future = client.call_async(SetBool.Request(data=on))
    until(future.done)
    print(future.result().success, repr(future.result().message))
print(call('/qi/RosProbe/status', Trigger).message)
";
    assert_eq!(world.node.run(program).await, "True ''\nFalse ''\nTrue ''\nready\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_044_anything_is_called_by_its_name_and_errors_come_in_the_response() {
    let Some(mut world) = World::start().await else { return };
    let program = "
print(named('RosProbe', 'add', 2, 3))
print(named('RosProbe', 'boom', 'it broke'))
print(named('RosProbe', 'pose'))
print(named('RosProbe', 'set:gain', 4.5), named('RosProbe', 'get:gain'))
print(named('RosProbe', 'add', 'x', 3)[0], named('ServiceDirectory', 'services'))
";
    let said = world.node.run(program).await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "(True, '5')");
    assert_eq!(lines[1], "(False, 'it broke')");
    assert!(lines[2].starts_with("(True, '{") && lines[2].contains("\"theta\":3.0"), "{said}");
    assert_eq!(lines[3], "(True, 'null') (True, '4.5')");
    assert_eq!(lines[4], "False (False, 'not exposed')");
    assert_eq!(world.probe.gain.get(), 4.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_read_mode_properties_are_read_and_nothing_is_called() {
    let Some(mut world) = World::with(Mode::Read, |options| options).await else { return };
    let program = "
from std_srvs.srv import SetBool
from std_msgs.msg import Float64
print(first('/qi/RosProbe/gain', Float64).data)
response = call('/qi/RosProbe/enable', SetBool, data=True)
print(response.success, response.message)
print(named('RosProbe', 'set:gain', 4.5), named('RosProbe', 'get:gain'))
";
    let expected = "2.5\nFalse read-only bridge\n(False, 'read-only bridge') (True, '2.5')\n";
    assert_eq!(world.node.run(program).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_does_not_wait_for_those_of_others() {
    let Some(mut world) = World::start().await else { return };
    let program = "
import time
from diagnostic_msgs.srv import AddDiagnostics
client = node.create_client(AddDiagnostics, '/qi/call_std')
assert client.wait_for_service(timeout_sec=30)
ask = lambda text: client.call_async(AddDiagnostics.Request(load_namespace=text))
slow = [ask('{\"service\":\"RosProbe\",\"member\":\"slow\",\"args\":[2000]}') for _ in range(4)]
fast = ask('{\"service\":\"RosProbe\",\"member\":\"add\",\"args\":[2,3]}')
until(fast.done)
print(fast.result().message, [future.done() for future in slow])
until(lambda: all(future.done() for future in slow))
print([future.result().message for future in slow])
";
    let said = world.node.run(program).await;
    assert_eq!(said, "5 [False, False, False, False]\n['2000', '2000', '2000', '2000']\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_service_leaves_fails() {
    let Some(mut world) = World::start().await else { return };
    let began = "
from diagnostic_msgs.srv import AddDiagnostics
client = node.create_client(AddDiagnostics, '/qi/call_std')
assert client.wait_for_service(timeout_sec=30)
future = client.call_async(AddDiagnostics.Request(load_namespace='{\"service\":\"RosProbe\",\"member\":\"slow\",\"args\":[60000]}'))
rclpy.spin_once(node, timeout_sec=1)
";
    world.node.run(began).await;
    world.probe.slow_has_begun().await;
    world.probe.session.close().await;
    let said = world.node.run("until(future.done)\nprint(future.result().success, future.result().message)").await;
    assert_eq!(said, "False service RosProbe is gone\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_the_library_cannot_write_is_an_error() {
    let Some(mut world) = World::start().await else { return };
    let program = "
for size in (1000, 5000, 100000, 10):
    success, message = named('RosProbe', 'greet', 'x' * size)
    print(success, len(message) if success else message)
";
    let said = world.node.run(program).await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines[0], lines[3]), ("True 1008", "True 18"), "{said}");
    for line in &lines[1..3] {
        assert!(line.starts_with("False the result cannot be passed on: it has"), "{said}");
    }
}
