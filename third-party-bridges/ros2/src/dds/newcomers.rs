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

    /// Waits until those who were found last have been told everything; not for ever if more and more come.
    pub(super) async fn are_settled(&self) {
        let asked = Instant::now();
        while let Some(rest) = self.rest(asked, Instant::now()) {
            sleep(rest).await;
        }
    }

    /// How long something new still waits that has waited since `asked`.
    fn rest(&self, asked: Instant, now: Instant) -> Option<Duration> {
        let settled = (self.latest.get() + SETTLING).min(asked + PATIENCE);
        settled.checked_duration_since(now).filter(|rest| !rest.is_zero())
    }
}

/// In which a participant that is found is told everything: it takes some 10 to 60 ms, more on a busy machine.
const SETTLING: Duration = Duration::from_millis(200);
/// How long something new waits at most. A bridge that stops waits longer for its threads.
const PATIENCE: Duration = Duration::from_millis(600);

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
