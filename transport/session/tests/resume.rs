//! Sessions that outlive their connections, over a network that loses them, with a clock of its own.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use keyway_session::resume::{EventArrival, Resumable, ResumeBounds, ResumeFailure, SignalAddress};
use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
use keyway_wire::{Frame, MessageKind};
use proptest::{collection::vec, prelude::*};

/// Streams in each direction.
const LANES: usize = 3;
/// Events that are kept for replay.
const WINDOW: usize = 5;
const SIGNAL: SignalAddress = (ServiceId(2), ObjectId(1), ActionId(300));

fn call(id: u32, object: u32) -> Frame {
    Frame::call(MessageId(id), ServiceId(2), ObjectId(object), ActionId(100), Payload::from(vec![7; 10]))
}

/// What is on its way in one direction.
#[derive(Debug, Default)]
struct Way {
    lanes: [VecDeque<(u64, Frame)>; LANES],
    acknowledgements: VecDeque<u64>,
    events: VecDeque<u64>,
}

impl Way {
    fn put(&mut self, number: u64, frame: Frame) {
        self.lanes[frame.header.object.0 as usize % LANES].push_back((number, frame));
    }
}

/// A client, a server, what is between them, and what has happened.
struct World {
    now: Instant,
    client: Resumable,
    server: Resumable,
    up: Way,
    down: Way,
    connected: bool,
    /// Calls by object, in the order in which they were made, and in which they ran.
    made: BTreeMap<u32, Vec<u32>>,
    ran: BTreeMap<u32, Vec<u32>>,
    /// Running calls of the server.
    running: VecDeque<Frame>,
    outcomes: BTreeMap<u32, u32>,
    next: u32,
    emitted: u64,
    window: VecDeque<u64>,
    seen: Vec<u64>,
    missed: u64,
}

impl World {
    fn new(bounds: ResumeBounds) -> Self {
        let mut client = Resumable::new(bounds);
        client.subscribed(SIGNAL, 0);
        Self {
            now: Instant::now(),
            client,
            server: Resumable::new(bounds),
            up: Way::default(),
            down: Way::default(),
            connected: true,
            made: BTreeMap::new(),
            ran: BTreeMap::new(),
            running: VecDeque::new(),
            outcomes: BTreeMap::new(),
            next: 0,
            emitted: 0,
            window: VecDeque::new(),
            seen: Vec::new(),
            missed: 0,
        }
    }

    /// One of the things that can happen.
    fn step(&mut self, choice: u8) {
        self.now += Duration::from_millis(u64::from(choice));
        let lane = usize::from(choice / 8) % LANES;
        match choice % 8 {
            0 | 1 => self.call(u32::from(choice / 8) % 5),
            2 => self.deliver_up(lane),
            3 => self.deliver_down(lane),
            4 => self.answer(),
            5 => self.emit(),
            6 => self.acknowledge(),
            _ if choice > 200 => self.lose(),
            _ => self.reconnect(),
        }
    }

    fn call(&mut self, object: u32) {
        self.next += 1;
        let frame = call(self.next, object);
        let number = self.client.send(frame.clone()).unwrap();
        self.made.entry(object).or_default().push(self.next);
        if self.connected {
            self.up.put(number, frame);
        }
    }

    fn deliver_up(&mut self, lane: usize) {
        if let Some((number, frame)) = self.up.lanes[lane].pop_front()
            && self.server.receive(self.now, number, &frame.header).unwrap()
        {
            self.ran.entry(frame.header.object.0).or_default().push(frame.header.id.0);
            self.running.push_back(frame);
        }
        if let Some(number) = self.up.acknowledgements.pop_front() {
            self.server.acknowledged(number).unwrap();
        }
    }

    fn deliver_down(&mut self, lane: usize) {
        if let Some((number, frame)) = self.down.lanes[lane].pop_front()
            && self.client.receive(self.now, number, &frame.header).unwrap()
        {
            *self.outcomes.entry(frame.header.id.0).or_default() += 1;
        }
        if let Some(number) = self.down.acknowledgements.pop_front() {
            self.client.acknowledged(number).unwrap();
        }
        if let Some(number) = self.down.events.pop_front()
            && let EventArrival::New { missed } = self.client.receive_event(SIGNAL, number)
        {
            self.seen.push(number);
            self.missed += missed;
        }
    }

