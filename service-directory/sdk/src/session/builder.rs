//! Settings of a session, and how it connects (spec 5.1).

use std::{
    collections::HashMap,
    fmt, io,
    sync::Arc,
    time::{Duration, Instant},
};

use keyway_pipe::{HandshakeError, QueueLimits, QuicEndpoint, SocketOptions, TlsClient, TlsServer};
use keyway_session::{CapabilityMap, ClientAuthenticator, ClientConfig, CloseReason, Connection, Credentials};
use keyway_value::ServiceId;
use keyway_wire::Url;
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

use super::{DirectoryLink, Inner, ServiceEvents, Session, native};
use crate::{
    Error, Result, directory::DirectoryState, front::FrontSettings, host::Host, peer::Peer, peer_handler::PeerHandler,
    proxy::Proxy, remote_object::RemoteObject, serving::ServingSettings,
};

/// Makes a new authenticator for each connection.
type AuthenticatorFactory = Arc<dyn Fn() -> Box<dyn ClientAuthenticator> + Send + Sync>;

/// Settings of a session.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) authenticator: Option<AuthenticatorFactory>,
    pub(super) capabilities: CapabilityMap,
    pub(super) connect_timeout: Duration,
    pub(super) max_payload: u32,
    pub(super) queue: QueueLimits,
    pub(super) socket: SocketOptions,
    pub(super) listening: bool,
    pub(super) tls: Option<TlsClient>,
    pub(super) listener_tls: Option<TlsServer>,
    pub(super) quic: Option<QuicEndpoint>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            authenticator: None,
            capabilities: CapabilityMap::from_environment(),
            connect_timeout: Duration::from_secs(10),
            max_payload: keyway_session::DEFAULT_MAX_PAYLOAD,
            queue: QueueLimits::default(),
            socket: SocketOptions::from_environment(),
            listening: true,
            tls: None,
            listener_tls: None,
            quic: None,
        }
    }
}

impl Settings {
    /// What is missing to connect to `url` by TLS.
    pub(super) fn missing_for(&self, url: &Url) -> Option<String> {
        keyway_pipe::missing_tls(url, self.tls.as_ref())
    }

    /// Who this session is to whom it connects to.
    pub(super) fn client_config(&self, capabilities: CapabilityMap) -> ClientConfig {
        ClientConfig {
            capabilities,
            authenticator: self.authenticator.as_ref().map(|make| make()),
            max_payload: self.max_payload,
            ..ClientConfig::default()
        }
    }

    /// How the session's own listeners serve.
    pub(super) fn serving(&self) -> ServingSettings {
        let front = FrontSettings {
            capabilities: self.capabilities.clone(),
            max_payload: self.max_payload,
            queue: self.queue.clone(),
            socket: self.socket.clone(),
            tls: self.listener_tls.clone(),
            ..FrontSettings::default()
        };
        ServingSettings { front, guard: None }
    }
}

/// Collects the settings of a [`Session`].
#[derive(Clone, Default)]
pub struct SessionBuilder {
    settings: Settings,
}

impl SessionBuilder {
    /// Authenticates with a user and a token (spec 5.4), on the directory's and on every service's connection.
    pub fn credentials(self, user: impl Into<String>, token: impl Into<String>) -> Self {
        let (user, token) = (user.into(), token.into());
        self.authenticator(move || Box::new(Credentials::new(user.clone(), token.clone())))
    }

    /// Authenticates with an authenticator of the program's own, a new one for each connection.
    pub fn authenticator(mut self, make: impl Fn() -> Box<dyn ClientAuthenticator> + Send + Sync + 'static) -> Self {
        self.settings.authenticator = Some(Arc::new(make));
        self
    }

    /// Announces other capabilities than libqi's defaults (spec 5.3).
    pub fn capabilities(mut self, capabilities: CapabilityMap) -> Self {
        self.settings.capabilities = capabilities;
        self
    }

