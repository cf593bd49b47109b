//! How pipes end.

use std::time::{Duration, Instant};

use keyway_pipe::{QueueLimits, SendError, inproc_pair, pipe};
use keyway_session::CloseReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::peer::{Echo, Impatient, Recorder, against_raw, carriers, post};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_before_closing_arrives_and_nothing_after() {
    for (left, right) in carriers().await {
        let (handler, mut record) = Recorder::new();
        let (other, mut other_record) = Recorder::new();
        let (sender, driver) = pipe(left, QueueLimits::default());
        let (_, receiving) = pipe(right, QueueLimits::default());
        // Far more than the carrier takes at once.
        for id in 0..40 {
            sender.send(post(id, vec![0; 300_000])).unwrap();
        }
        sender.close(CloseReason::Local);
        assert_eq!(sender.send(post(99, vec![])), Err(SendError::Closed));
        assert_eq!(sender.send_shared(post(99, vec![]).to_bytes()), Err(SendError::Closed));
        assert!(sender.is_closed());
        tokio::spawn(driver.run(handler));
        tokio::spawn(receiving.run(other));
        for id in 0..40 {
            assert_eq!(other_record.frame().await.header.id.0, id);
        }
        assert!(matches!(other_record.closed().await, CloseReason::Remote));
        assert!(matches!(record.closed().await, CloseReason::Local));
        // Exactly once: the handler and its channel are gone now.
        assert!(record.next().await.is_none());
        assert!(other_record.next().await.is_none());
    }
}

#[tokio::test]
async fn a_dropped_driver_tells_its_handler_once_and_closes_the_carrier() {
    for started in [false, true] {
        let (handler, mut record) = Recorder::new();
        let (sender, raw) = {
            let (left, right) = inproc_pair();
            let (sender, driver) = pipe(left, QueueLimits::default());
            let run = driver.run(handler);
            if started {
                let task = tokio::spawn(run);
                tokio::task::yield_now().await;
                task.abort();
            } else {
                drop(run);
            }
            (sender, right)
        };
        assert!(matches!(record.closed().await, CloseReason::Local));
        assert!(record.next().await.is_none());
        assert_eq!(sender.send(post(1, vec![])), Err(SendError::Closed));
        let mut buffer = bytes::BytesMut::with_capacity(10);
        std::future::poll_fn(|context| raw.poll_read_ready(context)).await.unwrap();
        assert_eq!(raw.try_read(&mut buffer).unwrap(), 0);
    }
}

#[tokio::test]
async fn a_driver_that_is_never_run_closes_the_pipe_when_dropped() {
    let (left, _right) = inproc_pair();
    let (sender, driver) = pipe(left, QueueLimits::default());
    drop(driver);
    assert_eq!(sender.send(post(1, vec![])), Err(SendError::Closed));
}

#[tokio::test]
async fn the_end_of_the_stream_is_the_peer_s_close() {
    let (handler, mut record) = Recorder::new();
    let (sender, mut raw) = against_raw(handler, QueueLimits::default()).await;
    raw.write_all(&post(1, vec![]).to_bytes()).await.unwrap();
    drop(raw);
    record.frame().await;
    assert!(matches!(record.closed().await, CloseReason::Remote));
    assert!(sender.is_closed());
}

#[tokio::test]
async fn what_a_peer_said_before_it_went_away_is_heard_although_writing_fails() {
    let (left, right) = inproc_pair();
    let (handler, mut record) = Recorder::new();
    let (sender, driver) = pipe(left, QueueLimits::default());
    let (last_words, _driver) = pipe(right, QueueLimits::default());
    last_words.send(post(7, vec![])).unwrap();
    drop((last_words, _driver));
    // Written at once, in vain.
    sender.send(post(1, vec![])).unwrap();
    tokio::spawn(driver.run(handler));
    assert_eq!(record.frame().await.header.id.0, 7);
    assert!(matches!(record.closed().await, CloseReason::Io(_)));
}

#[tokio::test]
async fn a_wrong_magic_closes_after_the_answers_to_what_came_before() {
    let (_, mut raw) = against_raw(Echo, QueueLimits::default()).await;
    let good = post(1, vec![5; 10]).to_bytes();
    raw.write_all(&[&good[..], &[0; 28]].concat()).await.unwrap();
    let mut answers = Vec::new();
    raw.read_to_end(&mut answers).await.unwrap();
    assert_eq!(answers.len(), good.len());
}

#[tokio::test]
async fn an_announced_payload_above_the_limit_closes_the_pipe() {
    let (handler, mut record) = Recorder::new();
    let (_, mut raw) = against_raw(handler, QueueLimits::default()).await;
    let mut header = post(1, vec![]).to_bytes().to_vec();
    header[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    raw.write_all(&header).await.unwrap();
    assert!(matches!(record.closed().await, CloseReason::Frame(_)));
}

#[tokio::test]
async fn a_peer_that_takes_nothing_does_not_hold_up_the_close() {
    let (handler, mut record) = Recorder::new();
    let mut limits = QueueLimits::default();
    limits.linger = Duration::from_millis(50);
    let (sender, _raw) = against_raw(handler, limits).await;
    sender.send(post(1, vec![0; 20_000_000])).unwrap();
    sender.close(CloseReason::Local);
    let begun = Instant::now();
    assert!(matches!(record.closed().await, CloseReason::Local));
    assert!(begun.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn a_handler_is_called_at_the_time_it_asked_for() {
    let (recorder, mut record) = Recorder::new();
    let at = Instant::now() + Duration::from_millis(20);
    let (_, _raw) = against_raw(Impatient { recorder, at }, QueueLimits::default()).await;
    assert!(matches!(record.closed().await, CloseReason::SlowConsumer));
    assert!(Instant::now() >= at);
}

#[test]
fn an_idle_driver_is_small() {
    let (left, _right) = inproc_pair();
    let (_, driver) = pipe(left, QueueLimits::default());
    let size = size_of_val(&driver.run(Echo));
    assert!(size <= 320, "{size} bytes");
}
