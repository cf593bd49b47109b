//! What is shown, as JSON for those who look at it (spec 6.6).

use serde_json::{Value as Json, json};

use super::{CallableKind, MappedService, Mapping, PACKAGE, RosVersion};
use crate::{MessageDefinition, ServiceDefinition};

impl Mapping {
    /// What `/qi/services` says.
    pub fn services_json(&self) -> String {
        let services: serde_json::Map<String, Json> =
            self.services.iter().map(|(name, service)| (name.clone(), describe(service))).collect();
        let skipped = self.skipped.iter().map(|skipped| {
            json!({ "service": skipped.service, "member": skipped.member, "reason": skipped.reason.to_string() })
        });
        json!({ "services": services, "skipped": skipped.collect::<Vec<_>>() }).to_string()
    }

    /// What `/qi/definitions` says: the files of the package, by their paths.
    pub fn definitions_json(&self, version: RosVersion) -> String {
        let files: serde_json::Map<String, Json> =
            self.definitions(version).into_iter().map(|(path, text)| (path, Json::from(text))).collect();
        Json::from(files).to_string()
    }

    /// The messages of the package.
    pub(super) fn own_messages(&self) -> impl Iterator<Item = &MessageDefinition> {
        self.registry.messages().filter(|message| message.name.package() == PACKAGE)
    }

    /// The services of the package, with the text of both parts.
    pub(super) fn own_services(&self) -> impl Iterator<Item = (&ServiceDefinition, String)> {
        let own = self.registry.services().filter(|service| service.name.package() == PACKAGE);
        own.map(|service| (service, format!("{}---\n{}", service.request.text, service.response.text)))
    }

    pub(super) fn definitions(&self, version: RosVersion) -> Vec<(String, String)> {
        let messages =
            self.own_messages().map(|message| (format!("msg/{}.msg", message.name.name()), message.text.clone()));
        let services = self.own_services().map(|(service, text)| (format!("srv/{}.srv", service.name.name()), text));
        let files = messages.chain(services);
        files.map(|(path, text)| (path, text_for(version, text))).collect()
    }
}

/// ROS 2 has no short name for the header.
fn text_for(version: RosVersion, text: String) -> String {
    let line = |line: &str| match line.split_once(' ') {
        Some(("Header", rest)) => format!("std_msgs/Header {rest}\n"),
        _ => format!("{line}\n"),
    };
    match version {
        RosVersion::Ros1 => text,
        RosVersion::Ros2 => text.lines().map(line).collect(),
    }
}

fn describe(service: &MappedService) -> Json {
    let methods = service.callables.iter().filter(|callable| callable.kind == CallableKind::Method);
    let methods = methods.map(|callable| {
        json!({
            "name": callable.member,
            "ros": callable.name,
            "signature": callable.parameters.to_string(),
            "returns": callable.returns.to_string(),
            "type": callable.type_name.to_string(),
            "md5": callable.md5,
        })
    });
    let topics = |is_property: bool| -> Vec<Json> {
        let topics = service.topics.iter().filter(|topic| topic.is_latched == is_property);
        let topics = topics.map(|topic| {
            json!({
                "name": topic.member,
                "ros": topic.name,
                "signature": topic.signature.to_string(),
                "type": topic.type_name.to_string(),
                "md5": topic.md5,
            })
        });
        topics.collect()
    };
    json!({ "methods": methods.collect::<Vec<_>>(), "signals": topics(false), "properties": topics(true) })
}
