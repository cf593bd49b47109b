//! Listeners whose messages somebody looks at before the objects of this process get them: what gateways are built of.
//!
//! A [`Front`] accepts connections as a directory does. Its [`Guard`] gives each of them a [`Warden`], which decides who comes in
//! (spec 5.4), and which messages are for objects of this process ([`Local`]), are passed on elsewhere, or are refused.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use keyway_pipe::{CertificateDer, ConnectionId, PeerAddress, QueueLimits, Sender, SocketOptions, TlsServer};
pub use keyway_session::{AuthMap, AuthOutcome, AuthRequest, CloseReason, Input};
use keyway_session::{CapabilityMap, SharedCapabilities};
use keyway_value::{MetaObject, ObjectId, ObjectUid, ServiceId};
use parking_lot::Mutex;

use crate::{
    Object, Proxy, Result,
    host::Host,
    peer::Peer,
    remote_object::RemoteObject,
    serving::{Serving, ServingSettings},
};

/// Under this name [`Warden::judge`] hears the resume key (raw bytes) of a client whose session is not here any more.
pub const RESUME_KEY: &str = "resume_key";

/// Gives each connection of a [`Front`] its [`Warden`].
pub trait Guard: Send + Sync + 'static {
    /// Somebody has connected. `None` closes the connection at once.
    fn admit(&self, client: &Client) -> Option<Box<dyn Warden>>;

    /// Whether clients have to say who they are, in which case [`Warden::judge`] hears it. Asked for each connection.
    fn authenticates(&self) -> bool;

    /// Which session a resume key is for, if it is believed. Whether it is the session's last key, its warden says.
    fn session_of(&self, _key: &[u8]) -> Option<[u8; 16]> {
        None
    }
}

/// Watches over one connection. All methods are called from the connection's task and must not block.
pub trait Warden: Send {
    /// The client says who it is. The verdict may be given later and from another thread; what the client sends meanwhile is
    /// kept back.
    fn judge(&mut self, request: AuthRequest, verdict: Verdict);

    /// The client is in, and announced this.
    fn opened(&mut self, capabilities: &CapabilityMap);

    /// A message of the client: a call, post, cancel, answer or event. Gives back what is for objects of this process. An error
    /// closes the connection after what was sent before.
    fn on_message(&mut self, now: Instant, input: Input) -> std::result::Result<Option<Local>, CloseReason>;

    /// The messages of one read have all been handed over.
    fn on_batch_end(&mut self) {}

    /// Whether more messages may come; while pending, nothing is read from the client.
    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// A key by which the client comes back to its session, of this name, when its connection is lost. Asked for when it is let in,
    /// and again every few hours. Without one, the session ends with its connection.
    fn resume_key(&mut self, _session: [u8; 16]) -> Option<Vec<u8>> {
        None
    }

    /// Somebody has come back with this key. The key for the next time, if this is the last one or the client may not have
    /// received the last one.
    fn resuming(&mut self, _key: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// The client has received the key that [`resuming`](Self::resuming) gave it.
    fn resumed(&mut self) {}

    /// When [`on_timeout`](Self::on_timeout) is to be called.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// That time has come. An error closes the connection.
    fn on_timeout(&mut self, _now: Instant) -> std::result::Result<(), CloseReason> {
        Ok(())
    }

    /// The connection is gone.
    fn closed(&mut self, reason: &CloseReason);
}

/// A message for an object of this process.
pub struct Local {
    /// The message.
    pub input: Input,
    /// The main object of the service it is addressed to; without one, only objects that were passed on this connection get it.
    pub object: Option<Object>,
    /// Is told of the answer, if the message is a call.
    pub answered: Option<Answered>,
}

/// Called when the answer to a call is about to be sent; `true` is a result, `false` an error or a cancellation.
pub type Answered = Box<dyn FnOnce(bool) + Send>;

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("input", &self.input).field("object", &self.object).finish_non_exhaustive()
    }
}

/// Says whether a client comes in.
#[derive(Debug)]
#[must_use = "the client waits for it"]
pub struct Verdict {
    slot: Arc<Mutex<Option<AuthOutcome>>>,
    sender: Sender,
}

impl Verdict {
    pub(crate) fn new(slot: Arc<Mutex<Option<AuthOutcome>>>, sender: Sender) -> Self {
        Self { slot, sender }
    }

    /// Tells the connection.
    pub fn give(self, outcome: AuthOutcome) {
        *self.slot.lock() = Some(outcome);
        self.sender.wake();
    }
}

/// One connection of a [`Front`]. Clones are the same.
#[derive(Debug, Clone)]
pub struct Client(Arc<Peer>);

impl Client {
    pub(crate) fn new(peer: Arc<Peer>) -> Self {
        Self(peer)
    }

