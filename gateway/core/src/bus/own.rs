//! Services of the gateway itself: registered on the bus like those of any program. Clients outside reach them in this process,
//! under the policy as any other.

use std::{collections::HashMap, sync::Arc};

use keyway::{Object, Session};
use keyway_value::ServiceId;

use super::Bus;
use crate::presence::Served;

impl Bus {
    /// The gateway's own service of this id.
    pub(crate) fn own(&self, id: ServiceId) -> Option<Object> {
        self.own.load().get(&id).cloned()
    }

    /// Registers them with a directory that has just been attached. A name that is taken stays with whoever has it.
    pub(super) async fn register_own(&self, session: &Session, presence: Option<&Served>) {
        let (Some(name), Some(presence)) = (&self.settings.presence, presence) else { return };
        let object = presence.object().clone();
        let registered = async {
            self.listen_inside(session).await?;
            session.register(name, object.clone()).await
        };
        match registered.await {
            Ok(id) => self.own.store(Arc::new(HashMap::from([(id, object)]))),
            Err(error) => {
                tracing::warn!(service = %name, directory = %self.label, %error, "nobody is told who is here: the service is not registered");
            }
        }
    }

    /// The directory does not know them any more.
    pub(super) fn forget_own(&self) {
        self.own.store(Arc::default());
    }
}
