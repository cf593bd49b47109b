//! H1, H6, H7: what services say of themselves.

use keyway::{MetaObject, Object, ServiceInfo, Session};
use keyway_session::CapabilityMap;
use keyway_tests::{
    bystander::Scene,
    raw::{AUTHENTICATE, Raw, payload},
};
use keyway_wire::{Endpoint, Frame, MessageKind};

use crate::{
    READY, REGISTER, SERVICE, SERVICE_ADDED, SERVICE_REMOVED, SERVICES, TIMES, UNREGISTER, UPDATE, event, info,
    register, subscribe,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h01_a_service_name_that_is_no_uri_segment_is_listed_without_a_relative_endpoint() {
    let mut scene = Scene::new(&[]).await;
    let mut raw = Raw::authenticated(scene.url()).await;
    let long = "n".repeat(255);
    let names =
        ["", " ", "a b", "名", "a/b", "a%", "%zz", "a#b?c", "qi:x", "//x", "[", "\u{0}", "\n", "a\u{7f}", &long];
    for _ in 0..TIMES.div_ceil(names.len()) {
        let mut ids = Vec::new();
        for name in names {
            ids.push(register(&mut raw, &info(name, &["tcp://127.0.0.1:1"])).await);
        }
        let services: Vec<ServiceInfo> = raw.call_typed(SERVICES, &()).await;
        for name in names {
            let listed = services.iter().find(|info| info.name == *name).unwrap_or_else(|| panic!("{name:?} is gone"));
            for endpoint in &listed.endpoints {
                assert!(Endpoint::parse(endpoint).is_ok(), "{name:?} is told to be at {endpoint:?}");
            }
            let found: ServiceInfo = raw.call_typed(SERVICE, &((*name).to_owned(),)).await;
            assert_eq!(found.endpoints, listed.endpoints);
        }
        for id in ids {
            raw.call_typed::<()>(UNREGISTER, &(id,)).await;
        }
    }
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h01_names_that_are_too_long_or_no_text_are_refused() {
    let mut scene = Scene::new(&[]).await;
    let mut raw = Raw::authenticated(scene.url()).await;
    let no_text = ServiceInfo { name: keyway::QiString::from(vec![0xff, 0xfe]), ..info("", &[]) };
    let huge = info(&"n".repeat(1 << 20), &[]);
    for refused in [info(&"n".repeat(256), &[]), no_text, huge] {
        for _ in 0..TIMES / 4 {
            let text = raw.refused(REGISTER, payload(&(refused.clone(),))).await;
            assert!(text.starts_with("the service name is refused"), "{text}");
        }
    }
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h06_renaming_by_update_service_info_keeps_the_name_and_leaves_nothing_after_the_connection() {
    for arguments in [&[][..], &["--permissive"]] {
        let mut scene = Scene::new(arguments).await;
        let mut listener = Raw::authenticated(scene.url()).await;
        subscribe(&mut listener, SERVICE_REMOVED, 1).await;
        for _ in 0..TIMES {
            let mut raw = Raw::authenticated(scene.url()).await;
            let id = register(&mut raw, &info("Old", &["tcp://127.0.0.1:1"])).await;
            let renamed = ServiceInfo { service_id: keyway::ServiceId(id), ..info("New", &["tcp://127.0.0.1:2"]) };
            raw.call_typed::<()>(UPDATE, &(renamed,)).await;
            let kept: ServiceInfo = raw.call_typed(SERVICE, &("Old".to_owned(),)).await;
            assert_eq!(kept.name, "Old");
            assert!(kept.endpoints.contains(&"tcp://127.0.0.1:2".to_owned()), "{:?}", kept.endpoints);
            assert_eq!(raw.refused(SERVICE, payload(&("New".to_owned(),))).await, "Cannot find service 'New' in index");
            drop(raw);
            assert_eq!(event(&mut listener).await, (SERVICE_REMOVED, id, "Old".to_owned()));
        }
        listener.expect_silence().await;
        let left: Vec<ServiceInfo> = listener.call_typed(SERVICES, &()).await;
        assert_eq!(left.len(), 2, "the directory and the bystander: {left:?}");
        scene.is_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h07_a_service_without_endpoints_is_no_way_to_reach_the_others() {
    let mut scene = Scene::new(&[]).await;
    let client = Session::connect(scene.url()).await.unwrap();
    for round in 0..TIMES {
        let mut raw = Raw::connect(scene.url()).await;
        // Without this the directory would ask for the metaobject, to pass calls on.
        let mut capabilities = CapabilityMap::libqi();
        capabilities.set("ClientServerSocket", false);
        raw.call(AUTHENTICATE, capabilities.encode()).await;
        let empty = register(&mut raw, &info("Empty", &[])).await;
        let id = register(&mut raw, &info("Emptied", &["tcp://127.0.0.1:1"])).await;
        let emptied = ServiceInfo { service_id: keyway::ServiceId(id), ..info("Emptied", &[]) };
        raw.call_typed::<()>(UPDATE, &(emptied,)).await;
        for service in client.services().await.unwrap() {
            let through = |name: &str| service.endpoints.iter().any(|endpoint| *endpoint == format!("qi:{name}"));
            assert!(!through("Empty") && !through("Emptied"), "{} at {:?}", service.name, service.endpoints);
        }
        let error = client.service("Empty").await.unwrap_err();
        assert_eq!(error.to_string(), format!("No endpoints returned for service:Empty (id:{empty})"));
        if round % 2 == 0 {
            raw.call_typed::<()>(UNREGISTER, &(empty,)).await;
            raw.call_typed::<()>(UNREGISTER, &(id,)).await;
        }
        drop(raw);
        gone(&client, &["Empty", "Emptied"]).await;
    }
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h07_a_service_that_leaves_while_it_describes_itself_is_not_passed_on_for_ever() {
    let mut scene = Scene::new(&[]).await;
    let mut other = Raw::authenticated(scene.url()).await;
    subscribe(&mut other, SERVICE_ADDED, 1).await;
    let metaobject = payload(&MetaObject::clone(&Object::builder().build().metaobject()));
    let mut last = 0;
    for _ in 0..TIMES {
        let mut raw = Raw::authenticated(scene.url()).await;
        let id: u32 = raw.call_typed(REGISTER, &(info("Brief", &[]),)).await;
        let ready = raw.send(MessageKind::Call, READY, payload(&(id,))).await;
        let asked = raw.read_kind(MessageKind::Call).await.expect("the directory asks what the service is");
        raw.call_typed::<()>(UNREGISTER, &(id,)).await;
        raw.send_bytes(&Frame::reply_to(&asked.header, metaobject.clone().into()).to_bytes()).await;
        assert_eq!(raw.answer(ready).await.header.kind, MessageKind::Error);
        let text = other.refused((id, 1, 2), payload(&(0_u32,))).await;
        assert_eq!(text, "The call request could not be handled.", "service {id} is gone");
        last = id;
    }
    assert!(last > 0);
    other.expect_silence().await;
    scene.is_unharmed().await;
}

/// Waits until services have left the directory.
async fn gone(client: &Session, names: &[&str]) {
    let mut events = client.service_events().await.unwrap();
    while client.services().await.unwrap().iter().any(|info| names.iter().any(|name| info.name == **name)) {
        events.next().await.unwrap();
    }
}
