//! Who holds a service, and when that ends. Knows no clock and does no I/O.

use std::time::{Duration, Instant};

use crate::presence::StayId;

/// Who holds a service, for those who may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) stay: StayId,
    pub(crate) session: String,
    pub(crate) identity: String,
    pub(crate) source: String,
}

/// The lease of one service: free, held, or being stopped. While it is stopped nobody has it: the stop would hit whoever comes
/// next.
#[derive(Debug, Default)]
pub(crate) struct Term(State);

#[derive(Debug, Default)]
enum State {
    #[default]
    Free,
    Held {
        holder: Holder,
        since: Instant,
        used: Instant,
    },
    Stopping,
}

/// Why somebody may not use the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Occupied {
    /// Somebody else holds it.
    By(Holder, Duration),
    /// It is being stopped, because who held it is gone.
    Stopping,
}

impl Term {
    /// A client uses the service, and holds it from then on.
    pub(crate) fn take(&mut self, now: Instant, stay: StayId, holder: impl FnOnce() -> Holder) -> Result<(), Occupied> {
        match &mut self.0 {
            State::Held { holder, used, .. } if holder.stay == stay => *used = now,
            State::Held { holder, since, .. } => {
                return Err(Occupied::By(holder.clone(), now.saturating_duration_since(*since)));
            }
            State::Stopping => return Err(Occupied::Stopping),
            State::Free => self.0 = State::Held { holder: holder(), since: now, used: now },
        }
        Ok(())
    }

    /// A client gives the service back: what it does there may go on. False if it does not hold it.
    pub(crate) fn release(&mut self, stay: StayId) -> bool {
        let held = self.holder().is_some_and(|(holder, _)| holder.stay == stay);
        if held {
            self.0 = State::Free;
        }
        held
    }

    /// A client is gone. Gives back who it was, if it held the service: then this is to be stopped.
    pub(crate) fn lost(&mut self, stay: StayId) -> Option<Holder> {
        self.stop_if(|holder, _| holder.stay == stay)
    }

    /// Time has passed. A holder that has called nothing for `idle`, and waits for no answer, has lost the service.
    pub(crate) fn expire(
        &mut self,
        now: Instant,
        idle: Duration,
        is_busy: impl FnOnce(StayId) -> bool,
    ) -> Option<Holder> {
        let is_idle = |used| now.saturating_duration_since(used) >= idle;
        self.stop_if(|holder, used| is_idle(used) && !is_busy(holder.stay))
    }

    /// The service was stopped, or could not be.
    pub(crate) fn stopped(&mut self) {
        if matches!(self.0, State::Stopping) {
            self.0 = State::Free;
        }
    }

    /// Who holds it, since when.
    pub(crate) fn holder(&self) -> Option<(&Holder, Instant)> {
        match &self.0 {
            State::Held { holder, since, .. } => Some((holder, *since)),
            _ => None,
        }
    }

    fn stop_if(&mut self, condition: impl FnOnce(&Holder, Instant) -> bool) -> Option<Holder> {
        match std::mem::take(&mut self.0) {
            State::Held { holder, used, .. } if condition(&holder, used) => {
                self.0 = State::Stopping;
                Some(holder)
            }
            other => {
                self.0 = other;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    fn holder(number: u64) -> Holder {
        Holder {
            stay: StayId(number),
            session: number.to_string(),
            identity: "nao".to_owned(),
            source: "tcp://10.0.0.1:5".to_owned(),
        }
    }

    fn take(term: &mut Term, now: Instant, number: u64) -> Result<(), Occupied> {
        term.take(now, StayId(number), || holder(number))
    }

    #[test]
    fn the_first_has_it_and_others_hear_who_it_is_and_since_when() {
        let (mut term, now) = (Term::default(), Instant::now());
        assert_eq!(take(&mut term, now, 1), Ok(()));
        let later = now + Duration::from_secs(5);
        assert_eq!(take(&mut term, later, 2), Err(Occupied::By(holder(1), Duration::from_secs(5))));
        assert_eq!(take(&mut term, later, 1), Ok(()));
    }

    #[test]
    fn who_is_lost_is_stopped_before_the_next_has_it() {
        let (mut term, now) = (Term::default(), Instant::now());
        take(&mut term, now, 1).unwrap();
        assert_eq!(term.lost(StayId(2)), None, "it holds nothing");
        assert_eq!(term.lost(StayId(1)), Some(holder(1)));
        assert_eq!(term.lost(StayId(1)), None, "one stop is enough");
        assert_eq!(take(&mut term, now, 2), Err(Occupied::Stopping));
        term.stopped();
        assert_eq!(take(&mut term, now, 2), Ok(()));
        term.stopped();
        assert_eq!(term.holder().map(|(holder, _)| holder.stay), Some(StayId(2)), "a late word takes nothing away");
    }

    #[test]
    fn who_releases_it_is_not_stopped_and_only_the_holder_can() {
        let (mut term, now) = (Term::default(), Instant::now());
        take(&mut term, now, 1).unwrap();
        assert!(!term.release(StayId(2)));
        assert!(term.release(StayId(1)));
        assert_eq!(term.lost(StayId(1)), None);
        assert_eq!(take(&mut term, now, 2), Ok(()));
    }

    #[test]
    fn who_calls_nothing_for_a_while_loses_it_unless_a_call_runs() {
        let (mut term, now) = (Term::default(), Instant::now());
        take(&mut term, now, 1).unwrap();
        let second = Duration::from_secs(1);
        assert_eq!(term.expire(now + IDLE - second, IDLE, |_| false), None);
        take(&mut term, now + IDLE - second, 1).unwrap();
        assert_eq!(term.expire(now + IDLE + second, IDLE, |_| false), None, "it has called meanwhile");
        assert_eq!(term.expire(now + IDLE * 3, IDLE, |_| true), None, "it waits for an answer");
        assert_eq!(term.expire(now + IDLE * 3, IDLE, |_| false), Some(holder(1)));
    }
}
