//! What clients may get wrong, and what keeps strangers out.

use keyway_bridge::{Front, OptIn};
use keyway_bridge_rosbridge::{Flavour, Options, RosOptions};
use keyway_tests::bridge::rosbridge::Client;
use serde_json::json;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::stage::{Stage, options};

/// The status with which an upgrade with this header is answered.
async fn upgrade(stage: &Stage, name: &'static str, value: &str) -> u16 {
    let mut request = stage.url.as_str().into_client_request().unwrap();
    request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    match connect_async(request).await {
        Ok((_, response)) => response.status().as_u16(),
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn ros_056_web_pages_are_refused_unless_their_origin_is_allowed() {
    let stage = Stage::start().await;
    assert_eq!(upgrade(&stage, "origin", "http://evil.example").await, 403);
    assert_eq!(upgrade(&stage, "host", "evil.example:9090").await, 403);
    assert_eq!(upgrade(&stage, "user-agent", "no browser").await, 101);
    let allowed = || vec!["https://lab.example".to_owned()];
    assert!(stage.bridge.reload(Options { allowed_origins: allowed(), ..options() }), "no restart is needed");
    assert_eq!(upgrade(&stage, "origin", "https://lab.example").await, 101);
    assert_eq!(upgrade(&stage, "origin", "http://evil.example").await, 403);
}

#[tokio::test]
async fn ros_004_addresses_beyond_this_machine_need_a_flag_of_their_own() {
    let stage = Stage::start().await;
    let opt_in = OptIn::new(true, false).unwrap();
    let rules = keyway_bridge::Rules::new(keyway_bridge::Exposure::parse(["RosProbe"]).unwrap());
    let bus = keyway_bridge::Bus::start(&opt_in, "tcp://127.0.0.1:1", keyway::Session::builder(), rules);
    let everywhere = Options { listen: "0.0.0.0:0".to_owned(), ..options() };
    let error = keyway_bridge_rosbridge::Rosbridge::start(&opt_in, &bus, everywhere).await.unwrap_err();
    assert!(error.to_string().contains("--allow-non-loopback"), "{error}");
    drop(stage);
}

#[tokio::test]
async fn a_bad_message_is_answered_with_a_status_and_the_client_stays() {
    let stage = Stage::start().await;
    let mut client = stage.client().await;
    client.send_frame(Message::text("{")).await;
    assert!(client.next().await["msg"].as_str().unwrap().contains("bad JSON"));
    for (message, reason) in [
        (json!({ "op": "fly", "id": 7 }), "unsupported op"),
        (json!({ "op": "publish", "topic": "/x", "msg": {} }), "was not advertised"),
        (json!({ "op": "advertise", "topic": "/x", "type": "a/Nothing" }), "is not known"),
        (json!({ "op": "advertise", "topic": "/qi/RosProbe/tick", "type": "std_msgs/Int32" }), "by the bridge"),
        (json!({ "op": "subscribe", "topic": "/qi/RosProbe/tick", "type": "std_msgs/String" }), "is of the type"),
        (json!({ "op": "advertise_service", "service": "/qi/RosProbe/add", "type": "a/B" }), "is served already"),
        (json!({ "op": "service_response", "service": "/x", "id": "call_service:/x:1" }), "nobody waits"),
    ] {
        client.send(&message).await;
        let status = client.next().await;
        assert_eq!((&status["op"], &status["level"]), (&json!("status"), &json!("error")), "{status}");
        assert!(status["msg"].as_str().unwrap().contains(reason), "{status}");
        assert_eq!(status.get("id"), message.get("id"), "{status}");
    }
    client.send(&json!({ "op": "advertise", "topic": "/pose", "type": "geometry_msgs/PoseStamped" })).await;
    client.send(&json!({ "op": "set_level", "level": "warning" })).await;
    client.send(&json!({ "op": "publish", "topic": "pose", "msg": { "pose": { "position": { "x": 1 } } } })).await;
    let status = client.next().await;
    assert!(status["level"] == "warning" && status["msg"].as_str().unwrap().contains("pose.position.y"), "{status}");
    client.send(&json!({ "op": "set_level", "level": "none" })).await;
    client.send(&json!({ "op": "fly" })).await;
    assert_eq!(client.call("/qi/RosProbe/get_answer", json!(null)).await.unwrap()["value"], 42);
}

#[tokio::test]
async fn arguments_come_by_name_or_by_position_and_what_does_not_fit_is_named() {
    let stage = Stage::start().await;
    let mut client = stage.client().await;
    let mut add = async |args| client.call("qi/RosProbe/add", args).await;
    let five = json!({ "ok": true, "error": "", "value": 5 });
    assert_eq!(add(json!([2, 3])).await, Ok(five.clone()));
    assert_eq!(add(json!({ "b": 3.0, "a": 2 })).await, Ok(five));
    assert_eq!(add(json!({ "a": 1 })).await.unwrap()["value"], 1, "what is missing is zero");
    for (args, reason) in [
        (json!({ "a": "two" }), "bad argument a: a value of int32 is wanted"),
        (json!({ "a": 1_i64 << 40 }), "bad argument a: 1099511627776 does not fit into int32"),
        (json!({ "c": 1 }), "bad argument c: qi_bridge_msgs/RosProbeAddRequest has no such field"),
        (json!([1]), "has 2 fields, not 1"),
        (json!("x"), "an object of"),
    ] {
        let error = add(args.clone()).await.unwrap_err();
        assert!(error.as_str().unwrap().contains(reason), "{args}: {error}");
    }
}

#[tokio::test]
async fn everything_is_reached_by_name_without_types() {
    let stage = Stage::start().await;
    let mut client = stage.client().await;
    let call = json!({ "service": "RosProbe", "member": "add", "args_json": "[2,3]" });
    assert_eq!(client.call("/qi/call", call).await.unwrap()["result_json"], "5");
    let call = json!({ "service": "RosProbe", "member": "boom", "args_json": "[\"it broke\"]" });
    assert_eq!(client.call("/qi/call", call).await.unwrap_err(), "it broke");
    let text = json!({ "service": "RosProbe", "member": "boom", "args": ["it broke"] }).to_string();
    let failed = client.call("/qi/call_std", json!({ "load_namespace": text })).await.unwrap();
    assert_eq!(failed, json!({ "success": false, "message": "it broke" }));
    let definitions = client.call("/qi/definitions", json!({})).await.unwrap();
    assert!(definitions["message"].as_str().unwrap().contains("float64 theta"), "{definitions}");
    client.send(&json!({ "op": "subscribe", "topic": "/qi/services" })).await;
    let list = client.next().await;
    assert!(list["msg"]["data"].as_str().unwrap().contains("/qi/RosProbe/add"), "{list}");
}

#[tokio::test]
async fn long_messages_go_and_come_in_pieces() {
    let stage = Stage::start().await;
    let mut client = stage.client().await;
    let call = json!({ "op": "call_service", "id": "long", "service": "/qi/RosProbe/greet", "fragment_size": 40,
                       "args": { "who": "é".repeat(50) } });
    let text: Vec<char> = call.to_string().chars().collect();
    let pieces: Vec<String> = text.chunks(30).map(|piece| piece.iter().collect()).collect();
    for (num, data) in pieces.iter().enumerate().rev() {
        client.send(&json!({ "op": "fragment", "id": 5, "data": data, "num": num, "total": pieces.len() })).await;
    }
    let mut answer = String::new();
    loop {
        let piece = client.next().await;
        assert_eq!(piece["op"], "fragment", "{piece}");
        answer += piece["data"].as_str().unwrap();
        if piece["num"].as_u64().unwrap() + 1 == piece["total"].as_u64().unwrap() {
            break;
        }
    }
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["values"]["value"], format!("hello {}", "é".repeat(50)));
}

#[tokio::test]
async fn pictures_are_sent_only_where_they_were_allowed_and_ros_2_is_spoken_where_it_is_wanted() {
    let pictures = Stage::with(Options { png: true, flavour: Flavour::Ros2, ..options() }).await;
    let plain = Stage::start().await;
    for (stage, op) in [(&pictures, "png"), (&plain, "publish")] {
        let mut client = stage.client().await;
        client.send(&json!({ "op": "subscribe", "topic": "/qi/RosProbe/gain", "compression": "png" })).await;
        assert_eq!(client.next().await["op"], op);
    }
    let mut client = pictures.client().await;
    let kind = client.call("/rosapi/topic_type", json!({ "topic": "/qi/RosProbe/gain" })).await.unwrap();
    assert_eq!(kind["type"], "std_msgs/msg/Float64");
    assert!(client.call("/rosapi/get_time", json!({})).await.unwrap()["time"]["nanosec"].is_u64());
}

#[tokio::test]
async fn a_second_subscription_hears_what_was_last_and_ids_end_one_at_a_time() {
    let stage = Stage::start().await;
    let mut client = stage.client().await;
    let subscribe = |id: &str| json!({ "op": "subscribe", "id": id, "topic": "/qi/RosProbe/gain" });
    for id in ["one", "two"] {
        client.send(&subscribe(id)).await;
        assert_eq!(client.next().await["msg"]["data"], 2.5);
    }
    client.send(&json!({ "op": "unsubscribe", "id": "one", "topic": "/qi/RosProbe/gain" })).await;
    stage.probe.gain.set(3.5).unwrap();
    assert_eq!(client.next().await["msg"]["data"], 3.5);
    client.send(&json!({ "op": "unsubscribe", "id": "two", "topic": "/qi/RosProbe/gain" })).await;
    // Its answer is behind everything that was sent before.
    assert_eq!(client.call("/qi/RosProbe/get_answer", json!({})).await.unwrap()["value"], 42);
    stage.probe.gain.set(4.5).unwrap();
    assert_eq!(client.call("/qi/RosProbe/get_gain", json!({})).await.unwrap()["value"], 4.5);
}

#[tokio::test]
async fn slow_calls_hold_up_nobody_and_too_many_are_refused() {
    let stage = Stage::start().await;
    let mut client = stage.client().await;
    let slow =
        |id: usize| json!({ "op": "call_service", "id": id, "service": "/qi/RosProbe/slow", "args": { "ms": 60_000 } });
    for id in 0..40 {
        client.send(&slow(id)).await;
    }
    let refused = client.next().await;
    assert_eq!((&refused["values"], &refused["id"]), (&json!("busy"), &json!(32)), "{refused}");
    let mut other: Client = stage.client().await;
    assert_eq!(other.call("/qi/RosProbe/get_answer", json!({})).await.unwrap()["value"], 42);
    let hasty = json!({ "op": "call_service", "service": "/qi/RosProbe/slow", "args": [60_000], "timeout": 0.05 });
    other.send(&hasty).await;
    let late = other.next().await;
    assert_eq!((&late["result"], &late["values"]), (&json!(false), &json!("timeout after 50ms")));
}

#[tokio::test]
async fn all_signals_are_on_one_topic_if_that_is_asked_for() {
    let ros = RosOptions { events: true, ..RosOptions::default() };
    let stage = Stage::with(Options { ros, ..options() }).await;
    let mut client = stage.client().await;
    client.send(&json!({ "op": "subscribe", "topic": "/qi/events", "type": "std_msgs/String" })).await;
    // Answered after the subscription is there.
    client.call("/rosapi/topics", json!({})).await.unwrap();
    client.send(&json!({ "op": "call_service", "service": "/qi/RosProbe/emit_tick", "args": { "n": 1 } })).await;
    let event = loop {
        let message = client.next().await;
        if message["op"] == "publish" {
            break message["msg"]["data"].as_str().unwrap().to_owned();
        }
    };
    let event: serde_json::Value = serde_json::from_str(&event).unwrap();
    assert_eq!(
        (&event["service"], &event["member"], &event["args"]),
        (&json!("RosProbe"), &json!("tick"), &json!([0]))
    );
}
