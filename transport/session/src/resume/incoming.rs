//! Which frames have arrived.

use std::collections::BTreeSet;

use super::ResumeFailure;

/// Numbers of frames that have arrived. They may do so in another order than they were sent in: streams overtake each other.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// All up to this one.
    received: u64,
    /// And these.
    ahead: BTreeSet<u64>,
    /// What the other end was told last.
    said: u64,
}

impl Incoming {
    /// True if the number is new.
    pub(super) fn take(&mut self, number: u64, most_ahead: usize) -> Result<bool, ResumeFailure> {
        if number == 0 || number - 1 > self.received.saturating_add(most_ahead as u64) {
            return Err(ResumeFailure::Violation);
        }
        if number <= self.received {
            return Ok(false);
        }
        if number > self.received + 1 {
            return Ok(self.ahead.insert(number));
        }
        self.received = number;
        while self.ahead.first() == Some(&(self.received + 1)) {
            self.ahead.pop_first();
            self.received += 1;
        }
        Ok(true)
    }

    /// How many the other end has not been told of.
    pub(super) const fn unsaid(&self) -> u64 {
        self.received - self.said
    }

    /// What to tell it.
    pub(super) const fn say(&mut self) -> u64 {
        self.said = self.received;
        self.received
    }
}
