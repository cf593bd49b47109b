//! Ports: a listener each, with the connections that come to it and those that leave it (spec 3).

mod accepted;
mod dial;
mod link;
mod output;
mod queue;
mod requests;

use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use keyway_bridge::{NetworkError, Peer};
use keyway_yarp_wire::{Bottle, Message};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) use self::{
    dial::{DialError, Dialling, dial},
    link::{Links, Way},
    output::Outputs,
};
use crate::shared::Shared;

/// A port that is open; it closes when this is dropped.
#[derive(Debug)]
pub(crate) struct Port {
    inner: Arc<Inner>,
    _open: watch::Sender<()>,
}

/// What is done with what comes to a port.
pub(crate) trait Reader: Send + Sync + 'static {
    /// Takes a message over; the bottle is the reply, if one is wanted.
    fn read<'a>(&'a self, message: Data, peer: &'a Peer) -> Pin<Box<dyn Future<Output = Bottle> + Send + 'a>>;
}

/// A message with data.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) bottle: Bottle,
    pub(crate) envelope: String,
}

/// What a port is for.
pub(crate) struct Purpose {
    /// What reads the data that come; without it they are dropped.
    pub(crate) reader: Option<Box<dyn Reader>>,
    /// What is sent, if the port sends.
    pub(crate) outputs: Option<Outputs>,
}

pub(crate) struct Inner {
    name: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    purpose: Purpose,
    links: Links,
    connections: Arc<AtomicUsize>,
    next_id: AtomicU64,
    /// Tells connections that the port closes.
    open: watch::Receiver<()>,
}

impl Port {
    /// Listens, and has the name server know.
    pub(crate) async fn open(shared: &Arc<Shared>, name: &str, purpose: Purpose) -> Result<Self, NetworkError> {
        let listener = listen(shared).await?;
        let address =
            listener.local_addr().map_err(|source| NetworkError::Listen { address: name.to_owned(), source })?;
        let (keep_open, open) = watch::channel(());
        let inner = Arc::new(Inner {
            name: name.to_owned(),
            address,
            shared: shared.clone(),
            purpose,
            links: Links::default(),
            connections: Arc::default(),
            next_id: AtomicU64::new(0),
            open,
        });
        tokio::spawn(accepted::accept(inner.clone(), listener));
        shared.registrar.add(name, address);
        let port = Self { inner, _open: keep_open };
        shared.urls.lock().insert(port.url());
        tracing::info!(port = name, %address, "a YARP port listens");
        Ok(port)
    }

    /// `yarp://host:port/name`
    fn url(&self) -> String {
        format!("yarp://{}{}", self.inner.address, self.inner.name)
    }

    /// What is connected to it.
    pub(crate) fn links(&self) -> &Links {
        &self.inner.links
    }

    /// For tasks that work with the port while it is open.
    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.inner.shared.registrar.remove(&self.inner.name);
        self.inner.shared.urls.lock().remove(&self.url());
    }
}

impl Inner {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it sends, if it sends.
    pub(crate) fn outputs(&self) -> Option<&Outputs> {
        self.purpose.outputs.as_ref()
    }

    /// As ports are described: what listens on all addresses is reached on this machine's.
    fn contact(&self) -> String {
        let host = match self.address.ip() {
            ip if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
            ip => ip,
        };
        format!("tcp://{host}:{}/", self.address.port())
    }

    fn id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Until the port closes.
    async fn closed(&self) {
        // Nothing is ever sent: it changes by its end.
        let _ = self.open.clone().changed().await;
    }

    async fn read(&self, bottle: Bottle, message: &Message, peer: &Peer) -> Bottle {
        let Some(reader) = &self.purpose.reader else {
            return Bottle::fail("not allowed: this port only sends");
        };
        let envelope = message.envelope.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        reader.read(Data { bottle, envelope }, peer).await
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("name", &self.name).field("address", &self.address).finish_non_exhaustive()
    }
}

/// A free port. Those that name servers give out are left alone (NS-2).
async fn listen(shared: &Shared) -> Result<TcpListener, NetworkError> {
    let address = format!("{}:0", shared.options.bind);
    loop {
        let listener = shared.opt_in.listen(&address).await?;
        match listener.local_addr() {
            Ok(given) if GIVEN_OUT.contains(&given.port()) => {}
            _ => return Ok(listener),
        }
    }
}

/// Small messages are not held back, and a machine that is gone is noticed some time.
fn tune(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 6);
    let tuned = stream.set_nodelay(true).and_then(|()| SockRef::from(stream).set_tcp_keepalive(&keepalive));
    if let Err(error) = tuned {
        tracing::debug!(%error, "a connection is not tuned");
    }
}

const GIVEN_OUT: std::ops::RangeInclusive<u16> = 10000..=10999;
const KEEPALIVE: std::time::Duration = std::time::Duration::from_secs(60);
