//! Sessions that outlive their connections (docs/native-protocol.md, section 6).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use keyway_pipe::Keeping;
use keyway_session::CloseReason;

use crate::{
    quic_stage::{call, event},
    resume_stage::{Client, DEAD_AFTER, Network, Server, certificates, keeping, key_of, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_call_is_lost_or_runs_twice_while_the_network_comes_and_goes() {
    let (server_tls, tls) = certificates();
    let mut server = Server::start(&server_tls, keeping()).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    let (sent, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let calling = {
        let (sender, sent, stop) = (client.sender.clone(), sent.clone(), stop.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let id = sent.load(Ordering::SeqCst) + 1;
                // Of every size, and to several objects.
                let size = if id.is_multiple_of(50) { 100_000 } else { id as usize % 3000 };
                sender.send(call(id, id % 7, size)).unwrap();
                sent.store(id, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    };
    for times in 1..=3 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        network.cut().await;
        until(&server.seen, &mut server.heard, |seen| seen.confirmed >= times).await;
    }
    stop.store(true, Ordering::SeqCst);
    calling.await.unwrap();
    let sent = sent.load(Ordering::SeqCst);
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == sent as usize).await;
    for seen in [&client.seen, &server.seen] {
        let seen = seen.lock();
        assert_eq!(seen.calls.len(), sent as usize);
        assert!(seen.calls.values().all(|times| *times == 1), "{:?}", seen.calls);
    }
    assert!(sent > 300, "{sent}");
}

/// Emits through two cuts, and says what was emitted, received and missed.
async fn events_over(keeping: Keeping) -> (u32, Vec<u32>, u64) {
    let (server_tls, tls) = certificates();
    let mut server = Server::start(&server_tls, keeping).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    let sender = server.sender().await;
    let (count, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let emitting = {
        let (count, stop) = (count.clone(), stop.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let number = count.load(Ordering::SeqCst) + 1;
                sender.send(event(number, 300, 500)).unwrap();
                count.store(number, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    };
    for times in 1..=2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        network.cut().await;
        // Only then it has been lost once more.
        until(&server.seen, &mut server.heard, |seen| seen.confirmed >= times).await;
    }
    stop.store(true, Ordering::SeqCst);
    emitting.await.unwrap();
    let last = count.load(Ordering::SeqCst);
    until(&client.seen, &mut client.heard, |seen| seen.events.last() == Some(&last)).await;
    let seen = client.seen.lock();
    (last, seen.events.clone(), seen.missed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn missed_events_are_replayed_from_the_window() {
    let (last, events, missed) = events_over(keeping()).await;
    assert_eq!(missed, 0);
    assert!(events.into_iter().eq(1..=last));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn events_beyond_the_window_are_a_gap_of_the_right_size() {
    let (last, events, missed) = events_over(Keeping { events: 20, ..keeping() }).await;
    assert!(missed > 100, "{missed}");
    assert!(events.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(events.len() as u64 + missed, u64::from(last));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_client_that_comes_back_before_its_loss_is_noticed_takes_the_session_over() {
    let (server_tls, tls) = certificates();
    let mut server = Server::start(&server_tls, keeping()).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    // The server goes on hearing the client's pings, which hears nothing.
    network.set(true, false);
    client.sender.send(call(1, 1, 10)).unwrap();
    until(&server.seen, &mut server.heard, |seen| seen.calls.len() == 1).await;
    tokio::time::sleep(DEAD_AFTER * 2).await;
    network.set(true, true);
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == 1).await;
    until(&server.seen, &mut server.heard, |seen| seen.confirmed == 1).await;
    assert_eq!(server.seen.lock().calls[&1], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_attempt_to_come_back_that_is_given_up_does_not_end_the_session() {
    let (server_tls, tls) = certificates();
    let mut server = Server::start(&server_tls, keeping()).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    client.sender.send(call(1, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == 1).await;
    // While nothing comes back from the server, the client makes attempts that the server may see, and gives them up.
    for _ in 0..40 {
        network.set(true, false);
        tokio::time::sleep(Duration::from_millis(90)).await;
        network.set(true, true);
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    network.set(true, true);
    client.sender.send(call(2, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.contains_key(&2)).await;
    until(&server.seen, &mut server.heard, |seen| seen.calls.contains_key(&2)).await;
    assert!(client.seen.lock().closed.is_none() && server.seen.lock().closed.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_server_that_was_restarted_is_noticed_at_once_and_begins_anew() {
    let (server_tls, tls) = certificates();
    let server = Server::start(&server_tls, keeping()).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    client.sender.send(call(1, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == 1).await;
    // As if by kill -9: nobody is told. The client's pings reach the next one, which does not know them.
    network.set(false, false);
    server.accepting.abort();
    let mut server = Server::start(&server_tls, keeping()).await;
    *network.server.lock() = server.address;
    network.set(true, true);
    until(&client.seen, &mut client.heard, |seen| seen.restarts == 1).await;
    client.sender.send(call(2, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.contains_key(&2)).await;
    // And the new session is kept like the first.
    network.cut().await;
    client.sender.send(call(3, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.contains_key(&3)).await;
    until(&server.seen, &mut server.heard, |seen| seen.confirmed == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_client_that_waits_for_answers_does_not_wait_for_its_next_ping() {
    let (server_tls, tls) = certificates();
    // Pings come every ten minutes.
    let dead_after = Duration::from_secs(1800);
    let server = Server::start_with(&server_tls, keeping(), dead_after).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect_with(&network.url, &tls, dead_after, true).await;
    client.sender.send(call(1, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == 1).await;
    // Everything is acknowledged; nothing is to be sent.
    tokio::time::sleep(Duration::from_millis(500)).await;
    network.set(false, false);
    server.accepting.abort();
    let server = Server::start_with(&server_tls, keeping(), dead_after).await;
    *network.server.lock() = server.address;
    network.set(true, true);
    until(&client.seen, &mut client.heard, |seen| seen.restarts == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_client_that_does_not_come_back_is_gone_when_its_time_is_over() {
    let (server_tls, tls) = certificates();
    let time = Duration::from_secs(1);
    let mut server = Server::start(&server_tls, Keeping { time, ..keeping() }).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    let sender = server.sender().await;
    network.set(false, false);
    until(&server.seen, &mut server.heard, |seen| seen.closed.is_some()).await;
    until(&client.seen, &mut client.heard, |seen| seen.closed.is_some()).await;
    assert!(sender.is_closed() && client.sender.is_closed());
    assert!(matches!(client.seen.lock().closed, Some(CloseReason::Io(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_session_without_a_connection_can_be_closed_by_either_side() {
    let (server_tls, tls) = certificates();
    let mut server = Server::start(&server_tls, keeping()).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    let sender = server.sender().await;
    network.set(false, false);
    tokio::time::sleep(DEAD_AFTER * 2).await;
    assert!(!sender.is_closed() && !client.sender.is_closed());
    sender.close(CloseReason::Local);
    client.sender.close(CloseReason::Local);
    until(&server.seen, &mut server.heard, |seen| matches!(seen.closed, Some(CloseReason::Local))).await;
    until(&client.seen, &mut client.heard, |seen| matches!(seen.closed, Some(CloseReason::Local))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_key_that_is_not_the_session_s_opens_nothing() {
    let (server_tls, tls) = certificates();
    // The client is told a key that the session does not know.
    let wrong = Keeping { key: key_of(9), ..keeping() };
    let mut server = Server::start(&server_tls, wrong).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    server.sender().await;
    network.cut().await;
    until(&client.seen, &mut client.heard, |seen| matches!(seen.closed, Some(CloseReason::Io(_)))).await;
    until(&server.seen, &mut server.heard, |seen| seen.refused == 1).await;
    // The session itself goes on waiting.
    assert!(server.seen.lock().closed.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_client_comes_back_while_what_it_sent_before_waits_to_be_taken_in() {
    let (server_tls, tls) = certificates();
    let mut server = Server::start(&server_tls, keeping()).await;
    let network = Network::to(server.address).await;
    let mut client = Client::connect(&network.url, &tls).await;
    client.sender.send(call(1, 1, 10)).unwrap();
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == 1).await;
    server.gate.is_shut.store(true, Ordering::SeqCst);
    for id in 2..200 {
        client.sender.send(call(id, id % 3, 2_000)).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    network.cut().await;
    until(&server.seen, &mut server.heard, |seen| seen.confirmed == 1).await;
    server.gate.open();
    until(&client.seen, &mut client.heard, |seen| seen.calls.len() == 199).await;
    for seen in [&client.seen, &server.seen] {
        assert!(seen.lock().calls.values().all(|times| *times == 1), "{:?}", seen.lock().calls);
    }
}
