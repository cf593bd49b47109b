//! One service of a bus, with what is found out about it when it is first used.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use keyway::{Error, IntoObject, Object, Proxy, Session, front::Client};
use keyway_pipe::ConnectionId;
use keyway_value::{MetaObject, ObjectUid, ServiceId, ServiceInfo};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::Bus;
use crate::{access::Access, pauses::Pauses, rules::InForce};

/// A service that can be called.
pub(crate) struct Service {
    pub(crate) id: ServiceId,
    pub(crate) name: Arc<str>,
    pub(crate) place: Place,
    described: OnceCell<Described>,
    access: Mutex<HashMap<Arc<str>, Arc<Access>>>,
    translated: AtomicBool,
}

/// Where a service is.
pub(crate) enum Place {
    /// On the bus; this is what the directory knows of it.
    Inside(ServiceInfo),
    /// At a client of the gateway, reached over the connection on which it was registered (spec 7.13), with this identity.
    Outside(Client, Option<ObjectUid>),
}

struct Described {
    metaobject: Arc<MetaObject>,
    /// Over the connection that there was last.
    proxy: ArcSwap<Proxy>,
    /// What stands for it in this process, where frames are not just passed on.
    object: OnceLock<Object>,
}

impl Service {
    pub(crate) fn new(id: ServiceId, name: Arc<str>, place: Place) -> Self {
        Self {
            id,
            name,
            place,
            described: OnceCell::new(),
            access: Mutex::default(),
            translated: AtomicBool::new(false),
        }
    }

    /// Whether it is this client's own.
    pub(crate) fn is_hosted_by(&self, client: ConnectionId) -> bool {
        matches!(&self.place, Place::Outside(host, _) if host.id() == client)
    }

    /// Whether its host understands less than clients do, so that frames cannot just be passed on.
    pub(crate) fn is_translated(&self) -> bool {
        self.translated.load(Ordering::Relaxed)
    }

    /// Its host was found to understand less than a client.
    pub(crate) fn translate(&self) {
        self.translated.store(true, Ordering::Relaxed);
    }

    /// The gateway's own way to the service, which is found again when the connection to the host was lost and the service was not.
    pub(crate) async fn proxy(&self, session: Option<Session>) -> keyway::Result<Proxy> {
        let described = self.described.get();
        if let Some(proxy) = described.map(|described| described.proxy.load()).filter(|proxy| proxy.is_connected()) {
            return Ok(Proxy::clone(&proxy));
        }
        let proxy = self.reach(&session.ok_or(Error::NotConnected)?).await?;
        if let Some(described) = described {
            described.proxy.store(Arc::new(proxy.clone()));
        }
        Ok(proxy)
    }

    /// Finds a way to the service.
    async fn reach(&self, session: &Session) -> keyway::Result<Proxy> {
        match &self.place {
            Place::Inside(_) => {
                let proxy = session.service(&self.name).await?;
                // By now another one may have the name. What this process registered itself is not reached over a connection.
                let is_it = [self.id, ServiceId::SERVER].contains(&proxy.service_id());
                if is_it { Ok(proxy) } else { Err(Error::NotConnected) }
            }
            Place::Outside(client, uid) => client.service(self.id, *uid).await,
        }
    }

    /// Asks the service for its members, once.
    pub(crate) async fn describe(&self, session: &Session) -> keyway::Result<()> {
        let describe = async || {
            let proxy = self.reach(session).await?;
            let (metaobject, proxy) = (proxy.metaobject(), ArcSwap::from_pointee(proxy));
            Ok(Described { metaobject, proxy, object: OnceLock::new() })
        };
        self.described.get_or_try_init(describe).await.map(|_| ())
    }

    /// The object in this process that passes everything on, for as long as the service is there; `None` before the service is
    /// described.
    pub(crate) fn object(self: &Arc<Self>, bus: &Arc<Bus>) -> Option<Object> {
        let described = self.described.get()?;
        let stand_in = || {
            let proxy = described.proxy.load_full();
            let object = Proxy::clone(&proxy).into_object();
            tokio::spawn(keep_leading(Arc::downgrade(bus), Arc::downgrade(self), proxy.disconnected()));
            object
        };
        Some(described.object.get_or_init(stand_in).clone())
    }

    /// What a role may do with it; `None` before the service is described.
    pub(crate) fn access(&self, role: &Arc<str>, rules: &InForce) -> Option<Arc<Access>> {
        let described = self.described.get()?;
        let mut known = self.access.lock();
        if let Some(access) = known.get(role).filter(|access| access.generation == rules.generation) {
            return Some(access.clone());
        }
        let metaobject = described.metaobject.clone();
        let access = Arc::new(Access::new(rules, role, &self.name, metaobject));
        known.retain(|_, access| access.generation == rules.generation);
        known.insert(role.clone(), access.clone());
        Some(access)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Leads what stands for a service to it again whenever the connection to its host is lost, until the service is gone.
async fn keep_leading(bus: Weak<Bus>, service: Weak<Service>, lost: impl Future<Output = String>) {
    let mut why = lost.await;
    let mut pauses = Pauses::default();
    loop {
        tokio::time::sleep(pauses.next(Instant::now())).await;
        let (Some(bus), Some(service)) = (bus.upgrade(), service.upgrade()) else { return };
        if !bus.has(&service) {
            return;
        }
        let led = async {
            let proxy = service.proxy(bus.session()).await?;
            if let Some(object) = service.object(&bus) {
                object.redirect(&proxy).await?;
            }
            Ok::<_, Error>(proxy)
        };
        match led.await {
            Ok(proxy) => {
                tracing::info!(service = %service.name, why, "the connection to a service's host was lost; there is a new one");
                let lost = proxy.disconnected();
                drop((proxy, service, bus));
                why = lost.await;
            }
            Err(error) => tracing::debug!(service = %service.name, %error, "a service's host is not reached again yet"),
        }
    }
}
