//! The services of this process, as its connections see them.

use std::{collections::HashMap, fmt, sync::Arc, sync::OnceLock};

use arc_swap::ArcSwap;
use keyway_pipe::ConnectionId;
use keyway_value::ServiceId;
use parking_lot::Mutex;

use crate::{object::Object, peer::Peer};

/// Main objects by service id. Every call reads it, registrations are rare: a snapshot, replaced whole.
#[derive(Default)]
pub(crate) struct Host {
    services: ArcSwap<HashMap<ServiceId, Object>>,
    changing: Mutex<()>,
    watcher: OnceLock<Watcher>,
}

struct Watcher {
    connected: Box<Connected>,
    disconnected: Box<Disconnected>,
}

type Connected = dyn Fn(&Arc<Peer>) + Send + Sync;
type Disconnected = dyn Fn(ConnectionId) + Send + Sync;

impl Host {
    pub(crate) fn service(&self, id: ServiceId) -> Option<Object> {
        self.services.load().get(&id).cloned()
    }

    pub(crate) fn bind(&self, id: ServiceId, object: Object) {
        self.change(|services| drop(services.insert(id, object)));
    }

    pub(crate) fn unbind(&self, id: ServiceId) {
        self.change(|services| drop(services.remove(&id)));
    }

    pub(crate) fn clear(&self) {
        self.change(HashMap::clear);
    }

    /// Sets who is told of connections that come and go. Once, by the directory.
    pub(crate) fn on_connections(
        &self,
        connected: impl Fn(&Arc<Peer>) + Send + Sync + 'static,
        disconnected: impl Fn(ConnectionId) + Send + Sync + 'static,
    ) {
        let watcher = Watcher { connected: Box::new(connected), disconnected: Box::new(disconnected) };
        // A second watcher would be a mistake of this crate; the first stays.
        let _ = self.watcher.set(watcher);
    }

    pub(crate) fn connected(&self, peer: &Arc<Peer>) {
        if let Some(watcher) = self.watcher.get() {
            (watcher.connected)(peer);
        }
    }

    pub(crate) fn disconnected(&self, connection: ConnectionId) {
        if let Some(watcher) = self.watcher.get() {
            (watcher.disconnected)(connection);
        }
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<ServiceId, Object>)) {
        let _changing = self.changing.lock();
        let mut services = HashMap::clone(&self.services.load());
        change(&mut services);
        self.services.store(Arc::new(services));
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("services", &self.services.load().len()).finish_non_exhaustive()
    }
}
