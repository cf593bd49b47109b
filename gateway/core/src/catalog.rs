//! The services of a bus as the clients of the gateway see them (spec 12.3, 12.5): ids, names and identities are those inside,
//! addresses are the gateway's own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use keyway_directory::{DirectoryError, endpoints};
use keyway_pipe::ConnectionId;
use keyway_value::{ObjectUid, QiString, ServiceId, ServiceInfo};
use keyway_wire::Endpoint;

/// What clients are told of the gateway itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Front {
    pub(crate) machine_id: QiString,
    pub(crate) process_id: u32,
    pub(crate) session_id: QiString,
    pub(crate) endpoints: BTreeSet<Endpoint>,
}

/// Services, those inside and those that clients registered.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    front: Front,
    services: BTreeMap<ServiceId, Entry>,
    names: HashMap<QiString, ServiceId>,
}

#[derive(Debug)]
struct Entry {
    info: ServiceInfo,
    outside: Option<Outside>,
    ready: bool,
}

/// What a client said of its service. Only the client itself is told so again.
#[derive(Debug)]
struct Outside {
    owner: ConnectionId,
    endpoints: BTreeSet<Endpoint>,
}

/// Something to be announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) added: bool,
    pub(crate) id: ServiceId,
    pub(crate) name: QiString,
}

impl Catalog {
    pub(crate) fn new(front: Front) -> Self {
        Self { front, ..Self::default() }
    }

    /// Sets where the gateway is reached.
    pub(crate) fn set_endpoints(&mut self, given: &[String]) {
        self.front.endpoints = given.iter().filter_map(|text| Endpoint::parse(text).ok()).collect();
    }

    /// A service is there; `info` is what the directory says of it.
    pub(crate) fn added(&mut self, info: ServiceInfo) -> Option<Announcement> {
        let id = info.service_id;
        if id == ServiceId::DIRECTORY {
            return None;
        }
        if let Some(entry) = self.services.get_mut(&id) {
            return ready(id, entry);
        }
        // A name that somebody else still has was freed without our hearing of it.
        let name = info.name.clone();
        self.names.insert(name.clone(), id);
        self.services.insert(id, Entry { info, outside: None, ready: true });
        Some(Announcement { added: true, id, name })
    }

    /// A client has registered a service, which is not ready yet.
    pub(crate) fn reserved(
        &mut self,
        owner: ConnectionId,
        id: ServiceId,
        info: ServiceInfo,
        endpoints: BTreeSet<Endpoint>,
    ) {
        self.names.insert(info.name.clone(), id);
        let info = ServiceInfo { service_id: id, ..info };
        self.services.insert(id, Entry { info, outside: Some(Outside { owner, endpoints }), ready: false });
    }

    /// A client's service is ready. Nothing is to be announced if that was known.
    pub(crate) fn ready(&mut self, id: ServiceId) -> Option<Announcement> {
        self.services.get_mut(&id).and_then(|entry| ready(id, entry))
    }

    /// A service is gone, ready or not.
    pub(crate) fn removed(&mut self, id: ServiceId) -> Option<Announcement> {
        let entry = self.services.remove(&id)?;
        let name = entry.info.name;
        if self.names.get(&name) == Some(&id) {
            self.names.remove(&name);
        }
        Some(Announcement { added: false, id, name })
    }

    /// What a client says of its services is changed (spec 7.7).
    pub(crate) fn updated(&mut self, owner: ConnectionId, info: ServiceInfo) -> Result<(), DirectoryError> {
        let id = info.service_id;
        self.check_owner(owner, id, || DirectoryError::UpdateUnknown(id))?;
        let endpoints = endpoints::absolute(&info.endpoints, MAX_ENDPOINTS)?;
        for entry in self.services.values_mut().filter(|entry| entry.ready) {
            if let Some(outside) = entry.outside.as_mut().filter(|outside| outside.owner == owner)
                && entry.info.session_id == info.session_id
            {
                outside.endpoints.clone_from(&endpoints);
            }
        }
        if let Some(entry) = self.services.get_mut(&id) {
            entry.info = ServiceInfo { name: entry.info.name.clone(), service_id: id, ..info };
            if let Some(outside) = &mut entry.outside {
                outside.endpoints = endpoints;
            }
        }
        Ok(())
    }

