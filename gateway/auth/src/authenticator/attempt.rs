//! Attempts that run, and those that failed.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::Reason;
use crate::{
    LockoutSettings, Source,
    lockout::{Failures, SourceKey},
};

/// Shared by all who authenticate. The lock is held for a look-up only, never while a password is verified.
pub(super) struct Attempts(Mutex<State>);

struct State {
    sources: Failures<SourceKey>,
    users: Failures<String>,
    /// Bounded by the threads that verify.
    running: HashMap<SourceKey, u32>,
}

pub(super) struct Failed {
    pub(super) reason: Reason,
    pub(super) delay: Duration,
}

/// An attempt that is being verified.
pub(super) struct Running<'a> {
    attempts: &'a Attempts,
    source: SourceKey,
    user: Option<String>,
}

impl Attempts {
    pub(super) fn new(settings: &LockoutSettings) -> Self {
        Self(Mutex::new(State {
            sources: Failures::new(settings.free_per_source),
            users: Failures::new(settings.free_per_user),
            running: HashMap::new(),
        }))
    }

    pub(super) fn configure(&self, settings: &LockoutSettings) {
        let mut state = self.0.lock();
        state.sources.set_free(settings.free_per_source);
        state.users.set_free(settings.free_per_user);
    }

    pub(super) fn remembered(&self) -> usize {
        let state = self.0.lock();
        state.sources.len() + state.users.len()
    }

    /// Refuses who has to wait. That is no failure, so that waiting ends.
    pub(super) fn start(
        &self,
        now: Instant,
        source: Source,
        user: Option<&str>,
        settings: &LockoutSettings,
    ) -> Result<Running<'_>, Failed> {
        let source = source.key();
        let user = user.map(str::to_owned);
        let mut state = self.0.lock();
        let of_user = user.as_ref().map_or(Duration::ZERO, |user| state.users.wait(now, user));
        let delay = state.sources.wait(now, &source).max(of_user);
        if !delay.is_zero() {
            return Err(Failed { reason: Reason::LockedOut, delay });
        }
        let running = state.running.entry(source).or_insert(0);
        if *running >= settings.parallel_per_source {
            return Err(Failed { reason: Reason::Busy, delay: BUSY_DELAY });
        }
        *running += 1;
        Ok(Running { attempts: self, source, user })
    }
}

impl Running<'_> {
    /// The user's failures are forgotten. Those of the source stay: who has one account must not guess at others.
    pub(super) fn succeeded(self) {
        if let Some(user) = &self.user {
            self.attempts.0.lock().users.remove_all(user);
        }
    }

    /// Counts for the source and the user. Users that exist are remembered whatever happens.
    pub(super) fn failed(self, now: Instant, known: bool, settings: &LockoutSettings) -> Duration {
        let mut state = self.attempts.0.lock();
        let of_source = state.sources.fail(now, self.source, false, settings);
        let of_user = match &self.user {
            Some(user) => state.users.fail(now, user.clone(), known, settings),
            None => Duration::ZERO,
        };
        drop(state);
        of_source.max(of_user)
    }
}

/// However an attempt ends, it runs no more.
impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.attempts.0.lock();
        if let Some(running) = state.running.get_mut(&self.source) {
            *running -= 1;
            if *running == 0 {
                state.running.remove(&self.source);
            }
        }
    }
}

const BUSY_DELAY: Duration = Duration::from_millis(100);
