//! Messages of a subscription that are held back: not more than one in a time, and the newest in any case.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// What a subscriber has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// The least time between two messages.
    pub throttle: Duration,
    /// Messages that may wait for it; the newest only, if it is 0.
    pub queue_length: usize,
}

/// Decides when messages go. Time is a parameter.
#[derive(Debug)]
pub struct Pace<T> {
    wish: Wish,
    waiting: VecDeque<T>,
    /// Before then nothing goes.
    free_at: Option<Instant>,
}

impl<T> Pace<T> {
    /// Nothing waits, and the first message goes at once.
    pub const fn new(wish: Wish) -> Self {
        Self { wish, waiting: VecDeque::new(), free_at: None }
    }

    /// Another wish from now on.
    pub fn set(&mut self, wish: Wish) {
        self.wish = wish;
        self.trim();
    }

    /// A message has come.
    pub fn push(&mut self, message: T) {
        self.waiting.push_back(message);
        self.trim();
    }

    /// A message that may go now.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        if self.free_at.is_some_and(|at| now < at) {
            return None;
        }
        let message = self.waiting.pop_front()?;
        self.free_at = (!self.wish.throttle.is_zero()).then(|| now + self.wish.throttle);
        Some(message)
    }

    /// When to ask again, if anything waits.
    pub fn next(&self) -> Option<Instant> {
        if self.waiting.is_empty() { None } else { self.free_at }
    }

    /// The oldest go, and the newest stays.
    fn trim(&mut self) {
        // Without a throttle nothing waits longer than it takes to look.
        let most = if self.wish.throttle.is_zero() { MOST } else { self.wish.queue_length.clamp(1, MOST) };
        while self.waiting.len() > most {
            self.waiting.pop_front();
        }
    }
}

/// Whatever a subscriber asks for.
const MOST: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds messages at a pace and drains as a subscription does, up to `end`.
    fn sent(wish: Wish, every: Duration, count: u32, end: Duration) -> Vec<u32> {
        let start = Instant::now();
        let mut pace = Pace::new(wish);
        let mut sent = Vec::new();
        let mut next = 0;
        let mut now = start;
        while now <= start + end {
            while next < count && now >= start + every * next {
                pace.push(next);
                next += 1;
                while let Some(message) = pace.pop(now) {
                    sent.push(message);
                }
            }
            if pace.next().is_some_and(|at| at <= now) {
                sent.extend(pace.pop(now));
            }
            now += Duration::from_millis(1);
        }
        sent
    }

    #[test]
    fn a_hundred_messages_a_second_become_five_and_the_last_is_the_newest() {
        let wish = Wish { throttle: Duration::from_millis(200), queue_length: 0 };
        let sent = sent(wish, Duration::from_millis(10), 300, Duration::from_secs(4));
        assert!((13..=17).contains(&sent.len()), "{sent:?}");
        assert_eq!((sent.first(), sent.last()), (Some(&0), Some(&299)));
    }

    #[test]
    fn a_queue_keeps_as_many_as_were_asked_for() {
        let mut pace = Pace::new(Wish { throttle: Duration::from_secs(1), queue_length: 3 });
        let start = Instant::now();
        for message in 0..10 {
            pace.push(message);
        }
        let times = (0..4).map(|second| start + Duration::from_secs(second));
        assert_eq!(times.map(|now| pace.pop(now)).collect::<Vec<_>>(), [Some(7), Some(8), Some(9), None]);
        pace.set(Wish::default());
        for message in 0..2 * u32::try_from(MOST).unwrap() {
            pace.push(message);
        }
        assert_eq!(pace.waiting.len(), MOST, "without a bound of the subscriber's there is one all the same");
    }

    #[test]
    fn without_a_throttle_everything_goes_at_once() {
        let mut pace = Pace::new(Wish::default());
        let now = Instant::now();
        for message in 0..5 {
            pace.push(message);
            assert_eq!(pace.pop(now), Some(message));
        }
        assert_eq!((pace.pop(now), pace.next()), (None, None));
    }
}
