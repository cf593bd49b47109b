//! Who a session belongs to.

use std::sync::Arc;

use keyway_auth::Footing;
use keyway_history::audit::Caller;

use crate::rules::InForce;

/// An authenticated client.
#[derive(Debug, Clone)]
pub struct Member {
    /// What it may do, by the policy.
    pub role: Arc<str>,
    /// Who it is, as the audit log names it.
    pub caller: Arc<Caller>,
    /// What its role stands on.
    footing: Option<Arc<Footing>>,
}

impl Member {
    /// A client of a door.
    pub fn new(door: &str, session: String, identity: &str, role: &str, source: String) -> Self {
        let caller =
            Caller { session, identity: identity.to_owned(), role: role.to_owned(), source, door: door.to_owned() };
        Self { role: role.into(), caller: Arc::new(caller), footing: None }
    }

    /// With what its role stands on; without, it stays as long as the role is there.
    #[must_use]
    pub fn standing_on(mut self, footing: Arc<Footing>) -> Self {
        self.footing = Some(footing);
        self
    }

    /// Whether it still has its role.
    pub(crate) fn stands(&self, in_force: &InForce) -> bool {
        let rules = &in_force.rules;
        match &self.footing {
            Some(footing) => rules.authenticator.role_by(footing) == Some(&*self.role),
            None => rules.policy.has_role(&self.role),
        }
    }
}
