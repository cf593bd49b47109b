//! All sessions of clients by name: a reload looks whether each may stay.

use std::sync::{Arc, Weak, atomic::Ordering};

use parking_lot::Mutex;

use super::{ClientError, ClientSession, GatewayCode, Shared};
use crate::{presence::Departure, rules::InForce};

/// The sessions of a gateway.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Vec<Weak<Shared>>>);

impl Sessions {
    pub(super) fn add(&self, session: &Arc<Shared>) {
        let mut sessions = self.0.lock();
        if sessions.len() == sessions.capacity() {
            sessions.retain(|session| session.strong_count() > 0);
        }
        sessions.push(Arc::downgrade(session));
    }

    /// Ends those of clients that have another role by these rules, or none.
    pub(crate) fn judge(&self, rules: &InForce) {
        let sessions: Vec<_> = self.0.lock().iter().filter_map(Weak::upgrade).collect();
        for session in &sessions {
            self.judge_one(session, rules);
        }
    }

    pub(super) fn judge_one(&self, session: &Shared, rules: &InForce) {
        if !session.member.stands(rules) {
            session.revoke();
        }
    }
}

impl Shared {
    fn revoke(&self) {
        self.is_over.store(true, Ordering::Release);
        self.stay.end(Departure::Revoked);
        let held = std::mem::take(&mut *self.objects.lock());
        // Not under the lock: their hosts are told.
        drop(held);
    }
}

impl ClientSession {
    /// Whether a reload has ended it.
    pub fn is_over(&self) -> bool {
        self.shared.is_over.load(Ordering::Acquire)
    }

    pub(super) fn check(&self) -> Result<(), ClientError> {
        if self.is_over() { Err(ClientError::revoked()) } else { Ok(()) }
    }
}

impl ClientError {
    /// The session is over, since who it belongs to has another role now.
    pub(crate) fn revoked() -> Self {
        Self::new(GatewayCode::Revoked, "the configuration was changed, and the session ended with that")
    }
}
