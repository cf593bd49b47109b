//! Accepting connections to the services of this process.

mod native;

use std::{
    collections::HashMap,
    fmt, io,
    sync::Arc,
    time::{Duration, Instant},
};

use keyway_pipe::{Carrier, ConnectionCap, ConnectionId, ConnectionPermit, Listener, Sender};
use keyway_session::{CloseReason, Connection, ServerAuthentication, ServerConfig};
use keyway_wire::Url;
use parking_lot::Mutex;
use tokio::{sync::watch, task::AbortHandle};

use crate::{
    Error, Result,
    front::{Client, FrontSettings, Guard},
    host::Host,
    peer::Peer,
    peer_handler::PeerHandler,
};

/// How connections are served.
#[derive(Clone, Default)]
pub(crate) struct ServingSettings {
    pub(crate) front: FrontSettings,
    /// Who watches over the connections, where these are strangers'.
    pub(crate) guard: Option<Arc<dyn Guard>>,
}

impl fmt::Debug for ServingSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServingSettings").field("front", &self.front).finish_non_exhaustive()
    }
}

/// One open listener and the connections it accepted.
pub(crate) struct Serving {
    endpoints: watch::Receiver<Vec<String>>,
    accepting: AbortHandle,
    accepted: Accepted,
}

/// The connections of a listener.
type Accepted = Arc<Mutex<HashMap<ConnectionId, Sender>>>;

impl Serving {
    pub(crate) async fn start(url: &str, settings: &ServingSettings, host: Arc<Host>) -> Result<Self> {
        let url = Url::parse(url).with_listen_defaults();
        if !url.is_supported() {
            return Err(Error::Url(format!("cannot create TCP server from unrecognized scheme in URL '{url}'")));
        }
        if url.is_tls()
            && !settings.front.tls.as_ref().is_some_and(|tls| !url.is_mutual_tls() || tls.verifies_clients())
        {
            let needed = if url.is_mutual_tls() { "--cert, --key and --client-ca" } else { "--cert and --key" };
            return Err(Error::TlsSettings(format!(
                "SSL certificates/key missing, the SSL configuration is incomplete; '{url}' needs {needed}"
            )));
        }
        let failed = |source| Error::Listen { url: url.to_string(), source: Arc::new(source) };
        if let (true, Some(tls)) = (url.is_quic(), &settings.front.tls) {
            return native::start(&url, tls, settings, host).await.map_err(failed);
        }
        let listener =
            Listener::bind_with(&url, &settings.front.socket, settings.front.tls.as_ref()).await.map_err(failed)?;
        let (published, endpoints) = watch::channel(texts(&listener.endpoints().map_err(failed)?));
        let accepted = Arc::new(Mutex::new(HashMap::new()));
        let (settings, connections) = (settings.clone(), accepted.clone());
        let accepting = tokio::spawn(async move {
            let is_wildcard = listener.local_address().is_some_and(|address| address.ip().is_unspecified());
            let following = follow_interfaces(is_wildcard, || listener.endpoints(), &published);
            tokio::join!(accept(&listener, settings, host, connections), following);
        });
        let accepting = accepting.abort_handle();
        Ok(Self { endpoints, accepting, accepted })
    }

    /// Where it is reached, as things are now.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.endpoints.borrow().clone()
    }

    /// Tells when [`endpoints`](Self::endpoints) change.
    pub(crate) fn changes(&self) -> watch::Receiver<Vec<String>> {
        self.endpoints.clone()
    }

    /// Closes the listener. What was accepted stays.
    pub(crate) fn stop_accepting(&self) {
        self.accepting.abort();
    }

    /// Stops accepting and closes what was accepted.
    pub(crate) fn stop(&self) {
        self.stop_accepting();
        for (_, sender) in self.accepted.lock().drain() {
            sender.close(CloseReason::Local);
        }
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// Interfaces come and go under a listener on 0.0.0.0 (spec 1.7).
async fn follow_interfaces(
    is_wildcard: bool,
    endpoints: impl Fn() -> io::Result<Vec<Url>>,
    published: &watch::Sender<Vec<String>>,
) {
    if !is_wildcard {
        return;
    }
    loop {
        tokio::time::sleep(INTERFACES).await;
        match endpoints() {
            Ok(urls) => {
                let now = texts(&urls);
                published.send_if_modified(|known| {
                    let changed = *known != now;
                    *known = now;
                    changed
                });
            }
            Err(error) => tracing::warn!(%error, "cannot list the network interfaces; keeping the endpoints known"),
        }
    }
}

fn texts(urls: &[Url]) -> Vec<String> {
    urls.iter().map(ToString::to_string).collect()
}

async fn accept(listener: &Listener, settings: ServingSettings, host: Arc<Host>, accepted: Accepted) {
    let cap = ConnectionCap::new(settings.front.unauthenticated_per_source, usize::MAX);
    loop {
        // Errors of accept are the listener's to survive: it backs off and goes on.
        let carrier = listener.accept().await;
        let Some(permit) = cap.admit(carrier.peer()) else {
            tracing::debug!(peer = %carrier.peer(), "refused: too many unauthenticated connections from there");
            continue;
        };
        serve(carrier, permit, &settings, &host, &accepted);
    }
}

fn serve(
    carrier: Arc<dyn Carrier>,
    permit: ConnectionPermit,
    settings: &ServingSettings,
    host: &Arc<Host>,
    accepted: &Accepted,
) {
    let address = carrier.peer().to_string();
    let (sender, driver) = keyway_pipe::pipe(carrier, settings.front.queue.clone());
    let peer = Peer::new(sender.clone(), address.clone(), host.clone());
    let warden = match &settings.guard {
        Some(guard) => match guard.admit(&Client::new(peer.clone())) {
            Some(warden) => Some(warden),
            None => return,
        },
        None => None,
    };
    let authentication = match &settings.guard {
        Some(guard) if guard.authenticates() => ServerAuthentication::Deferred { version: AUTHENTICATION_VERSION },
        _ => ServerAuthentication::None,
    };
    let config = ServerConfig {
        capabilities: settings.front.capabilities.clone(),
        authentication,
        authentication_timeout: settings.front.authentication_timeout,
        unauthenticated_bytes: settings.front.unauthenticated_bytes,
        max_payload: settings.front.max_payload,
        remote_endpoint: address,
        ..ServerConfig::default()
    };
    let handler = PeerHandler::new(Connection::server(config, Instant::now()), peer.clone(), Some(permit));
    let handler = match warden {
        Some(warden) => handler.guarded(warden),
        None => handler,
    };
    run(sender, &peer, host, accepted, driver.run(handler));
}

/// Runs a connection as one of those of its listener.
fn run(
    sender: Sender,
    peer: &Arc<Peer>,
    host: &Arc<Host>,
    accepted: &Accepted,
    driving: impl Future<Output = ()> + Send + 'static,
) {
    let id = sender.id();
    accepted.lock().insert(id, sender);
    host.connected(peer);
    let accepted = Arc::downgrade(accepted);
    tokio::spawn(async move {
        driving.await;
        if let Some(accepted) = accepted.upgrade() {
            accepted.lock().remove(&id);
        }
    });
}

/// The version in the text of refusals (spec 5.4).
const AUTHENTICATION_VERSION: (u32, u32) = (1, 0);
/// How often interfaces are listed (spec 1.7).
const INTERFACES: Duration = Duration::from_secs(5);
