//! Calls and subscriptions over a WebSocket.

mod world;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest},
};
use world::World;

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(world: &World, headers: &[(&'static str, &'static str)]) -> Result<Self, Error> {
        let mut request = world.url("/v1/socket").replace("http://", "ws://").into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        Ok(Self(tokio_tungstenite::connect_async(request).await?.0))
    }

    async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn ask(&mut self, message: Value) -> Value {
        self.say(&message).await;
        self.hear().await
    }
}

const ADMIN: &[(&str, &str)] = &[("authorization", "Bearer admin")];

#[tokio::test]
async fn everything_that_requests_do_messages_do() {
    let world = World::new().await;
    let mut socket = Socket::open(&world, ADMIN).await.unwrap();
    let services = socket.ask(json!({"id": 1, "op": "services"})).await;
    assert_eq!(services, json!({"id": 1, "result": ["ALTextToSpeech", "Meter"]}));
    let call = json!({"id": 2, "op": "call", "service": "Meter", "member": "add", "arguments": [1, 2]});
    assert_eq!(socket.ask(call).await, json!({"id": 2, "result": 3}));
    let get = json!({"id": 3, "op": "get", "service": "Meter", "member": "unit"});
    assert_eq!(socket.ask(get).await, json!({"id": 3, "result": "kWh"}));
    let set = json!({"id": 4, "op": "set", "service": "Meter", "member": "unit", "value": "Wh"});
    assert_eq!(socket.ask(set).await, json!({"id": 4, "result": null}));
    let described = socket.ask(json!({"id": 5, "op": "describe", "service": "Meter"})).await;
    assert_eq!(described["result"]["name"], json!("Meter"));
    let opened = socket.ask(json!({"id": 6, "op": "call", "service": "Meter", "member": "open"})).await;
    let object = &opened["result"]["$object"]["id"];
    let double = json!({"id": 7, "op": "call", "object": object, "member": "double", "arguments": [4]});
    assert_eq!(socket.ask(double).await, json!({"id": 7, "result": 8}));
    let release = json!({"id": 8, "op": "release", "object": object});
    assert_eq!(socket.ask(release).await, json!({"id": 8, "result": null}));
}

#[tokio::test]
async fn events_come_between_answers_until_they_are_canceled() {
    let world = World::new().await;
    let mut socket = Socket::open(&world, ADMIN).await.unwrap();
    let subscribe = json!({"id": 1, "op": "subscribe", "service": "Meter", "member": "ticks"});
    assert_eq!(socket.ask(subscribe).await, json!({"id": 1, "subscribed": true}));
    world.ticks.emit(&(7, "seven".to_owned()));
    let event = socket.hear().await;
    assert_eq!((&event["id"], &event["event"]), (&json!(1), &json!([7, "seven"])));
    assert!(event["sequence"].is_u64());
    let canceled = socket.ask(json!({"id": 1, "op": "cancel"})).await;
    assert_eq!(canceled["error"]["code"], json!("KW-G006"));
    world.ticks.emit(&(8, "eight".to_owned()));
    let resumed =
        json!({"id": 2, "op": "subscribe", "service": "Meter", "member": "ticks", "since": event["sequence"]});
    assert_eq!(socket.ask(resumed).await["subscribed"], json!(true));
    assert_eq!(socket.hear().await["event"], json!([8, "eight"]));
}

#[tokio::test]
async fn a_call_that_is_canceled_stops_inside() {
    let world = World::new().await;
    let mut socket = Socket::open(&world, ADMIN).await.unwrap();
    socket.say(&json!({"id": 1, "op": "call", "service": "Meter", "member": "wait"})).await;
    // Another call is not held up by it, and comes after it.
    let add = json!({"id": 2, "op": "call", "service": "Meter", "member": "add", "arguments": [1, 2]});
    assert_eq!(socket.ask(add).await, json!({"id": 2, "result": 3}));
    assert_eq!(socket.ask(json!({"id": 1, "op": "cancel"})).await["error"]["code"], json!("KW-G006"));
    while world.canceled.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn messages_that_mean_nothing_are_answered_with_the_reason() {
    let world = World::new().await;
    let mut socket = Socket::open(&world, ADMIN).await.unwrap();
    for message in [json!(1), json!({"id": 1}), json!({"id": 1, "op": "dance"}), json!({"id": 1, "op": "call", "x": 1})]
    {
        let error = socket.ask(message).await;
        assert_eq!((&error["id"], &error["error"]["code"]), (&Value::Null, &json!("KW-G003")));
    }
    let error = socket.ask(json!({"id": 3, "op": "call", "service": "Meter"})).await;
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!(3), &json!("KW-G003")));
}

#[tokio::test]
async fn the_policy_holds_here_too() {
    let world = World::new().await;
    let mut socket = Socket::open(&world, &[("sec-websocket-protocol", "keyway.v1, bearer.speaker")]).await.unwrap();
    let say = |id: u64, member: &str| json!({"id": id, "op": "call", "service": "ALTextToSpeech", "member": member, "arguments": ["hi"]});
    assert_eq!(socket.ask(say(1, "say")).await, json!({"id": 1, "result": "said hi"}));
    let mut stop = say(2, "stopAll");
    stop["arguments"] = json!([]);
    assert_eq!(socket.ask(stop).await["error"]["code"], json!("KW-P001"));
    let subscribe = json!({"id": 3, "op": "subscribe", "service": "ALTextToSpeech", "member": "textDone"});
    assert_eq!(socket.ask(subscribe).await["error"]["code"], json!("KW-P001"));
}

#[tokio::test]
async fn nobody_and_pages_of_other_origins_get_no_socket() {
    let world = World::new().await;
    for (headers, status) in [
        (&[][..], 401),
        (&[("authorization", "Bearer wrong")][..], 401),
        (&[("authorization", "Bearer admin"), ("origin", "https://evil.example")][..], 403),
    ] {
        match Socket::open(&world, headers).await.err() {
            Some(Error::Http(response)) => assert_eq!(response.status(), status),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_socket_ends_with_the_door() {
    let mut world = World::new().await;
    let mut socket = Socket::open(&world, ADMIN).await.unwrap();
    assert_eq!(socket.ask(json!({"id": 1, "op": "services"})).await["id"], json!(1));
    drop(world.door.take());
    while let Some(Ok(_)) = socket.0.next().await {}
}
