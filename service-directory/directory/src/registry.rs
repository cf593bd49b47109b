//! The registry.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use keyway_value::{QiString, ServiceId, ServiceInfo};
use keyway_wire::Endpoint;

use crate::{DirectoryError, endpoints};

/// Who registers: a connection, or 0 for the directory's own process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner(pub u64);

impl Owner {
    /// The directory's own process.
    pub const DIRECTORY: Self = Self(0);
}

/// Settings of a registry.
#[derive(Debug, Clone)]
pub struct DirectoryConfig {
    /// The machine, as in ServiceInfos of programs on it (1.11).
    pub machine_id: String,
    /// The directory's process.
    pub process_id: u32,
    /// Whether anybody may change anything, as in libqi (7.12).
    pub permissive: bool,
    /// Services of one owner.
    pub max_services: usize,
    /// Endpoints of one service.
    pub max_endpoints: usize,
}

impl Default for DirectoryConfig {
    fn default() -> Self {
        Self { machine_id: String::new(), process_id: 0, permissive: false, max_services: 1024, max_endpoints: 64 }
    }
}

/// What is to be announced to subscribers, before the request is answered (7.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A service is ready.
    Added {
        /// Its id.
        id: ServiceId,
        /// Its name.
        name: String,
    },
    /// A service is gone.
    Removed {
        /// Its id.
        id: ServiceId,
        /// Its name.
        name: String,
    },
}

/// All services, ready and pending.
#[derive(Debug)]
pub struct Registry {
    config: DirectoryConfig,
    services: BTreeMap<ServiceId, Entry>,
    names: HashMap<QiString, ServiceId>,
    owned: HashMap<Owner, usize>,
    last: u32,
}

#[derive(Debug)]
struct Entry {
    info: ServiceInfo,
    endpoints: BTreeSet<Endpoint>,
    owner: Owner,
    ready: bool,
    /// The directory passes its calls on.
    relayed: bool,
}

impl Registry {
    /// A registry that holds the directory itself (7.1).
    pub fn new(config: DirectoryConfig) -> Self {
        let info = ServiceInfo {
            name: NAME.into(),
            service_id: ServiceId::DIRECTORY,
            machine_id: config.machine_id.as_str().into(),
            process_id: config.process_id,
            session_id: "0".into(),
            ..ServiceInfo::default()
        };
        let entry = Entry { info, endpoints: BTreeSet::new(), owner: Owner::DIRECTORY, ready: true, relayed: false };
        Self {
            config,
            services: BTreeMap::from([(ServiceId::DIRECTORY, entry)]),
            names: HashMap::from([(NAME.into(), ServiceId::DIRECTORY)]),
            owned: HashMap::new(),
            last: ServiceId::DIRECTORY.0,
        }
    }

    /// Where the directory listens.
    pub fn own_endpoints(&self) -> Vec<String> {
        let own = self.services.get(&ServiceId::DIRECTORY);
        own.map(|entry| entry.endpoints.iter().map(|endpoint| endpoint.as_str().to_owned()).collect())
            .unwrap_or_default()
    }

    /// Says where the directory listens; services of its process are reached there too.
    pub fn set_endpoints(&mut self, given: &[String]) -> Result<(), DirectoryError> {
        let endpoints = endpoints::absolute(given, self.config.max_endpoints)?;
        for entry in self.services.values_mut().filter(|entry| entry.owner == Owner::DIRECTORY || entry.relayed) {
            entry.endpoints.clone_from(&endpoints);
        }
        Ok(())
    }

    /// Reserves a name and gives an id, never used before (7.1, 7.2, 7.4).
    pub fn register(&mut self, owner: Owner, info: ServiceInfo) -> Result<ServiceId, DirectoryError> {
        let length = info.name.as_bytes().len();
        let Some(name) = info.name.to_str().ok().filter(|_| length <= MAX_NAME) else {
            return Err(DirectoryError::InvalidName(length));
        };
        if let Some(id) = self.names.get(&info.name) {
            return Err(DirectoryError::Conflict { name: name.to_owned(), id: *id });
        }
        let limit = self.config.max_services;
        if owner != Owner::DIRECTORY && self.owned.get(&owner).is_some_and(|count| *count >= limit) {
            return Err(DirectoryError::TooMany { what: "services of one connection", limit });
        }
        let endpoints = endpoints::absolute(&info.endpoints, self.config.max_endpoints)?;
        self.last += 1;
        let id = ServiceId(self.last);
        *self.owned.entry(owner).or_default() += 1;
        self.names.insert(info.name.clone(), id);
        let info = ServiceInfo { service_id: id, ..info };
        self.services.insert(id, Entry { info, endpoints, owner, ready: false, relayed: false });
        Ok(id)
    }

    /// Shows a reserved service to everybody (7.2).
    pub fn ready(&mut self, owner: Owner, id: ServiceId) -> Result<Change, DirectoryError> {
        let permissive = self.config.permissive;
        let entry = self.services.get_mut(&id).filter(|entry| !entry.ready).ok_or(DirectoryError::NotPending(id))?;
        check_owner(permissive, entry, owner, id)?;
        entry.ready = true;
        Ok(Change::Added { id, name: entry.info.name.to_string() })
    }

