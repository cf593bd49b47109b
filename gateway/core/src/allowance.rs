//! What a session may take at a time. It is asked in one order behind all doors: a message counts for the pace when it comes, for the
//! rates of rules once the policy lets it pass, and a lease is taken last, so that nobody holds a service by calls that are refused.

use std::{sync::Arc, time::Instant};

use keyway_history::audit::Kind;
use keyway_policy::{RateId, RateLimiter};
use keyway_value::ActionId;

use crate::{
    access::Access,
    client::{ClientError, GatewayCode},
    lease::Lease,
    pace::Pace,
    presence::Stay,
    rules::InForce,
};

/// What one session may take, as the rules in force have it.
pub(crate) struct Allowance {
    generation: u64,
    pace: Pace,
    rates: RateLimiter,
}

/// Something that the policy lets pass.
pub(crate) struct Passing<'a> {
    pub(crate) kind: Kind,
    pub(crate) member: ActionId,
    pub(crate) access: &'a Access,
    /// The rates that it counts for.
    pub(crate) rates: &'a [RateId],
    /// The lease of the service, if it has one.
    pub(crate) lease: Option<&'a Arc<Lease>>,
}

impl Allowance {
    pub(crate) fn of(rules: &InForce) -> Self {
        Self {
            generation: rules.generation,
            pace: Pace::new(rules.rules.limits.calls_per_second),
            rates: RateLimiter::new(&rules.rules.policy),
        }
    }

    /// Begins anew if other rules are in force.
    pub(crate) fn renew(&mut self, rules: &InForce) {
        if self.generation != rules.generation {
            *self = Self::of(rules);
        }
    }

    /// A message has come, whatever becomes of it.
    pub(crate) fn arrive(&mut self, now: Instant) -> Result<(), ClientError> {
        let text = "too many calls of this session in a second";
        self.pace.take(now).then_some(()).ok_or_else(|| ClientError::new(GatewayCode::TooFast, text))
    }

    /// Counts something for the rates of rules, and takes the lease of the service that it uses.
    pub(crate) fn take(&mut self, now: Instant, passing: &Passing<'_>, stay: &Stay) -> Result<(), ClientError> {
        let Passing { access, rates, .. } = passing;
        if !rates.is_empty() {
            let names =
                || (access.role.to_string(), access.service.to_string(), access.member(passing.member).to_string());
            self.rates.take(now, rates, names).map_err(|refused| ClientError::from(&refused))?;
        }
        match passing.lease.filter(|_| passing.uses_the_service()) {
            Some(lease) => Ok(lease.take(now, stay)?),
            None => Ok(()),
        }
    }
}

impl Passing<'_> {
    /// Whether something is done with the service: not reading, subscribing and asking for its members.
    fn uses_the_service(&self) -> bool {
        self.kind == Kind::Set
            || (matches!(self.kind, Kind::Call | Kind::Post) && self.member.0 >= ActionId::FIRST_USER.0)
    }
}
