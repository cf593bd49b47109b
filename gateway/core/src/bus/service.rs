//! One service of a bus, with what is found out about it when it is first used.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use keyway::{IntoObject, Object, Proxy, Session, front::Client};
use keyway_pipe::ConnectionId;
use keyway_value::{MetaObject, ObjectUid, ServiceId, ServiceInfo};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::{access::Access, rules::InForce};

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
    proxy: Proxy,
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

    /// The gateway's own way to the service, once it has been described.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.described.get().map(|described| &described.proxy)
    }

    /// Finds a way to the service.
    pub(crate) async fn reach(&self, session: &Session) -> keyway::Result<Proxy> {
        match &self.place {
            Place::Inside(_) => session.service(&self.name).await,
            Place::Outside(client, uid) => client.service(self.id, *uid).await,
        }
    }

    /// Asks the service for its members, once.
    pub(crate) async fn describe(&self, session: &Session) -> keyway::Result<()> {
        let describe = async || {
            let proxy = self.reach(session).await?;
            Ok(Described { metaobject: proxy.metaobject(), proxy, object: OnceLock::new() })
        };
        self.described.get_or_try_init(describe).await.map(|_| ())
    }

    /// The object in this process that passes everything on; `None` before the service is described.
    pub(crate) fn object(&self) -> Option<Object> {
        let described = self.described.get()?;
        Some(described.object.get_or_init(|| described.proxy.clone().into_object()).clone())
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