    /// The connection's number in this process, as in [`CallContext::connection`](crate::CallContext::connection).
    pub fn id(&self) -> ConnectionId {
        self.0.id()
    }

    /// Where the client is.
    pub fn address(&self) -> &PeerAddress {
        self.0.sender().peer()
    }

    /// The certificate by which the client is known to TLS and its chain, verified; empty if it has shown none, and before the first
    /// message: [`Warden::judge`] is the place to ask.
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.0.sender().peer_certificates()
    }

    /// Sends frames to the client, whole and unchanged.
    pub fn sender(&self) -> &Sender {
        self.0.sender()
    }

    /// What both ends can do; nothing before the connection is open.
    pub fn shared(&self) -> SharedCapabilities {
        self.0.shared()
    }

    /// Has objects of this process serve a message that was kept back before.
    pub fn serve(&self, local: Local) {
        self.0.serve(local);
    }

    /// An object of this process that was passed to the client, by the ids it has on this connection.
    pub fn object(&self, service: ServiceId, object: ObjectId) -> Option<Object> {
        self.0.find(service, object)
    }

    /// Says what the client is shown of objects of this process: asked for each that passes to it, with the service by way of which
    /// it passes. Without, and of the main objects of services, it is shown everything. The first to say so counts.
    pub fn show_objects(&self, shown: impl Fn(ServiceId, &Arc<MetaObject>) -> Arc<MetaObject> + Send + Sync + 'static) {
        self.0.show_objects(Box::new(shown));
    }

    /// The main object of a service that the client hosts, reached over this connection (spec 7.13).
    pub async fn service(&self, id: ServiceId, uid: Option<ObjectUid>) -> Result<Proxy> {
        let remote = RemoteObject::of_service(self.0.clone(), id, uid, None).await?;
        Ok(Proxy::from_remote(Arc::new(remote)))
    }

    /// Closes the connection.
    pub fn close(&self, reason: CloseReason) {
        self.0.close(reason);
    }
}

/// How a [`Front`] serves.
#[derive(Debug, Clone)]
pub struct FrontSettings {
    /// What is announced to clients (spec 5.3).
    pub capabilities: CapabilityMap,
    /// How long a client may take to authenticate (spec 5.6).
    pub authentication_timeout: Duration,
    /// Connections of one address that have not authenticated (H9).
    pub unauthenticated_per_source: usize,
    /// Bytes a client may send over a carrier before it has authenticated (spec 2.8).
    pub unauthenticated_bytes: u32,
    /// The largest payload accepted, in bytes (spec 2.8).
    pub max_payload: u32,
    /// What may wait for a client that does not read.
    pub queue: QueueLimits,
    /// Of the sockets.
    pub socket: SocketOptions,
    /// The certificate, for `tcps`, `tcpsm` (spec 11) and `quic`.
    pub tls: Option<TlsServer>,
    /// After how long a silent client over `quic` is given up.
    pub quic_dead_after: Duration,
    /// How sessions over `quic` are kept, where wardens give keys to them.
    pub kept: Kept,
}

/// How a session over `quic` outlives its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// For how long it is kept without one.
    pub time: Duration,
    /// Events of a subscription that are kept to be replayed...
    pub events: usize,
    /// ...and their bytes.
    pub bytes: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Self { time: Duration::from_secs(60), events: 1024, bytes: 1 << 20 }
    }
}

impl Default for FrontSettings {
    fn default() -> Self {
        Self {
            capabilities: CapabilityMap::from_environment(),
            authentication_timeout: Duration::from_secs(10),
            unauthenticated_per_source: 1024,
            unauthenticated_bytes: keyway_session::UNAUTHENTICATED_MAX_PAYLOAD,
            max_payload: keyway_session::DEFAULT_MAX_PAYLOAD,
            queue: QueueLimits::default(),
            socket: SocketOptions::from_environment(),
            tls: None,
            quic_dead_after: Duration::from_secs(10),
            kept: Kept::default(),
        }
    }
}

/// An open listener whose connections are guarded. Dropping it closes them all.
pub struct Front {
    serving: Serving,
}

impl Front {
    /// Opens a listener on a URL; port 0 is a free one.
    pub async fn listen(url: &str, settings: FrontSettings, guard: Arc<dyn Guard>) -> Result<Self> {
        let settings = ServingSettings { front: settings, guard: Some(guard) };
        Ok(Self { serving: Serving::start(url, &settings, Arc::new(Host::default())).await? })
    }

    /// Where it is reached, as things are now.
    pub fn endpoints(&self) -> Vec<String> {
        self.serving.endpoints()
    }

    /// Closes the listener. Connections stay.
    pub fn stop_accepting(&self) {
        self.serving.stop_accepting();
    }

    /// Tells when [`endpoints`](Self::endpoints) change.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<Vec<String>> {
        self.serving.changes()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.stop();
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("serving", &self.serving).finish()
    }
}
