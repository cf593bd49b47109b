//! What the bridge is called and what it shows.

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn ros_043_the_node_and_its_topics_and_services_are_seen_with_their_types() {
    let Some(mut world) = World::start().await else { return };
    let program = "
seen = lambda: dict(node.get_service_names_and_types_by_node('bridge', '/qi'))
until(lambda: ('bridge', '/qi') in node.get_node_names_and_namespaces())
until(lambda: '/qi/RosProbe/status' in seen() and '/qi/call' in seen())
services, topics = dict(node.get_service_names_and_types()), dict(node.get_topic_names_and_types())
for name in ('RosProbe/add', 'RosProbe/enable', 'RosProbe/status', 'RosProbe/get_gain', 'RosProbe/set_gain', 'call', 'call_std', 'definitions'):
    assert seen()['/qi/' + name] == services['/qi/' + name]
    print(name, services['/qi/' + name])
for name in ('RosProbe/tick', 'RosProbe/alarm', 'RosProbe/gain', 'services'):
    print(name, topics['/qi/' + name])
published = dict(node.get_publisher_names_and_types_by_node('bridge', '/qi'))
print(published['/qi/RosProbe/tick'], [name for name in services if 'registerEvent' in name])
";
    let expected = "\
RosProbe/add ['qi_bridge_msgs/srv/RosProbeAdd']
RosProbe/enable ['std_srvs/srv/SetBool']
RosProbe/status ['std_srvs/srv/Trigger']
RosProbe/get_gain ['qi_bridge_msgs/srv/RosProbeGetGain']
RosProbe/set_gain ['qi_bridge_msgs/srv/RosProbeSetGain']
call ['qi_bridge_msgs/srv/Call']
call_std ['diagnostic_msgs/srv/AddDiagnostics']
definitions ['std_srvs/srv/Trigger']
RosProbe/tick ['std_msgs/msg/Int32']
RosProbe/alarm ['qi_bridge_msgs/msg/RosProbeAlarmEvent']
RosProbe/gain ['std_msgs/msg/Float64']
services ['std_msgs/msg/String']
['std_msgs/msg/Int32'] []
";
    assert_eq!(world.node.run(program).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_and_the_definitions_are_told_as_json() {
    let Some(mut world) = World::start().await else { return };
    let program = "
import json
from std_msgs.msg import String
lists = []
node.create_subscription(String, '/qi/services', lambda message: lists.append(json.loads(message.data)), LATCHED)
until(lambda: lists and 'RosProbe' in lists[-1]['services'])
print([method['ros'] for method in lists[-1]['services']['RosProbe']['methods'] if method['name'] == 'add'])
files = json.loads(first('/qi/definitions', String).data)
print(files['srv/RosProbeAdd.srv'].split(), files['msg/RosProbeAlarmEvent.msg'].split('\\n')[0])
";
    let expected = "['/qi/RosProbe/add']\n\
                    ['int32', 'a', 'int32', 'b', '---', 'bool', 'ok', 'string', 'error', 'int32', 'value'] \
                    std_msgs/Header header\n";
    assert_eq!(world.node.run(program).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_leaves_is_gone_and_one_that_comes_appears() {
    let Some(mut world) = World::start().await else { return };
    let has = "names = lambda: [name for name, _ in node.get_service_names_and_types()]\n";
    world.node.run(&format!("{has}until(lambda: '/qi/RosProbe/add' in names())")).await;
    world.probe.session.close().await;
    world.node.run("until(lambda: '/qi/RosProbe/add' not in names() and '/qi/call' in names())").await;
    let _again = keyway_tests::bridge::RosProbe::register(&world.url, "RosProbe").await;
    let program = "
from std_srvs.srv import Trigger
print(call('/qi/RosProbe/status', Trigger).message)
";
    assert_eq!(world.node.run(program).await, "ready\n");
    // What is gone is not among what the node says that it has.
    let program = "
mine = lambda: [name for name, _ in node.get_service_names_and_types_by_node('bridge', '/qi')]
until(lambda: '/qi/RosProbe/add' in mine())
";
    world.node.run(program).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_ends_says_goodbye() {
    let Some(mut world) = World::start().await else { return };
    world.node.run("until(lambda: ('bridge', '/qi') in node.get_node_names_and_namespaces())").await;
    keyway_bridge::Front::stop(world.bridge.take().unwrap()).await;
    // Those who vanish without it are forgotten after many seconds.
    let program = "
until(lambda: ('bridge', '/qi') not in node.get_node_names_and_namespaces(), 5)
until(lambda: not [name for name, _ in node.get_service_names_and_types() if name.startswith('/qi')], 5)
";
    world.node.run(program).await;
}
