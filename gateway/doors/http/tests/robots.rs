//! A gateway before several robots, and what it writes down.

mod world;

use keyway::{Directory, Object, Session};
use keyway_door_http::{Door, DoorSettings};
use keyway_gateway::{BusSettings, Gateway};
use keyway_history::audit::{AuditLog, Options, Reader};
use serde_json::json;
use world::{answer, http, rules};

async fn robot(name: &'static str) -> (Directory, Session, BusSettings) {
    let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
    let url = directory.urls().remove(0);
    let host = Session::connect(&url).await.unwrap();
    let mut object = Object::builder();
    object.method("say", move |(text,): (String,)| format!("{name} says {text}"));
    host.register("ALTextToSpeech", object).await.unwrap();
    let bus = BusSettings { name: name.to_owned(), ..BusSettings::new(url, Session::builder()) };
    (directory, host, bus)
}

#[tokio::test]
async fn services_of_several_robots_are_told_apart_by_their_names() {
    let (_first, _host, nao) = robot("nao").await;
    let (_second, _other, pepper) = robot("pepper").await;
    let gateway = Gateway::start(rules(false), vec![nao, pepper], None);
    for bus in gateway.buses() {
        bus.attached().await;
    }
    let settings = DoorSettings { urls: vec!["http://127.0.0.1:0".to_owned()], ..DoorSettings::default() };
    let door = Door::open(&gateway, settings).await.unwrap();
    let request = |method: &str, path: &str| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        http().request(method, format!("{}{path}", door.urls()[0])).bearer_auth("admin")
    };
    let names = json!(["nao/ALTextToSpeech", "pepper/ALTextToSpeech"]);
    assert_eq!(answer(request("GET", "/v1/services")).await, (200, names));
    for robot in ["nao", "pepper"] {
        let say = request("POST", &format!("/v1/services/{robot}%2FALTextToSpeech/say")).body("[\"hi\"]");
        assert_eq!(answer(say).await, (200, json!(format!("{robot} says hi"))));
    }
    assert_eq!(answer(request("GET", "/v1/services/ALTextToSpeech")).await.0, 404);
    let (_, openapi) = answer(request("GET", "/v1/openapi.json")).await;
    assert!(openapi["paths"]["/v1/services/nao%2FALTextToSpeech/say"]["post"].is_object());
}

#[tokio::test]
async fn what_was_done_and_what_was_refused_is_written_down() {
    let (_directory, _host, nao) = robot("nao").await;
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::open(folder.path(), Options::default()).unwrap();
    let gateway = Gateway::start(rules(false), vec![nao], Some(log.recorder()));
    gateway.buses()[0].attached().await;
    let settings = DoorSettings { urls: vec!["http://127.0.0.1:0".to_owned()], ..DoorSettings::default() };
    let door = Door::open(&gateway, settings).await.unwrap();
    let path = format!("{}/v1/services/ALTextToSpeech/say", door.urls()[0]);
    let say = |token: &str, text: &'static str| http().post(&path).bearer_auth(token).body(text);
    assert_eq!(answer(say("speaker", "[\"hi\"]")).await.0, 200);
    assert_eq!(answer(say("careful", "[\"boo\"]")).await.0, 403);
    log.close().unwrap();
    let entries: Vec<_> =
        Reader::open(folder.path()).unwrap().map(Result::unwrap).filter(|entry| entry.kind == "call").collect();
    let [said, refused] = &entries[..] else { panic!("{entries:#?}") };
    let what = [&said.identity, &said.door, &said.service, &said.member, &said.outcome].map(String::as_str);
    assert_eq!(what, ["speaker", "http", "ALTextToSpeech", "say", "ok"]);
    assert!(said.source.starts_with("127.0.0.1:"), "{}", said.source);
    assert_eq!(
        (refused.identity.as_str(), refused.outcome.as_str(), refused.code.as_str()),
        ("careful", "refused", "KW-P003")
    );
}
