//! A directory with services, a gateway before it, and the door.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use keyway::{Directory, Object, Property, Session, Signal};
use keyway_auth::{AuthConfig, Authenticator, Secret, token};
use keyway_door_http::{Door, DoorSettings};
use keyway_gateway::{BusSettings, Gateway, Rules};
use keyway_policy::Policy;

pub(crate) const POLICY: &str = r#"
[[role]]
name = "speaker"

[[rule]]
name = "speakers speak"
role = "speaker"
service = "ALTextToSpeech"
allow = ["say"]

[[role]]
name = "careful"

[[rule]]
name = "gently"
role = "careful"
service = "ALTextToSpeech"
allow = ["say"]
when = 'say: #0 != "boo"'
rate = "1000/s"

[[rule]]
name = "slowly"
role = "careful"
service = "Meter"
allow = ["add"]
rate = "2/h"

[[role]]
name = "reader"

[[rule]]
name = "readers read"
role = "reader"
service = "Meter"
allow = ["open", "subscribe:*"]

[[rule]]
name = "what is open"
role = "reader"
service = "Meter.object"
allow = ["read"]
"#;

/// Everything that has to live for a test.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) door: Option<Door>,
    pub(crate) ticks: Signal<(i32, String)>,
    pub(crate) opened: Signal<(Object,)>,
    /// Calls of `wait` that were dropped before their end.
    pub(crate) canceled: Arc<AtomicUsize>,
    pub(crate) host: Session,
    directory: Directory,
}

/// Says that it was dropped.
struct Canary(Arc<AtomicUsize>);

impl Drop for Canary {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(rules(false), DoorSettings::default()).await
    }

    pub(crate) async fn with(rules: Rules, settings: DoorSettings) -> Self {
        let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
        let url = directory.urls().remove(0);
        let host = Session::connect(&url).await.unwrap();
        let (ticks, opened, canceled) = (Signal::new(), Signal::new(), Arc::new(AtomicUsize::new(0)));
        host.register("ALTextToSpeech", speech()).await.unwrap();
        host.register("Meter", meter(&ticks, &opened, &canceled)).await.unwrap();
        let bus = BusSettings { name: "nao".to_owned(), ..BusSettings::new(url, Session::builder()) };
        let gateway = Gateway::start(rules, vec![bus], None);
        gateway.buses()[0].attached().await;
        let settings = DoorSettings { urls: vec!["http://127.0.0.1:0".to_owned()], ..settings };
        let door = Door::open(&gateway, settings).await.unwrap();
        Self { gateway, door: Some(door), ticks, opened, canceled, host, directory }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.door.as_ref().unwrap().urls()[0])
    }

    pub(crate) fn client(&self, token: &'static str) -> Client {
        Client { base: self.url(""), token, http: http() }
    }
}

pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A client with a token.
#[derive(Clone)]
pub(crate) struct Client {
    base: String,
    token: &'static str,
    pub(crate) http: reqwest::Client,
}

impl Client {
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, serde_json::Value) {
        answer(self.request("GET", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &'static str) -> (u16, serde_json::Value) {
        answer(self.request("POST", path).header("content-type", "application/json").body(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &'static str) -> (u16, serde_json::Value) {
        answer(self.request("PUT", path).header("content-type", "application/json").body(body)).await
    }
}

/// Status and body; null where there is none.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, serde_json::Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(serde_json::Value::Null))
}

/// Users admin, speaker, careful and reader, whose tokens are their names.
pub(crate) fn rules(anonymous: bool) -> Rules {
    let policy = Policy::parse("policy.toml", POLICY).unwrap();
    let mut text = String::new();
    if anonymous {
        text.push_str("anonymous = { role = \"speaker\" }\n");
    }
    for name in ["admin", "speaker", "careful", "reader"] {
        let hash = token::hash(&Secret::new(name.to_owned()));
        text.push_str(&format!("[[user]]\nname = \"{name}\"\nrole = \"{name}\"\ntoken_hash = \"{hash}\"\n"));
    }
    let authenticator = Authenticator::new(AuthConfig::parse("auth.toml", &text, &policy).unwrap());
    Rules::new(policy, authenticator)
}

fn speech() -> Object {
    let mut object = Object::builder();
    object.method("say", |(text,): (String,)| format!("said {text}"));
    object.method("stopAll", |()| ());
    object.property("volume", &Property::new(0.5_f32));
    object.signal("textDone", &Signal::<(bool,)>::new());
    object.build()
}

/// What a meter opens.
pub(crate) fn register() -> Object {
    let mut inner = Object::builder();
    inner.method("double", |(n,): (i32,)| n * 2);
    inner.method("read", |()| 1);
    inner.build()
}

fn meter(ticks: &Signal<(i32, String)>, opened: &Signal<(Object,)>, canceled: &Arc<AtomicUsize>) -> Object {
    let mut object = Object::builder();
    object.method("add", |(a, b): (i32, i32)| a + b);
    object.method("add", |(a, b): (String, String)| a + &b);
    object.method("fail", |()| Err::<(), _>(keyway::Error::remote("the meter is broken")));
    object.method("raw", |(bytes,): (bytes::Bytes,)| bytes.len() as u64);
    let canceled = canceled.clone();
    object.method_async("wait", move |()| {
        let canary = Canary(canceled.clone());
        async move {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            drop(canary);
        }
    });
    object.method("open", |()| register());
    object.signal("opened", opened);
    object.signal("ticks", ticks);
    object.property("unit", &Property::new("kWh".to_owned()));
    object.build()
}
