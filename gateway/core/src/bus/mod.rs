//! One attached directory: its services as they are now, and the clients that come through the gateway to it.

mod attach;
mod outside;
mod own;
mod service;
mod view;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use keyway::{Object, Session, SessionBuilder, front::Client, machine_id};
use keyway_pipe::ConnectionId;
use keyway_value::{ServiceId, ServiceInfo};
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) use self::{
    service::{Place, Service},
    view::View,
};
use crate::{
    access::Access,
    catalog::{Announcement, Catalog, Front, uid},
    journal::Journal,
    metrics::BusState,
    presence::Presence,
    rules::InForce,
};

/// How a directory is attached.
#[derive(Debug, Clone)]
pub struct BusSettings {
    /// What people call it, when there are several.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// Who the gateway is to it, and whom it believes.
    pub session: SessionBuilder,
    /// Where programs inside reach the services that clients outside registered; by default the address from which the gateway
    /// reaches the directory, and a free port.
    pub inside_listen: Option<String>,
    /// Whether all clients share one connection to each service host.
    pub shared: bool,
    /// The name of the service that says who is here; there is none if it is missing.
    pub presence: Option<String>,
}

impl BusSettings {
    /// Of the only directory, with a connection for each client and without presence.
    pub fn new(url: impl Into<String>, session: SessionBuilder) -> Self {
        Self { name: String::new(), url: url.into(), session, inside_listen: None, shared: false, presence: None }
    }
}

/// A client that is in.
struct Joined {
    client: Client,
    journal: Option<Journal>,
}

/// An attached directory.
pub struct Bus {
    settings: BusSettings,
    /// What to call it where it needs a name.
    label: Arc<str>,
    /// How often the directory was attached.
    attachments: AtomicU64,
    presence: Arc<Presence>,
    rules: Arc<ArcSwap<InForce>>,
    catalog: Mutex<Catalog>,
    routes: ArcSwap<HashMap<ServiceId, Arc<Service>>>,
    /// Counts what makes routes void: services that leave, and reloads.
    epoch: AtomicU64,
    /// Held from a change to its announcement, so that announcements come in order.
    announcing: Mutex<()>,
    session: watch::Sender<Option<Session>>,
    views: Mutex<HashMap<Arc<str>, Arc<View>>>,
    clients: Mutex<HashMap<ConnectionId, Joined>>,
    /// Addresses of each door.
    doors: Mutex<BTreeMap<u64, Vec<String>>>,
    /// The gateway's own services here, while the directory knows them.
    own: ArcSwap<HashMap<ServiceId, Object>>,
    /// Held while a listener is opened for programs inside.
    listening: tokio::sync::Mutex<()>,
}

