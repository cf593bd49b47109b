//! H5, H13: what belongs to others.

use std::sync::Arc;

use keyway::{Object, ServiceInfo, Session};
use keyway_tests::{
    bystander::Scene,
    raw::{Address, Raw, payload, text_of},
};
use keyway_value::{Decoder, MessageId, ObjectReference};
use keyway_wire::{Frame, MessageKind};
use tokio::sync::Notify;

use crate::{
    READY, REGISTER, SERVICE, SERVICE_ADDED, SERVICE_REMOVED, SERVICES, TIMES, UNREGISTER, UPDATE, event, info,
    register, subscribe,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h05_nobody_changes_services_of_others_nor_the_directory() {
    let mut scene = Scene::new(&[]).await;
    let mut owner = Raw::authenticated(scene.url()).await;
    let ready = register(&mut owner, &info("Ready", &["tcp://127.0.0.1:1"])).await;
    let pending: u32 = owner.call_typed(REGISTER, &(info("Pending", &["tcp://127.0.0.1:1"]),)).await;
    let before: Vec<ServiceInfo> = owner.call_typed(SERVICES, &()).await;
    let mut thief = Raw::authenticated(scene.url()).await;
    for _ in 0..TIMES {
        for id in [1, ready, pending] {
            let denied = format!("Permission denied: service #{id} is owned by another session");
            let theft = ServiceInfo { service_id: keyway::ServiceId(id), ..info("Ready", &["tcp://6.6.6.6:666"]) };
            assert_eq!(thief.refused(UNREGISTER, payload(&(id,))).await, denied);
            assert_eq!(thief.refused(UPDATE, payload(&(theft.clone(),))).await, denied);
            // Nor without being asked for an answer.
            thief.send(MessageKind::Post, UNREGISTER, payload(&(id,))).await;
            thief.send(MessageKind::Post, UPDATE, payload(&(theft,))).await;
            thief.send(MessageKind::Post, READY, payload(&(id,))).await;
        }
        let denied = format!("Permission denied: service #{pending} is owned by another session");
        assert_eq!(thief.refused(READY, payload(&(pending,))).await, denied);
        // Under the session id of another, only one's own services change.
        let own = register(&mut thief, &info("Thief", &["tcp://127.0.0.1:3"])).await;
        let update = ServiceInfo { service_id: keyway::ServiceId(own), ..info("Thief", &["tcp://6.6.6.6:666"]) };
        thief.call_typed::<()>(UPDATE, &(update,)).await;
        thief.call_typed::<()>(UNREGISTER, &(own,)).await;
    }
    thief.expect_silence().await;
    assert_eq!(owner.call_typed::<Vec<ServiceInfo>>(SERVICES, &()).await, before);
    owner.call_typed::<()>(READY, &(pending,)).await;
    owner.call_typed::<()>(UNREGISTER, &(ready,)).await;
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h05_forged_events_reach_nobody() {
    for arguments in [&[][..], &["--permissive"]] {
        let mut scene = Scene::new(arguments).await;
        let mut listener = Raw::authenticated(scene.url()).await;
        subscribe(&mut listener, SERVICE_ADDED, 1).await;
        subscribe(&mut listener, SERVICE_REMOVED, 2).await;
        let mut forger = Raw::authenticated(scene.url()).await;
        for _ in 0..TIMES {
            for signal in [SERVICE_ADDED, SERVICE_REMOVED] {
                for kind in [MessageKind::Post, MessageKind::Event] {
                    forger.send(kind, (1, 1, signal), payload(&(2_u32, "Bystander".to_owned()))).await;
                }
                let text = forger.refused((1, 1, signal), payload(&(2_u32, "Bystander".to_owned()))).await;
                assert!(text.starts_with("No such method"), "{text}");
            }
        }
        forger.expect_silence().await;
        listener.expect_silence().await;
        scene.is_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h05_a_permissive_directory_lets_anybody_change_all_but_itself_as_libqi_does() {
    let mut scene = Scene::new(&["--permissive"]).await;
    let mut owner = Raw::authenticated(scene.url()).await;
    subscribe(&mut owner, SERVICE_REMOVED, 1).await;
    let mut other = Raw::authenticated(scene.url()).await;
    for _ in 0..TIMES {
        let id: u32 = owner.call_typed(REGISTER, &(info("Common", &["tcp://127.0.0.1:1"]),)).await;
        other.call_typed::<()>(READY, &(id,)).await;
        let moved = ServiceInfo { service_id: keyway::ServiceId(id), ..info("Common", &["tcp://127.0.0.1:2"]) };
        other.call_typed::<()>(UPDATE, &(moved,)).await;
        let found: ServiceInfo = owner.call_typed(SERVICE, &("Common".to_owned(),)).await;
        assert!(found.endpoints.contains(&"tcp://127.0.0.1:2".to_owned()), "{:?}", found.endpoints);
        other.call_typed::<()>(UNREGISTER, &(id,)).await;
        assert_eq!(event(&mut owner).await, (SERVICE_REMOVED, id, "Common".to_owned()));
        let denied = "Permission denied: service #1 is owned by another session";
        assert_eq!(other.refused(UNREGISTER, payload(&(1_u32,))).await, denied);
        let theft = ServiceInfo { service_id: keyway::ServiceId(1), ..info("Common", &["tcp://6.6.6.6:666"]) };
        assert_eq!(other.refused(UPDATE, payload(&(theft,))).await, denied);
    }
    scene.is_unharmed().await;
}

/// `make`, `slow` and `release` of a service that the directory passes calls on to.
struct Relayed {
    service: u32,
    started: Arc<Notify>,
    _host: Session,
}

impl Relayed {
    async fn at(url: &str) -> Self {
        let host = Session::builder().without_listener().connect(url).await.unwrap();
        let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut builder = Object::builder();
        builder.method("make", |()| {
            let mut made = Object::builder();
            made.method("who", |()| "made".to_owned());
            made.build()
        });
        let (start, wait) = (started.clone(), release.clone());
        builder.method_async("slow", move |()| {
            let (start, wait) = (start.clone(), wait.clone());
            async move {
                let mut released = std::pin::pin!(wait.notified());
                // Waiting from here on: the release may come as soon as the test knows of the start.
                released.as_mut().enable();
                start.notify_one();
                released.await;
                "done".to_owned()
            }
        });
        // All of them: a call that was cancelled may not have noticed yet, and must not take the release for itself.
        builder.method("release", move |()| release.notify_waiters());
        let service = host.register("Relayed", builder).await.unwrap().0;
        Self { service, started, _host: host }
    }

    fn make(&self) -> Address {
        (self.service, 1, 100)
    }

    fn slow(&self) -> Address {
        (self.service, 1, 101)
    }

    fn release(&self) -> Address {
        (self.service, 1, 102)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h13_an_object_is_only_there_for_the_connection_that_it_was_given_to() {
    let mut scene = Scene::new(&[]).await;
    let relayed = Relayed::at(scene.url()).await;
    let mut owner = Raw::authenticated(scene.url()).await;
    let mut guesser = Raw::authenticated(scene.url()).await;
    for _ in 0..TIMES {
        let object = made(&owner.call(relayed.make(), Vec::new()).await);
        let who = (object.service.0, object.object.0, 100);
        for address in [who, (1, who.1, 100), (who.0, who.1, 2)] {
            let text = guesser.refused(address, payload(&(0_u32,))).await;
            assert_eq!(text, "The call request could not be handled.");
        }
        // Nor can another release it.
        guesser.send(MessageKind::Post, (who.0, who.1, 3), payload(&(who.0,))).await;
        guesser.expect_silence().await;
        assert_eq!(owner.call_typed::<String>(who, &()).await, "made");
        owner.send(MessageKind::Post, (who.0, who.1, 3), payload(&(who.0,))).await;
        assert_eq!(owner.refused(who, Vec::new()).await, "The call request could not be handled.");
    }
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h13_a_call_is_only_cancelled_on_the_connection_that_made_it() {
    let mut scene = Scene::new(&[]).await;
    let relayed = Relayed::at(scene.url()).await;
    let mut owner = Raw::authenticated(scene.url()).await;
    let mut guesser = Raw::authenticated(scene.url()).await;
    for _ in 0..TIMES {
        let call = owner.send(MessageKind::Call, relayed.slow(), Vec::new()).await;
        relayed.started.notified().await;
        cancel(&mut guesser, relayed.slow(), call).await;
        guesser.expect_silence().await;
        guesser.call_typed::<()>(relayed.release(), &()).await;
        let answer = owner.answer(call).await;
        assert_eq!(answer.header.kind, MessageKind::Reply, "{}", text_of(&answer));
        let call = owner.send(MessageKind::Call, relayed.slow(), Vec::new()).await;
        relayed.started.notified().await;
        cancel(&mut owner, relayed.slow(), call).await;
        assert_eq!(owner.answer(call).await.header.kind, MessageKind::Canceled);
    }
    scene.is_unharmed().await;
}

async fn cancel(raw: &mut Raw, (service, object, _): Address, call: MessageId) {
    let frame = Frame::cancel(MessageId(0), keyway::ServiceId(service), keyway::ObjectId(object), call);
    raw.send_bytes(&frame.to_bytes()).await;
}

/// The reference in a reply.
fn made(reply: &Frame) -> ObjectReference {
    assert_eq!(reply.header.kind, MessageKind::Reply, "{}", text_of(reply));
    Decoder::new(reply.payload_bytes()).read_object().expect("an object").reference
}
