//! Calls from ROS.

use keyway_tests::eventually;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn ros_007_and_008_and_012_standard_types_need_nothing_but_ros() {
    let Some(world) = World::start().await else { return };
    let enabled = world.call("/qi/RosProbe/enable", "data: true").await.ok();
    assert_eq!(enabled, "success: True\nmessage: ''\n");
    let status = world.master.tool("rosservice", &["call", "/qi/RosProbe/status"]).await.ok();
    assert_eq!(status, "success: True\nmessage: \"ready\"\n");
    let request = r#"{load_namespace: "{\"service\":\"RosProbe\",\"member\":\"add\",\"args\":[2,3]}"}"#;
    assert_eq!(world.call("/qi/call_std", request).await.ok(), "success: True\nmessage: \"5\"\n");
    let request = r#"{load_namespace: "{\"service\":\"RosProbe\",\"member\":\"boom\",\"args\":[\"it broke\"]}"}"#;
    assert_eq!(world.call("/qi/call_std", request).await.ok(), "success: False\nmessage: \"it broke\"\n");
    let request = r#"{load_namespace: "{\"service\":\"ServiceDirectory\",\"member\":\"services\"}"}"#;
    assert_eq!(world.call("/qi/call_std", request).await.ok(), "success: False\nmessage: \"not exposed\"\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_009_and_010_and_011_generated_types_hold_arguments_results_and_errors() {
    let Some(mut world) = World::start().await else { return };
    world.generate().await;
    let added = world.call("/qi/RosProbe/add", "{a: 2, b: 3}").await.ok();
    assert_eq!(added, "ok: True\nerror: ''\nvalue: 5\n");

    let said = world.call("/qi/RosProbe/boom", "why: it broke").await;
    assert_eq!(said.status, Some(2));
    let expected = "ERROR: service [/qi/RosProbe/boom] responded with an error: b'it broke'";
    assert!(said.err.contains(expected), "{said:?}");

    let pose = world.master.tool("rosservice", &["call", "/qi/RosProbe/pose"]).await.ok();
    assert!(pose.contains("x: 1.0\n  y: 2.0\n  theta: 3.0"), "{pose}");
    let table = world.master.tool("rosservice", &["call", "/qi/RosProbe/table"]).await.ok();
    assert!(table.contains("key: \"a\"\n    value: 1") && table.contains("key: \"b\"\n    value: 2"), "{table}");
    let numbers = world.call("/qi/RosProbe/vec", "n: 3").await.ok();
    assert!(numbers.contains("value: [0.0, 0.5, 1.0]"), "{numbers}");
    let blob = world.call("/qi/RosProbe/blob", "n: 4").await.ok();
    assert!(blob.contains("value: [0, 1, 2, 3]") || blob.contains("value: !!binary |\n  AAECAw=="), "{blob}");
    let echoed = world.call("/qi/RosProbe/echo", r#"value: '{"a":[1,2.5]}'"#).await.ok();
    assert!(echoed.contains(r#"{\"a\":[1,2.5]}"#), "{echoed}");
    let said = world.call("/qi/RosProbe/echo", "value: '{'").await;
    assert!(said.err.contains("bad argument value: bad JSON"), "{said:?}");
    let called = world.call("/qi/call", r#"{service: RosProbe, member: "get:gain", args_json: ""}"#).await.ok();
    assert!(called.contains("ok: True\nresult_json: \"2.5\""), "{called}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_014_a_proxy_of_another_type_is_refused_with_both_checksums() {
    let Some(world) = World::start().await else { return };
    let program = "
import rospy, std_srvs.srv
proxy = rospy.ServiceProxy('/qi/RosProbe/add', std_srvs.srv.Trigger)
try:
    proxy()
except rospy.ServiceException as error:
    print(error)
";
    let said = world.master.python(program).await.ok();
    assert!(said.contains("unable to connect to service: remote error reported: "), "{said}");
    assert!(said.contains("639add3ab84b002c09c84d1e872febf0"), "{said}");
    assert!(said.contains("937c9679a518e3a18d831e57125ea522"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_019_a_persistent_proxy_calls_thousands_of_times() {
    let Some(world) = World::start().await else { return };
    let program = "
import rospy, std_srvs.srv, time
def times(count, persistent):
    proxy = rospy.ServiceProxy('/qi/RosProbe/enable', std_srvs.srv.SetBool, persistent=persistent)
    spent = []
    for number in range(count):
        began = time.time()
        assert proxy(number % 2 == 0).success == (number % 2 == 0)
        spent.append(time.time() - began)
    spent.sort()
    return spent[count // 2] * 1000
print('p50 persistent %.3f ms, otherwise %.3f ms' % (times(2000, True), times(300, False)))
";
    let said = world.master.python(program).await.ok();
    // How fast it is depends on the machine: `docs/benchmarks.md` has the figures.
    assert!(said.starts_with("p50 persistent "), "{said}");
    eprintln!("{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_026_a_call_does_not_wait_for_those_of_others() {
    let Some(mut world) = World::start().await else { return };
    world.generate().await;
    let program = "
import rospy, threading, time
from qi_bridge_msgs.srv import RosProbeSlow, RosProbeAdd
done = []
def slow():
    rospy.ServiceProxy('/qi/RosProbe/slow', RosProbeSlow)(2000)
    done.append(time.time())
add = rospy.ServiceProxy('/qi/RosProbe/add', RosProbeAdd, persistent=True)
add(1, 1)
threads = [threading.Thread(target=slow) for _ in range(4)]
for thread in threads: thread.start()
time.sleep(0.5)
assert add(2, 3).value == 5
assert not done
for thread in threads: thread.join()
print('answered before the others')
";
    assert_eq!(world.master.python(program).await.ok(), "answered before the others\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_service_leaves_fails_and_the_connection_of_a_caller_that_is_cut_off_cancels_its_call() {
    let Some(mut world) = World::start().await else { return };
    world.generate().await;
    let program = "
import rospy
from qi_bridge_msgs.srv import RosProbeSlow
try:
    print('ready', flush=True)
    rospy.ServiceProxy('/qi/RosProbe/slow', RosProbeSlow)(60000)
except rospy.ServiceException as error:
    print(error)
";
    let caller = world.master.start_python(program);
    world.probe.slow_has_begun().await;
    world.probe.session.close().await;
    let said = eventually("the failure", caller.wait_with_output()).await.unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("service RosProbe is gone"), "{said}");
}