    /// Whether a client may change a service: its own, nothing else (spec 7.12).
    pub(crate) fn check_owner(
        &self,
        owner: ConnectionId,
        id: ServiceId,
        unknown: impl FnOnce() -> DirectoryError,
    ) -> Result<(), DirectoryError> {
        match self.services.get(&id) {
            Some(Entry { outside: Some(outside), .. }) if outside.owner == owner => Ok(()),
            Some(_) => Err(DirectoryError::NotOwner(id)),
            None if id == ServiceId::DIRECTORY => Err(DirectoryError::NotOwner(id)),
            None => Err(unknown()),
        }
    }

    /// Whether a client's service waits to be made ready.
    pub(crate) fn check_pending(
        &self,
        owner: ConnectionId,
        id: ServiceId,
    ) -> Result<(QiString, Option<ObjectUid>), DirectoryError> {
        match self.services.get(&id).filter(|entry| !entry.ready) {
            Some(entry) if entry.outside.as_ref().is_some_and(|outside| outside.owner == owner) => {
                Ok((entry.info.name.clone(), uid(&entry.info)))
            }
            Some(_) => Err(DirectoryError::NotOwner(id)),
            None => Err(DirectoryError::NotPending(id)),
        }
    }

    /// The id of a service that is ready.
    pub(crate) fn id(&self, name: &QiString) -> Option<ServiceId> {
        let id = self.names.get(name)?;
        self.services.get(id).filter(|entry| entry.ready).map(|_| *id)
    }

    /// The name of a service, ready or not.
    pub(crate) fn name(&self, id: ServiceId) -> Option<&QiString> {
        self.services.get(&id).map(|entry| &entry.info.name)
    }

    /// Whether a service has this id, ready or not.
    pub(crate) fn knows(&self, id: ServiceId) -> bool {
        self.services.contains_key(&id)
    }

    /// All ids, of services ready or not.
    pub(crate) fn ids(&self) -> Vec<ServiceId> {
        self.services.keys().copied().collect()
    }

    /// The services that a client registered, in that order.
    pub(crate) fn owned_by(&self, owner: ConnectionId) -> Vec<ServiceId> {
        let owned = |entry: &Entry| entry.outside.as_ref().is_some_and(|outside| outside.owner == owner);
        self.services.iter().filter(|(_, entry)| owned(entry)).map(|(id, _)| *id).collect()
    }

    /// The clients that have registered services.
    pub(crate) fn owners(&self) -> BTreeSet<ConnectionId> {
        self.services.values().filter_map(|entry| entry.outside.as_ref()).map(|outside| outside.owner).collect()
    }

