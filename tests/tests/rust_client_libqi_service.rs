//! Rust clients against services hosted by the real libqi, on Keyway's directory and on libqi's own: every type of
//! spec 3–4, objects in arguments, results and events, signals, properties, errors, cancel.

use std::time::Duration;

use keyway::{Directory, Error, Object, Proxy, Session, Signature, Value};
use keyway_tests::libqi::{Peer, peer_python};

/// A libqi service and a Rust session at the same directory.
struct Stage {
    session: Session,
    service: Proxy,
    _peer: Peer,
    _directory: Option<Directory>,
}

impl Stage {
    /// The service of a libqi process at Keyway's directory.
    async fn on_keyway() -> Option<Self> {
        let python = peer_python()?;
        let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
        let url = directory.urls().remove(0);
        let peer = Peer::start(&python, "libqi_service.py", &["Peer", &url]).await;
        Some(Self::connect(&url, peer, Some(directory)).await)
    }

    /// The service of a libqi process that is the directory too.
    async fn on_libqi() -> Option<Self> {
        let python = peer_python()?;
        let peer = Peer::start(&python, "libqi_service.py", &["Peer"]).await;
        let url = peer.url().to_owned();
        Some(Self::connect(&url, peer, None).await)
    }

    async fn connect(url: &str, peer: Peer, directory: Option<Directory>) -> Self {
        let session = Session::connect(url).await.unwrap();
        let service = session.wait_for_service("Peer").await.unwrap();
        Self { session, service, _peer: peer, _directory: directory }
    }
}

/// Runs a check against both directories.
macro_rules! on_both_directories {
    ($($(#[$doc:meta])* async fn $name:ident($stage:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn check($stage: &Stage) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_keyways_directory() {
                if let Some(stage) = Stage::on_keyway().await { check(&stage).await; }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_libqis_directory() {
                if let Some(stage) = Stage::on_libqi().await { check(&stage).await; }
            }
        }
    )*};
}

/// A value for each echo method of libqi_service.py.
fn samples() -> Vec<(&'static str, &'static str)> {
    vec![
        ("b", "true"),
        ("c", "-128"),
        ("C", "255"),
        ("w", "-32768"),
        ("W", "65535"),
        ("i", "-2147483648"),
        ("I", "4294967295"),
        ("l", "-9223372036854775808"),
        ("L", "4611686018427387904"),
        ("f", "1.5"),
        ("d", "-2.25e300"),
        ("s", "\"héllo 名\""),
        ("[i]", "[1,2,3]"),
        ("[s]", "[\"a\",\"\"]"),
        ("{si}", "{\"\":-1,\"k\":7}"),
        ("{i[s]}", "[[1,[\"a\"]]]"),
        ("(is)", "[1,\"a\"]"),
        ("()", "[]"),
        ("+i", "5"),
        ("[[i]]", "[[1],[],[2,3]]"),
        ("{s[(is)]}", "{\"k\":[[1,\"x\"],[2,\"y\"]]}"),
        ("(b(cC)[w])", "[true,[1,2],[3]]"),
        ("(is)<Point,x,label>", "{\"x\":3,\"label\":\"p\"}"),
        ("m", "\"dynamic\""),
        ("[m]", "[1,\"two\",null]"),
        ("{sm}", "{\"k\":1.5}"),
    ]
}

fn parse(signature: &str, json: &str) -> Value {
    let signature = Signature::parse(signature).unwrap();
    let bytes = keyway::value::transcode::from_json(json, &signature).unwrap().into_bytes();
    keyway::value::Decoder::new(&bytes).read_value(&signature).unwrap()
}

