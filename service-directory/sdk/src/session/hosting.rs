//! What a session does to host services (spec 7.5).

use keyway_value::{QiString, ServiceId, ServiceInfo};

use super::{DirectoryLink, Session};
use crate::{Error, Result, machine_id::machine_id, object::Object, serving::Serving};

/// A listener of this session.
pub(super) struct Listening {
    endpoints: Vec<String>,
    serving: Serving,
}

impl Listening {
    pub(super) fn stop(self) {
        self.serving.stop();
    }
}

impl Session {
    /// Accepts connections to this session's services at `url` (`tcp://127.0.0.1:0` picks a free port), and returns the
    /// endpoints others will use.
    pub async fn listen(&self, url: &str) -> Result<Vec<String>> {
        let settings = self.0.settings.serving();
        let serving = Serving::start(url, &settings, self.0.host.clone()).await?;
        let endpoints = serving.endpoints();
        self.0.listeners.lock().push(Listening { endpoints: endpoints.clone(), serving });
        Ok(endpoints)
    }

    /// Where this session can be reached.
    pub fn endpoints(&self) -> Vec<String> {
        match &self.0.link {
            DirectoryLink::Local(state) => state.endpoints(),
            DirectoryLink::Remote { .. } => {
                self.0.listeners.lock().iter().flat_map(|listening| listening.endpoints.clone()).collect()
            }
        }
    }

    pub(super) async fn register_object(&self, name: &str, object: Object) -> Result<ServiceId> {
        let remote = matches!(self.0.link, DirectoryLink::Remote { .. });
        if remote && self.0.settings.listening && self.0.listeners.lock().is_empty() {
            self.listen("tcp://127.0.0.1:0").await?;
        }
        let info = ServiceInfo {
            name: name.into(),
            service_id: ServiceId::SERVER,
            machine_id: machine_id().into(),
            process_id: std::process::id(),
            endpoints: self.endpoints(),
            session_id: self.0.session_id.clone().into(),
            object_uid: QiString::from(object.uid().0.to_vec()),
        };
        let directory = self.directory()?;
        let id: u32 = directory.call("registerService", (info,)).await?;
        let id = ServiceId(id);
        // Callable before it is announced (7.14).
        self.0.host.bind(id, object.clone());
        self.0.registered.lock().insert(id, (name.to_owned(), object));
        if let Err(error) = directory.call::<()>("serviceReady", (id.0,)).await {
            self.0.host.unbind(id);
            self.0.registered.lock().remove(&id);
            return Err(error);
        }
        Ok(id)
    }

    /// Takes a service back.
    pub async fn unregister(&self, id: ServiceId) -> Result<()> {
        if !self.is_connected() {
            return Err(Error::NotConnected);
        }
        self.directory()?.call::<()>("unregisterService", (id.0,)).await?;
        self.0.host.unbind(id);
        self.0.registered.lock().remove(&id);
        Ok(())
    }
}
