//! H8, H11, H12: directories that do what a session must survive.

use std::sync::Arc;

use keyway::{Error, Object, Session};
use keyway_session::CapabilityMap;
use keyway_tests::{
    bystander::Scene,
    eventually,
    process::Keyway,
    raw::{Raw, payload},
};
use keyway_value::Value;
use keyway_wire::{Frame, MessageKind};
use tokio::{net::TcpListener, sync::Notify};

use crate::{TIMES, info, register};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h08_a_reply_with_state_1_is_a_refusal_and_asked_only_once() {
    let states = [
        (Some(Value::UInt32(1)), "Authentication failed"),
        (Some(Value::Int32(1)), "Authentication failed"),
        (Some(Value::UInt32(0)), "Invalid authentication state token."),
        (Some(Value::UInt32(7)), "Invalid authentication state token."),
        (Some(Value::from("done")), "Invalid authentication state token."),
        (None, "Invalid authentication state token."),
    ];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    for (state, expected) in states {
        for _ in 0..TIMES / 20 {
            let mut answer = CapabilityMap::libqi();
            if let Some(state) = &state {
                answer.set("__qi_auth_state", state.clone());
            }
            let server = async {
                let (stream, _) = listener.accept().await.unwrap();
                let mut raw = Raw::over(stream);
                let asked = raw.read().await.expect("a client that authenticates");
                assert_eq!(asked.header.action.0, 8);
                raw.send_bytes(&Frame::reply_to(&asked.header, answer.encode()).to_bytes()).await;
                raw.expect_closed().await;
            };
            let (session, ()) = eventually("refusing", async { tokio::join!(Session::connect(&url), server) }).await;
            let error = session.unwrap_err();
            assert!(matches!(error, Error::Closed(_)), "{error:?}");
            assert!(error.to_string().contains(expected), "{state:?}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h11_tls_urls_are_refused_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for scheme in ["tcps", "tcpsm"] {
        let url = format!("{scheme}://{address}");
        let error = Session::connect(&url).await.unwrap_err();
        assert!(matches!(error, Error::TlsSettings(_)), "{error:?}");
        let expected = format!("'{url}' is connected to by TLS, and nothing says which server to trust");
        assert!(error.to_string().starts_with(&expected), "{error}");
        let output = Keyway::run(&["info", "--qi-url", &url]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!([&url, "--ca", "--pin", "--insecure-skip-verify"].iter().all(|part| said.contains(part)), "{said}");
        let output = Keyway::run(&["directory", "--listen", &format!("{scheme}://127.0.0.1:0")]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("SSL certificates/key missing, the SSL configuration is incomplete"), "{said}");
        assert!(said.contains(scheme), "{said}");
    }
    // A service that can only be reached with TLS.
    let mut scene = Scene::new(&[]).await;
    let mut raw = Raw::authenticated(scene.url()).await;
    register(&mut raw, &info("Secret", &[&format!("tcps://{address}"), &format!("tcpsm://{address}")])).await;
    let session = Session::connect(scene.url()).await.unwrap();
    let error = session.service("Secret").await.unwrap_err();
    assert_eq!(error.to_string(), "No reachable endpoint was found for this service.");
    // The first to come there is this test itself.
    let own = tokio::net::TcpStream::connect(address).await.unwrap();
    let (_, first) = listener.accept().await.unwrap();
    assert_eq!(first, own.local_addr().unwrap());
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h12_a_directory_that_is_restarted_is_missed_at_once_and_then_used_again() {
    let mut directory = Keyway::directory(&[]);
    let url = directory.url.clone();
    for round in 0..5 {
        let started = Arc::new(Notify::new());
        let host = Session::builder().without_listener().connect(&url).await.unwrap();
        host.register("Slow", slow(&started)).await.unwrap();
        let client = Session::connect(&url).await.unwrap();
        let mut events = client.service_events().await.unwrap();
        let service = client.service("Slow").await.unwrap();
        assert_eq!(service.call::<i32>("add", (round, 1)).await.unwrap(), round + 1);
        // The directory passes this call on: it is under way on two of its connections.
        let call = service.call::<()>("wait", ());
        started.notified().await;
        directory.end();
        assert!(matches!(eventually("a call in flight", call).await, Err(Error::Closed(_))));
        for session in [&host, &client] {
            assert_eq!(eventually("noticing", session.disconnected()).await, "disconnected");
            assert!(!session.is_connected());
            assert!(matches!(session.services().await, Err(Error::NotConnected)));
            assert!(matches!(session.register("Late", Object::builder()).await, Err(Error::NotConnected)));
        }
        assert!(eventually("the end of events", events.next()).await.is_none());
        assert!(service.call::<i32>("add", (1, 1)).await.is_err());
        let error = eventually("connecting to nobody", Session::connect(&url)).await.unwrap_err();
        assert!(matches!(error, Error::Connect { .. }), "{error:?}");
        directory = Keyway::directory(&["--listen", &url]);
        assert_eq!(directory.url, url);
        let fresh = Session::connect(&url).await.unwrap();
        let names: Vec<_> = fresh.services().await.unwrap().iter().map(|info| info.name.to_string()).collect();
        assert_eq!(names, ["ServiceDirectory"], "a service is back when it is registered again");
    }
    assert!(!directory.end().contains("panicked"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h12_calls_to_services_with_endpoints_of_their_own_end_with_the_session() {
    let mut directory = Keyway::directory(&[]);
    let started = Arc::new(Notify::new());
    let host = Session::connect(&directory.url).await.unwrap();
    host.register("Slow", slow(&started)).await.unwrap();
    let endpoint = host.endpoints().remove(0);
    let client = Session::connect(&directory.url).await.unwrap();
    let service = client.service("Slow").await.unwrap();
    let call = service.call::<()>("wait", ());
    started.notified().await;
    directory.end();
    assert!(matches!(eventually("a call in flight", call).await, Err(Error::Closed(_))));
    eventually("noticing", host.disconnected()).await;
    // The listeners of a session end with it; the task that owns one may have its last turn a moment later.
    let address = endpoint.trim_start_matches("tcp://");
    eventually("the end of the listener", async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h12_a_half_closed_connection_is_a_closed_one() {
    let mut scene = Scene::new(&[]).await;
    for _ in 0..TIMES {
        let mut raw = Raw::authenticated(scene.url()).await;
        register(&mut raw, &info("Half", &["tcp://127.0.0.1:1"])).await;
        // What was asked before the end is still answered.
        let asked = raw.send(MessageKind::Call, crate::SERVICE, payload(&("Half".to_owned(),))).await;
        raw.finish_sending().await;
        assert_eq!(raw.answer(asked).await.header.kind, MessageKind::Reply);
        raw.expect_closed().await;
    }
    scene.is_unharmed().await;
}

fn slow(started: &Arc<Notify>) -> keyway::ObjectBuilder {
    let started = started.clone();
    let mut builder = Object::builder();
    builder.method("add", |(a, b): (i32, i32)| a + b);
    builder.method_async("wait", move |()| {
        started.notify_one();
        std::future::pending::<()>()
    });
    builder
}
