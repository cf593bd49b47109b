//! Who a session belongs to.

use std::sync::Arc;

use keyway_history::audit::Caller;

/// An authenticated client.
#[derive(Debug, Clone)]
pub struct Member {
    /// What it may do, by the policy.
    pub role: Arc<str>,
    /// Who it is, as the audit log names it.
    pub caller: Arc<Caller>,
}

impl Member {
    /// A client of a door.
    pub fn new(door: &str, session: String, identity: &str, role: &str, source: String) -> Self {
        let caller =
            Caller { session, identity: identity.to_owned(), role: role.to_owned(), source, door: door.to_owned() };
        Self { role: role.into(), caller: Arc::new(caller) }
    }
}
