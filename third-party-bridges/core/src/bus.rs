//! The link to the directory as fronts see it.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    sync::Arc,
};

use keyway::{Object, Session, SessionBuilder};
use tokio::{sync::watch, task::AbortHandle};

use crate::{CallError, Hosted, NameTaken, OptIn, Peer, Rules, Service, follow::Link, hosted, traffic::Traffic};

/// The services that are shown, by name, at one moment.
pub type Snapshot = Arc<BTreeMap<String, Arc<Service>>>;

/// The link to a directory or gateway: it comes back for ever, and knows which services are shown. Clones are the same link.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    traffic: Arc<Traffic>,
    services: watch::Receiver<Snapshot>,
    session: watch::Receiver<Option<Session>>,
    settled: watch::Receiver<bool>,
    reloads: watch::Sender<()>,
    link: AbortHandle,
}

impl Bus {
    /// Begins to connect to `url`, of any scheme of the SDK, as whom and with which trust `builder` says.
    pub fn start(_: &OptIn, url: &str, builder: SessionBuilder, rules: Rules) -> Self {
        let traffic = Arc::new(Traffic::new(rules));
        let (shown, services) = watch::channel(Snapshot::default());
        let (session, sessions) = watch::channel(None);
        let (settled, has_settled) = watch::channel(false);
        let (reloads, reloaded) = watch::channel(());
        let link = Link { url: url.to_owned(), builder, traffic: traffic.clone(), session, settled, reloads: reloaded };
        let link = tokio::spawn(link.run(shown)).abort_handle();
        Self(Arc::new(Inner { traffic, services, session: sessions, settled: has_settled, reloads, link }))
    }

    /// The services that are shown, now and as they change. A service that is another one than before is another [`Service`].
    pub fn services(&self) -> watch::Receiver<Snapshot> {
        self.0.services.clone()
    }

    /// A service that is shown, by its name.
    pub fn find(&self, service: &str) -> Result<Arc<Service>, CallError> {
        self.0.services.borrow().get(service).cloned().ok_or(CallError::NotExposed)
    }

    /// A service that a rule of the configuration names, whether it is shown or not, with all its members. It is the service as it is
    /// now: when calls find it [gone](CallError::Gone), it is to be asked for again.
    pub async fn named(&self, service: &str) -> Result<Arc<Service>, CallError> {
        let gone = || CallError::Gone(service.to_owned());
        let session = self.0.session.borrow().clone().ok_or_else(gone)?;
        let proxy = session.service(service).await.map_err(|_| gone())?;
        Ok(Arc::new(Service::new(service, proxy.metaobject().as_ref().clone(), proxy)))
    }

    /// When the directory was reached and all services that are to be shown have described themselves, for the first time.
    pub async fn settled(&self) {
        // It ends with the link, and then there is nothing to wait for.
        let _ = self.0.settled.clone().wait_for(|settled| *settled).await;
    }

    /// Whether the directory is reached now.
    pub fn is_connected(&self) -> bool {
        self.0.session.borrow().is_some()
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        self.0.traffic.rules.load_full()
    }

    /// Other rules from now on. Peers stay connected; services that are not shown any more, or with other members, are withdrawn.
    pub fn reload(&self, rules: Rules) {
        self.0.traffic.rules.store(Arc::new(rules));
        self.0.reloads.send_replace(());
    }

    /// For the calls of one connection of a front: `front` is the front's name, `name` who the peer says it is.
    pub fn peer(&self, front: &'static str, name: &str, address: impl Display) -> Peer {
        Peer::new(self.0.traffic.clone(), front, name, &address.to_string())
    }

    /// Hosts a service on the bus: what a front imports from its world. Waits for the directory if there is none. Nobody's name is
    /// taken away; after the directory was lost, the service is registered again as soon as its name is free.
    pub async fn register(&self, name: &str, object: Object) -> Result<Hosted, NameTaken> {
        hosted::register(name, object, self.0.session.clone()).await
    }

    /// Leaves the bus: imported services are gone, calls fail.
    pub async fn close(&self) {
        self.0.link.abort();
        let session = self.0.session.borrow().clone();
        if let Some(session) = session {
            session.close().await;
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.link.abort();
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("is_connected", &self.is_connected()).finish_non_exhaustive()
    }
}