    /// All ready services, as the directory inside tells of them or their client did.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&ServiceInfo, Option<ConnectionId>)> {
        let ready = self.services.values().filter(|entry| entry.ready);
        ready.map(|entry| (&entry.info, entry.outside.as_ref().map(|outside| outside.owner)))
    }

    /// A ready service as a client is told of it; `visible` says of which names it may know.
    pub(crate) fn service(
        &self,
        name: &QiString,
        asker: Option<ConnectionId>,
        relative: bool,
        visible: impl Fn(&str) -> bool,
    ) -> Result<ServiceInfo, DirectoryError> {
        if name.as_bytes() == DIRECTORY.as_bytes() {
            return Ok(self.own(relative));
        }
        let unknown = || DirectoryError::Unknown(name.to_string());
        let entry = self.names.get(name).and_then(|id| self.services.get(id)).ok_or_else(unknown)?;
        if !self.is_visible(entry, asker, &visible) {
            return Err(unknown());
        }
        if !entry.ready {
            return Err(DirectoryError::Pending(name.to_string()));
        }
        Ok(self.shown(entry, asker, relative))
    }

    /// All ready services that a client may know of.
    pub(crate) fn services(
        &self,
        asker: Option<ConnectionId>,
        relative: bool,
        visible: impl Fn(&str) -> bool,
    ) -> Vec<ServiceInfo> {
        let ready = self.services.values().filter(|entry| entry.ready && self.is_visible(entry, asker, &visible));
        std::iter::once(self.own(relative)).chain(ready.map(|entry| self.shown(entry, asker, relative))).collect()
    }

    fn is_visible(&self, entry: &Entry, asker: Option<ConnectionId>, visible: &impl Fn(&str) -> bool) -> bool {
        let own = entry.outside.as_ref().is_some_and(|outside| Some(outside.owner) == asker);
        own || visible(&entry.info.name.to_string_lossy())
    }

    /// The gateway's own entry.
    fn own(&self, relative: bool) -> ServiceInfo {
        ServiceInfo {
            name: DIRECTORY.into(),
            service_id: ServiceId::DIRECTORY,
            session_id: "0".into(),
            endpoints: self.own_endpoints(DIRECTORY, relative),
            ..self.of_front()
        }
    }

    fn of_front(&self) -> ServiceInfo {
        ServiceInfo {
            machine_id: self.front.machine_id.clone(),
            process_id: self.front.process_id,
            session_id: self.front.session_id.clone(),
            ..ServiceInfo::default()
        }
    }

    /// Everything is reached where the gateway is: over the connection that is there already.
    fn own_endpoints(&self, name: &str, relative: bool) -> Vec<String> {
        let own = &self.front.endpoints;
        let through = [DIRECTORY, name].map(|service| (service, own));
        endpoints::shown(own, through.into_iter().filter(|_| relative))
    }

    fn shown(&self, entry: &Entry, asker: Option<ConnectionId>, relative: bool) -> ServiceInfo {
        let info = &entry.info;
        match &entry.outside {
            Some(outside) if Some(outside.owner) == asker => {
                let own = self.services.values().filter(|other| other.ready && relative).filter_map(|other| {
                    let theirs = other.outside.as_ref().filter(|theirs| theirs.owner == outside.owner)?;
                    Some((other.info.name.to_str().ok()?, &theirs.endpoints))
                });
                ServiceInfo { endpoints: endpoints::shown(&outside.endpoints, own), ..info.clone() }
            }
            _ => ServiceInfo {
                name: info.name.clone(),
                service_id: info.service_id,
                object_uid: info.object_uid.clone(),
                endpoints: self.own_endpoints(&info.name.to_string_lossy(), relative),
                ..self.of_front()
            },
        }
    }
}

fn ready(id: ServiceId, entry: &mut Entry) -> Option<Announcement> {
    let news = !std::mem::replace(&mut entry.ready, true);
    news.then(|| Announcement { added: true, id, name: entry.info.name.clone() })
}

/// The identity in an entry of a directory; older hosts give none.
pub(crate) fn uid(info: &ServiceInfo) -> Option<ObjectUid> {
    <[u8; 20]>::try_from(info.object_uid.as_bytes()).ok().map(ObjectUid)
}

