//! What is known of a client that is in.

use std::sync::Arc;

use keyway_session::CapabilityMap;
use keyway_value::Value;

use crate::{
    allowance::Allowance, bus::View, journal::Journal, member::Member, rules::InForce, shown_objects::ShownObjects,
};

/// A client that is in, and what it may take.
pub(super) struct Admitted {
    pub(super) member: Member,
    /// As service hosts are told of them.
    pub(super) capabilities: CapabilityMap,
    pub(super) journal: Option<Journal>,
    /// Service 1 as its role sees it.
    pub(super) view: Arc<View>,
    /// Whether nothing it does has to be looked at.
    pub(super) unlimited: bool,
    /// What it is shown of objects.
    pub(super) shown: Arc<ShownObjects>,
    pub(super) max_in_flight: usize,
    pub(super) generation: u64,
    pub(super) allowance: Allowance,
}

impl Admitted {
    pub(super) fn new(
        member: Member,
        capabilities: &CapabilityMap,
        view: Arc<View>,
        journal: Option<Journal>,
        shown: Arc<ShownObjects>,
        rules: &InForce,
    ) -> Self {
        Self {
            unlimited: shown.are_whole(),
            shown,
            max_in_flight: rules.rules.limits.calls_in_flight,
            generation: rules.generation,
            allowance: Allowance::of(rules),
            capabilities: inward(capabilities),
            journal,
            view,
            member,
        }
    }

    /// Other rules are in force.
    pub(super) fn renew(&mut self, rules: &InForce) {
        self.generation = rules.generation;
        self.unlimited = rules.rules.policy.is_unlimited(&self.member.role);
        self.shown.renew(self.unlimited);
        self.max_in_flight = rules.rules.limits.calls_in_flight;
        self.allowance.renew(rules);
        self.journal = self.journal.take().map(|journal| journal.by(&rules.rules.audit));
    }
}

/// A client's capabilities as a service host is told of them: what the gateway does not share with the client, the host must not
/// share with it either, since frames pass unchanged (DESIGN 4).
fn inward(client: &CapabilityMap) -> CapabilityMap {
    let own = CapabilityMap::from_environment();
    let mut map = CapabilityMap::empty();
    for (name, value) in client.iter() {
        let name = name.to_string_lossy();
        let is_known = own.get(&name).is_some();
        if is_known {
            map.set(&name, Value::Bool(client.has(&name) && own.has(&name)));
        } else {
            map.set(&name, value.clone());
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_told_of_nothing_that_the_gateway_does_not_share() {
        let mut client = CapabilityMap::libqi();
        client.set("MetaObjectCache", true).set("ObjectPtrUID", 1_i32).set("Zorglub", 5_i32);
        let mut client = inward(&client);
        assert!(!client.has("MetaObjectCache"));
        assert_eq!(client.get("ObjectPtrUID"), Some(&Value::Bool(true)));
        assert_eq!(client.get("Zorglub"), Some(&Value::Int32(5)));
        client.set("MetaObjectCache", false);
        assert!(inward(&CapabilityMap::empty()).iter().next().is_none());
    }
}
