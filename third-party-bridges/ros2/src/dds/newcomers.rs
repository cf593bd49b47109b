//! Keeps readers and writers from being announced while others are only just being found.
//!
//! Whoever has just been found asks for what was announced before, and is meanwhile told what is new: the old comes after the new.
//! Fast DDS (3.2.2) acknowledges the old then and forgets it, when the announcements bear no time, and rustdds (0.15.1) gives them
//! none: the node, or one of its topics, would never be seen there.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use rustdds::DomainParticipantStatusEvent;
use tokio::time::sleep;

/// Those who come into the domain, as one participant finds them. It has itself just come when this begins.
#[derive(Debug)]
pub(super) struct Newcomers {
    latest: Cell<Instant>,
}

impl Newcomers {
    pub(super) fn new() -> Self {
        Self { latest: Cell::new(Instant::now()) }
    }

    pub(super) fn follow(&self, event: &DomainParticipantStatusEvent) {
        if let DomainParticipantStatusEvent::ParticipantDiscovered { .. } = event {
            self.latest.set(Instant::now());
        }
    }

    /// Waits until those who were found last have been told everything; not for ever if more and more come, and no longer when all
    /// `is_over`.
    pub(super) async fn are_settled(&self, is_over: impl Fn() -> bool) {
        let asked = Instant::now();
        while let Some(rest) = self.rest(asked, Instant::now()).filter(|_| !is_over()) {
            sleep(rest.min(STEP)).await;
        }
    }

    /// How long something new still waits that has waited since `asked`.
    fn rest(&self, asked: Instant, now: Instant) -> Option<Duration> {
        let settled = (self.latest.get() + SETTLING).min(asked + PATIENCE);
        settled.checked_duration_since(now).filter(|rest| !rest.is_zero())
    }
}

/// In which a participant that is found is told everything. It takes some 10 to 60 ms; on a machine with six times as much to do as it
/// has processors, 200 ms were not enough (13 of 1044 tests), and a second was (0 of 348).
const SETTLING: Duration = Duration::from_secs(1);
/// How long something new waits at most.
const PATIENCE: Duration = Duration::from_secs(3);
/// How soon a bridge that ends is noticed.
const STEP: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_waits_until_those_who_came_last_are_settled() {
        let newcomers = Newcomers::new();
        let asked = newcomers.latest.get();
        let half = SETTLING / 2;
        assert_eq!(newcomers.rest(asked, asked + half), Some(half));
        newcomers.latest.set(asked + half);
        assert_eq!(newcomers.rest(asked, asked + half), Some(SETTLING), "somebody has come");
        assert_eq!(newcomers.rest(asked, asked + half + SETTLING), None);
        assert_eq!(newcomers.rest(asked + PATIENCE, asked + PATIENCE), None, "nobody has come since");
    }

    #[test]
    fn what_is_new_does_not_wait_for_ever_while_more_and_more_come() {
        let newcomers = Newcomers::new();
        let asked = newcomers.latest.get();
        newcomers.latest.set(asked + PATIENCE - SETTLING / 2);
        assert_eq!(newcomers.rest(asked, asked + PATIENCE - SETTLING / 2), Some(SETTLING / 2));
        newcomers.latest.set(asked + PATIENCE);
        assert_eq!(newcomers.rest(asked, asked + PATIENCE), None);
    }
}
