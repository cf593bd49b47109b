//! What topics, services and types of ROS 2 are called in DDS (spec 5.1).

use keyway_ros_types::TypeName;

/// A DDS topic: its name and that of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DdsTopic {
    pub(crate) name: String,
    pub(crate) kind: String,
}

/// The topic of a topic, `/ns/t`.
pub(crate) fn topic(name: &str, kind: &TypeName) -> DdsTopic {
    DdsTopic { name: format!("rt{name}"), kind: format!("{}::msg::dds_::{}_", kind.package(), kind.name()) }
}

/// The topics of the requests and the responses of a service, `/ns/s`.
pub(crate) fn service(name: &str, kind: &TypeName) -> (DdsTopic, DdsTopic) {
    let kind = |part: &str| format!("{}::srv::dds_::{}_{part}_", kind.package(), kind.name());
    (
        DdsTopic { name: format!("rq{name}Request"), kind: kind("Request") },
        DdsTopic { name: format!("rr{name}Reply"), kind: kind("Response") },
    )
}

/// Whether it is the absolute name of a topic, service or node in ROS 2.
pub(crate) fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !part.contains("__")
    };
    name.len() <= MAX_LENGTH && name.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_part))
}

/// What DDS takes, less what is put around it.
const MAX_LENGTH: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_ros_2_uses() {
        let bool_kind = "std_msgs/Bool".parse().unwrap();
        let lamp = DdsTopic { name: "rt/qi/lamp".to_owned(), kind: "std_msgs::msg::dds_::Bool_".to_owned() };
        assert_eq!(topic("/qi/lamp", &bool_kind), lamp);
        let (request, response) = service("/qi/on", &"std_srvs/SetBool".parse().unwrap());
        assert_eq!((&*request.name, &*request.kind), ("rq/qi/onRequest", "std_srvs::srv::dds_::SetBool_Request_"));
        assert_eq!((&*response.name, &*response.kind), ("rr/qi/onReply", "std_srvs::srv::dds_::SetBool_Response_"));
    }

    #[test]
    fn what_ros_2_does_not_take_for_a_name_is_none() {
        for name in ["/a", "/qi/RosProbe/add_2", "/_x"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "/", "a", "/a/", "/a//b", "/9", "/a b", "/a__b", "/é", &format!("/{}", "a".repeat(240))] {
            assert!(!is_name(name), "{name}");
        }
    }
}