/// The directory's own name.
pub(crate) const DIRECTORY: &str = "ServiceDirectory";
/// Endpoints of one service.
pub(crate) const MAX_ENDPOINTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        let mut catalog = Catalog::new(Front { machine_id: "gateway".into(), process_id: 7, ..Front::default() });
        catalog.set_endpoints(&["tcp://10.0.0.1:9559".to_owned()]);
        catalog
    }

    fn inside(id: u32, name: &str) -> ServiceInfo {
        ServiceInfo {
            name: name.into(),
            service_id: ServiceId(id),
            machine_id: "robot".into(),
            endpoints: vec!["tcp://192.168.1.2:1".to_owned()],
            object_uid: QiString::from(vec![9; 20]),
            ..ServiceInfo::default()
        }
    }

    fn outside(catalog: &mut Catalog, owner: ConnectionId, id: u32, name: &str) {
        let info = ServiceInfo { endpoints: vec!["tcp://172.16.0.9:5".to_owned()], ..inside(id, name) };
        let endpoints = endpoints::absolute(&info.endpoints, MAX_ENDPOINTS).unwrap();
        catalog.reserved(owner, ServiceId(id), info, endpoints);
    }

    #[test]
    fn a_service_inside_is_shown_at_the_gateway_with_its_id_and_identity() {
        let mut catalog = catalog();
        assert!(catalog.added(inside(5, "ALMotion")).is_some());
        let shown = catalog.service(&"ALMotion".into(), None, true, |_| true).unwrap();
        assert_eq!(shown.service_id, ServiceId(5));
        assert_eq!(shown.object_uid.as_bytes(), [9; 20]);
        assert_eq!((shown.machine_id.to_string().as_str(), shown.process_id), ("gateway", 7));
        assert_eq!(shown.endpoints, ["qi:ServiceDirectory", "qi:ALMotion", "tcp://10.0.0.1:9559"]);
        let shown = catalog.service(&"ALMotion".into(), None, false, |_| true).unwrap();
        assert_eq!(shown.endpoints, ["tcp://10.0.0.1:9559"]);
    }

    #[test]
    fn a_hidden_service_is_as_if_it_were_not_there() {
        let mut catalog = catalog();
        catalog.added(inside(5, "ALMotion"));
        let error = catalog.service(&"ALMotion".into(), None, true, |_| false).unwrap_err();
        assert_eq!(error.to_string(), "Cannot find service 'ALMotion' in index");
        assert_eq!(catalog.services(None, true, |_| false).len(), 1);
    }

    #[test]
    fn only_its_owner_sees_the_addresses_of_a_service_outside() {
        let mut catalog = catalog();
        let owner = ConnectionId(3);
        outside(&mut catalog, owner, 6, "Meter");
        let error = catalog.service(&"Meter".into(), Some(owner), true, |_| true).unwrap_err();
        assert_eq!(error.to_string(), "Cannot find ServiceInfo for service 'Meter'");
        assert!(catalog.ready(ServiceId(6)).is_some());
        assert!(catalog.added(inside(6, "Meter")).is_none());
        let own = catalog.service(&"Meter".into(), Some(owner), true, |_| true).unwrap();
        assert_eq!(own.endpoints, ["qi:Meter", "tcp://172.16.0.9:5"]);
        let others = catalog.service(&"Meter".into(), Some(ConnectionId(4)), true, |_| true).unwrap();
        assert_eq!(others.endpoints, ["qi:ServiceDirectory", "qi:Meter", "tcp://10.0.0.1:9559"]);
    }

    #[test]
    fn a_service_is_changed_by_who_registered_it_only() {
        let mut catalog = catalog();
        catalog.added(inside(5, "ALMotion"));
        outside(&mut catalog, ConnectionId(3), 6, "Meter");
        let refused = |owner: u64, id: u32| {
            let unknown = || DirectoryError::UnregisterUnknown(ServiceId(id));
            catalog.check_owner(ConnectionId(owner), ServiceId(id), unknown).map_err(|error| error.to_string())
        };
        assert_eq!(refused(3, 6), Ok(()));
        assert_eq!(refused(4, 6).unwrap_err(), "Permission denied: service #6 is owned by another session");
        assert_eq!(refused(3, 5).unwrap_err(), "Permission denied: service #5 is owned by another session");
        assert_eq!(refused(3, 1).unwrap_err(), "Permission denied: service #1 is owned by another session");
        assert_eq!(refused(3, 9).unwrap_err(), "Unregister Service: Can't find service #9");
        assert_eq!(catalog.check_pending(ConnectionId(3), ServiceId(5)), Err(DirectoryError::NotPending(ServiceId(5))));
    }

    #[test]
    fn what_leaves_is_announced_once_and_its_name_is_free_again() {
        let mut catalog = catalog();
        catalog.added(inside(5, "ALMotion"));
        let gone = Announcement { added: false, id: ServiceId(5), name: "ALMotion".into() };
        assert_eq!(catalog.removed(ServiceId(5)), Some(gone));
        assert_eq!(catalog.removed(ServiceId(5)), None);
        assert!(catalog.added(inside(8, "ALMotion")).is_some());
    }
}
