//! What a session remembers of what has arrived.

use std::time::{Duration, Instant};

use keyway_session::{EventArrival, MAX_AHEAD, MAX_SIGNALS, Receipts, Series, SignalAddress, WrongNumber};
use keyway_value::{ActionId, ObjectId, ServiceId};
use proptest::{collection::vec, prelude::*};

const SIGNAL: SignalAddress = (ServiceId(2), ObjectId(1), ActionId(300));

fn signal(n: u32) -> SignalAddress {
    (ServiceId(2), ObjectId(1), ActionId(n))
}

#[test]
fn frames_in_any_order_are_taken_once_and_acknowledged_up_to_the_first_that_is_missing() {
    let (now, mut receipts) = (Instant::now(), Receipts::default());
    for (number, new, held) in [(1, true, 1), (3, true, 1), (3, false, 1), (4, true, 1), (2, true, 4), (1, false, 4)] {
        assert_eq!(receipts.frame(now, Series::Calls, number, 10), Ok(new), "{number}");
        assert_eq!(receipts.held().calls, held);
    }
    // The two series do not know of each other.
    assert_eq!(receipts.frame(now, Series::Large, 1, 10), Ok(true));
    assert_eq!((receipts.held().calls, receipts.held().large), (4, 1));
}

#[test]
fn a_frame_too_far_ahead_is_a_violation_and_one_without_a_number_is_not_counted() {
    let (now, mut receipts) = (Instant::now(), Receipts::default());
    assert_eq!(receipts.frame(now, Series::Calls, MAX_AHEAD + 1, 0), Ok(true));
    assert_eq!(receipts.frame(now, Series::Calls, MAX_AHEAD + 2, 0), Err(WrongNumber));
    assert_eq!(receipts.frame(now, Series::Calls, u64::MAX, 0), Err(WrongNumber));
    assert_eq!(receipts.frame(now, Series::Calls, 0, 0), Ok(true));
    assert_eq!(receipts.held().calls, 0);
}

#[test]
fn missing_numbers_between_events_are_counted_and_repeated_events_are_dropped() {
    let (now, mut receipts) = (Instant::now(), Receipts::default());
    assert_eq!(receipts.event(now, SIGNAL, 1, 0), EventArrival::New { missed: 0 });
    assert_eq!(receipts.event(now, SIGNAL, 4, 0), EventArrival::New { missed: 2 });
    assert_eq!(receipts.event(now, SIGNAL, 4, 0), EventArrival::Again);
    assert_eq!(receipts.event(now, SIGNAL, 2, 0), EventArrival::Again);
    assert_eq!(receipts.held().events, [(2, 1, 300, 4)]);
}

#[test]
fn the_directory_s_signals_share_their_numbers() {
    let (now, mut receipts) = (Instant::now(), Receipts::default());
    let of = |action| (ServiceId::DIRECTORY, ObjectId::MAIN, ActionId(action));
    assert_eq!(receipts.event(now, of(106), 1, 0), EventArrival::New { missed: 0 });
    assert_eq!(receipts.event(now, of(107), 2, 0), EventArrival::New { missed: 0 });
    assert_eq!(receipts.held().events, [(1, 1, 0, 2)]);
}

#[test]
fn an_acknowledgement_is_due_after_a_while_or_after_many_frames_or_bytes() {
    let (now, mut receipts) = (Instant::now(), Receipts::default());
    assert_eq!(receipts.poll_timeout(), None);
    receipts.frame(now, Series::Calls, 1, 10).unwrap();
    receipts.event(now, SIGNAL, 1, 10);
    assert_eq!(receipts.poll_acknowledgement(now), None);
    let due = receipts.poll_timeout().unwrap();
    assert!(due > now && due <= now + Duration::from_secs(1));
    let held = receipts.poll_acknowledgement(due).unwrap();
    assert_eq!((held.calls, held.events), (1, vec![(2, 1, 300, 1)]));
    assert_eq!((receipts.poll_timeout(), receipts.poll_acknowledgement(due)), (None, None));
    for number in 2..=257 {
        assert_eq!(receipts.poll_acknowledgement(now), None);
        receipts.frame(now, Series::Calls, number, 10).unwrap();
    }
    // Of the signal there is no news.
    let held = receipts.poll_acknowledgement(now).unwrap();
    assert_eq!((held.calls, held.events.len()), (257, 0));
    receipts.event(now, SIGNAL, 2, 1 << 20);
    assert!(receipts.poll_acknowledgement(now).is_some());
}

#[test]
fn of_more_signals_than_are_numbered_nothing_is_remembered() {
    let (now, mut receipts) = (Instant::now(), Receipts::default());
    for n in 0..2 * MAX_SIGNALS as u32 {
        assert_eq!(receipts.event(now, signal(n), 1, 0), EventArrival::New { missed: 0 });
    }
    assert_eq!(receipts.held().events.len(), MAX_SIGNALS);
    assert_eq!(receipts.event(now, signal(0), 1, 0), EventArrival::Again);
}

proptest! {
    #[test]
    fn any_order_with_repetitions_ends_with_everything_taken_once(
        mut order in Just((1..=60_u64).collect::<Vec<_>>()).prop_shuffle(),
        again in vec(any::<prop::sample::Index>(), 0..40),
    ) {
        for index in again {
            let number = order[index.index(order.len())];
            order.push(number);
        }
        let (now, mut receipts) = (Instant::now(), Receipts::default());
        let mut taken: Vec<_> = order
            .into_iter()
            .filter(|number| receipts.frame(now, Series::Calls, *number, 1).unwrap())
            .collect();
        taken.sort_unstable();
        prop_assert!(taken.into_iter().eq(1..=60));
        prop_assert_eq!(receipts.held().calls, 60);
    }
}
