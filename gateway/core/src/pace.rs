//! How many messages of a session may come in a second.

use std::time::Instant;

/// Messages of one session in a second, as a bucket of tokens.
pub(crate) struct Pace {
    per_second: Option<f64>,
    tokens: f64,
    filled: Option<Instant>,
}

impl Pace {
    /// Any number for `None`.
    pub(crate) fn new(per_second: Option<u32>) -> Self {
        let per_second = per_second.map(f64::from);
        Self { per_second, tokens: per_second.unwrap_or_default(), filled: None }
    }

    /// Whether one more may come now.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let Some(per_second) = self.per_second else { return true };
        let passed = self.filled.map_or(0.0, |filled| now.saturating_duration_since(filled).as_secs_f64());
        self.filled = Some(now);
        self.tokens = (self.tokens + passed * per_second).min(per_second);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_session_that_is_too_fast_has_to_wait_for_its_second() {
        let now = Instant::now();
        let mut pace = Pace::new(Some(2));
        assert!(pace.take(now) && pace.take(now));
        assert!(!pace.take(now));
        assert!(pace.take(now + Duration::from_millis(500)));
        assert!(!pace.take(now + Duration::from_millis(600)));
        assert!(Pace::new(None).take(now));
    }
}
