//! A service directory in this process (spec 7): what `keyway directory` runs.

use std::{collections::HashMap, fmt, sync::Arc, sync::Weak, time::Duration};

use keyway_directory::{Change, DirectoryConfig, DirectoryError, Owner, Registry};
use keyway_pipe::{ConnectionId, TlsServer};
use keyway_value::{QiString, ServiceId, ServiceInfo};
use keyway_wire::Url;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    Error, Result, Session, Signal,
    context::CallContext,
    host::Host,
    machine_id::machine_id,
    object::Object,
    peer::Peer,
    proxy::Proxy,
    remote_object::RemoteObject,
    serving::{Serving, ServingSettings},
};

/// A running service directory. Closing or dropping it ends all its connections.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> keyway::Result<()> {
/// let directory = keyway::Directory::builder().listen("tcp://127.0.0.1:0").start().await?;
/// let session = keyway::Session::connect(&directory.urls()[0]).await?;
/// assert_eq!(session.services().await?[0].name, "ServiceDirectory");
/// # Ok(()) }
/// ```
pub struct Directory {
    state: Arc<DirectoryState>,
    listeners: Vec<Serving>,
    session: Session,
}

/// Settings of a [`Directory`].
#[derive(Debug, Clone)]
pub struct DirectoryBuilder {
    urls: Vec<String>,
    permissive: bool,
    serving: ServingSettings,
}

impl Directory {
    /// Starts with the defaults: ownership enforced, 10 s and 64 KiB before authentication, 256 MiB payloads.
    pub fn builder() -> DirectoryBuilder {
        DirectoryBuilder { urls: Vec::new(), permissive: false, serving: ServingSettings::default() }
    }

    /// Where it listens, with the ports it got.
    pub fn urls(&self) -> Vec<String> {
        self.listeners.iter().flat_map(Serving::endpoints).collect()
    }

    /// A session in the directory's process: its services are reached without a network, and it reaches every other
    /// over the connection it was registered on.
    pub fn session(&self) -> Session {
        self.session.clone()
    }

    /// Closes the listeners and all connections.
    pub async fn close(self) {
        self.session.close().await;
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.stop();
        }
        // The directory's object holds on to the directory.
        self.state.host.clear();
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("urls", &self.urls()).finish_non_exhaustive()
    }
}

impl DirectoryBuilder {
    /// Adds a URL to listen on; the default is `tcp://127.0.0.1:0`, a free port.
    pub fn listen(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// The certificate of listeners on `tcps://host:port` and, with the clients that are believed, on `tcpsm://host:port` (spec 11).
    ///
    /// ```no_run
    /// # async fn example() -> keyway::Result<()> {
    /// use keyway::{Directory, TlsServer};
    ///
    /// let tls = TlsServer::from_files("robot.pem", "robot.key")?;
    /// let directory = Directory::builder().listen("tcps://0.0.0.0:9503").tls(tls).start().await?;
    /// # Ok(()) }
    /// ```
    pub fn tls(mut self, settings: TlsServer) -> Self {
        self.serving.front.tls = Some(settings);
        self
    }

    /// Lets any session change any service, as libqi does (spec 7.12). Not for networks with strangers on it.
    pub fn permissive(mut self, on: bool) -> Self {
        self.permissive = on;
        self
    }

    /// How long a connection may stay without authenticating (spec 5.6).
    pub fn authentication_timeout(mut self, limit: Duration) -> Self {
        self.serving.front.authentication_timeout = limit;
        self
    }

    /// How many connections one address may hold that have not authenticated (H9).
    pub fn unauthenticated_per_source(mut self, connections: usize) -> Self {
        self.serving.front.unauthenticated_per_source = connections;
        self
    }

    /// The largest payload accepted, in bytes (spec 2.8).
    pub fn max_payload(mut self, bytes: u32) -> Self {
        self.serving.front.max_payload = bytes;
        self
    }

    /// How many bytes may wait for one slow reader before its connection is closed (spec 9.5).
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.serving.front.queue.max_bytes = bytes;
        self
    }

