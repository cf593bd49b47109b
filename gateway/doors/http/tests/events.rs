//! Server-sent events.

mod world;

use std::time::Duration;

use serde_json::{Value, json};
use world::{Client, World};

/// A stream as a browser reads it.
struct Stream {
    response: reqwest::Response,
    text: String,
}

#[derive(Debug, PartialEq)]
struct Event {
    kind: String,
    id: Option<u64>,
    data: Value,
}

impl Stream {
    async fn open(client: &Client, query: &str, since: Option<u64>) -> Self {
        Self::of(client, "ticks", query, since).await
    }

    async fn of(client: &Client, signal: &str, query: &str, since: Option<u64>) -> Self {
        let mut request = client.request("GET", &format!("/v1/services/Meter/signals/{signal}{query}"));
        if let Some(since) = since {
            request = request.header("last-event-id", since.to_string());
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name))?;
                    Some(line.trim_start_matches(':').trim().to_owned())
                };
                let Some(data) = field("data") else { continue };
                let kind = field("event").unwrap_or_else(|| "message".to_owned());
                let id = field("id").map(|id| id.parse().unwrap());
                return Event { kind, id, data: serde_json::from_str(&data).unwrap() };
            }
            let chunk = self.response.chunk().await.unwrap().expect("the stream goes on");
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

fn emit(world: &World, numbers: std::ops::Range<i32>) {
    for number in numbers {
        world.ticks.emit(&(number, "tick".to_owned()));
    }
}

#[tokio::test]
async fn events_come_in_order_with_numbers() {
    let world = World::new().await;
    let mut stream = Stream::open(&world.client("admin"), "", None).await;
    emit(&world, 0..3);
    let first = stream.next().await;
    assert_eq!((first.kind.as_str(), &first.data), ("message", &json!([0, "tick"])));
    let second = stream.next().await;
    assert_eq!((second.id, second.data), (first.id.map(|id| id + 1), json!([1, "tick"])));
}

