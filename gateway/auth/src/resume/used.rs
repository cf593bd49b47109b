//! Which resume keys were used.

use std::{collections::HashMap, time::SystemTime};

use super::{ResumeError, Resumption, seconds};

/// The last number each session resumed with, until its keys expire. In memory: a restart forgets it, and a key that was used
/// before the restart may be used once more after it, by whoever has read it inside of TLS.
#[derive(Debug)]
pub struct UsedKeys {
    used: HashMap<[u8; 16], Last>,
    capacity: usize,
}

#[derive(Debug)]
struct Last {
    number: u64,
    expires: u64,
}

impl UsedKeys {
    /// With room for so many sessions. Beyond that, resuming is refused rather than allowed twice.
    pub fn new(capacity: usize) -> Self {
        Self { used: HashMap::new(), capacity }
    }

    /// Whether an opened key, or a later one of its session, was used.
    pub fn is_used(&self, key: &Resumption) -> bool {
        self.used.get(&key.session).is_some_and(|last| key.number <= last.number)
    }

    /// Uses an opened key, unless it or a later one of its session was used before.
    pub fn redeem(&mut self, now: SystemTime, key: &Resumption) -> Result<(), ResumeError> {
        let last = Last { number: key.number, expires: key.expires };
        if let Some(before) = self.used.get_mut(&key.session) {
            if key.number <= before.number {
                return Err(ResumeError::Used);
            }
            *before = last;
            return Ok(());
        }
        if self.used.len() >= self.capacity {
            let now = seconds(now);
            // All keys of a session with a lower number expire no later than the one that was used.
            self.used.retain(|_, last| last.expires > now);
            if self.used.len() >= self.capacity {
                return Err(ResumeError::Full);
            }
        }
        self.used.insert(key.session, last);
        Ok(())
    }
}
