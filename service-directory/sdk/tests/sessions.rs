//! What programs rely on from sessions (spec 7.6, 13), Rust to Rust over TCP.

use std::time::Duration;

use keyway::{Directory, Error, IntoObject, Object, ObjectBuilder, Session, Signal};

async fn directory() -> (Directory, String) {
    let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
    let url = directory.urls().remove(0);
    (directory, url)
}

fn doubling() -> ObjectBuilder {
    let mut builder = Object::builder();
    builder.method("twice", |(n,): (i32,)| 2 * n);
    builder
}

async fn names(session: &Session) -> Vec<String> {
    session.services().await.unwrap().into_iter().map(|info| info.name.to_string()).collect()
}

#[tokio::test]
async fn a_directory_lists_itself_and_what_is_registered() {
    let (_directory, url) = directory().await;
    let host = Session::connect(&url).await.unwrap();
    let client = Session::connect(&url).await.unwrap();
    for name in ["A", "B", "C", "D"] {
        host.register(name, doubling()).await.unwrap();
    }
    assert_eq!(names(&host).await, ["ServiceDirectory", "A", "B", "C", "D"]);
    assert_eq!(names(&client).await, ["ServiceDirectory", "A", "B", "C", "D"]);
}

#[tokio::test]
async fn connecting_to_a_closed_port_fails_each_time_and_then_works_elsewhere() {
    for _ in 0..3 {
        let error = Session::connect("tcp://127.0.0.1:1").await.unwrap_err();
        assert!(matches!(error, Error::Connect { .. }), "{error}");
    }
    let (_directory, url) = directory().await;
    assert!(Session::connect(&url).await.unwrap().is_connected());
}

#[tokio::test]
async fn tls_urls_are_refused_with_a_clear_error() {
    let error = Session::connect("tcps://127.0.0.1:9503").await.unwrap_err();
    assert!(matches!(error, Error::TlsSettings(_)), "{error:?}");
    assert!(error.to_string().contains("nothing says which server to trust"), "{error}");
}

#[tokio::test]
async fn asking_twice_for_a_service_gives_the_same_object() {
    let (_directory, url) = directory().await;
    let host = Session::connect(&url).await.unwrap();
    host.register("Twice", doubling()).await.unwrap();
    let client = Session::connect(&url).await.unwrap();
    let (a, b) = (client.service("Twice").await.unwrap(), client.service("Twice").await.unwrap());
    assert_eq!(a.uid(), b.uid());
    assert!(a.uid().is_some());
    assert_eq!(b.call::<i32>("twice", (4,)).await.unwrap(), 8);
}