#[tokio::test]
async fn objects_in_answers_and_events_show_what_a_role_may_use() {
    let world = World::new().await;
    let (admin, reader) = (world.client("admin"), world.client("reader"));
    let mut streams = [Stream::of(&admin, "opened", "", None).await, Stream::of(&reader, "opened", "", None).await];
    // One subscription inside serves both.
    for emitted in 0..2 {
        world.opened.emit(&(world::register(),));
        let (all, some) = (streams[0].next().await.data, streams[1].next().await.data);
        assert_eq!(all[0]["$object"]["methods"], json!(["double::(i)", "read::()"]), "{emitted}");
        assert_eq!(some[0]["$object"]["methods"], json!(["read::()"]), "{emitted}");
    }
    let (_, opened) = reader.post("/v1/services/Meter/open", "").await;
    assert_eq!(opened["$object"]["methods"], json!(["read::()"]));
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_once() {
    let world = World::new().await;
    let admin = world.client("admin");
    let mut stream = Stream::open(&admin, "", None).await;
    emit(&world, 0..2);
    let seen = stream.next().await;
    drop(stream);
    emit(&world, 2..4);
    let mut stream = Stream::open(&admin, "", seen.id).await;
    for number in 1..4 {
        assert_eq!(stream.next().await.data, json!([number, "tick"]));
    }
    emit(&world, 4..5);
    assert_eq!(stream.next().await.data, json!([4, "tick"]));
}

#[tokio::test]
async fn what_is_gone_is_a_gap() {
    let world = World::new().await;
    let admin = world.client("admin");
    let mut stream = Stream::open(&admin, "", None).await;
    emit(&world, 0..1);
    let seen = stream.next().await.id.unwrap();
    drop(stream);
    // More than are kept; in portions, which have all arrived inside when the last is seen.
    let mut watcher = Stream::open(&admin, "", None).await;
    emit(&world, 1..3000);
    while watcher.next().await.data != json!([2999, "tick"]) {}
    let mut stream = Stream::open(&admin, "", Some(seen)).await;
    let gap = stream.next().await;
    assert_eq!(gap.kind, "gap");
    assert_eq!(gap.data["from"], json!(seen + 1));
    let next = stream.next().await;
    assert_eq!(next.id, gap.data["to"].as_u64().map(|to| to + 1));
    // The numbers of another run mean nothing here.
    let mut stream = Stream::open(&admin, "", Some(7)).await;
    assert_eq!(stream.next().await, Event { kind: "gap".to_owned(), id: None, data: json!({"from": 8, "to": null}) });
}

#[tokio::test]
async fn a_reader_that_stalls_holds_nobody_up() {
    let world = World::new().await;
    let admin = world.client("admin");
    let stalled = Stream::open(&admin, "", None).await;
    let mut reader = Stream::open(&admin, "?overflow=drop-oldest", None).await;
    let text = "x".repeat(20_000);
    for number in 0..2000 {
        world.ticks.emit(&(number, text.clone()));
        if number % 10 == 9 {
            // The reader keeps up; what it has read, the stalled one has not.
            while reader.next().await.data[0] != json!(number) {}
        }
    }
    drop(stalled);
}

#[tokio::test]
async fn who_wants_the_latest_only_skips_the_rest() {
    let world = World::new().await;
    let mut stream = Stream::open(&world.client("admin"), "?overflow=latest", None).await;
    emit(&world, 0..500);
    let mut last = stream.next().await;
    while last.data != json!([499, "tick"]) {
        let next = stream.next().await;
        assert!(next.kind == "message" && next.id > last.id, "{next:?}");
        last = next;
    }
}

#[tokio::test]
async fn what_happens_to_slow_readers_who_do_not_say_is_in_the_rules() {
    let mut rules = world::rules(false);
    rules.limits.overflow = keyway_gateway::client::Overflow::Disconnect;
    let world = World::with(rules, keyway_door_http::DoorSettings::default()).await;
    let admin = world.client("admin");
    let mut stalled = Stream::open(&admin, "", None).await;
    let mut reader = Stream::open(&admin, "?overflow=drop-oldest", None).await;
    let text = "x".repeat(20_000);
    for number in 0..2000 {
        world.ticks.emit(&(number, text.clone()));
        if number % 10 == 9 {
            while reader.next().await.data[0] != json!(number) {}
        }
    }
    let mut last = stalled.next().await;
    while last.kind == "message" {
        last = stalled.next().await;
    }
    assert_eq!((last.kind.as_str(), &last.data["code"]), ("end", &json!("KW-G008")));
}

#[tokio::test]
async fn a_stream_ends_with_its_service() {
    let world = World::new().await;
    let mut stream = Stream::open(&world.client("admin"), "", None).await;
    world.host.close().await;
    let end = stream.next().await;
    assert_eq!((end.kind.as_str(), end.data), ("end", json!(null)));
}

#[tokio::test]
async fn a_stream_ends_with_the_right_to_it() {
    let world = World::new().await;
    let mut stream = Stream::open(&world.client("admin"), "", None).await;
    let policy = keyway_policy::Policy::parse("policy.toml", "").unwrap();
    let auth = keyway_auth::AuthConfig::parse("auth.toml", "anonymous = { role = 'none' }", &policy).unwrap();
    let authenticator = keyway_auth::Authenticator::new(auth);
    world.gateway.reload(keyway_gateway::Rules { policy, authenticator, ..world::rules(false) });
    emit(&world, 0..1);
    let end = stream.next().await;
    assert_eq!(end.kind, "end");
    assert!(end.data["code"].as_str().unwrap().starts_with("KW-"), "{end:?}");
}

#[tokio::test]
async fn many_streams_are_one_subscription_inside() {
    let world = World::new().await;
    let admin = world.client("admin");
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(Stream::open(&admin, "", None).await);
    }
    assert_eq!(world.ticks.subscribers(), 1);
    emit(&world, 0..1);
    for stream in &mut streams {
        assert_eq!(stream.next().await.data, json!([0, "tick"]));
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
}
