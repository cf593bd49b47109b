//! Peers that do not read.

use std::time::Duration;

use keyway_pipe::{QueueBudget, QueueLimits, SendError, slow_consumers_closed};
use keyway_session::CloseReason;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::peer::{Echo, PATIENCE, Recorder, against_raw, post, small_queue, written};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_a_peer_that_does_not_read_is_closed_and_others_are_not() {
    let before = slow_consumers_closed();
    let (handler, mut record) = Recorder::new();
    let (stalled, _raw) = against_raw(handler, small_queue(1 << 20)).await;
    let (healthy, mut raw) = against_raw(Echo, small_queue(1 << 20)).await;
    let event = post(1, vec![0; 10_000]).to_bytes();
    let mut received = vec![0; event.len()];
    let mut refused = None;
    for _ in 0..10_000 {
        healthy.send_shared(event.clone()).unwrap();
        raw.read_exact(&mut received).await.unwrap();
        if let Err(error) = stalled.send_shared(event.clone()) {
            refused = Some(error);
            break;
        }
        assert!(stalled.queued_bytes() <= (1 << 20) + event.len());
    }
    assert_eq!(refused, Some(SendError::SlowConsumer));
    assert!(matches!(record.closed().await, CloseReason::SlowConsumer));
    // Of the whole process, in which other tests run.
    assert!(slow_consumers_closed() > before);
    // The handler hears of the end a moment before what waited is gone.
    written(&stalled).await;
    healthy.send_shared(event.clone()).unwrap();
    raw.read_exact(&mut received).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_do_not_read_share_a_budget_and_give_it_back() {
    const TOTAL: usize = 4 << 20;
    let budget = QueueBudget::new(TOTAL);
    let mut limits = small_queue(64 << 20);
    limits.total = Some(budget.clone());
    let (handler, mut record) = Recorder::new();
    let (first, _first) = against_raw(handler, limits.clone()).await;
    let (second, _second) = against_raw(Echo, limits.clone()).await;
    let (healthy, mut raw) = against_raw(Echo, limits).await;
    let event = post(1, vec![0; 10_000]).to_bytes();
    let mut received = vec![0; event.len()];
    // Two thirds of the budget wait for the second, and stay there.
    while second.queued_bytes() < TOTAL * 2 / 3 {
        second.send_shared(event.clone()).unwrap();
        tokio::task::yield_now().await;
    }
    let mut refused = None;
    for _ in 0..100_000 {
        healthy.send_shared(event.clone()).unwrap();
        raw.read_exact(&mut received).await.unwrap();
        if let Err(error) = first.send_shared(event.clone()) {
            refused = Some(error);
            break;
        }
        assert!(budget.held() <= TOTAL + 2 * event.len());
    }
    assert_eq!(refused, Some(SendError::SlowConsumer));
    assert!(matches!(record.closed().await, CloseReason::SlowConsumer));
    // What waited for it is given back.
    written(&first).await;
    assert!(budget.held() < TOTAL);
    second.send_shared(event.clone()).unwrap();
    healthy.send_shared(event.clone()).unwrap();
    raw.read_exact(&mut received).await.unwrap();
    second.close(CloseReason::Local);
    while budget.held() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_with_more_under_way_than_the_queue_holds_is_slowed_down_and_not_closed() {
    let (_, raw) = against_raw(Echo, small_queue(1 << 20)).await;
    let (mut reading, mut writing) = raw.into_split();
    let frame = post(1, vec![0; 100_000]).to_bytes();
    let length = frame.len();
    tokio::spawn(async move {
        for _ in 0..500 {
            writing.write_all(&frame).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    // So late that the answers have filled everything there is.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut answers = vec![0; length];
    for _ in 0..500 {
        timeout(PATIENCE, reading.read_exact(&mut answers)).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ends_that_owe_each_other_much_do_not_wait_for_each_other_for_ever() {
    let (sender, raw) = against_raw(Echo, small_queue(40 << 20)).await;
    // This end writes more than the kernel holds before it reads anything, as a peer does that is itself held up.
    let (mut reading, mut writing) = raw.into_split();
    sender.send(post(2, vec![0; 24 << 20])).unwrap();
    let frame = post(1, vec![0; 1 << 20]).to_bytes();
    for _ in 0..14 {
        timeout(PATIENCE, writing.write_all(&frame)).await.expect("it is read in the end").unwrap();
    }
    drop(writing);
    let mut all = Vec::new();
    timeout(PATIENCE, reading.read_to_end(&mut all)).await.unwrap().unwrap();
    assert_eq!(all.len(), (24 << 20) + 28 + 14 * frame.len());
}

#[tokio::test]
async fn one_frame_may_be_larger_than_the_queue() {
    let (sender, mut raw) = against_raw(Echo, small_queue(1000)).await;
    sender.send(post(1, vec![0; 5_000_000])).unwrap();
    let mut received = vec![0; 5_000_028];
    raw.read_exact(&mut received).await.unwrap();
    written(&sender).await;
    assert!(sender.send(post(2, vec![])).is_ok());
}

#[tokio::test]
async fn limits_default_to_64_mib_and_a_second() {
    assert_eq!(QueueLimits::default().max_bytes, 64 << 20);
    assert_eq!(QueueLimits::default().linger, Duration::from_secs(1));
}
