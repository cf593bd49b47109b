//! Sessions: one program's place on the bus (spec 7.6).

mod builder;
mod connections;
mod hosting;
mod native;
mod recovery;

use std::{
    collections::HashMap,
    fmt,
    future::poll_fn,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use keyway_session::CloseReason;
use keyway_value::{ServiceId, ServiceInfo};
use parking_lot::Mutex;
use tokio::sync::watch;

pub use builder::SessionBuilder;

use crate::{
    Error, Result, SignalStream,
    directory::DirectoryState,
    host::Host,
    object::{IntoObject, Object},
    peer::Peer,
    proxy::Proxy,
    remote_object::RemoteObject,
    serving::Serving,
};

/// A connection to a service directory, and the services this program hosts.
///
/// Clones are the same session. It ends with [`close`](Self::close), with the connection to the directory, or when the
/// last clone and the last proxy obtained from it are gone.
///
/// ```no_run
/// # async fn example() -> keyway::Result<()> {
/// let session = keyway::Session::connect("tcp://127.0.0.1:9559").await?;
/// let robot = session.service("Robot").await?;
/// let said: String = robot.call("say", ("hello",)).await?;
/// # let _ = said; Ok(()) }
/// ```
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    settings: builder::Settings,
    host: Arc<Host>,
    link: DirectoryLink,
    /// Identifies this session's services in ServiceInfos.
    session_id: String,
    listeners: Mutex<Vec<Serving>>,
    /// Connections to service hosts by machine and endpoint (spec 1.3, step 4).
    connections: Mutex<HashMap<(String, String), Arc<Peer>>>,
    /// Held while connecting, so that concurrent requests share one connection.
    connecting: tokio::sync::Mutex<()>,
    proxies: Mutex<HashMap<String, Weak<RemoteObject>>>,
    /// By the id that the program was given.
    registered: Mutex<HashMap<ServiceId, Registered>>,
    closed: watch::Sender<Option<String>>,
}

/// A service of this program.
#[derive(Clone)]
struct Registered {
    name: String,
    object: Object,
    /// Its id at the directory, which gives others when it is restarted.
    id: ServiceId,
}

/// How the directory is reached.
enum DirectoryLink {
    /// Over a connection.
    Remote { url: String, peer: Arc<Peer>, directory: Proxy },
    /// It lives in this process.
    Local(Arc<DirectoryState>),
}

/// A service came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEvent {
    /// Whether it came.
    pub added: bool,
    /// Its id, never used again.
    pub id: ServiceId,
    /// Its name.
    pub name: String,
}

/// The services that come and go, in order.
#[derive(Debug)]
pub struct ServiceEvents {
    added: SignalStream<(u32, String)>,
    removed: SignalStream<(u32, String)>,
}

impl ServiceEvents {
    /// The next event; `None` when the session is over.
    pub async fn next(&mut self) -> Option<ServiceEvent> {
        let (added, event) = poll_fn(|cx| self.poll_event(cx)).await?;
        // The directory's own signals always decode; anything else is not a directory, and its events end here.
        let (id, name) = event.ok()?;
        Some(ServiceEvent { added, id: ServiceId(id), name })
    }

    /// The earlier of the two signals' next events, and whether it is of `serviceAdded`.
    #[expect(clippy::type_complexity, reason = "used once")]
    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<(bool, Result<(u32, String)>)>> {
        let mut added = self.added.poll_arrival(cx);
        let removed = self.removed.poll_arrival(cx);
        if let (Poll::Pending, Poll::Ready(Some(_))) = (added, removed) {
            // It may have come between the two looks, and then it came first.
            added = self.added.poll_arrival(cx);
        }
        let is_added = match (added, removed) {
            (Poll::Ready(Some(added)), Poll::Ready(Some(removed))) => added < removed,
            (Poll::Ready(Some(_)), _) => true,
            (_, Poll::Ready(Some(_))) => false,
            // Both end with the connection.
            (Poll::Ready(None), _) | (_, Poll::Ready(None)) => return Poll::Ready(None),
            (Poll::Pending, Poll::Pending) => return Poll::Pending,
        };
        let stream = if is_added { &self.added } else { &self.removed };
        stream.poll_event(cx).map(|event| event.map(|event| (is_added, event)))
    }
}