    fn answer(&mut self) {
        if let Some(call) = self.running.pop_front() {
            let answer = Frame::reply_to(&call.header, Payload::new());
            let number = self.server.send(answer.clone()).unwrap();
            if self.connected {
                self.down.put(number, answer);
            }
        }
    }

    fn emit(&mut self) {
        self.emitted += 1;
        self.window.push_back(self.emitted);
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
        if self.connected {
            self.down.events.push_back(self.emitted);
        }
    }

    fn acknowledge(&mut self) {
        self.up.acknowledgements.extend(self.client.poll_acknowledgement(self.now));
        self.down.acknowledgements.extend(self.server.poll_acknowledgement(self.now));
    }

    /// The connection is gone, with all that is on its way.
    fn lose(&mut self) {
        (self.up, self.down) = (Way::default(), Way::default());
        self.connected = false;
        self.client.disconnected(self.now);
        self.server.disconnected(self.now);
    }

    fn reconnect(&mut self) {
        if std::mem::replace(&mut self.connected, true) {
            return;
        }
        let (asked, held) = (self.client.held(), self.server.held());
        for (number, frame) in self.server.resumed(asked.frames).unwrap() {
            self.down.put(number, frame);
        }
        for (number, frame) in self.client.resumed(held.frames).unwrap() {
            self.up.put(number, frame);
        }
        let last = asked.events[0].1;
        self.down.events.extend(self.window.iter().filter(|number| **number > last));
    }

    /// Everything that can still happen does.
    fn settle(&mut self) {
        self.reconnect();
        for _ in 0..4 {
            for lane in 0..LANES {
                while self.up.lanes[lane].front().is_some() || !self.up.acknowledgements.is_empty() {
                    self.deliver_up(lane);
                }
            }
            while !self.running.is_empty() {
                self.answer();
            }
            for lane in 0..LANES {
                let down = |world: &Self| {
                    !world.down.lanes[lane].is_empty()
                        || !world.down.acknowledgements.is_empty()
                        || !world.down.events.is_empty()
                };
                while down(self) {
                    self.deliver_down(lane);
                }
            }
            self.now += Duration::from_secs(1);
            self.acknowledge();
        }
    }
}