    /// Removes a service, ready or pending (7.6). The directory itself stays (7.12).
    pub fn unregister(&mut self, owner: Owner, id: ServiceId) -> Result<Change, DirectoryError> {
        let entry = self.services.get(&id).ok_or(DirectoryError::UnregisterUnknown(id))?;
        if id == ServiceId::DIRECTORY {
            return Err(DirectoryError::NotOwner(id));
        }
        check_owner(self.config.permissive, entry, owner, id)?;
        self.remove(id).ok_or(DirectoryError::UnregisterUnknown(id))
    }

    /// Changes endpoints of a session's services, and a service's entry; its name, id and owner stay (7.7, 7.12, H6).
    pub fn update(&mut self, owner: Owner, info: ServiceInfo) -> Result<(), DirectoryError> {
        let id = info.service_id;
        let permissive = self.config.permissive;
        let entry = self.services.get(&id).ok_or(DirectoryError::UpdateUnknown(id))?;
        if id == ServiceId::DIRECTORY && owner != Owner::DIRECTORY {
            return Err(DirectoryError::NotOwner(id));
        }
        check_owner(permissive, entry, owner, id)?;
        let endpoints = endpoints::absolute(&info.endpoints, self.config.max_endpoints)?;
        for entry in self.services.values_mut() {
            let same_session = entry.info.session_id == info.session_id && (permissive || entry.owner == owner);
            if entry.ready && same_session && entry.info.service_id != ServiceId::DIRECTORY {
                entry.endpoints.clone_from(&endpoints);
                entry.relayed = false;
            }
        }
        if let Some(entry) = self.services.get_mut(&id) {
            entry.info = ServiceInfo { name: entry.info.name.clone(), service_id: id, ..info };
            entry.endpoints = endpoints;
            entry.relayed = false;
        }
        Ok(())
    }

    /// Removes everything an owner registered, in the order of registration (7.8).
    pub fn disconnect(&mut self, owner: Owner) -> Vec<Change> {
        if owner == Owner::DIRECTORY || !self.owned.contains_key(&owner) {
            return Vec::new();
        }
        let ids: Vec<_> = self.services.iter().filter(|(_, entry)| entry.owner == owner).map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// A ready service, as a client sees it; `relative` if it understands relative endpoints.
    pub fn service(&self, name: &QiString, relative: bool) -> Result<ServiceInfo, DirectoryError> {
        let id = self.names.get(name).ok_or_else(|| DirectoryError::Unknown(name.to_string()))?;
        let entry = self.services.get(id).filter(|entry| entry.ready);
        let entry = entry.ok_or_else(|| DirectoryError::Pending(name.to_string()))?;
        Ok(self.shown(entry, relative))
    }

    /// All ready services.
    pub fn services(&self, relative: bool) -> Vec<ServiceInfo> {
        self.services.values().filter(|entry| entry.ready).map(|entry| self.shown(entry, relative)).collect()
    }

    /// Whether nobody can connect to the host of a pending service.
    pub fn is_unreachable(&self, id: ServiceId) -> bool {
        self.services.get(&id).is_some_and(|entry| !entry.ready && entry.endpoints.is_empty())
    }

    /// Shows a service where the directory itself is reached: the directory passes its calls on.
    pub fn relay(&mut self, id: ServiceId) {
        let Some(own) = self.services.get(&ServiceId::DIRECTORY) else { return };
        let (endpoints, machine_id) = (own.endpoints.clone(), own.info.machine_id.clone());
        if let Some(entry) = self.services.get_mut(&id) {
            entry.endpoints = endpoints;
            entry.info.machine_id = machine_id;
            entry.relayed = true;
        }
    }

    /// Who registered a service.
    pub fn owner_of(&self, id: ServiceId) -> Option<Owner> {
        self.services.get(&id).map(|entry| entry.owner)
    }

    /// The entry of a service, ready or not, as it was registered.
    pub fn info(&self, id: ServiceId) -> Option<&ServiceInfo> {
        self.services.get(&id).map(|entry| &entry.info)
    }

    fn shown(&self, entry: &Entry, relative: bool) -> ServiceInfo {
        let ready = self.services.values().filter(|other| relative && other.ready);
        let others = ready.filter_map(|other| Some((other.info.name.to_str().ok()?, &other.endpoints)));
        let endpoints = endpoints::shown(&entry.endpoints, others);
        ServiceInfo { endpoints, ..entry.info.clone() }
    }

    fn remove(&mut self, id: ServiceId) -> Option<Change> {
        let entry = self.services.remove(&id)?;
        self.names.remove(&entry.info.name);
        if let Some(count) = self.owned.get_mut(&entry.owner) {
            *count -= 1;
            if *count == 0 {
                self.owned.remove(&entry.owner);
            }
        }
        Some(Change::Removed { id, name: entry.info.name.to_string() })
    }
}

fn check_owner(permissive: bool, entry: &Entry, owner: Owner, id: ServiceId) -> Result<(), DirectoryError> {
    if permissive || owner == entry.owner { Ok(()) } else { Err(DirectoryError::NotOwner(id)) }
}

const NAME: &str = "ServiceDirectory";
/// Bytes of a service name (7.9).
const MAX_NAME: usize = 255;

#[cfg(test)]
mod tests;