    /// Opens the listeners.
    pub async fn start(mut self) -> Result<Directory> {
        if self.urls.is_empty() {
            self.urls.push("tcp://127.0.0.1:0".to_owned());
        }
        let host = Arc::new(Host::default());
        let state = DirectoryState::new(self.permissive, &host);
        let mut listeners = Vec::new();
        for url in &self.urls {
            listeners.push(Serving::start(url, &self.serving, host.clone()).await?);
        }
        let endpoints: Vec<_> = listeners.iter().map(Serving::changes).collect();
        state.set_endpoints(&endpoints);
        for mut changes in endpoints.clone() {
            let (state, endpoints) = (Arc::downgrade(&state), endpoints.clone());
            tokio::spawn(async move {
                while changes.changed().await.is_ok() {
                    let Some(state) = state.upgrade() else { return };
                    state.set_endpoints(&endpoints);
                }
            });
        }
        let session = Session::builder().local(state.clone());
        Ok(Directory { state, listeners, session })
    }
}

/// The registry, its service object and its connections.
pub(crate) struct DirectoryState {
    registry: Mutex<Registry>,
    host: Arc<Host>,
    peers: Mutex<HashMap<ConnectionId, Weak<Peer>>>,
    added: Signal<(u32, String)>,
    removed: Signal<(u32, String)>,
    /// Held from a change to its announcement: who hears that a name is taken again has heard that it was free.
    announcing: Mutex<()>,
}

