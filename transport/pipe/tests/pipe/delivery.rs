//! Frames arrive whole, and in order.

use std::time::Instant;

use keyway_pipe::{Handler, QueueLimits, Sender, inproc_pair, pipe};
use keyway_session::CloseReason;
use keyway_value::Payload;
use keyway_wire::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::peer::{Echo, Happening, Recorder, against_raw, carriers, post, written};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_carrier_brings_frames_of_any_size_whole_and_in_order() {
    for (left, right) in carriers().await {
        let (handler, mut record) = Recorder::new();
        let (sender, driver) = pipe(left, QueueLimits::default());
        tokio::spawn(driver.run(handler));
        let (_, echo) = pipe(right, QueueLimits::default());
        tokio::spawn(echo.run(Echo));
        let sizes = [0, 1, 100, 16_383, 16_384, 70_000, 5, 3_000_000, 0, 65_508, 65_509, 1_000_000, 12];
        for (id, size) in (0..).zip(sizes) {
            sender.send(post(id, vec![id as u8; size])).unwrap();
        }
        for (id, size) in (0..).zip(sizes) {
            let frame = record.frame().await;
            assert_eq!((frame.header.id.0, frame.payload.len()), (id, size));
            assert!(frame.payload.into_bytes().iter().all(|&byte| byte == id as u8));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_each_sender_is_kept_whatever_way_its_frames_take() {
    const SENDERS: u32 = 8;
    const FRAMES: u32 = 3_000;
    for (left, right) in carriers().await {
        let (handler, mut record) = Recorder::new();
        let (sender, driver) = pipe(left, QueueLimits::default());
        tokio::spawn(driver.run(Echo));
        let (_, receiving) = pipe(right, QueueLimits::default());
        tokio::spawn(receiving.run(handler));
        let threads: Vec<_> = (0..SENDERS)
            .map(|number| {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    for count in 0..FRAMES {
                        let mut payload = [number.to_le_bytes(), count.to_le_bytes()].concat();
                        payload.resize(if count % 100 == 7 { 20_000 } else { 8 }, 0);
                        let frame = post(count, payload);
                        match count % 3 {
                            0 => sender.send(frame).unwrap(),
                            1 => sender.send_shared(frame.to_bytes()).unwrap(),
                            _ => {
                                let _cork = sender.cork();
                                sender.send(frame).unwrap();
                            }
                        }
                    }
                })
            })
            .collect();
        let mut next = [0; SENDERS as usize];
        for _ in 0..SENDERS * FRAMES {
            let payload = record.frame().await.payload.into_bytes();
            let number = u32::from_le_bytes(payload[..4].try_into().unwrap()) as usize;
            let count = u32::from_le_bytes(payload[4..8].try_into().unwrap());
            assert_eq!(count, next[number]);
            next[number] += 1;
        }
        for thread in threads {
            thread.join().unwrap();
        }
        written(&sender).await;
    }
}

#[tokio::test]
async fn frames_split_and_merged_by_the_network_are_answered_alike() {
    let (_, mut raw) = against_raw(Echo, QueueLimits::default()).await;
    let frames: Vec<u8> = (0..50).flat_map(|id| post(id, vec![id as u8; id as usize * 3]).to_bytes()).collect();
    raw.set_nodelay(true).unwrap();
    for part in [frames.chunks(7).collect::<Vec<_>>(), vec![&frames[..]]].concat() {
        raw.write_all(part).await.unwrap();
    }
    let mut answers = vec![0; frames.len() * 2];
    raw.read_exact(&mut answers).await.unwrap();
    let (first, second) = answers.split_at(frames.len());
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_lone_frame_leaves_without_the_driver() {
    // The driver never runs: what arrives was written by the sender itself.
    let (left, right) = inproc_pair();
    let (sender, _driver) = pipe(left, QueueLimits::default());
    sender.send(post(1, vec![1; 10])).unwrap();
    assert_eq!(sender.queued_bytes(), 0);
    let mut buffer = bytes::BytesMut::with_capacity(100);
    assert_eq!(right.try_read(&mut buffer).unwrap(), 38);
}

#[tokio::test]
async fn a_cork_holds_frames_back_until_it_is_dropped() {
    let (left, right) = inproc_pair();
    let (sender, _driver) = pipe(left, QueueLimits::default());
    let cork = sender.cork();
    sender.send(post(1, vec![1; 10])).unwrap();
    sender.send_shared(post(2, vec![2; 10]).to_bytes()).unwrap();
    assert_eq!(sender.queued_bytes(), 76);
    drop(cork);
    assert_eq!(sender.queued_bytes(), 0);
    let mut buffer = bytes::BytesMut::with_capacity(100);
    assert_eq!(right.try_read(&mut buffer).unwrap(), 76);
}

#[tokio::test]
async fn frames_of_one_read_are_one_batch() {
    let (handler, mut record) = Recorder::new();
    let (_, mut raw) = against_raw(handler, QueueLimits::default()).await;
    let frames: Vec<u8> = (0..3).flat_map(|id| post(id, vec![]).to_bytes()).collect();
    raw.write_all(&frames).await.unwrap();
    for _ in 0..3 {
        assert!(matches!(record.next().await, Some(Happening::Frame(_))));
    }
    assert!(matches!(record.next().await, Some(Happening::BatchEnd)));
}

/// Answers from another task, as methods do that have to wait.
struct Deferred;

impl Handler for Deferred {
    fn on_frame(&mut self, _: Instant, frame: Frame, sender: &Sender) -> Result<(), CloseReason> {
        let sender = sender.clone();
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            let _ = sender.send(Frame::reply_to(&frame.header, Payload::new()));
        });
        Ok(())
    }

    fn max_payload(&self) -> u32 {
        1 << 20
    }

    fn on_closed(&mut self, _: CloseReason) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_from_other_tasks_all_arrive() {
    for (left, right) in carriers().await {
        let (handler, mut record) = Recorder::new();
        let (sender, driver) = pipe(left, QueueLimits::default());
        tokio::spawn(driver.run(handler));
        let (_, deferred) = pipe(right, QueueLimits::default());
        tokio::spawn(deferred.run(Deferred));
        for round in 0..200 {
            for id in 0..round % 20 + 1 {
                sender.send(post(id, vec![0; 30])).unwrap();
            }
            let mut ids = Vec::new();
            for _ in 0..round % 20 + 1 {
                ids.push(record.frame().await.header.id.0);
            }
            ids.sort_unstable();
            assert!(ids.into_iter().eq(0..round % 20 + 1));
        }
    }
}