impl Bus {
    pub(crate) fn new(settings: BusSettings, rules: Arc<ArcSwap<InForce>>, presence: Arc<Presence>) -> Arc<Self> {
        let label = if settings.name.is_empty() { &settings.url } else { &settings.name };
        let front = Front {
            machine_id: machine_id().into(),
            process_id: std::process::id(),
            session_id: Uuid::new_v4().to_string().into(),
            ..Front::default()
        };
        Arc::new(Self {
            label: label.as_str().into(),
            attachments: AtomicU64::new(0),
            presence,
            settings,
            rules,
            catalog: Mutex::new(Catalog::new(front)),
            routes: ArcSwap::default(),
            epoch: AtomicU64::new(0),
            announcing: Mutex::default(),
            session: watch::Sender::new(None),
            views: Mutex::default(),
            clients: Mutex::default(),
            doors: Mutex::default(),
            own: ArcSwap::default(),
            listening: tokio::sync::Mutex::default(),
        })
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What to call it where it needs a name: its own, or its URL.
    pub(crate) fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// What is counted of it.
    pub(crate) fn state(&self) -> BusState {
        let catalog = self.catalog.lock();
        let services_outside = catalog.all().filter(|(_, owner)| owner.is_some()).count();
        BusState {
            name: self.label.to_string(),
            url: self.settings.url.clone(),
            attached: self.session.borrow().is_some(),
            attachments: self.attachments.load(Ordering::Relaxed),
            services_inside: catalog.all().count() - services_outside,
            services_outside,
        }
    }

    /// Whether all clients share one connection to each service host.
    pub(crate) fn is_shared(&self) -> bool {
        self.settings.shared
    }

    /// The connection to the directory, while there is one.
    pub fn session(&self) -> Option<Session> {
        self.session.borrow().clone()
    }

    /// Waits until the directory is there for the first time.
    pub async fn attached(&self) {
        let mut session = self.session.subscribe();
        // The sender is this bus: it outlives the wait.
        let _ = session.wait_for(Option::is_some).await;
    }

    /// A door has been opened; clients are told of its addresses for as long as the result is kept.
    pub fn add_door(self: &Arc<Self>) -> DoorAddresses {
        let mut doors = self.doors.lock();
        let key = doors.keys().next_back().map_or(0, |last| last + 1);
        doors.insert(key, Vec::new());
        DoorAddresses { bus: self.clone(), key }
    }

    fn show_doors(&self, doors: &BTreeMap<u64, Vec<String>>) {
        let all: Vec<_> = doors.values().flatten().cloned().collect();
        self.catalog.lock().set_endpoints(&all);
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Has every session look again at what it knows: services have left, or rules have changed.
    pub(crate) fn outdate(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        for joined in self.clients.lock().values() {
            joined.client.sender().wake();
        }
    }

    pub(crate) fn service(&self, id: ServiceId) -> Option<Arc<Service>> {
        self.routes.load().get(&id).cloned()
    }

    /// Whether a service is there still.
    pub(crate) fn has(&self, service: &Service) -> bool {
        self.routes.load().get(&service.id).is_some_and(|routed| std::ptr::eq(&**routed, service))
    }

    /// Asks a service for its members, if nobody has done so yet.
    ///
    /// libqi says that a service is ready while its server still takes it in (4.0.3, `ObjectRegistrar`), and refuses what is asked in
    /// between: it is asked again, after longer and longer pauses.
    pub(crate) async fn describe(
        &self,
        service: &Service,
        session: &Session,
        last_pause: Duration,
    ) -> keyway::Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            match service.describe(session).await {
                Err(keyway::Error::Remote(_)) if pause <= last_pause && self.has(service) => {
                    tokio::time::sleep(pause).await;
                }
                outcome => return outcome,
            }
            pause *= 2;
        }
    }

    /// All services.
    pub(crate) fn routed(&self) -> Vec<Arc<Service>> {
        self.routes.load().values().cloned().collect()
    }

    /// A service by name.
    pub(crate) fn routed_as(&self, name: &str) -> Option<Arc<Service>> {
        let id = self.catalog.lock().id(&name.into())?;
        self.service(id)
    }

    /// What a role may do with a service, if that is known already.
    pub(crate) fn known_access(&self, service: &Service, role: &Arc<str>) -> Option<Arc<Access>> {
        service.access(role, &self.rules.load())
    }

    /// What a role may do with a service; asks the service for its members if nobody has done so yet.
    pub(crate) async fn access(&self, service: &Service, role: &Arc<str>) -> keyway::Result<Arc<Access>> {
        let session = self.session().ok_or(keyway::Error::NotConnected)?;
        self.describe(service, &session, LAST_PAUSE).await?;
        self.known_access(service, role).ok_or(keyway::Error::NotConnected)
    }

    pub(crate) fn rules(&self) -> Arc<InForce> {
        self.rules.load_full()
    }

    /// A client has come in.
    pub(crate) fn join(&self, client: &Client, journal: Option<Journal>) {
        self.clients.lock().insert(client.id(), Joined { client: client.clone(), journal });
    }

    /// A client has left; its services leave with it.
    pub(crate) fn leave(self: &Arc<Self>, client: ConnectionId) {
        let journal = self.clients.lock().remove(&client).and_then(|joined| joined.journal);
        self.withdraw_all(client, journal);
    }