impl DirectoryState {
    fn new(permissive: bool, host: &Arc<Host>) -> Arc<Self> {
        let config = DirectoryConfig {
            machine_id: machine_id().to_owned(),
            process_id: std::process::id(),
            permissive,
            ..DirectoryConfig::default()
        };
        let state = Arc::new(Self {
            registry: Mutex::new(Registry::new(config)),
            host: host.clone(),
            peers: Mutex::default(),
            added: Signal::new(),
            removed: Signal::new(),
            announcing: Mutex::default(),
        });
        host.bind(ServiceId::DIRECTORY, service_object(&state));
        let weak = Arc::downgrade(&state);
        host.on_connections(
            {
                let weak = weak.clone();
                move |peer| {
                    if let Some(state) = weak.upgrade() {
                        state.peers.lock().insert(peer.id(), Arc::downgrade(peer));
                    }
                }
            },
            move |connection| {
                if let Some(state) = weak.upgrade() {
                    state.disconnected(connection);
                }
            },
        );
        state
    }

    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Service 1; gone once the directory is closed.
    pub(crate) fn object(&self) -> Option<Object> {
        self.host.service(ServiceId::DIRECTORY)
    }

    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.registry.lock().own_endpoints()
    }

    fn set_endpoints(&self, endpoints: &[watch::Receiver<Vec<String>>]) {
        let mut all: Vec<_> = endpoints.iter().flat_map(|endpoints| endpoints.borrow().clone()).collect();
        // Who speaks the native protocol is on its one connection already, and libqi knows nothing of it.
        all.retain(|endpoint| !Url::parse(endpoint).is_quic());
        if let Err(error) = self.registry.lock().set_endpoints(&all) {
            tracing::warn!(%error, "the directory's own endpoints cannot be shown");
        }
    }

    /// The connection on which a service was registered, if the directory may call over it (5.3, 7.13).
    pub(crate) fn registration_peer(&self, id: ServiceId) -> Option<Arc<Peer>> {
        let owner = self.registry.lock().owner_of(id)?;
        let peer = self.peers.lock().get(&ConnectionId(owner.0)).and_then(Weak::upgrade)?;
        peer.shared().client_server_socket.then_some(peer)
    }

    /// Makes a service whose host nobody can connect to callable through the directory, over the connection on which it
    /// was registered (`ClientServerSocket`). Where that fails the service is listed without endpoints, as libqi does.
    async fn relay(&self, owner: Owner, id: ServiceId) {
        if self.registry.lock().owner_of(id) != Some(owner) {
            return;
        }
        let Some(peer) = self.registration_peer(id) else { return };
        match tokio::time::timeout(RELAY_TIMEOUT, RemoteObject::of_service(peer, id, None, None)).await {
            Ok(Ok(remote)) => {
                let object = Object::forward(&Proxy::from_remote(Arc::new(remote)));
                self.host.bind(id, object);
                // It may have left while it described itself, and then nobody else takes it away again.
                let mut registry = self.registry.lock();
                if registry.owner_of(id) == Some(owner) {
                    registry.relay(id);
                } else {
                    drop(registry);
                    self.host.unbind(id);
                }
            }
            Ok(Err(error)) => tracing::debug!(%id, %error, "a service without endpoints cannot be passed on"),
            Err(_) => tracing::debug!(%id, "a service without endpoints did not describe itself in time"),
        }
    }

    fn disconnected(&self, connection: ConnectionId) {
        self.peers.lock().remove(&connection);
        let removed = |registry: &mut Registry| Ok::<_, DirectoryError>(registry.disconnect(Owner(connection.0)));
        // Removing what one owns is never refused.
        let _ = self.change(removed);
    }

    /// Changes the registry and announces what has changed, one change after the other.
    fn change<C: IntoIterator<Item = Change>>(
        &self,
        change: impl FnOnce(&mut Registry) -> Result<C, DirectoryError>,
    ) -> Result<(), DirectoryError> {
        let _in_order = self.announcing.lock();
        let changes = change(&mut self.registry.lock())?;
        for change in changes {
            match change {
                Change::Added { id, name } => self.added.emit(&(id.0, name)),
                Change::Removed { id, name } => {
                    self.host.unbind(id);
                    self.removed.emit(&(id.0, name));
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DirectoryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryState").finish_non_exhaustive()
    }
}

/// How long a host may take to describe a service that the directory is to pass on.
const RELAY_TIMEOUT: Duration = Duration::from_secs(5);

/// Who asks: a connection, or the directory's own process.
fn owner(context: &CallContext) -> Owner {
    Owner(context.connection().map_or(0, |connection| connection.0))
}

/// Service 1. Members are added in the order of their ids (spec 7.1).
fn service_object(state: &Arc<DirectoryState>) -> Object {
    let mut builder = Object::builder();
    let with = |state: &Arc<DirectoryState>| state.clone();
    let s = with(state);
    builder.method_with_context("service", move |context, (name,): (QiString,)| {
        s.registry.lock().service(&name, context.relative_endpoints())
    });
    let s = with(state);
    builder
        .method_with_context("services", move |context, ()| s.registry.lock().services(context.relative_endpoints()));
    let s = with(state);
    builder.method_with_context("registerService", move |context, (info,): (ServiceInfo,)| {
        s.registry.lock().register(owner(context), info).map(|id| id.0)
    });
    let s = with(state);
    builder.method_with_context("unregisterService", move |context, (id,): (u32,)| {
        s.change(|registry| registry.unregister(owner(context), ServiceId(id)).map(Some))
    });
    let s = with(state);
    builder.method_async_with_context("serviceReady", move |context, (id,): (u32,)| {
        let (state, owner, id) = (s.clone(), owner(&context), ServiceId(id));
        async move {
            if state.registry.lock().is_unreachable(id) {
                state.relay(owner, id).await;
            }
            state.change(|registry| registry.ready(owner, id).map(Some))
        }
    });
    let s = with(state);
    builder.method_with_context("updateServiceInfo", move |context, (info,): (ServiceInfo,)| {
        s.registry.lock().update(owner(context), info)
    });
    builder.signal("serviceAdded", &state.added);
    builder.signal("serviceRemoved", &state.removed);
    builder.method("machineId", |()| machine_id().to_owned());
    builder.method("_socketOfService", |(_,): (u32,)| {
        Err::<Object, _>(Error::remote("Uncaught error: attempting to dereference a null pointer"))
    });
    builder.refuse_posts();
    builder.build()
}
