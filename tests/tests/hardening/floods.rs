//! H9, H10: too many connections, and readers who do not read.

use keyway::{ServiceInfo, Session};
use keyway_session::CapabilityMap;
use keyway_tests::{
    bystander::Scene,
    eventually,
    raw::{AUTHENTICATE, MACHINE_ID, Raw},
};
use keyway_wire::{Frame, MessageKind};

use crate::{SERVICE_ADDED, SERVICE_REMOVED, SERVICES, TIMES, UNREGISTER, event, info, register, subscribe};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h09_who_does_not_authenticate_in_time_is_closed_whatever_else_it_sends() {
    let mut scene = Scene::new(&["--authentication-timeout", "2"]).await;
    let mut authenticated = Raw::authenticated(scene.url()).await;
    let mut talkers = Vec::new();
    for number in 0..TIMES {
        let mut raw = Raw::connect(scene.url()).await;
        match number % 4 {
            // Silent.
            0 => {}
            // In the middle of a header, or of the payload that is to let it in.
            1 => raw.send_bytes(&[0x42, 0xDE, 0xAD]).await,
            2 => {
                let frame = raw.frame(MessageKind::Call, AUTHENTICATE, CapabilityMap::libqi().encode()).to_bytes();
                raw.send_bytes(&frame[..frame.len() - 1]).await;
            }
            // Announcing and calling: neither is authenticating.
            _ => {
                raw.send(MessageKind::Capability, (0, 0, 0), CapabilityMap::libqi().encode()).await;
                assert_eq!(raw.refused(MACHINE_ID, Vec::new()).await, "The call request could not be handled.");
            }
        }
        talkers.push(raw);
    }
    let going_on = tokio::spawn(async move {
        loop {
            authenticated.call_typed::<String>(MACHINE_ID, &()).await;
            tokio::task::yield_now().await;
        }
    });
    for mut raw in talkers {
        raw.expect_closed().await;
    }
    assert!(!going_on.is_finished(), "an authenticated connection goes on");
    going_on.abort();
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h09_one_address_holds_only_so_many_connections_that_have_not_authenticated() {
    const CAP: usize = 8;
    let mut scene = Scene::new(&["--max-unauthenticated", &CAP.to_string(), "--authentication-timeout", "3600"]).await;
    let mut authenticated = Raw::authenticated(scene.url()).await;
    for _ in 0..TIMES / CAP {
        let mut silent = Vec::new();
        // Somebody who has just left may still be counted.
        while silent.len() < CAP {
            let mut raw = Raw::connect(scene.url()).await;
            if is_served(&mut raw).await {
                silent.push(raw);
            }
        }
        for _ in 0..CAP {
            Raw::connect(scene.url()).await.expect_closed().await;
        }
        authenticated.call_typed::<String>(MACHINE_ID, &()).await;
        // Those who came in time may still authenticate, and then make room for others.
        for raw in &mut silent {
            raw.authenticate().await;
        }
        let mut newcomer = Raw::connect(scene.url()).await;
        assert!(is_served(&mut newcomer).await, "authenticated connections do not count");
        newcomer.authenticate().await;
    }
    scene.is_unharmed().await;
}

/// Whether an unauthenticated connection is answered.
async fn is_served(raw: &mut Raw) -> bool {
    raw.send(MessageKind::Call, MACHINE_ID, Vec::new()).await;
    raw.read().await.is_some_and(|frame| frame.header.kind == MessageKind::Error)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_a_subscriber_that_does_not_read_is_cut_off_and_the_others_get_every_event() {
    /// Subscriptions of the slow one: each event is that much more for it.
    const LINKS: u64 = 200;
    let mut scene = Scene::new(&["--queue-bytes", "1000000"]).await;
    let name = "n".repeat(255);
    let mut emitter = Raw::authenticated(scene.url()).await;
    let mut listener = Raw::authenticated(scene.url()).await;
    subscribe(&mut listener, SERVICE_ADDED, 1).await;
    subscribe(&mut listener, SERVICE_REMOVED, 2).await;
    let watching = Session::connect(scene.url()).await.unwrap();
    let mut watcher = watching.service_events().await.unwrap();
    for _ in 0..10 {
        let mut slow = Raw::connect_with(scene.url(), Some(4096)).await;
        slow.authenticate().await;
        for link in 0..LINKS {
            subscribe(&mut slow, SERVICE_ADDED, link).await;
        }
        // 60 KiB each for the slow one, in all more than the system's buffers and the queue together.
        for _ in 0..200 {
            let id = register(&mut emitter, &info(&name, &["tcp://127.0.0.1:1"])).await;
            emitter.call_typed::<()>(UNREGISTER, &(id,)).await;
            for (signal, added) in [(SERVICE_ADDED, true), (SERVICE_REMOVED, false)] {
                assert_eq!(event(&mut listener).await, (signal, id, name.clone()));
                let seen = eventually("an event", watcher.next()).await.expect("the watcher goes on");
                assert_eq!((seen.added, seen.id.0), (added, id));
            }
        }
        assert!(scene.grown_kib() < 8 * 1024, "grown by {} KiB", scene.grown_kib());
        let received = slow.closed().await.len() as u64;
        assert!(received > 0 && received < 200 * LINKS, "{received} events of {}", 200 * LINKS);
    }
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_a_caller_that_does_not_read_its_answers_fills_no_memory() {
    const CALLS: usize = 10_000;
    let mut scene = Scene::new(&["--queue-bytes", "1000000"]).await;
    let mut others = Vec::new();
    for _ in 0..10 {
        let mut slow = Raw::connect_with(scene.url(), Some(4096)).await;
        slow.authenticate().await;
        let mut calls = Vec::new();
        for _ in 0..CALLS {
            // 4 KB of metaobject for each 32 bytes.
            let call: Frame = slow.frame(MessageKind::Call, (1, 1, 2), 0_u32.to_le_bytes().to_vec());
            calls.extend_from_slice(&call.to_bytes());
        }
        slow.send_bytes(&calls).await;
        scene.bystander.is_unharmed().await;
        others.push(slow);
    }
    assert!(scene.grown_kib() < 10 * 1_000 + 8 * 1024, "grown by {} KiB", scene.grown_kib());
    for mut slow in others {
        // Answered in its own time, or cut off; never answered out of step.
        let answers = slow.read_many(CALLS).await;
        assert!(answers.iter().all(|frame| frame.header.kind == MessageKind::Reply));
    }
    let services: Vec<ServiceInfo> = Raw::authenticated(scene.url()).await.call_typed(SERVICES, &()).await;
    assert_eq!(services.len(), 2);
    scene.is_unharmed().await;
}
