//! Which services the directory has, and which of them are shown.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use keyway::{Proxy, ServiceId};
use tokio::{sync::watch, time::Instant};

use crate::{Exposure, Service, bus::Snapshot};

/// What is known of the bus. It outlives connections: services that are lost with one stay shown for a moment.
#[derive(Debug)]
pub(crate) struct Roster {
    /// All services of the directory by name.
    listed: HashMap<String, Listed>,
    /// When services whose host is gone are no longer shown.
    lingering: HashMap<String, Instant>,
    shown: watch::Sender<Snapshot>,
}

#[derive(Debug)]
struct Listed {
    id: ServiceId,
    /// Once it has described itself.
    proxy: Option<Proxy>,
}

impl Roster {
    pub(crate) fn new(shown: watch::Sender<Snapshot>) -> Self {
        Self { listed: HashMap::new(), lingering: HashMap::new(), shown }
    }

    /// The directory has these services, and no others.
    pub(crate) fn list(&mut self, services: &[(String, ServiceId)]) {
        let has = |name: &str, id| services.iter().any(|(other, other_id)| other == name && *other_id == id);
        let gone: Vec<_> =
            self.listed.iter().filter(|(name, known)| !has(name, known.id)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.forget(&name);
        }
        for (name, id) in services {
            self.add(name, *id);
        }
    }

    /// A service is there, perhaps another one than before.
    pub(crate) fn add(&mut self, name: &str, id: ServiceId) {
        if self.listed.get(name).is_none_or(|known| known.id != id) {
            self.forget(name);
            self.listed.insert(name.to_owned(), Listed { id, proxy: None });
        }
    }

    pub(crate) fn remove(&mut self, name: &str, id: ServiceId) {
        if self.listed.get(name).is_some_and(|known| known.id == id) {
            self.forget(name);
        }
    }

    /// Services whose hosts cannot be reached any more are to describe themselves again.
    pub(crate) fn check_connections(&mut self) {
        let is_lost = |known: &Listed| known.proxy.as_ref().is_some_and(|proxy| !proxy.is_connected());
        let lost: Vec<_> =
            self.listed.iter().filter(|(_, known)| is_lost(known)).map(|(name, _)| name.clone()).collect();
        for name in lost {
            if let Some(known) = self.listed.get_mut(&name) {
                known.proxy = None;
            }
            self.unlink(&name);
        }
    }

    /// The directory is gone, and everything with it.
    pub(crate) fn clear(&mut self) {
        let names: Vec<_> = self.listed.keys().cloned().collect();
        for name in names {
            self.forget(&name);
        }
    }

    /// What has to describe itself to be shown.
    pub(crate) fn unknown(&self, exposure: &Exposure) -> Vec<(String, ServiceId)> {
        let unknown = self.listed.iter().filter(|(name, known)| known.proxy.is_none() && exposure.service(name));
        unknown.map(|(name, known)| (name.clone(), known.id)).collect()
    }

    /// A service has described itself.
    pub(crate) fn described(&mut self, name: &str, id: ServiceId, proxy: &Proxy, exposure: &Exposure) {
        if let Some(known) = self.listed.get_mut(name).filter(|known| known.id == id) {
            known.proxy = Some(proxy.clone());
            self.show(name, proxy, exposure);
        }
    }

    /// Shows what is shown now, after the rules have changed.
    pub(crate) fn judge_again(&mut self, exposure: &Exposure) {
        let known: Vec<_> =
            self.listed.iter().filter_map(|(name, known)| Some((name.clone(), known.proxy.clone()?))).collect();
        for (name, proxy) in known {
            self.show(&name, &proxy, exposure);
        }
        let hidden: Vec<_> = self.shown.borrow().keys().filter(|name| !exposure.service(name)).cloned().collect();
        for name in hidden {
            self.withdraw(&name);
        }
    }

    /// When the next service is to be withdrawn.
    pub(crate) fn next_withdrawal(&self) -> Option<Instant> {
        self.lingering.values().min().copied()
    }

    pub(crate) fn withdraw_due(&mut self, now: Instant) {
        let due: Vec<_> = self.lingering.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect();
        for name in due {
            self.withdraw(&name);
        }
    }

    fn forget(&mut self, name: &str) {
        if self.listed.remove(name).is_some() {
            self.unlink(name);
        }
    }

    /// Calls to it fail from now on; it is shown a little longer.
    fn unlink(&mut self, name: &str) {
        let service = self.shown.borrow().get(name).cloned();
        if let Some(service) = service {
            service.relink(None);
            self.lingering.insert(name.to_owned(), Instant::now() + LINGER);
        }
    }

    fn show(&mut self, name: &str, proxy: &Proxy, exposure: &Exposure) {
        if !exposure.service(name) {
            return;
        }
        let members = exposure.filter(name, &proxy.metaobject());
        let shown = self.shown.borrow().get(name).cloned();
        self.lingering.remove(name);
        match shown {
            Some(service) if *service.members() == members => {
                if !service.is_connected() {
                    service.relink(Some(proxy.clone()));
                }
            }
            other => {
                let service = Arc::new(Service::new(name, members, proxy.clone()));
                tracing::info!(service = name, "shown by the bridge");
                self.change(|all| all.insert(name.to_owned(), service));
                if let Some(other) = other {
                    other.withdraw();
                }
            }
        }
    }

    fn withdraw(&mut self, name: &str) {
        self.lingering.remove(name);
        let mut gone = None;
        self.change(|all| gone = all.remove(name));
        if let Some(service) = gone {
            tracing::info!(service = name, "no longer shown by the bridge");
            service.withdraw();
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Arc<Service>>) -> T) {
        self.shown.send_modify(|all| {
            change(Arc::make_mut(all));
        });
    }
}

impl Drop for Roster {
    fn drop(&mut self) {
        let names: Vec<_> = self.shown.borrow().keys().cloned().collect();
        for name in names {
            self.withdraw(&name);
        }
    }
}

/// How long a service that is gone is shown: others need not notice a host that is restarted.
const LINGER: Duration = Duration::from_secs(1);