    fn client(&self, id: ConnectionId) -> Option<Client> {
        self.clients.lock().get(&id).map(|joined| joined.client.clone())
    }

    /// The audit log as a client's session writes it, by the rules in force.
    fn journal(&self, id: ConnectionId) -> Option<Journal> {
        let journal = self.clients.lock().get(&id)?.journal.clone()?;
        Some(journal.by(&self.rules.load().rules.audit))
    }

    /// Service 1 as a role sees it.
    pub(crate) fn view(self: &Arc<Self>, role: &Arc<str>) -> Arc<View> {
        let mut views = self.views.lock();
        views.entry(role.clone()).or_insert_with(|| Arc::new(View::new(self, role.clone()))).clone()
    }

    /// Changes the catalog and tells everybody, one change after the other.
    fn change(&self, change: impl FnOnce(&mut Catalog) -> Option<Announcement>) {
        let _in_order = self.announcing.lock();
        let mut catalog = self.catalog.lock();
        let Some(announcement) = change(&mut catalog) else { return };
        if announcement.added {
            let found = catalog.all().find(|(info, _)| info.service_id == announcement.id);
            let found = found.map(|(info, owner)| (info.clone(), owner));
            if let Some((info, owner)) = &found {
                // With the catalog held: whoever is told where the service is finds the way to it.
                self.route(info.clone(), *owner);
            }
            drop(catalog);
            if let Some((info, Some(owner))) = found {
                self.presence.hosts(&self.label, owner, info.service_id, &info.name.to_string_lossy());
            }
        } else {
            drop(catalog);
            self.presence.hosts_no_more(&self.label, announcement.id);
            self.reroute(|routes| drop(routes.remove(&announcement.id)));
            self.outdate();
        }
        self.announce(&announcement);
    }

    fn route(&self, info: ServiceInfo, owner: Option<ConnectionId>) {
        let id = info.service_id;
        let name: Arc<str> = info.name.to_string_lossy().into();
        let place = match owner {
            Some(owner) => match self.client(owner) {
                Some(client) => Place::Outside(client, uid(&info)),
                None => return,
            },
            None => Place::Inside(info),
        };
        let service = Arc::new(Service::new(id, name, place));
        // A client's service is looked at before it is announced.
        self.reroute(|routes| _ = routes.entry(id).or_insert_with(|| service.clone()));
    }

    fn reroute(&self, change: impl Fn(&mut HashMap<ServiceId, Arc<Service>>)) {
        self.routes.rcu(|routes| {
            let mut routes = HashMap::clone(routes);
            change(&mut routes);
            routes
        });
    }

    fn announce(&self, announcement: &Announcement) {
        let rules = self.rules.load();
        let name = announcement.name.to_string_lossy();
        let views: Vec<_> = self.views.lock().values().cloned().collect();
        for view in views {
            if rules.rules.policy.may_see(view.role(), &name) {
                view.announce(announcement.added, announcement.id, &name);
            }
        }
    }
}

/// Where one door is reached.
#[derive(Debug)]
pub struct DoorAddresses {
    bus: Arc<Bus>,
    key: u64,
}

impl DoorAddresses {
    /// Tells clients of these.
    pub fn set(&self, urls: Vec<String>) {
        let mut doors = self.bus.doors.lock();
        doors.insert(self.key, urls);
        self.bus.show_doors(&doors);
    }
}

impl Drop for DoorAddresses {
    fn drop(&mut self) {
        let mut doors = self.bus.doors.lock();
        doors.remove(&self.key);
        self.bus.show_doors(&doors);
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("name", &self.settings.name)
            .field("url", &self.settings.url)
            .finish_non_exhaustive()
    }
}

/// Before a service is asked again to describe itself; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// The longest of these while a client waits, after 0.3 s.
const LAST_PAUSE: Duration = Duration::from_millis(160);
