//! Connections and hosts that come and go leave nothing behind in the directory: no memory, no descriptor, no service.
//!
//! 10,000 connections and 1,000 hosts, unless `KEYWAY_CHURN=CONNECTIONS/HOSTS` says otherwise.

use std::{env, process::Command};

use keyway::Session;
use keyway_tests::{
    eventually,
    process::{Keyway, Running},
    raw::{MACHINE_ID, Raw},
};

/// At a time.
const PARALLEL: usize = 8;
/// What the allocator may keep.
const ALLOWED_KIB: u64 = 4 * 1024;

/// How many connections and hosts.
fn numbers() -> (usize, usize) {
    let text = env::var("KEYWAY_CHURN").unwrap_or_else(|_| "10000/1000".to_owned());
    let numbers = text.split_once('/').and_then(|(left, right)| Some((left.parse().ok()?, right.parse().ok()?)));
    numbers.unwrap_or_else(|| panic!("KEYWAY_CHURN={text:?}: CONNECTIONS/HOSTS is expected, such as 100000/5000"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_come_and_go_leave_nothing_behind() {
    let directory = Keyway::directory(&[]);
    let (total, _) = numbers();
    let mut barrier = Raw::authenticated(&directory.url).await;
    connect_and_close(&directory, total / 10).await;
    settle(&directory, &mut barrier, 0).await;
    let (memory, descriptors) = (directory.resident_kib(), directory.descriptors());
    connect_and_close(&directory, total).await;
    settle(&directory, &mut barrier, descriptors).await;
    let grown = directory.resident_kib().saturating_sub(memory);
    println!("{total} connections: {grown} KiB more than {memory} KiB, {descriptors} descriptors before and after");
    assert!(grown < ALLOWED_KIB, "the directory has grown by {grown} KiB");
}

async fn connect_and_close(directory: &Running, times: usize) {
    let mut workers = Vec::new();
    for worker in 0..PARALLEL {
        let url = directory.url.clone();
        let times = times / PARALLEL + usize::from(worker < times % PARALLEL);
        workers.push(tokio::spawn(async move {
            for _ in 0..times {
                drop(Raw::authenticated(&url).await);
            }
        }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
}

/// Waits until the directory has noticed that everybody has gone: descriptors are back to what they were, or stay equal.
async fn settle(directory: &Running, barrier: &mut Raw, wanted: usize) {
    eventually("the end of all connections", async {
        let mut equal = 0;
        let mut last = usize::MAX;
        while equal < 50 {
            // The directory has had a turn between two looks.
            barrier.call_typed::<String>(MACHINE_ID, &()).await;
            let now = directory.descriptors();
            equal = if now == last && (wanted == 0 || now <= wanted) { equal + 1 } else { 0 };
            last = now;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_are_killed_are_each_removed_once() {
    let directory = Keyway::directory(&[]);
    let (_, total) = numbers();
    let mut barrier = Raw::authenticated(&directory.url).await;
    kill_hosts(&directory, "warm", total / 10).await;
    settle(&directory, &mut barrier, 0).await;
    let (memory, descriptors) = (directory.resident_kib(), directory.descriptors());
    kill_hosts(&directory, "host", total).await;
    settle(&directory, &mut barrier, descriptors).await;
    let grown = directory.resident_kib().saturating_sub(memory);
    println!("{total} hosts: {grown} KiB more than {memory} KiB, {descriptors} descriptors before and after");
    assert!(grown < ALLOWED_KIB, "the directory has grown by {grown} KiB");
}

/// Starts and kills so many hosts, and follows what the directory says of them.
async fn kill_hosts(directory: &Running, prefix: &str, total: usize) {
    let watcher = Session::connect(&directory.url).await.unwrap();
    let mut events = watcher.service_events().await.unwrap();
    let mut workers = Vec::new();
    for worker in 0..PARALLEL {
        let (url, prefix) = (directory.url.clone(), prefix.to_owned());
        workers.push(tokio::task::spawn_blocking(move || {
            for number in (worker..total).step_by(PARALLEL) {
                let name = format!("{prefix}{number}");
                // Killed when dropped, without a word to the directory.
                drop(Running::start(Command::new(env!("CARGO_BIN_EXE_churn_host")).args([&url, &name])));
            }
        }));
    }
    let mut removed = Vec::new();
    let mut there = Vec::new();
    while removed.len() < total {
        let event = eventually("a host coming or going", events.next()).await.expect("the directory is there");
        let id = event.id;
        if event.added {
            there.push(id);
        } else {
            let position = there.iter().position(|other| *other == id);
            there.remove(position.unwrap_or_else(|| panic!("service {id} was removed, but not there")));
            removed.push(event.name);
        }
    }
    for worker in workers {
        worker.await.unwrap();
    }
    removed.sort_unstable();
    let mut expected: Vec<_> = (0..total).map(|number| format!("{prefix}{number}")).collect();
    expected.sort_unstable();
    assert_eq!(removed, expected, "each exactly once");
    assert!(there.is_empty(), "{there:?}");
    let left = watcher.services().await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    watcher.close().await;
}