proptest! {
    #[test]
    fn over_any_number_of_lost_connections_each_call_runs_once_in_order_and_is_answered_once(
        choices in vec(any::<u8>(), 0..600),
    ) {
        let mut world = World::new(ResumeBounds { acknowledge_every: 4, ..ResumeBounds::default() });
        choices.into_iter().for_each(|choice| world.step(choice));
        world.settle();
        prop_assert_eq!(&world.ran, &world.made);
        prop_assert_eq!(world.outcomes.len() as u32, world.next);
        prop_assert!(world.outcomes.values().all(|answers| *answers == 1));
        // Nothing is kept of what both have.
        prop_assert_eq!((world.client.kept_bytes(), world.server.kept_bytes()), (0, 0));
        prop_assert!(world.client.restarted().unknown.is_empty());
    }

    #[test]
    fn each_event_is_seen_once_and_in_order_or_counted_as_missed(choices in vec(any::<u8>(), 0..600)) {
        let mut world = World::new(ResumeBounds::default());
        choices.into_iter().for_each(|choice| world.step(choice));
        world.settle();
        prop_assert!(world.seen.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(world.seen.len() as u64 + world.missed, world.emitted);
    }

    #[test]
    fn after_a_restart_each_call_has_one_outcome(
        before in vec(any::<u8>(), 0..300),
        after in vec(any::<u8>(), 0..300),
    ) {
        let mut world = World::new(ResumeBounds::default());
        before.into_iter().for_each(|choice| world.step(choice));
        world.lose();
        world.server = Resumable::new(ResumeBounds::default());
        (world.running, world.ran, world.made) = (VecDeque::new(), BTreeMap::new(), BTreeMap::new());
        let aftermath = world.client.restarted();
        for call in &aftermath.unknown {
            prop_assert_eq!(call.kind, MessageKind::Call);
            *world.outcomes.entry(call.id.0).or_default() += 1;
        }
        prop_assert_eq!(world.outcomes.len() as u32, world.next);
        let last = world.seen.last().copied().unwrap_or_default();
        prop_assert_eq!(&aftermath.subscriptions, &[(SIGNAL, last)]);
        prop_assert_eq!(world.client.restarted(), Default::default(), "reported once");
        // The client subscribes anew, and the server's events begin somewhere else.
        world.client.subscribed(SIGNAL, world.emitted);
        world.connected = true;
        after.into_iter().for_each(|choice| world.step(choice));
        world.settle();
        prop_assert_eq!(&world.ran, &world.made);
        prop_assert_eq!(world.outcomes.len() as u32, world.next);
        prop_assert!(world.outcomes.values().all(|outcomes| *outcomes == 1));
    }

    #[test]
    fn whatever_numbers_a_peer_invents_memory_stays_bounded(
        numbers in vec(prop_oneof![0_u64..200, any::<u64>()], 0..400),
    ) {
        let bounds = ResumeBounds { ahead: 50, ..ResumeBounds::default() };
        let (mut end, now, header) = (Resumable::new(bounds), Instant::now(), call(1, 1).header);
        let mut new = std::collections::BTreeSet::new();
        for number in numbers {
            match end.receive(now, number, &header) {
                Ok(is_new) => prop_assert_eq!(is_new, new.insert(number)),
                Err(error) => {
                    prop_assert_eq!(error, ResumeFailure::Violation);
                    prop_assert!(number == 0 || number > end.held().frames + 50);
                }
            }
        }
    }
}

#[test]
fn a_peer_that_acknowledges_nothing_is_found_out() {
    let mut end = Resumable::new(ResumeBounds { frames: 3, ..ResumeBounds::default() });
    for id in 1..=3 {
        assert_eq!(end.send(call(id, 1)), Ok(u64::from(id)));
    }
    assert_eq!(end.send(call(4, 1)), Err(ResumeFailure::Full));
    end.acknowledged(1).unwrap();
    assert_eq!(end.send(call(4, 1)), Ok(4));
    for wrong in [0, 5] {
        assert_eq!(end.acknowledged(wrong), Err(ResumeFailure::Violation));
        assert_eq!(end.resumed(wrong).unwrap_err(), ResumeFailure::Violation);
    }
}

#[test]
fn bytes_are_bounded_and_a_single_large_frame_passes() {
    let large = |id| Frame::call(MessageId(id), ServiceId(2), ObjectId(1), ActionId(100), vec![7; 1000].into());
    let mut end = Resumable::new(ResumeBounds { bytes: 500, ..ResumeBounds::default() });
    assert_eq!(end.send(large(1)), Ok(1));
    assert_eq!(end.send(large(2)), Err(ResumeFailure::Full));
    end.acknowledged(1).unwrap();
    assert_eq!((end.kept_bytes(), end.send(large(2))), (0, Ok(2)));
}

#[test]
fn acknowledgements_come_by_number_and_by_time_and_not_without_a_connection() {
    let bounds = ResumeBounds { acknowledge_every: 3, ..ResumeBounds::default() };
    let (mut end, now, header) = (Resumable::new(bounds), Instant::now(), call(1, 1).header);
    assert_eq!((end.poll_timeout(), end.poll_acknowledgement(now)), (None, None));
    end.receive(now, 1, &header).unwrap();
    assert_eq!(end.poll_acknowledgement(now), None);
    let due = now + bounds.acknowledge_after;
    assert_eq!(end.poll_timeout(), Some(due));
    assert_eq!(end.poll_acknowledgement(due), Some(1));
    assert_eq!(end.poll_timeout(), None);
    for number in 2..=4 {
        end.receive(now, number, &header).unwrap();
    }
    assert_eq!(end.poll_acknowledgement(now), Some(4));
    end.receive(now, 5, &header).unwrap();
    end.disconnected(now);
    assert_eq!(end.poll_acknowledgement(due), None);
    assert_eq!(end.held().frames, 5);
}

#[test]
fn a_session_without_a_connection_ends_after_a_while() {
    let (mut end, now) = (Resumable::new(ResumeBounds::default()), Instant::now());
    let give_up = ResumeBounds::default().give_up;
    end.disconnected(now);
    // A second look at the same loss does not prolong it.
    end.disconnected(now + give_up / 2);
    assert_eq!(end.poll_timeout(), Some(now + give_up));
    assert!(!end.is_over(now + give_up - Duration::from_millis(1)) && end.is_over(now + give_up));
    end.resumed(0).unwrap();
    assert!(!end.is_over(now + give_up) && end.poll_timeout().is_none());
}
