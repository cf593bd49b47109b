//! What a reload replaces: who may come in and what they may do.

use std::{fmt, sync::Arc, time::Duration};

use keyway_auth::Authenticator;
use keyway_history::{Bounds, audit};
use keyway_policy::Policy;

use crate::{client::Overflow, lease::LeaseRule};

/// Rules of a gateway, checked. They do not change: a reload makes others.
#[derive(Clone)]
pub struct Rules {
    /// Who may do what.
    pub policy: Policy,
    /// Who is who.
    pub authenticator: Authenticator,
    /// How much of it.
    pub limits: Limits,
    /// What is recorded.
    pub audit: AuditRules,
    /// What one client at a time may use.
    pub leases: Vec<LeaseRule>,
    /// What happens to a signal's events for a subscriber that does not keep up; not said of any if it is missing.
    pub events: Option<EventFilter>,
}

impl Rules {
    /// These, with the usual limits, no leases, and nothing recorded of arguments.
    pub fn new(policy: Policy, authenticator: Authenticator) -> Self {
        let (limits, audit) = (Limits::default(), AuditRules::default());
        Self { policy, authenticator, limits, audit, leases: Vec::new(), events: None }
    }

    /// What happens to a signal's events for a subscriber that does not keep up, if it is said.
    pub fn overflow(&self, service: &str, signal: &str) -> Option<Overflow> {
        self.events.as_ref().and_then(|events| events(service, signal))
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("limits", &self.limits).field("audit", &self.audit).finish_non_exhaustive()
    }
}

/// Bounds of what one client may take.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Connections of one address.
    pub connections_per_source: usize,
    /// Connections in all.
    pub connections: usize,
    /// How long a client may take to say who it is.
    pub unauthenticated_time: Duration,
    /// What it may send until then, in bytes.
    pub unauthenticated_bytes: u32,
    /// Calls of one session that have not been answered.
    pub calls_in_flight: usize,
    /// Calls and posts of one session in a second; `None` for any number.
    pub calls_per_second: Option<u32>,
    /// The largest payload, in bytes.
    pub payload: u32,
    /// What may wait for a client that does not read, in bytes.
    pub queue_per_session: usize,
    /// Events of a signal that are kept for clients that come back, and for how long; so long sessions are kept, too. As it was when
    /// the gateway started.
    pub replay: Bounds,
    /// What may wait for all clients that do not read, in bytes.
    pub queue_total: usize,
    /// What happens to events for a subscriber of a door by names that does not keep up, where neither it nor a rule of events says.
    pub overflow: Overflow,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_source: 1024,
            connections: 65_536,
            unauthenticated_time: Duration::from_secs(10),
            unauthenticated_bytes: keyway_session::UNAUTHENTICATED_MAX_PAYLOAD,
            calls_in_flight: 4096,
            calls_per_second: None,
            payload: keyway_session::DEFAULT_MAX_PAYLOAD,
            queue_per_session: 64 << 20,
            replay: Bounds::default(),
            queue_total: 1 << 30,
            overflow: Overflow::default(),
        }
    }
}

/// Chooses members, by the names of their service and their own.
pub type MemberFilter = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Says something of signals, by the names of their service and their own.
pub type EventFilter = Arc<dyn Fn(&str, &str) -> Option<Overflow> + Send + Sync>;

/// What is recorded, and what happens when there is no room for it.
#[derive(Clone, Default)]
pub struct AuditRules {
    /// Whether what cannot be recorded is refused.
    pub overflow: audit::Overflow,
    /// Says of which service's members the arguments are recorded with their values; of none if it is missing.
    pub arguments: Option<MemberFilter>,
}

impl AuditRules {
    /// Whether the values of a member's arguments are recorded.
    pub fn records_arguments(&self, service: &str, member: &str) -> bool {
        self.arguments.as_ref().is_some_and(|records| records(service, member))
    }
}

impl fmt::Debug for AuditRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditRules").field("overflow", &self.overflow).finish_non_exhaustive()
    }
}

/// The rules in force, and which they are.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) rules: Rules,
    /// Counts reloads: what was compiled of other rules is void.
    pub(crate) generation: u64,
}

impl InForce {
    pub(crate) fn first(rules: Rules) -> Arc<Self> {
        Arc::new(Self { rules, generation: 0 })
    }
}
