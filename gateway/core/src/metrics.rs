//! What is counted. The hot path adds to counters of its own session ([`Traffic`]); what is read, seldom, sums them up.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use keyway_policy::Code;

use crate::{
    Judged,
    client::{ClientError, GatewayCode},
    presence::Departure,
};

/// What one session has done. Nobody else writes to it, so that counting costs next to nothing.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Calls that were passed on.
    pub calls: AtomicU64,
    /// Posts that were passed on.
    pub posts: AtomicU64,
    /// Events that were passed on to the client.
    pub events_out: AtomicU64,
    /// Events of the client's own services that were passed on.
    pub events_in: AtomicU64,
    /// Calls that were passed on or are served in this process, and are not answered.
    pub in_flight: AtomicUsize,
}

/// Sums of [`Traffic`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls that were passed on.
    pub calls: u64,
    /// Posts that were passed on.
    pub posts: u64,
    /// Events that were passed on to clients.
    pub events_out: u64,
    /// Events that clients' services emitted.
    pub events_in: u64,
    /// Calls that were passed on and are not answered.
    pub in_flight: usize,
}

/// What a gateway counts beside the traffic of its sessions: nothing here happens with every call.
#[derive(Debug, Default)]
pub struct Metrics {
    authenticated: AtomicU64,
    refused_authentication: Codes,
    refused: Codes,
    dropped: AtomicU64,
    departures: [AtomicU64; Departure::ALL.len()],
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
}

/// Refusals by code. There are few codes, and nobody refused minds a short search.
#[derive(Debug, Default)]
struct Codes(parking_lot::Mutex<BTreeMap<&'static str, u64>>);

/// Everything that is counted, at one moment.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Connections that were let in by their number, and may since have ended.
    pub connections_accepted: u64,
    /// Connections that were one too many.
    pub connections_refused: u64,
    /// Connections now.
    pub connections: usize,
    /// Sessions now, by door and role.
    pub sessions: BTreeMap<(Arc<str>, Arc<str>), usize>,
    /// Sessions that ended, by why.
    pub departures: Vec<(Departure, u64)>,
    /// Clients that proved who they are.
    pub authenticated: u64,
    /// Clients that did not, by the code of the reason.
    pub refused_authentication: BTreeMap<&'static str, u64>,
    /// What sessions have done, those that ended too.
    pub traffic: Totals,
    /// What was refused, by code.
    pub refused: BTreeMap<&'static str, u64>,
    /// The directories.
    pub buses: Vec<BusState>,
    /// Connections closed because the peer did not read; of the whole process.
    pub slow_consumers_closed: u64,
    /// Events dropped because their subscribers did not keep up; of the whole process.
    pub events_dropped: u64,
    /// The audit log, if there is one.
    pub audit: Option<AuditState>,
    /// Reloads that changed the rules.
    pub reloads: u64,
    /// Reloads in which something was wrong.
    pub failed_reloads: u64,
}

/// One directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusState {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Whether it is attached.
    pub attached: bool,
    /// How often it was attached; all but the first are reattachments.
    pub attachments: u64,
    /// Services inside.
    pub services_inside: usize,
    /// Services of clients.
    pub services_outside: usize,
}

/// The audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditState {
    /// Records that were dropped and are not yet stated in the chain.
    pub dropped: u64,
    /// Whether the disk is full or fails.
    pub failing: bool,
}

impl Traffic {
    /// Whether one more call may begin.
    pub(crate) fn room(&self, limit: usize) -> Result<(), ClientError> {
        (self.in_flight.load(Relaxed) < limit).then_some(()).ok_or_else(Self::too_many)
    }

    pub(crate) fn too_many() -> ClientError {
        ClientError::new(GatewayCode::TooManyCalls, "too many calls of this session are under way")
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            calls: self.calls.load(Relaxed),
            posts: self.posts.load(Relaxed),
            events_out: self.events_out.load(Relaxed),
            events_in: self.events_in.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
        }
    }
}

impl Totals {
    pub(crate) fn add(&mut self, more: Self) {
        self.calls += more.calls;
        self.posts += more.posts;
        self.events_out += more.events_out;
        self.events_in += more.events_in;
        self.in_flight += more.in_flight;
    }
}

impl Metrics {
    pub(crate) fn authenticated(&self, judged: &Judged) {
        match judged {
            Judged::Accepted { .. } => drop(self.authenticated.fetch_add(1, Relaxed)),
            Judged::Refused { reason, .. } => self.refused_authentication.count(reason.code()),
        }
    }

    /// Something was refused, for the reason with this code.
    pub fn refused(&self, code: &'static str) {
        self.refused.count(code);
    }

    /// Events were passed over for a subscriber that did not keep up.
    pub(crate) fn dropped(&self, events: u64) {
        self.dropped.fetch_add(events, Relaxed);
    }

    pub(crate) fn departed(&self, why: Departure) {
        self.departures[why.index()].fetch_add(1, Relaxed);
    }

    pub(crate) fn reloaded(&self) {
        self.reloads.fetch_add(1, Relaxed);
    }

    /// A reload changed nothing, because something was wrong.
    pub fn reload_failed(&self) {
        self.failed_reloads.fetch_add(1, Relaxed);
    }

    pub(crate) fn fill(&self, snapshot: &mut Snapshot) {
        snapshot.authenticated = self.authenticated.load(Relaxed);
        snapshot.refused_authentication = self.refused_authentication.read();
        // A code that never occurred is 0 and not missing: whoever watches its rate sees the first.
        snapshot.refused = Code::ALL.iter().map(|code| (code.code(), 0)).chain(self.refused.read()).collect();
        let departures = Departure::ALL.into_iter().zip(&self.departures);
        snapshot.departures = departures.map(|(why, count)| (why, count.load(Relaxed))).collect();
        snapshot.reloads = self.reloads.load(Relaxed);
        snapshot.failed_reloads = self.failed_reloads.load(Relaxed);
        snapshot.events_dropped += self.dropped.load(Relaxed);
    }
}

impl Codes {
    fn count(&self, code: &'static str) {
        *self.0.lock().entry(code).or_default() += 1;
    }

    fn read(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_never_occurred_are_shown_as_zero_and_others_as_they_were_counted() {
        let metrics = Metrics::default();
        metrics.refused(Code::Denied.code());
        metrics.refused(Code::Denied.code());
        metrics.refused("KW-X001");
        let mut snapshot = Snapshot::default();
        metrics.fill(&mut snapshot);
        assert_eq!(snapshot.refused[Code::Denied.code()], 2);
        assert_eq!(snapshot.refused[Code::NoRule.code()], 0);
        assert_eq!(snapshot.refused["KW-X001"], 1);
    }

    #[test]
    fn sessions_that_end_are_counted_by_why() {
        let metrics = Metrics::default();
        metrics.departed(Departure::Dead);
        let mut snapshot = Snapshot::default();
        metrics.fill(&mut snapshot);
        let ended: Vec<_> = snapshot.departures.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(ended, [(Departure::Dead, 1)]);
    }
}
