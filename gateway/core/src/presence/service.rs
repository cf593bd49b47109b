//! The service `Presence`: programs inside, and clients that the policy lets, ask who is here and hear who comes and goes.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use keyway::{CallContext, Object, QiValue, Signal};

use super::{
    Presence,
    roster::{Change, Hosted, Present},
};
use crate::lease::Holder;

/// A client, as it is told.
#[derive(Debug, Clone, PartialEq, QiValue)]
pub(crate) struct ClientInfo {
    /// Its number; no other client ever has the same.
    session: String,
    identity: String,
    role: String,
    door: String,
    /// Address and port.
    source: String,
    /// Seconds since 1970.
    since: f64,
}

/// A service that a client hosts, as it is told.
#[derive(Debug, Clone, PartialEq, QiValue)]
pub(crate) struct ServiceHosted {
    id: u32,
    name: String,
    /// The client that hosts it.
    session: String,
    /// Seconds since 1970.
    since: f64,
}

/// A leased service, as it is told.
#[derive(Debug, Clone, PartialEq, QiValue)]
pub(crate) struct LeaseInfo {
    service: String,
    /// The client that holds it.
    session: String,
    identity: String,
    source: String,
    /// For so many seconds.
    held: f64,
}

/// How many are here.
#[derive(Debug, Clone, PartialEq, QiValue)]
pub(crate) struct Occupancy {
    clients: u32,
    services: u32,
    /// How many clients came by each door.
    doors: Vec<(String, u32)>,
    /// How many clients have each role.
    roles: Vec<(String, u32)>,
}

/// The service as those behind one bus see it.
pub(crate) struct Served {
    bus: Arc<str>,
    object: Object,
    joined: Signal<(ClientInfo,)>,
    left: Signal<(ClientInfo, String, f64)>,
    address_changed: Signal<(ClientInfo, String)>,
    service_joined: Signal<(ServiceHosted,)>,
    service_left: Signal<(ServiceHosted, String)>,
}

impl Served {
    pub(super) fn new(presence: &Arc<Presence>, bus: Arc<str>) -> Self {
        let (joined, left, address_changed) = (Signal::new(), Signal::new(), Signal::new());
        let (service_joined, service_left) = (Signal::new(), Signal::new());
        let asked = Asked { presence: Arc::downgrade(presence), bus: bus.clone() };
        let mut builder = Object::builder();
        builder.description("Who is here: clients of the gateway, and the services they host.");
        let a = asked.clone();
        builder.method("clients", move |()| a.clients());
        let a = asked.clone();
        builder.method("services", move |()| a.services());
        let a = asked.clone();
        builder.method("occupancy", move |()| a.occupancy());
        let a = asked.clone();
        builder.method("leases", move |()| a.leases());
        builder.method_with_context("release", move |context, (service,): (String,)| asked.release(context, &service));
        builder.signal("joined", &joined);
        builder.signal("left", &left);
        builder.signal("addressChanged", &address_changed);
        builder.signal("serviceJoined", &service_joined);
        builder.signal("serviceLeft", &service_left);
        // Only the gateway says who comes and goes.
        builder.refuse_posts();
        let object = builder.build();
        Self { bus, object, joined, left, address_changed, service_joined, service_left }
    }

    pub(crate) fn object(&self) -> &Object {
        &self.object
    }

    pub(super) fn tell(&self, change: &Change) {
        if !change.concerns(&self.bus) {
            return;
        }
        match change {
            Change::Joined(who) => self.joined.emit(&(client(who),)),
            Change::Left { who, why, after } => {
                self.left.emit(&(client(who), why.name().to_owned(), after.as_secs_f64()));
            }
            Change::AddressChanged { who, before } => self.address_changed.emit(&(client(who), before.clone())),
            Change::ServiceJoined(service) => self.service_joined.emit(&(hosted(service),)),
            Change::ServiceLeft { service, why } => {
                let why = why.map_or(UNREGISTERED, |why| why.name());
                self.service_left.emit(&(hosted(service), why.to_owned()));
            }
        }
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("bus", &self.bus).finish_non_exhaustive()
    }
}

/// What the methods need.
#[derive(Clone)]
struct Asked {
    presence: Weak<Presence>,
    bus: Arc<str>,
}

impl Asked {
    fn clients(&self) -> Vec<ClientInfo> {
        let Some(presence) = self.presence.upgrade() else { return Vec::new() };
        let state = presence.state.lock();
        state.roster.clients_of(&self.bus).map(client).collect()
    }

    fn services(&self) -> Vec<ServiceHosted> {
        let Some(presence) = self.presence.upgrade() else { return Vec::new() };
        let state = presence.state.lock();
        state.roster.services_of(&self.bus).map(hosted).collect()
    }

    fn leases(&self) -> Vec<LeaseInfo> {
        let Some(presence) = self.presence.upgrade() else { return Vec::new() };
        let held = presence.leases.held(&self.bus, Instant::now()).into_iter();
        held.map(|(service, Holder { session, identity, source, .. }, held)| LeaseInfo {
            service,
            session,
            identity,
            source,
            held: held.as_secs_f64(),
        })
        .collect()
    }

    /// Only the holder gives a service back, and it is known by its connection.
    fn release(&self, context: &CallContext, service: &str) -> bool {
        let (Some(presence), Some(connection)) = (self.presence.upgrade(), context.connection()) else { return false };
        presence.release(&self.bus, service, connection)
    }

    fn occupancy(&self) -> Occupancy {
        let (clients, services) = (self.clients(), self.services());
        Occupancy {
            clients: number(clients.len()),
            services: number(services.len()),
            doors: tally(clients.iter().map(|client| client.door.as_str())),
            roles: tally(clients.iter().map(|client| client.role.as_str())),
        }
    }
}

fn client(who: &Present) -> ClientInfo {
    ClientInfo {
        session: who.session.clone(),
        identity: who.identity.clone(),
        role: who.role.to_string(),
        door: who.door.to_string(),
        source: who.source.clone(),
        since: seconds(who.since),
    }
}

fn hosted(service: &Hosted) -> ServiceHosted {
    ServiceHosted {
        id: service.id.0,
        name: service.name.to_string(),
        session: service.session.clone(),
        since: seconds(service.since),
    }
}

fn tally<'n>(names: impl Iterator<Item = &'n str>) -> Vec<(String, u32)> {
    let mut counts = std::collections::BTreeMap::new();
    for name in names {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts.into_iter().collect()
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Why a service left whose client stays.
const UNREGISTERED: &str = "unregistered";
