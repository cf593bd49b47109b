//! What a session does to host services (spec 7.5).

use std::sync::{Arc, Weak};

use keyway_value::{ObjectUid, QiString, ServiceId, ServiceInfo};
use tokio::sync::watch;

use super::{DirectoryLink, Inner, Registered, Session};
use crate::{Error, Result, machine_id::machine_id, object::Object, serving::Serving};

impl Session {
    /// Accepts connections to this session's services at `url` (`tcp://127.0.0.1:0` picks a free port), and returns the
    /// endpoints others will use. Services that are registered already are reached there as well.
    pub async fn listen(&self, url: &str) -> Result<Vec<String>> {
        let settings = self.0.settings.serving();
        let serving = Serving::start(url, &settings, self.0.host.clone()).await?;
        let (endpoints, changes) = (serving.endpoints(), serving.changes());
        self.0.listeners.lock().push(serving);
        self.publish_endpoints().await?;
        tokio::spawn(follow(Arc::downgrade(&self.0), changes));
        Ok(endpoints)
    }

    /// Where this session can be reached.
    pub fn endpoints(&self) -> Vec<String> {
        match &self.0.link {
            DirectoryLink::Local(state) => state.endpoints(),
            DirectoryLink::Remote { .. } => self.0.listeners.lock().iter().flat_map(Serving::endpoints).collect(),
        }
    }

    pub(super) async fn register_object(&self, name: &str, object: Object) -> Result<ServiceId> {
        let id = self.reserve(name, Some(object.uid())).await?;
        // Callable before it is announced (7.14).
        self.offer(id, name, object);
        if let Err(error) = self.announce(id).await {
            self.0.host.unbind(id);
            self.0.registered.lock().remove(&id);
            return Err(error);
        }
        Ok(id)
    }

    /// Reserves a name: the first of the two steps of a registration (spec 7.2), for who learns later which object it is to be.
    /// Listens first if the session does not yet (1.9).
    pub async fn reserve(&self, name: &str, uid: Option<ObjectUid>) -> Result<ServiceId> {
        self.check()?;
        let remote = matches!(self.0.link, DirectoryLink::Remote { .. });
        if remote && self.0.settings.listening && self.0.listeners.lock().is_empty() {
            self.listen("tcp://127.0.0.1:0").await?;
        }
        let info = self.info(ServiceId::SERVER, name, uid);
        let id: u32 = self.directory()?.call("registerService", (info,)).await?;
        Ok(ServiceId(id))
    }

    /// Makes an object what is called under a reserved id.
    pub fn offer(&self, id: ServiceId, name: &str, object: Object) {
        self.0.host.bind(id, object.clone());
        self.0.registered.lock().insert(id, Registered { name: name.to_owned(), object, id });
    }

    /// Shows a reserved service to everybody: the second step of a registration.
    pub async fn announce(&self, id: ServiceId) -> Result<()> {
        self.directory()?.call("serviceReady", (id.0,)).await
    }

    /// Takes a service back.
    pub async fn unregister(&self, id: ServiceId) -> Result<()> {
        if !self.is_connected() {
            return Err(Error::NotConnected);
        }
        let now = self.0.registered.lock().get(&id).map_or(id, |registered| registered.id);
        self.directory()?.call::<()>("unregisterService", (now.0,)).await?;
        self.0.host.unbind(now);
        self.0.registered.lock().remove(&id);
        Ok(())
    }

    /// Tells the directory where this session's services are reached now (spec 7.7); one update is for all of them.
    async fn publish_endpoints(&self) -> Result<()> {
        let first = {
            let registered = self.0.registered.lock();
            let own = registered.values().next();
            own.map(|own| self.info(own.id, &own.name, Some(own.object.uid())))
        };
        match first {
            Some(info) if matches!(self.0.link, DirectoryLink::Remote { .. }) => {
                self.directory()?.call("updateServiceInfo", (info,)).await
            }
            _ => Ok(()),
        }
    }

    fn info(&self, id: ServiceId, name: &str, uid: Option<ObjectUid>) -> ServiceInfo {
        ServiceInfo {
            name: name.into(),
            service_id: id,
            machine_id: machine_id().into(),
            process_id: std::process::id(),
            endpoints: self.endpoints(),
            session_id: self.0.session_id.clone().into(),
            object_uid: uid.map(|uid| QiString::from(uid.0.to_vec())).unwrap_or_default(),
        }
    }
}

/// Publishes endpoints as they change, for as long as there is a session.
async fn follow(session: Weak<Inner>, mut changes: watch::Receiver<Vec<String>>) {
    while changes.changed().await.is_ok() {
        let Some(inner) = session.upgrade() else { return };
        if let Err(error) = Session(inner).publish_endpoints().await {
            tracing::warn!(%error, "the directory does not take the new endpoints of this session's services");
        }
    }
}
