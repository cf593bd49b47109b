//! Checksums of all types that come with ROS, as `rosmsg md5` and `rossrv md5` of ros_comm 1.15.15 print them; and of
//! naoqi_bridge_msgs 0.0.9, as its generated headers have them.

use std::collections::BTreeSet;

use keyway_ros_types::{Registry, TypeName};

#[test]
fn ros_060_every_standard_type_has_the_checksum_of_ros() {
    let registry = Registry::standard();
    let mut checked = BTreeSet::new();
    for line in include_str!("data/md5.txt").lines() {
        let [kind, name, md5] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let name: TypeName = name.parse().unwrap();
        let ours = if kind == "msg" { registry.message_md5(&name) } else { registry.service_md5(&name) };
        assert_eq!(ours.as_deref(), Ok(md5), "{kind} {name}");
        checked.insert((kind, name.to_string()));
    }
    let messages = registry.messages().map(|message| ("msg", message.name.to_string()));
    let services = registry.services().map(|service| ("srv", service.name.to_string()));
    assert_eq!(checked, messages.chain(services).collect(), "all of them are checked");
}

/// Named in spec ros.md 4.3.
#[test]
fn the_checksums_of_the_specification_are_among_them() {
    let registry = Registry::standard();
    let messages = [
        ("std_msgs/String", "992ce8a1687cec8c8bd883ec73ca41d1"),
        ("std_msgs/Header", "2176decaecbce78abc3b96ef049fabed"),
        ("geometry_msgs/Twist", "9f195f881246fdfa2798d1d3eebca84a"),
        ("sensor_msgs/JointState", "3066dcd76a6cfaef579bd0f34173e9fd"),
        ("sensor_msgs/CameraInfo", "c9a58c1b0b154e0e6da7578cb991d214"),
        ("rosgraph_msgs/Log", "acffd30cd6b6de30f120938c17c593fb"),
    ];
    for (name, md5) in messages {
        assert_eq!(registry.message_md5(&name.parse().unwrap()).as_deref(), Ok(md5), "{name}");
    }
    let empty = registry.service_md5(&"std_srvs/Empty".parse().unwrap());
    assert_eq!(empty.as_deref(), Ok("d41d8cd98f00b204e9800998ecf8427e"));
}
