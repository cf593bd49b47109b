//! How long is waited before a connection that was lost is made again.

use std::time::{Duration, Instant};

/// Short at first, longer each time, and short again after a quiet while.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    last: Option<(Instant, Duration)>,
}

impl Pauses {
    /// Before the next attempt.
    pub(crate) fn next(&mut self, now: Instant) -> Duration {
        let pause = match self.last {
            Some((at, pause)) if now.saturating_duration_since(at) < QUIET => (2 * pause).min(LONGEST),
            _ => FIRST,
        };
        self.last = Some((now, pause));
        pause
    }
}

/// A host that ended takes its services along within this time, mostly.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// Without a loss for so long, the next one has nothing to do with those before.
const QUIET: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_grow_up_to_a_bound_and_begin_again_after_a_quiet_while() {
        let (mut pauses, mut now) = (Pauses::default(), Instant::now());
        let mut taken = Vec::new();
        for _ in 0..8 {
            let pause = pauses.next(now);
            taken.push(pause.as_millis());
            now += pause;
        }
        assert_eq!(taken, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(pauses.next(now + QUIET), FIRST);
    }
}
