//! H2, H3, H4: payloads that cost their reader more than their sender.

use bytes::Bytes;
use keyway_tests::{
    bystander::Scene,
    raw::{AUTHENTICATE, Address, Raw, capability, dynamic, nested_dynamic},
};
use keyway_wire::{Flags, Header, MessageKind};

use crate::TIMES;

/// `property`, whose argument is a dynamic.
const PROPERTY: Address = (1, 1, 5);
/// Rounds until every network thread has had the dearest input once.
const WARM_UP: usize = 5;
/// The most that fits into a payload before authentication.
const UNAUTHENTICATED: usize = 64 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h02_deeply_nested_dynamics_are_refused() {
    let mut scene = Scene::new(&[]).await;
    let mut raw = Raw::authenticated(scene.url()).await;
    let deep = nested_dynamic(200_000);
    for _ in 0..TIMES {
        let text = raw.refused(PROPERTY, deep.clone()).await;
        assert!(text.contains("nests deeper"), "{text}");
        for flags in [Flags::DYNAMIC_PAYLOAD, Flags::RETURN_TYPE, Flags::DYNAMIC_PAYLOAD.with(Flags::RETURN_TYPE)] {
            let frame = raw.frame(MessageKind::Call, PROPERTY, nested_dynamic(2_000)).with_flags(flags);
            raw.send_bytes(&frame.to_bytes()).await;
            assert_eq!(raw.answer(frame.header.id).await.header.kind, MessageKind::Error);
        }
        raw.send(MessageKind::Post, PROPERTY, nested_dynamic(2_000)).await;
    }
    raw.expect_silence().await;
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h02_deeply_nested_signatures_are_refused() {
    let mut scene = Scene::new(&[]).await;
    let mut raw = Raw::authenticated(scene.url()).await;
    let (lists, tuples) = ("[".repeat(30_000) + "i" + &"]".repeat(30_000), "(".repeat(200_000) + &")".repeat(200_000));
    for _ in 0..TIMES {
        for signature in [lists.as_str(), &tuples, &"[".repeat(50_000), &("+".repeat(60_000) + "i")] {
            assert_eq!(raw.refused(PROPERTY, dynamic(signature, &[0; 64])).await, "Invalid signature");
        }
    }
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h02_deep_nesting_before_authentication_closes_the_connection() {
    let mut scene = Scene::new(&[]).await;
    let fitting = capability("x", &nested_dynamic(13_000));
    assert!(fitting.len() <= UNAUTHENTICATED);
    for payload in [Bytes::from(fitting), capability("x", &nested_dynamic(200_000)).into()] {
        for kind in [MessageKind::Call, MessageKind::Capability] {
            for _ in 0..TIMES / 2 {
                let mut raw = Raw::connect(scene.url()).await;
                raw.send(kind, AUTHENTICATE, payload.clone()).await;
                raw.expect_closed().await;
            }
        }
    }
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h03_an_announced_size_allocates_nothing() {
    let mut scene = Scene::new(&[]).await;
    let mut waiting = Vec::new();
    for _ in 0..TIMES {
        // Four gigabytes are never accepted, and before authentication not even what is above 64 KiB.
        for size in [u32::MAX, UNAUTHENTICATED as u32 + 1] {
            let mut raw = Raw::connect(scene.url()).await;
            announce(&mut raw, size).await;
            raw.expect_closed().await;
        }
        let mut raw = Raw::authenticated(scene.url()).await;
        announce(&mut raw, u32::MAX).await;
        raw.expect_closed().await;
        // 250 MiB may come: each of these connections stays open, together they would be 50 GiB.
        let mut raw = Raw::authenticated(scene.url()).await;
        announce(&mut raw, 250 << 20).await;
        raw.send_bytes(&[0; 100]).await;
        waiting.push(raw);
    }
    scene.is_unharmed().await;
    drop(waiting);
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h04_lists_of_elements_without_size_are_refused_however_they_are_hidden() {
    let mut scene = Scene::new(&[]).await;
    let mut raw = Raw::authenticated(scene.url()).await;
    for round in 0..TIMES {
        for value in hollow_values() {
            let answer = raw.call(PROPERTY, value.clone()).await;
            assert_eq!(answer.header.kind, MessageKind::Error);
            if round % 10 == 0 {
                // The same in the arguments of a call with flags, and where nobody answers.
                let frame = raw.frame(MessageKind::Call, PROPERTY, value.clone()).with_flags(Flags::DYNAMIC_PAYLOAD);
                raw.send_bytes(&frame.to_bytes()).await;
                raw.answer(frame.header.id).await;
                let frame = raw.frame(MessageKind::Call, PROPERTY, value.clone()).with_flags(Flags::RETURN_TYPE);
                raw.send_bytes(&frame.to_bytes()).await;
                raw.answer(frame.header.id).await;
                raw.send(MessageKind::Post, PROPERTY, value).await;
            }
        }
        if round < WARM_UP {
            scene.settle();
        }
    }
    raw.expect_silence().await;
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h04_lists_of_elements_without_size_before_authentication_close_the_connection() {
    let mut scene = Scene::new(&[]).await;
    for round in 0..TIMES / 4 {
        for value in hollow_values() {
            for kind in [MessageKind::Call, MessageKind::Capability] {
                let mut raw = Raw::connect(scene.url()).await;
                raw.send(kind, AUTHENTICATE, capability("x", &value)).await;
                raw.expect_closed().await;
            }
        }
        if round < WARM_UP {
            scene.settle();
        }
    }
    scene.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h04_many_empty_lists_of_wide_structs_cost_no_more_than_others() {
    let mut scene = Scene::new(&[]).await;
    let mut raw = Raw::authenticated(scene.url()).await;
    let count = 20_000_u32;
    let lists = [&count.to_le_bytes()[..], &vec![0; 4 * count as usize]].concat();
    let value = Bytes::from(dynamic(&format!("[[({})]]", "v".repeat(60_000)), &lists));
    for round in 0..TIMES {
        assert_eq!(raw.refused(PROPERTY, value.clone()).await, "Expected int or string for property index");
        if round < WARM_UP {
            scene.settle();
        }
    }
    scene.is_unharmed().await;
}

/// Dynamics of at most 64 KiB that hold, or claim to hold, a multiple of that.
fn hollow_values() -> Vec<Bytes> {
    let huge = 0x7fff_ffff_u32.to_le_bytes();
    let most = 65_536_u32.to_le_bytes();
    let mut values: Vec<Vec<u8>> =
        ["[()]", "[v]", "[_]", "#()", "[(()())]", "{()()}", "{vv}"].iter().map(|text| dynamic(text, &huge)).collect();
    // Each list has no more elements than are allowed, but there are many of them…
    let inner = 15_000_u32;
    let lists = [&inner.to_le_bytes()[..], &most.repeat(inner as usize)].concat();
    values.push(dynamic("[[()]]", &lists));
    values.push(dynamic("[{vv}]", &lists));
    // …or each element is of many.
    let wide = format!("({})", "v".repeat(60_000));
    values.push(dynamic(&format!("[{wide}]"), &most));
    // A byte each, and again many without.
    let almost = format!("[(b{})]", "()".repeat(15_000));
    let count = 30_000_u32;
    values.push(dynamic(&almost, &[&count.to_le_bytes()[..], &vec![1; count as usize]].concat()));
    values.into_iter().map(Bytes::from).collect()
}

async fn announce(raw: &mut Raw, size: u32) {
    let frame = raw.frame(MessageKind::Call, PROPERTY, Bytes::new());
    raw.send_bytes(&Header { size, ..frame.header }.encode()).await;
}