    /// How long connecting and authenticating may take together; 10 s by default.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.connect_timeout = limit;
        self
    }

    /// The largest payload accepted, in bytes; 256 MiB by default (spec 2.8).
    pub fn max_payload(mut self, bytes: u32) -> Self {
        self.settings.max_payload = bytes;
        self
    }

    /// How servers are believed, which connections by `tcps` and `tcpsm` need (spec 11): the directory's and those of services.
    ///
    /// Without this they are refused before anything is sent (H11), and services that have no other endpoint cannot be reached.
    ///
    /// ```no_run
    /// # async fn example() -> keyway::Result<()> {
    /// use keyway::{Session, TlsClient};
    ///
    /// let tls = TlsClient::pin_file("robot.pem")?;
    /// let session = Session::builder().tls(tls).credentials("nao", "token").connect("tcps://robot:9503").await?;
    /// # Ok(()) }
    /// ```
    pub fn tls(mut self, settings: TlsClient) -> Self {
        self.settings.tls = Some(settings);
        self
    }

    /// The certificate of the session's own listeners on `tcps` and `tcpsm` (spec 11.8), which [`Session::listen`] opens. The one
    /// that a first registration opens by itself is plain TCP on the loopback interface, as libqi's.
    pub fn listener_tls(mut self, settings: TlsServer) -> Self {
        self.settings.listener_tls = Some(settings);
        self
    }

    /// Registers services without a listener of the session's own: nobody connects to this program, and the directory
    /// passes calls on over this session's connection. For hosts behind NAT or a firewall; not understood by libqi's
    /// directory, where such services cannot be reached.
    pub fn without_listener(mut self) -> Self {
        self.settings.listening = false;
        self
    }

    /// Connects by `quic` from this socket instead of one of the session's own. Sessions may share one, and a program that
    /// knows that its network has changed may [rebind](QuicEndpoint::rebind) it.
    pub fn quic_endpoint(mut self, endpoint: QuicEndpoint) -> Self {
        self.settings.quic = Some(endpoint);
        self
    }

    /// Connects to the directory at `url`; by `quic://host:port` to one that speaks the native protocol, a gateway for example.
    ///
    /// Over QUIC all services are reached through the one connection, and those registered here as well.
    pub async fn connect(mut self, url: &str) -> Result<Session> {
        let url = Url::parse(url).with_connect_defaults();
        if url.is_quic() {
            self.settings.listening = false;
        }
        let host = Arc::new(Host::default());
        let peer = open(&self.settings, &url, &host).await?;
        let connected = async {
            let directory = RemoteObject::of_service(peer.clone(), ServiceId::DIRECTORY, None, None).await?;
            let directory = Proxy::from_remote(Arc::new(directory));
            let events = ServiceEvents {
                added: directory.signal("serviceAdded").await?,
                removed: directory.signal("serviceRemoved").await?,
            };
            let machine_id: String = directory.call("machineId", ()).await?;
            Ok((directory, events, machine_id))
        };
        let (directory, events, machine_id) = match within(&self.settings, &url, connected).await {
            Ok(connected) => connected,
            Err(error) => {
                peer.close(CloseReason::Local);
                return Err(error);
            }
        };
        let mut connections = HashMap::new();
        for endpoint in [url.to_string(), "qi:ServiceDirectory".to_owned()] {
            connections.insert((machine_id.clone(), endpoint), peer.clone());
        }
        let link = DirectoryLink::Remote { url: url.to_string(), peer: peer.clone(), directory };
        let session = assemble(self.settings, host, link, connections);
        tokio::spawn(follow(Arc::downgrade(&session.0), peer, events));
        Ok(session)
    }

    /// A session in the directory's own process.
    pub(crate) fn local(self, state: Arc<DirectoryState>) -> Session {
        let host = state.host().clone();
        assemble(self.settings, host, DirectoryLink::Local(state), HashMap::new())
    }
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("connect_timeout", &self.settings.connect_timeout)
            .finish_non_exhaustive()
    }
}

fn assemble(
    settings: Settings,
    host: Arc<Host>,
    link: DirectoryLink,
    connections: HashMap<(String, String), Arc<Peer>>,
) -> Session {
    Session(Arc::new(Inner {
        settings,
        host,
        link,
        session_id: Uuid::new_v4().to_string(),
        listeners: Mutex::default(),
        connections: Mutex::new(connections),
        connecting: tokio::sync::Mutex::default(),
        proxies: Mutex::default(),
        registered: Mutex::default(),
        closed: watch::Sender::new(None),
    }))
}

pub(super) fn connect_error(url: &Url, source: io::Error) -> Error {
    let url = url.to_string();
    match source.get_ref().and_then(|inner| inner.downcast_ref::<HandshakeError>()) {
        Some(error) => Error::Tls { url, source: error.clone() },
        None => Error::Connect { url, source: Arc::new(source) },
    }
}

/// Connects and authenticates.
pub(super) async fn open(settings: &Settings, url: &Url, host: &Arc<Host>) -> Result<Arc<Peer>> {
    if !url.is_valid() {
        return Err(Error::Url(format!(
            "invalid URL '{url}' used to connect, this connection will result in an error"
        )));
    }
    if !url.is_supported() {
        return Err(Error::Url(format!("unsupported URL TCP scheme '{url}'")));
    }
    // Never connected to unverified (H11).
    if let Some(missing) = settings.missing_for(url) {
        return Err(Error::TlsSettings(missing));
    }
    if url.is_quic() {
        return within(settings, url, native::open(settings, url, host)).await;
    }
    let connecting = async {
        let carrier = keyway_pipe::connect_with(url, &settings.socket, settings.tls.as_ref())
            .await
            .map_err(|error| connect_error(url, error))?;
        let (sender, driver) = keyway_pipe::pipe(carrier, settings.queue.clone());
        let peer = Peer::new(sender, url.to_string(), host.clone());
        let config = settings.client_config(settings.capabilities.clone());
        let now = Instant::now();
        let mut handler = PeerHandler::new(Connection::client(config, now), peer.clone(), None);
        handler.start(now);
        tokio::spawn(driver.run(handler));
        peer.opened().await?;
        Ok(peer)
    };
    within(settings, url, connecting).await
}

async fn within<T>(settings: &Settings, url: &Url, work: impl Future<Output = Result<T>>) -> Result<T> {
    let limit = settings.connect_timeout;
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(Error::Timeout { what: format!("connecting to {url}"), limit }),
    }
}

/// Follows the directory: services that leave take their proxies along, and its connection's end is the session's. When the
/// directory has begun anew behind a session that goes on, so does the session.
async fn follow(session: std::sync::Weak<Inner>, peer: Arc<Peer>, mut events: ServiceEvents) {
    let mut restarts = peer.restarts();
    loop {
        tokio::select! {
            event = events.next() => {
                let Some(event) = event else { break };
                let Some(session) = session.upgrade() else { return };
                if !event.added {
                    session.service_removed(event.id, &event.name);
                }
            }
            Ok(()) = restarts.changed() => {
                let Some(session) = session.upgrade() else { return };
                tokio::spawn(Session(session).recover(peer.clone()));
            }
        }
    }
    let reason = peer.closed().await;
    if let Some(session) = session.upgrade() {
        tracing::debug!(%reason, "the directory's connection is gone");
        session.shut_down("disconnected");
    }
}
