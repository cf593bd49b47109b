//! Growing delays and lock-out, per source and per user, in bounded memory. Time is a parameter.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Where a client comes from. All addresses of an IPv6 network (/64) are one source, since one host has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Over the network.
    Address(IpAddr),
    /// From this machine, by a Unix socket or in the process.
    Local,
}

/// How failures delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockoutSettings {
    /// Failures of a source that cost nothing.
    pub free_per_source: u32,
    /// Failures of a user that cost nothing. It is larger, so that no single source can lock a user out.
    pub free_per_user: u32,
    /// The delay after the first failure that costs; it doubles with each one.
    pub first_delay: Duration,
    /// Delays grow up to here.
    pub longest_delay: Duration,
    /// Failures are forgotten when there was none for so long.
    pub forget_after: Duration,
    /// Sources, and names of users that do not exist, that are remembered at most. The one whose last failure is the
    /// longest ago makes room.
    pub entries: usize,
    /// Verifications of one source at a time.
    pub parallel_per_source: u32,
}

/// The failures of sources or users.
#[derive(Debug)]
pub(crate) struct Failures<K> {
    entries: HashMap<K, Entry>,
    /// Those that may be evicted, by the time of their last failure.
    order: BTreeSet<(Instant, K)>,
    free: u32,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    count: u32,
    last: Instant,
    until: Instant,
    pinned: bool,
}

/// A source as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SourceKey {
    Local,
    Network(IpAddr),
}

impl Source {
    pub(crate) fn key(self) -> SourceKey {
        match self {
            Self::Local => SourceKey::Local,
            Self::Address(address) => SourceKey::Network(match address.to_canonical() {
                IpAddr::V6(address) => {
                    let [a, b, c, d, ..] = address.segments();
                    Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
                }
                v4 @ IpAddr::V4(_) => v4,
            }),
        }
    }
}

impl Default for LockoutSettings {
    fn default() -> Self {
        Self {
            free_per_source: 3,
            free_per_user: 50,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(15 * 60),
            forget_after: Duration::from_secs(60 * 60),
            entries: 10_000,
            parallel_per_source: 8,
        }
    }
}

impl LockoutSettings {
    fn delay(&self, failures: u32, free: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(free + 1) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first_delay.saturating_mul(factor).min(self.longest_delay)
    }
}

impl<K: Clone + Ord + Hash> Failures<K> {
    pub(crate) fn new(free: u32) -> Self {
        Self { entries: HashMap::new(), order: BTreeSet::new(), free }
    }

    pub(crate) const fn set_free(&mut self, free: u32) {
        self.free = free;
    }

    /// How long a key has to wait.
    pub(crate) fn wait(&self, now: Instant, key: &K) -> Duration {
        self.entries.get(key).map_or(Duration::ZERO, |entry| entry.until.saturating_duration_since(now))
    }

    /// Counts a failure, and says how long the next attempt has to wait. Pinned keys are not evicted, and come from the
    /// configuration.
    pub(crate) fn fail(&mut self, now: Instant, key: K, pinned: bool, settings: &LockoutSettings) -> Duration {
        let mut entry = self.remove(&key).unwrap_or(Entry { count: 0, last: now, until: now, pinned });
        if now.saturating_duration_since(entry.last) > settings.forget_after {
            entry.count = 0;
        }
        entry.count = entry.count.saturating_add(1);
        entry.last = now.max(entry.last);
        let delay = settings.delay(entry.count, self.free);
        entry.until = entry.until.max(now + delay);
        entry.pinned = pinned;
        if !pinned {
            while self.order.len() >= settings.entries.max(1) {
                let Some((_, oldest)) = self.order.pop_first() else { break };
                self.entries.remove(&oldest);
            }
            self.order.insert((entry.last, key.clone()));
        }
        let wait = entry.until.saturating_duration_since(now);
        self.entries.insert(key, entry);
        wait
    }

    /// Forgets a key's failures.
    pub(crate) fn remove_all(&mut self, key: &K) {
        self.remove(key);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn remove(&mut self, key: &K) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        if !entry.pinned {
            self.order.remove(&(entry.last, key.clone()));
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_their_bound() {
        let settings = LockoutSettings::default();
        let delays: Vec<_> = (1..=16).map(|failures| settings.delay(failures, 3).as_secs()).collect();
        assert_eq!(delays, [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(settings.delay(u32::MAX, 3).as_secs(), 900);
    }

    #[test]
    fn the_oldest_makes_room_and_the_pinned_stay() {
        let settings = LockoutSettings { entries: 100, ..LockoutSettings::default() };
        let start = Instant::now();
        let mut failures = Failures::new(0);
        failures.fail(start, 1_000_000, true, &settings);
        for key in 0..10_000 {
            failures.fail(start + Duration::from_millis(key), key, false, &settings);
            assert!(failures.len() <= 101);
        }
        assert!(failures.wait(start, &1_000_000) > Duration::ZERO);
        assert!(failures.wait(start, &9_999) > Duration::ZERO);
        assert_eq!(failures.wait(start, &0), Duration::ZERO);
    }

    #[test]
    fn addresses_of_one_host_are_one_source() {
        let key = |text: &str| Source::Address(text.parse().unwrap()).key();
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
        assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
    }
}