#[tokio::test]
async fn a_taken_name_is_refused() {
    let (_directory, url) = directory().await;
    let host = Session::connect(&url).await.unwrap();
    host.register("Taken", doubling()).await.unwrap();
    let other = Session::connect(&url).await.unwrap();
    let error = other.register("Taken", doubling()).await.unwrap_err();
    let text = "Service \"Taken\" (#2) is already registered. Rejecting conflicting registration attempt.";
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn a_service_of_the_own_session_is_used_directly() {
    let (_directory, url) = directory().await;
    let session = Session::connect(&url).await.unwrap();
    session.register("Own", doubling()).await.unwrap();
    let own = session.service("Own").await.unwrap();
    assert_eq!(own.service_id(), keyway::ServiceId::SERVER);
    assert_eq!(own.call::<i32>("twice", (3,)).await.unwrap(), 6);
}

#[tokio::test]
async fn closing_a_host_removes_its_services_and_breaks_their_proxies() {
    let (_directory, url) = directory().await;
    let host = Session::connect(&url).await.unwrap();
    let id = host.register("Leaver", doubling()).await.unwrap();
    let client = Session::connect(&url).await.unwrap();
    let proxy = client.service("Leaver").await.unwrap();
    let mut events = client.service_events().await.unwrap();
    host.close().await;
    let event = events.next().await.unwrap();
    assert_eq!((event.added, event.id, event.name.as_str()), (false, id, "Leaver"));
    assert!(proxy.call::<i32>("twice", (1,)).await.is_err());
    assert!(client.service("Leaver").await.is_err());
    assert!(matches!(host.services().await, Err(Error::NotConnected)));
    host.close().await;
}

#[tokio::test]
async fn a_service_registered_again_has_a_new_id_and_works() {
    let (_directory, url) = directory().await;
    let host = Session::connect(&url).await.unwrap();
    let client = Session::connect(&url).await.unwrap();
    let first = host.register("Again", doubling()).await.unwrap();
    assert_eq!(client.service("Again").await.unwrap().call::<i32>("twice", (1,)).await.unwrap(), 2);
    host.unregister(first).await.unwrap();
    let second = host.register("Again", doubling()).await.unwrap();
    assert!(second > first);
    assert_eq!(client.wait_for_service("Again").await.unwrap().call::<i32>("twice", (2,)).await.unwrap(), 4);
}

#[tokio::test]
async fn wait_for_service_resolves_when_the_service_comes() {
    let (_directory, url) = directory().await;
    let host = Session::connect(&url).await.unwrap();
    let client = Session::connect(&url).await.unwrap();
    let waiting = tokio::spawn(async move { client.wait_for_service("Late").await });
    tokio::task::yield_now().await;
    host.register("Late", doubling()).await.unwrap();
    let proxy = waiting.await.unwrap().unwrap();
    assert_eq!(proxy.call::<i32>("twice", (5,)).await.unwrap(), 10);
}

#[tokio::test]
async fn a_call_under_way_fails_when_its_service_is_removed() {
    let (_directory, url) = directory().await;
    let host = Session::connect(&url).await.unwrap();
    let mut builder = Object::builder();
    builder.method_async("never", |()| std::future::pending::<()>());
    let id = host.register("Slow", builder).await.unwrap();
    let client = Session::connect(&url).await.unwrap();
    let call = client.service("Slow").await.unwrap().call::<()>("never", ());
    host.unregister(id).await.unwrap();
    assert_eq!(call.await.unwrap_err().to_string(), "Service removed");
}

#[tokio::test]
async fn disconnected_resolves_once_the_directory_is_gone() {
    let (directory, url) = directory().await;
    let session = Session::connect(&url).await.unwrap();
    directory.close().await;
    assert_eq!(session.disconnected().await, "disconnected");
    assert!(!session.is_connected());
}

#[tokio::test]
async fn only_the_owner_unregisters_unless_the_directory_is_permissive() {
    let (_directory, url) = directory().await;
    let host = Session::connect(&url).await.unwrap();
    let id = host.register("Mine", doubling()).await.unwrap();
    let stranger = Session::connect(&url).await.unwrap();
    let error = stranger.unregister(id).await.unwrap_err();
    assert_eq!(error.to_string(), "Permission denied: service #2 is owned by another session");

    let directory = Directory::builder().listen("tcp://127.0.0.1:0").permissive(true).start().await.unwrap();
    let host = Session::connect(&directory.urls()[0]).await.unwrap();
    let id = host.register("Anyones", doubling()).await.unwrap();
    let stranger = Session::connect(&directory.urls()[0]).await.unwrap();
    stranger.unregister(id).await.unwrap();
}

#[tokio::test]
async fn the_directorys_own_session_reaches_hosts_over_their_registration_connection() {
    let (directory, url) = directory().await;
    let host = Session::connect(&url).await.unwrap();
    host.register("Inside", doubling()).await.unwrap();
    let local = directory.session();
    assert_eq!(local.service("Inside").await.unwrap().call::<i32>("twice", (6,)).await.unwrap(), 12);
    local.register("Local", doubling()).await.unwrap();
    let remote = host.service("Local").await.unwrap();
    assert_eq!(remote.call::<i32>("twice", (7,)).await.unwrap(), 14);
}

#[tokio::test]
async fn a_proxy_can_be_republished_at_another_directory() {
    let (_first, first_url) = directory().await;
    let (_second, second_url) = directory().await;
    let host = Session::connect(&first_url).await.unwrap();
    host.register("Origin", doubling()).await.unwrap();
    let middle = Session::connect(&first_url).await.unwrap();
    let origin = middle.service("Origin").await.unwrap();
    let bridge = Session::connect(&second_url).await.unwrap();
    bridge.register("Mirror", origin.clone()).await.unwrap();
    let client = Session::connect(&second_url).await.unwrap();
    let mirror = client.service("Mirror").await.unwrap();
    assert_eq!(mirror.call::<i32>("twice", (8,)).await.unwrap(), 16);
    assert_eq!(mirror.uid(), origin.uid());
}

#[tokio::test]
async fn a_republished_object_can_be_led_to_the_same_service_over_another_connection() {
    let (_first, first_url) = directory().await;
    let (_second, second_url) = directory().await;
    let host = Session::connect(&first_url).await.unwrap();
    let rung = Signal::<(i32,)>::new();
    let mut builder = doubling();
    builder.signal("rung", &rung);
    host.register("Origin", builder).await.unwrap();
    host.register("Other", doubling()).await.unwrap();
    let middle = Session::connect(&first_url).await.unwrap();
    let origin = middle.service("Origin").await.unwrap();
    let mirror = origin.clone().into_object();
    let bridge = Session::connect(&second_url).await.unwrap();
    bridge.register("Mirror", mirror.clone()).await.unwrap();
    let client = Session::connect(&second_url).await.unwrap();
    let used = client.service("Mirror").await.unwrap();
    let mut events = used.signal::<(i32,)>("rung").await.unwrap();

    middle.close().await;
    origin.disconnected().await;
    assert!(used.call::<i32>("twice", (8,)).await.is_err(), "the connection is lost");
    let again = Session::connect(&first_url).await.unwrap();
    mirror.redirect(&again.service("Origin").await.unwrap()).await.unwrap();
    assert_eq!(used.call::<i32>("twice", (8,)).await.unwrap(), 16);
    rung.emit(&(1,));
    assert_eq!(events.next().await.unwrap().unwrap(), (1,));
    drop(events);
    while rung.subscribers() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let error = mirror.redirect(&again.service("Other").await.unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("other members"), "{error}");
    let error = doubling().build().redirect(&again.service("Other").await.unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("stands for a remote one"), "{error}");
    assert_eq!(used.call::<i32>("twice", (9,)).await.unwrap(), 18, "it stays where it was");
}

#[tokio::test]
async fn a_host_nobody_can_connect_to_is_reached_through_the_directory() {
    let (directory, url) = directory().await;
    let host = Session::builder().without_listener().connect(&url).await.unwrap();
    host.register("Hidden", doubling()).await.unwrap();
    let info = directory.session().service_info("Hidden").await.unwrap();
    assert!(info.endpoints.contains(&"qi:ServiceDirectory".to_owned()), "{:?}", info.endpoints);
    let client = Session::connect(&url).await.unwrap();
    let hidden = client.service("Hidden").await.unwrap();
    assert_eq!(hidden.call::<i32>("twice", (9,)).await.unwrap(), 18);
}

#[tokio::test]
async fn calls_to_many_services_at_once_all_end_while_services_come_and_go() {
    let (_directory, url) = directory().await;
    let host = Session::connect(&url).await.unwrap();
    let client = Session::connect(&url).await.unwrap();
    let churn = tokio::spawn(async move {
        for _ in 0..50 {
            let id = host.register("Churn", doubling()).await.unwrap();
            host.unregister(id).await.unwrap();
        }
        host
    });
    for _ in 0..200 {
        let attempt = async {
            let proxy = client.service("Churn").await?;
            proxy.call::<i32>("twice", (1,)).await
        };
        // A value or an error, never a hang.
        let outcome = tokio::time::timeout(Duration::from_secs(10), attempt).await;
        assert!(outcome.is_ok(), "a call hung");
    }
    churn.await.unwrap();
}

#[tokio::test]
async fn services_are_reached_at_listeners_that_were_opened_after_them() {
    let (_directory, url) = directory().await;
    let host = Session::connect(&url).await.unwrap();
    host.register("One", doubling()).await.unwrap();
    host.register("Two", doubling()).await.unwrap();
    let late = host.listen("tcp://127.0.0.1:0").await.unwrap().remove(0);
    let client = Session::connect(&url).await.unwrap();
    for name in ["One", "Two"] {
        let info = client.service_info(name).await.unwrap();
        assert!(info.endpoints.contains(&late), "{:?}", info.endpoints);
        assert!(host.endpoints().iter().all(|endpoint| info.endpoints.contains(endpoint)));
    }
}
