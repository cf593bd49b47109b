//! Cases with `roslibpy`.

use std::process::Stdio;

use keyway_tests::{eventually, libqi::script};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::stage::{Stage, peer};

/// The script with the cases.
pub(crate) fn roslibpy() -> Option<Command> {
    let mut command = Command::new(peer("KEYWAY_PEER_ROSLIBPY")?);
    command.arg(script("roslibpy_cases.py"));
    Some(command)
}

#[tokio::test]
async fn ros_050_rosapi_tells_what_is_there() {
    let stage = Stage::start().await;
    let Some(found) = stage.run(roslibpy().as_mut(), "rosapi").await else { return };
    let has = |list: &str, name: &str| found[list].as_array().unwrap().iter().any(|known| known == name);
    assert!(has("topics", "/qi/RosProbe/tick") && has("topics", "/qi/RosProbe/gain"), "{found:#}");
    assert!(has("services", "/qi/RosProbe/add") && has("services", "/qi/RosProbe/get_gain"), "{found:#}");
    assert!(has("services", "/qi/call") && has("services", "/qi/call_std") && has("services", "/qi/definitions"));
    assert_eq!(found["topic_type"], "std_msgs/Float64");
    assert_eq!(found["service_type"], "qi_bridge_msgs/RosProbeAdd");
    assert_eq!(found["standard_type"], "std_srvs/Trigger");
    assert!(found["time"]["secs"].as_u64().unwrap() > 1_700_000_000, "{found:#}");
    assert_eq!(
        found["message_details"]["typedefs"][0],
        json!({
            "type": "std_msgs/Header", "fieldnames": ["seq", "stamp", "frame_id"],
            "fieldtypes": ["uint32", "time", "string"], "fieldarraylen": [-1, -1, -1], "examples": ["0", "{}", ""],
            "constnames": [], "constvalues": [],
        })
    );
    assert_eq!(found["request_details"]["typedefs"][0]["fieldnames"], json!(["a", "b"]));
    assert_eq!(found["request_details"]["typedefs"][0]["fieldtypes"], json!(["int32", "int32"]));
    assert!(has("params", "/qi/bridge_version") && has("params", "/qi/services"), "{found:#}");
    assert_eq!(found["param"], json!(["RosProbe"]));
}

#[tokio::test]
async fn ros_051_methods_are_called_and_their_errors_are_the_callers() {
    let stage = Stage::start().await;
    let Some(found) = stage.run(roslibpy().as_mut(), "calls").await else { return };
    assert_eq!(found["add"], json!({ "ok": true, "error": "", "value": 5 }));
    assert_eq!(found["boom"], "it broke");
    assert_eq!(found["pose"]["value"], json!({ "x": 1.0, "y": 2.0, "theta": 3.0 }));
    assert_eq!(found["blob"]["value"], "AAECAw==");
    assert_eq!(found["enable"], json!({ "success": true, "message": "" }));
    assert_eq!(found["unknown"], "not exposed");
}

#[tokio::test]
async fn ros_054_a_service_of_a_client_is_called_by_another_until_the_first_is_gone() {
    let stage = Stage::start().await;
    let Some(mut command) = roslibpy() else { return };
    let address = stage.url.trim_start_matches("ws://");
    let mut server = command.args(["serves", address]).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    assert_eq!(eventually("roslibpy", said.next_line()).await.unwrap().as_deref(), Some("serving"));
    let mut client = stage.client().await;
    eventually("the service", async {
        while client.call("/rosapi/service_type", json!({ "service": "/served" })).await.unwrap()["type"] == "" {}
    })
    .await;
    let mut ask = async |number: i32| client.call("/served", json!({ "number": number })).await;
    assert_eq!(ask(7).await, Ok(json!({ "message": "served: 7" })));
    assert_eq!(ask(13).await, Err(json!({ "message": "served: 13" })));
    let gone = ask(99).await.unwrap_err();
    assert!(gone.as_str().unwrap().contains("service /served is gone"), "{gone}");
    assert_eq!(ask(7).await, Err(json!("not exposed")), "it has left with its client");
    assert_eq!(eventually("its end", said.next_line()).await.unwrap().as_deref(), Some("dying"));
}

#[tokio::test]
async fn topics_of_a_client_are_heard_by_another_with_what_was_latched() {
    let stage = Stage::start().await;
    let Some(found) = stage.run(roslibpy().as_mut(), "topics").await else { return };
    assert_eq!(found, json!(["latched", "hello", "world"]));
}
