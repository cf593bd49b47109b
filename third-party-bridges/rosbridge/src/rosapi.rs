//! The services of `rosapi`, by which clients look around. Only what is shown is there.

use keyway_ros_types::{Mapping, MessageDefinition, TypeName};
use serde_json::{Value as Json, json};

use crate::{
    details::typedefs,
    graph::{Graph, now},
    message::{Flavour, Kind},
    op::full_name,
};

/// Calls `/rosapi/method`.
pub(crate) fn call(graph: &Graph, mapping: &Mapping, method: &str, args: &Json) -> Result<Json, String> {
    let flavour = graph.options.load().flavour;
    let topics = || graph.topics();
    let services = || graph.services();
    let message = |name: &TypeName| flavour.type_name(name, Kind::Message);
    let service = |name: &TypeName| flavour.type_name(name, Kind::Service);
    let named = |all: &[(String, TypeName)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let argument = |field: &str| {
        let found = args.get(field).or_else(|| args.get(0)).and_then(Json::as_str);
        found.map(str::to_owned).ok_or_else(|| format!("bad argument {field}: a text is wanted"))
    };
    let kind_of = |all: Vec<(String, TypeName)>, name: &str| {
        let name = full_name(name);
        all.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind)
    };
    let of_kind = |all: Vec<(String, TypeName)>, kind: &str| {
        let wanted = kind.parse::<TypeName>().ok();
        let fitting = all.into_iter().filter(|(_, kind)| wanted.as_ref() == Some(kind));
        fitting.map(|(name, _)| name).collect::<Vec<_>>()
    };
    let nodes = |is_there: bool| if is_there { vec![NODE] } else { Vec::new() };
    Ok(match method {
        "topics" => {
            let topics = topics();
            let types: Vec<_> = topics.iter().map(|(_, kind)| message(kind)).collect();
            json!({ "topics": named(&topics), "types": types })
        }
        "topics_and_raw_types" => {
            let topics = topics();
            let types: Vec<_> = topics.iter().map(|(_, kind)| message(kind)).collect();
            let text = |kind: &TypeName| mapping.registry().definition_text(kind).unwrap_or_default();
            let texts: Vec<_> = topics.iter().map(|(_, kind)| text(kind)).collect();
            json!({ "topics": named(&topics), "types": types, "typedefs_full_text": texts })
        }
        "services" => json!({ "services": named(&services()) }),
        "nodes" => json!({ "nodes": nodes(true) }),
        "node_details" => {
            let is_ours = full_name(&argument("node")?) == NODE;
            let some = |names: Vec<String>| if is_ours { names } else { Vec::new() };
            json!({ "subscribing": [], "publishing": some(named(&topics())), "services": some(named(&services())) })
        }
        "topic_type" => {
            json!({ "type": kind_of(topics(), &argument("topic")?).map(|kind| message(&kind)).unwrap_or_default() })
        }
        "service_type" => {
            let kind = kind_of(services(), &argument("service")?);
            json!({ "type": kind.map(|kind| service(&kind)).unwrap_or_default() })
        }
        "topics_for_type" => json!({ "topics": of_kind(topics(), &argument("type")?) }),
        "services_for_type" => json!({ "services": of_kind(services(), &argument("type")?) }),
        "publishers" => json!({ "publishers": nodes(kind_of(topics(), &argument("topic")?).is_some()) }),
        // Who subscribes here is no node.
        "subscribers" => json!({ "subscribers": [] }),
        "service_providers" => json!({ "providers": nodes(kind_of(services(), &argument("service")?).is_some()) }),
        "service_node" => {
            let is_there = kind_of(services(), &argument("service")?).is_some();
            json!({ "node": if is_there { NODE } else { "" } })
        }
        "message_details" => {
            let name = argument("type")?.parse::<TypeName>().map_err(|error| error.to_string())?;
            described(mapping, mapping.registry().message(&name).map_err(|error| error.to_string())?, flavour)?
        }
        "service_request_details" | "service_response_details" => {
            let name = argument("type")?.parse::<TypeName>().map_err(|error| error.to_string())?;
            let definition = mapping.registry().service(&name).map_err(|error| error.to_string())?;
            let is_request = method == "service_request_details";
            described(mapping, if is_request { &definition.request } else { &definition.response }, flavour)?
        }
        "get_time" => {
            let (now, [secs, nsecs]) = (now(), flavour.time_fields());
            json!({ "time": { secs: now.sec, nsecs: now.nsec } })
        }
        "get_ros_version" => match flavour {
            Flavour::Ros1 => json!({ "version": 1, "distro": "noetic" }),
            Flavour::Ros2 => json!({ "version": 2, "distro": "kilted" }),
        },
        "action_servers" => json!({ "action_servers": [] }),
        "get_param" => {
            let name = full_name(&argument("name")?);
            let value = parameters(mapping).into_iter().find(|(known, _)| *known == name).map(|(_, value)| value);
            let default = args.get("default_value").or_else(|| args.get("default")).and_then(Json::as_str);
            let default = default.filter(|text| !text.is_empty()).unwrap_or("null");
            // Clients read it as JSON.
            json!({ "value": value.map_or_else(|| default.to_owned(), |value| value.to_string()) })
        }
        "has_param" => {
            let name = full_name(&argument("name")?);
            json!({ "exists": parameters(mapping).iter().any(|(known, _)| *known == name) })
        }
        "get_param_names" => {
            let names: Vec<_> = parameters(mapping).into_iter().map(|(name, _)| name).collect();
            json!({ "names": names })
        }
        "search_param" => {
            let name = argument("name")?;
            let found = parameters(mapping).into_iter().find(|(known, _)| known.ends_with(&format!("/{name}")));
            json!({ "global_name": found.map(|(name, _)| name).unwrap_or_default() })
        }
        "set_param" | "delete_param" => return Err("the parameters of the bridge are read-only".to_owned()),
        _ => return Err("not exposed".to_owned()),
    })
}

fn described(mapping: &Mapping, definition: &MessageDefinition, flavour: Flavour) -> Result<Json, String> {
    let typedefs = typedefs(mapping.registry(), definition, flavour).map_err(|error| error.to_string())?;
    Ok(json!({ "typedefs": typedefs }))
}

/// What the bridge tells of itself.
fn parameters(mapping: &Mapping) -> Vec<(String, Json)> {
    let root = full_name(mapping.options().root.trim_end_matches('/'));
    let services: Vec<_> = mapping.services().keys().collect();
    vec![
        (format!("{root}/bridge_version"), env!("CARGO_PKG_VERSION").into()),
        (format!("{root}/services"), json!(services)),
    ]
}

/// The one node there is.
const NODE: &str = "/qi_bridge";