impl Session {
    /// Starts a session with other than the default settings.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// Connects to the directory at `url`; missing parts are `tcp` and port 9559 (spec 1.1).
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder().connect(url).await
    }

    /// The connection that leads to everything, where that is so: over QUIC.
    fn only_connection(&self) -> Option<Arc<Peer>> {
        match &self.0.link {
            DirectoryLink::Remote { peer, .. } if peer.is_native() => Some(peer.clone()),
            _ => None,
        }
    }

    /// The directory's URL; `None` if the directory lives in this process.
    pub fn url(&self) -> Option<String> {
        match &self.0.link {
            DirectoryLink::Remote { url, .. } => Some(url.clone()),
            DirectoryLink::Local(_) => None,
        }
    }

    /// Whether the session is up.
    pub fn is_connected(&self) -> bool {
        let connected = match &self.0.link {
            DirectoryLink::Remote { peer, .. } => peer.is_open(),
            DirectoryLink::Local(_) => true,
        };
        connected && self.0.closed.borrow().is_none()
    }

    /// All services.
    pub async fn services(&self) -> Result<Vec<ServiceInfo>> {
        self.check()?;
        self.directory()?.call("services", ()).await
    }

    /// What the directory knows of one service.
    pub async fn service_info(&self, name: &str) -> Result<ServiceInfo> {
        self.check()?;
        self.directory()?.call("service", (name.to_owned(),)).await
    }

    /// A service by name. Asking twice gives the same object.
    pub async fn service(&self, name: &str) -> Result<Proxy> {
        self.check()?;
        if let Some(object) = self.own(name) {
            return Ok(object.proxy());
        }
        if let Some(remote) = self.cached(name) {
            return Ok(Proxy::from_remote(remote));
        }
        if name == DIRECTORY {
            return self.directory();
        }
        let info = self.service_info(name).await?;
        let remote = self.reach(&info).await?;
        self.0.proxies.lock().insert(name.to_owned(), Arc::downgrade(&remote));
        Ok(Proxy::from_remote(remote))
    }

    /// A service by name, as soon as it is there.
    pub async fn wait_for_service(&self, name: &str) -> Result<Proxy> {
        // Subscribed before asking, so that nothing falls between.
        let mut events = self.service_events().await?;
        loop {
            match self.service(name).await {
                Err(Error::Remote(_)) => {}
                other => return other,
            }
            loop {
                match events.next().await {
                    Some(event) if event.added && event.name == name => break,
                    Some(_) => {}
                    None => return Err(Error::NotConnected),
                }
            }
        }
    }

    /// Services coming and going.
    pub async fn service_events(&self) -> Result<ServiceEvents> {
        self.check()?;
        let directory = self.directory()?;
        let added = directory.signal("serviceAdded").await?;
        let removed = directory.signal("serviceRemoved").await?;
        Ok(ServiceEvents { added, removed })
    }

    /// The directory's machine.
    pub async fn machine_id(&self) -> Result<String> {
        self.check()?;
        self.directory()?.call("machineId", ()).await
    }

    /// Ends the session: services leave the directory, connections close, proxies fail. Idempotent.
    pub async fn close(&self) {
        if let DirectoryLink::Local(_) = &self.0.link {
            let ids: Vec<_> = self.0.registered.lock().keys().copied().collect();
            for id in ids {
                // A service that is gone already is what closing wants.
                let _ = self.unregister(id).await;
            }
        }
        self.0.shut_down("Session closed");
        if let DirectoryLink::Remote { peer, .. } = &self.0.link {
            peer.closed().await;
        }
    }

    /// Waits for the end of the session and says why it ended.
    pub async fn disconnected(&self) -> String {
        let mut closed = self.0.closed.subscribe();
        match closed.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(reason)) => reason.clone(),
            _ => "disconnected".to_owned(),
        }
    }

    /// The directory as a service.
    pub(crate) fn directory(&self) -> Result<Proxy> {
        match &self.0.link {
            DirectoryLink::Remote { directory, .. } => Ok(directory.clone()),
            DirectoryLink::Local(state) => state.object().map(|object| object.proxy()).ok_or(Error::NotConnected),
        }
    }

    fn check(&self) -> Result<()> {
        if self.is_connected() { Ok(()) } else { Err(Error::NotConnected) }
    }

    fn own(&self, name: &str) -> Option<Object> {
        let registered = self.0.registered.lock();
        registered.values().find(|own| own.name == name).map(|own| own.object.clone())
    }

    fn cached(&self, name: &str) -> Option<Arc<RemoteObject>> {
        let mut proxies = self.0.proxies.lock();
        let remote = proxies.get(name).and_then(Weak::upgrade).filter(|remote| remote.peer.is_open());
        if remote.is_none() {
            proxies.remove(name);
        }
        remote
    }

    /// Registers an object as a service; others see it when this returns (spec 7.5). Listens first if the session does
    /// not yet (1.9).
    pub async fn register(&self, name: &str, object: impl IntoObject) -> Result<ServiceId> {
        self.check()?;
        self.register_object(name, object.into_object()).await
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Inner {
    fn shut_down(&self, reason: &str) {
        let first = self.closed.send_if_modified(|closed| {
            let first = closed.is_none();
            if first {
                *closed = Some(reason.to_owned());
            }
            first
        });
        if !first {
            return;
        }
        for listening in self.listeners.lock().drain(..) {
            listening.stop();
        }
        for (_, peer) in self.connections.lock().drain() {
            peer.close(CloseReason::Local);
        }
        if let DirectoryLink::Remote { peer, .. } = &self.link {
            self.host.clear();
            peer.close(CloseReason::Local);
        }
    }

    fn service_removed(&self, id: ServiceId, name: &str) {
        self.proxies.lock().remove(name);
        // Several endpoints may name one connection, and failing a service twice does nothing the second time.
        let peers: Vec<_> = self.connections.lock().values().cloned().collect();
        for peer in peers {
            peer.fail_service(id, "Service removed");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shut_down("Session closed");
    }
}

/// The directory's own name.
pub(crate) const DIRECTORY: &str = "ServiceDirectory";