on_both_directories! {
    async fn every_type_comes_back_as_it_went(stage) {
        for (position, (signature, json)) in samples().into_iter().enumerate() {
            let sent = parse(signature, json);
            let back = stage.service.call_dynamic(&format!("echo{position:02}"), vec![sent.clone()]).await;
            let back = back.unwrap_or_else(|error| panic!("{signature}: {error}"));
            assert_eq!(back.unwrap_dynamic().to_string(), sent.unwrap_dynamic().to_string(), "{signature}");
        }
    }

    async fn typed_calls_overloads_and_void_work(stage) {
        assert_eq!(stage.service.call::<i32>("add", (40, 2)).await.unwrap(), 42);
        assert_eq!(stage.service.call::<i64>("add", (40_i64, 2_u8)).await.unwrap(), 42);
        assert_eq!(stage.service.call::<String>("over", (1,)).await.unwrap(), "int");
        assert_eq!(stage.service.call::<String>("over", ("x".to_owned(),)).await.unwrap(), "str");
        assert_eq!(stage.service.call::<String>("over::(s)", ("x".to_owned(),)).await.unwrap(), "str");
        stage.service.call::<()>("nothing", ()).await.unwrap();
    }

    async fn errors_keep_their_text(stage) {
        let error = stage.service.call::<Value>("boom", ()).await.unwrap_err();
        assert!(matches!(&error, Error::Remote(text) if text.contains("ValueError: kaboom")), "{error}");
        let error = stage.service.call::<Value>("no_such_method", ()).await.unwrap_err();
        assert!(error.to_string().starts_with("Can't find method: no_such_method"), "{error}");
        let error = stage.session.service("Nobody").await.unwrap_err();
        assert_eq!(error.to_string(), "Cannot find service 'Nobody' in index");
    }

    async fn a_canceled_call_ends_as_canceled(stage) {
        let mut call = stage.service.call::<Value>("slow", ());
        // The method must be running before it can be cancelled: another call is answered after it has started.
        stage.service.call::<i32>("add", (1, 1)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        call.cancel();
        assert!(matches!(call.await, Err(Error::Canceled)));
    }

    async fn signals_arrive_and_posts_emit_them(stage) {
        let mut changed = stage.service.signal::<(i32, String)>("changed").await.unwrap();
        stage.service.call::<()>("emit", (1, "one".to_owned())).await.unwrap();
        assert_eq!(changed.next().await.unwrap().unwrap(), (1, "one".to_owned()));
        stage.service.post("changed", (2, "two".to_owned())).unwrap();
        assert_eq!(changed.next().await.unwrap().unwrap(), (2, "two".to_owned()));
        let mut anything = stage.service.signal::<Value>("anything").await.unwrap();
        stage.service.post("anything", (1, "two".to_owned())).unwrap();
        assert_eq!(anything.next().await.unwrap().unwrap().unwrap_dynamic().to_string(), "[1,\"two\"]");
    }

    async fn properties_are_read_set_and_watched(stage) {
        let mut level = stage.service.signal::<(i32,)>("level").await.unwrap();
        stage.service.set("level", 12).await.unwrap();
        assert_eq!(stage.service.get::<i32>("level").await.unwrap(), 12);
        assert_eq!(level.next().await.unwrap().unwrap(), (12,));
        let error = stage.service.set("level", "text".to_owned()).await.unwrap_err();
        assert!(matches!(error, Error::Remote(_)), "{error}");
    }

    async fn returned_objects_are_usable(stage) {
        let made = stage.service.call::<Proxy>("make", ()).await.unwrap();
        assert_eq!(made.call::<String>("who", ()).await.unwrap(), "made");
        let mut fired = made.signal::<(i32,)>("fired").await.unwrap();
        made.call::<()>("fire", (9,)).await.unwrap();
        assert_eq!(fired.next().await.unwrap().unwrap(), (9,));
        made.set("label", "L".to_owned()).await.unwrap();
        assert_eq!(made.get::<String>("label").await.unwrap(), "L");
        let many = stage.service.call::<Vec<Proxy>>("make_many", (3,)).await.unwrap();
        for (position, proxy) in many.iter().enumerate() {
            assert_eq!(proxy.call::<String>("who", ()).await.unwrap(), position.to_string());
        }
    }

    async fn objects_in_events_are_usable(stage) {
        let mut handed = stage.service.signal::<(Proxy,)>("handed").await.unwrap();
        stage.service.call::<()>("hand", ()).await.unwrap();
        let (object,) = handed.next().await.unwrap().unwrap();
        assert_eq!(object.call::<String>("who", ()).await.unwrap(), "handed");
    }

    async fn objects_passed_as_arguments_are_called_back_and_released(stage) {
        let mut builder = Object::builder();
        builder.method("twice", |(x,): (i32,)| 2 * x);
        let object = builder.build();
        let uid = object.uid();
        assert_eq!(stage.service.call::<i32>("keep", (object,)).await.unwrap(), 1);
        assert_eq!(stage.service.call::<i32>("call_kept", (21,)).await.unwrap(), 42);
        let back = stage.service.call::<Proxy>("give_back", ()).await.unwrap();
        assert_eq!(back.uid(), Some(uid));
        assert_eq!(back.call::<i32>("twice", (4,)).await.unwrap(), 8);
        stage.service.call::<()>("drop", ()).await.unwrap();
    }

    async fn a_service_of_ours_is_seen_by_others(stage) {
        let mut builder = Object::builder();
        builder.method("half", |(x,): (i32,)| x / 2);
        let id = stage.session.register("Halves", builder).await.unwrap();
        let other = Session::connect(&stage.session.url().unwrap()).await.unwrap();
        let halves = other.service("Halves").await.unwrap();
        assert_eq!(halves.call::<i32>("half", (8,)).await.unwrap(), 4);
        stage.session.unregister(id).await.unwrap();
        assert!(other.services().await.unwrap().iter().all(|info| info.name != "Halves"));
    }
}
