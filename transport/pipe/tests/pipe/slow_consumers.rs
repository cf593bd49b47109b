//! Peers that do not read.

use std::time::Duration;

use keyway_pipe::{EventRule, QueueBudget, QueueLimits, SendError, events_dropped, slow_consumers_closed};
use keyway_session::CloseReason;
use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
use keyway_wire::{Frame, Header, MessageKind};
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

const SIGNAL: (ServiceId, ObjectId, ActionId) = (ServiceId(1), ObjectId(1), ActionId(200));

fn event(number: u32) -> Frame {
    let payload = Payload::from(vec![0; 10_000]);
    Frame::event(MessageId(number), SIGNAL.0, SIGNAL.1, SIGNAL.2, payload)
}

/// Reads until the event with this number, and says which events and which posts have come.
async fn read_until(raw: &mut tokio::net::TcpStream, last: u32) -> (Vec<u32>, Vec<u32>) {
    let (mut events, mut posts) = (Vec::new(), Vec::new());
    while events.last() != Some(&last) {
        let mut header = [0; Header::SIZE];
        timeout(PATIENCE, raw.read_exact(&mut header)).await.expect("more comes").unwrap();
        let header = Header::decode(&header).unwrap();
        raw.read_exact(&mut vec![0; header.size as usize]).await.unwrap();
        if header.kind == MessageKind::Event { &mut events } else { &mut posts }.push(header.id.0);
    }
    (events, posts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_with_a_rule_are_dropped_for_a_peer_that_does_not_keep_up_and_nothing_else_is() {
    for (rule, shared) in [(EventRule::Latest, false), (EventRule::DropOldest, true)] {
        let (sender, mut raw) = against_raw(Echo, small_queue(4 << 20)).await;
        sender.limit_events(SIGNAL, Some(rule));
        let before = events_dropped();
        for number in 0..10_000 {
            // 100 MB: more than fits anywhere.
            match shared {
                true => sender.send_shared(event(number).to_bytes()).unwrap(),
                false => sender.send(event(number)).unwrap(),
            }
            if number % 1000 == 0 {
                sender.send(post(number, vec![])).unwrap();
            }
        }
        assert!(sender.queued_bytes() < 512 << 10, "{}", sender.queued_bytes());
        let dropped = events_dropped() - before;
        let (events, posts) = read_until(&mut raw, 9_999).await;
        assert_eq!(posts, (0..10).map(|thousands| thousands * 1000).collect::<Vec<_>>());
        assert!(events.is_sorted());
        // Of the whole process, in which other tests run.
        assert!(dropped as usize >= 10_000 - events.len(), "{dropped} and {}", events.len());
        if rule == EventRule::DropOldest {
            // 1 MiB of the last ones.
            assert!(events.ends_with(&(9_900..10_000).collect::<Vec<_>>()));
        }
        // It keeps up again, and misses nothing.
        for number in 10_000..10_100 {
            sender.send(event(number)).unwrap();
            assert_eq!(read_until(&mut raw, number).await.0, [number]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_may_close_the_connection_long_before_its_queue_is_full() {
    let (handler, mut record) = Recorder::new();
    let (sender, _raw) = against_raw(handler, small_queue(64 << 20)).await;
    sender.limit_events(SIGNAL, Some(EventRule::Disconnect));
    let mut numbers = 0..10_000;
    let refused = numbers.find_map(|number| sender.send(event(number)).err());
    assert_eq!(refused, Some(SendError::SlowConsumer));
    assert!(matches!(record.closed().await, CloseReason::SlowConsumer));
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
