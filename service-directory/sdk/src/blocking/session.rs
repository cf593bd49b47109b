//! Sessions and directories, blocking.

use super::{Proxy, RUNTIME, wait};
use crate::{IntoObject, Result, ServiceEvent, ServiceId, ServiceInfo, SessionBuilder};

/// A connection to a service directory; see [`keyway::Session`](crate::Session).
#[derive(Debug, Clone)]
pub struct Session(crate::Session);

/// A running service directory; see [`keyway::Directory`](crate::Directory).
#[derive(Debug)]
pub struct Directory(Option<crate::Directory>);

/// The services that come and go, as an iterator that blocks.
#[derive(Debug)]
pub struct ServiceEvents(crate::ServiceEvents);

impl Session {
    /// Connects to the directory at `url`.
    pub fn connect(url: &str) -> Result<Self> {
        Self::start(crate::Session::builder(), url)
    }

    /// Connects with other than the default settings.
    pub fn start(builder: SessionBuilder, url: &str) -> Result<Self> {
        wait(builder.connect(url)).map(Self)
    }

    /// Accepts connections to this session's services.
    pub fn listen(&self, url: &str) -> Result<Vec<String>> {
        wait(self.0.listen(url))
    }

    /// Where this session can be reached.
    pub fn endpoints(&self) -> Vec<String> {
        self.0.endpoints()
    }

    /// The directory's URL.
    pub fn url(&self) -> Option<String> {
        self.0.url()
    }

    /// Whether the session is up.
    pub fn is_connected(&self) -> bool {
        self.0.is_connected()
    }

    /// Registers an object as a service.
    pub fn register(&self, name: &str, object: impl IntoObject) -> Result<ServiceId> {
        wait(self.0.register(name, object))
    }

    /// Takes a service back.
    pub fn unregister(&self, id: ServiceId) -> Result<()> {
        wait(self.0.unregister(id))
    }

    /// All services.
    pub fn services(&self) -> Result<Vec<ServiceInfo>> {
        wait(self.0.services())
    }

    /// What the directory knows of one service.
    pub fn service_info(&self, name: &str) -> Result<ServiceInfo> {
        wait(self.0.service_info(name))
    }

    /// A service by name.
    pub fn service(&self, name: &str) -> Result<Proxy> {
        wait(self.0.service(name)).map(Proxy)
    }

    /// A service by name, as soon as it is there.
    pub fn wait_for_service(&self, name: &str) -> Result<Proxy> {
        wait(self.0.wait_for_service(name)).map(Proxy)
    }

    /// Services coming and going.
    pub fn service_events(&self) -> Result<ServiceEvents> {
        wait(self.0.service_events()).map(ServiceEvents)
    }

    /// The directory's machine.
    pub fn machine_id(&self) -> Result<String> {
        wait(self.0.machine_id())
    }

    /// Ends the session.
    pub fn close(&self) {
        wait(self.0.close());
    }

    /// Waits for the end of the session and says why it ended.
    pub fn disconnected(&self) -> String {
        wait(self.0.disconnected())
    }
}

impl Iterator for ServiceEvents {
    type Item = ServiceEvent;

    fn next(&mut self) -> Option<Self::Item> {
        wait(self.0.next())
    }
}

impl Directory {
    /// Opens the listeners of a directory.
    pub fn start(builder: crate::DirectoryBuilder) -> Result<Self> {
        wait(builder.start()).map(|directory| Self(Some(directory)))
    }

    /// Where it listens, with the ports it got.
    pub fn urls(&self) -> Vec<String> {
        self.0.as_ref().map(crate::Directory::urls).unwrap_or_default()
    }

    /// A session in the directory's process.
    pub fn session(&self) -> Option<Session> {
        self.0.as_ref().map(|directory| Session(directory.session()))
    }

    /// Closes the listeners and all connections.
    pub fn close(mut self) {
        if let Some(directory) = self.0.take() {
            wait(directory.close());
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _runtime = RUNTIME.enter();
        drop(self.0.take());
    }
}
