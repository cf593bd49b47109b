//! One client's session of frames: every message is judged, then passed on to where its service is (DESIGN 4).
//!
//! To services on the bus goes a *splice*: the client has a [`Leg`] of its own to each service host. Services of other clients,
//! and all when the bus is shared, are objects of this process that pass things on: a *mux*.

mod admitted;
mod directory;
mod find;
mod heard;
mod judge;
mod leg;
mod pass;
mod renew;
mod screen;
mod unequal;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use foldhash::fast::RandomState;
use keyway::front::{Client, Input, Local};
use keyway_history::audit::Kind;
use keyway_pipe::PeerAddress;
use keyway_session::{CapabilityMap, CloseReason};
use keyway_value::{ObjectId, ServiceId, ServiceInfo};
use keyway_wire::{Frame, Header};

use self::{
    admitted::Admitted,
    find::Waiting,
    heard::Heard,
    judge::kind,
    leg::{Leg, send_all},
    renew::Renewal,
};
use crate::{
    access::Access,
    bus::{Bus, Service},
    catalog::DIRECTORY,
    client::ClientError,
    gateway::Gateway,
    lease::Lease,
    member::Member,
    metrics::Traffic,
    presence::{Departure, Stay},
    rules::InForce,
    shown_objects::ShownObjects,
};

/// A client's session.
pub struct Relay {
    gateway: Gateway,
    bus: Arc<Bus>,
    client: Client,
    admitted: Option<Admitted>,
    routes: HashMap<ServiceId, Route, RandomState>,
    /// What is being found out, by the object it is about.
    waiting: HashMap<(ServiceId, ObjectId), Waiting>,
    legs: HashMap<HostKey, Arc<Leg>>,
    /// What this read has brought for a host, until the end of the read.
    batch: Vec<Frame>,
    batch_for: Option<Arc<Leg>>,
    traffic: Arc<Traffic>,
    heard: Heard,
    /// Whether the rules do not let it be here any more.
    is_revoked: bool,
    /// While the client is in.
    stay: Option<Stay>,
    /// Set when something is found out that messages wait for.
    arrived: Arc<AtomicBool>,
    /// Set when the connection to a host is lost.
    lost: Arc<AtomicBool>,
    renewal: Renewal,
    epoch: u64,
    began: Instant,
}

/// Where messages for a service go.
struct Route {
    service: Arc<Service>,
    access: Arc<Access>,
    target: Target,
    /// If one client at a time may use the service.
    lease: Option<Arc<Lease>>,
    /// What the client may do with objects of the service, by object.
    objects: HashMap<ObjectId, Arc<Access>>,
}

#[derive(Clone)]
enum Target {
    Leg(Arc<Leg>),
    Object(keyway::Object),
}

/// Services with the same key are reached over the same connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct HostKey(String);

impl Relay {
    /// Of a client that has just connected, to a bus.
    pub fn new(gateway: &Gateway, bus: &Arc<Bus>, client: &Client) -> Self {
        Self {
            gateway: gateway.clone(),
            bus: bus.clone(),
            client: client.clone(),
            admitted: None,
            routes: HashMap::default(),
            waiting: HashMap::new(),
            legs: HashMap::new(),
            batch: Vec::new(),
            batch_for: None,
            traffic: Arc::default(),
            heard: Heard::default(),
            is_revoked: false,
            stay: None,
            arrived: Arc::default(),
            lost: Arc::default(),
            renewal: Renewal::default(),
            epoch: bus.epoch(),
            began: Instant::now(),
        }
    }

    /// The client is in.
    pub fn open(&mut self, member: Member, capabilities: &CapabilityMap) {
        let stay = self.gateway.enter(&member, Some(&self.bus), Some(self.client.id()), self.traffic.clone());
        self.stay = Some(stay);
        let (view, journal) = (self.bus.view(&member.role), self.gateway.journal(&member));
        self.bus.join(&self.client, journal.clone());
        let rules = self.bus.rules();
        let unlimited = rules.rules.policy.is_unlimited(&member.role);
        let shown = ShownObjects::new(&self.bus, &member.role, self.client.id(), unlimited);
        let of_this_process = shown.clone();
        self.client.show_objects(move |service, metaobject| of_this_process.metaobject(service, metaobject));
        self.admitted = Some(Admitted::new(member, capabilities, view, journal, shown, &rules));
        // There may have been a reload since it was let in.
        if let Err(reason) = self.stands(&rules) {
            self.client.close(reason);
        }
    }

    /// The client is seen to be somewhere else than before.
    pub fn moved(&self, address: &PeerAddress) {
        if let Some(stay) = &self.stay {
            stay.moved(&address.to_string());
        }
    }

    /// A message has come.
    pub fn on_message(&mut self, now: Instant, input: Input) -> Result<Option<Local>, CloseReason> {
        if self.bus.epoch() != self.epoch {
            self.refresh()?;
        }
        // Once for each message, however long it then waits.
        if let (Some(admitted), Some(asked)) = (&mut self.admitted, Asked::by(&input))
            && let Err(error) = admitted.allowance.arrive(now)
        {
            let (service, member) = self.names(&asked.header);
            self.deny(&input, asked.kind, &service, member, &error);
            return Ok(None);
        }
        Ok(self.take(now, input))
    }

    /// All messages of one read have come.
    pub fn on_batch_end(&mut self) {
        let Some(leg) = self.batch_for.take() else { return };
        match leg.sender() {
            Some(sender) => send_all(&sender, self.batch.drain(..)),
            None => {
                for frame in std::mem::take(&mut self.batch) {
                    self.send_to(&leg, frame);
                }
            }
        }
    }

    /// Whether more messages may come: not while a host does not read what was sent to it.
    pub fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        for leg in self.legs.values() {
            if leg.poll_room(context).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// When [`on_timeout`](Self::on_timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let is_found = self.arrived.load(Ordering::Acquire);
        let something = is_found || self.bus.epoch() != self.epoch || self.has_unequal() || self.has_lost();
        // A moment in the past: at once.
        something.then_some(self.began).or(self.renewal.due)
    }

    /// Something has changed that no message tells. An error closes the connection.
    pub fn on_timeout(&mut self, now: Instant) -> Result<(), CloseReason> {
        if self.bus.epoch() != self.epoch {
            self.refresh()?;
        }
        if self.arrived.swap(false, Ordering::AcqRel) {
            self.continue_waiting(now);
        }
        self.translate_unequal(now);
        self.look_after_lost(now);
        self.on_batch_end();
        Ok(())
    }

    /// The client is gone.
    pub fn close(&mut self, reason: &CloseReason) {
        for (_, leg) in self.legs.drain() {
            leg.end();
        }
        self.routes.clear();
        self.waiting.clear();
        self.heard.clear();
        if self.admitted.take().is_some() {
            self.bus.leave(self.client.id());
        }
        if let Some(stay) = self.stay.take() {
            stay.end(if self.is_revoked { Departure::Revoked } else { Departure::of(reason) });
        }
    }

    /// Finds out where a message goes.
    fn take(&mut self, now: Instant, input: Input) -> Option<Local> {
        let header = header(&input).copied()?;
        if header.service == ServiceId::DIRECTORY {
            return self.directory(input);
        }
        if let Some(route) = self.routes.get(&header.service) {
            if matches!(&route.target, Target::Leg(leg) if leg.is_closed()) {
                // The host, or only the connection to it, is gone: the directory knows whether there is another one.
                self.routes.remove(&header.service);
            } else {
                return self.pass(now, input, &header);
            }
        }
        match &input {
            // Answers and events of what the client hosts, to what this process has called or subscribed to.
            Input::Answer(_) | Input::Event(_) | Input::Cancel { .. } => Some(local(input, None)),
            _ => self.find(now, input, &header),
        }
    }

    /// Refuses a message, which is counted and recorded.
    fn deny(&self, input: &Input, kind: Kind, service: &Arc<str>, member: Arc<str>, error: &ClientError) {
        self.gateway.metrics().refused(error.code());
        if let Some(journal) = self.admitted.as_ref().and_then(|admitted| admitted.journal.as_ref()) {
            journal.refused(kind, service, member, error.code());
        }
        self.refuse(input, &error.to_string());
    }

    /// What the audit log calls the service and the member of a message, as far as they are known.
    fn names(&self, header: &Header) -> (Arc<str>, Arc<str>) {
        let number = || header.action.0.to_string().into();
        if let Some(route) = self.routes.get(&header.service) {
            return (route.access.service.clone(), route.access.member(header.action));
        }
        match (&self.admitted, self.bus.service(header.service)) {
            (Some(admitted), _) if header.service == ServiceId::DIRECTORY => {
                let member =
                    admitted.view.object().metaobject().method(header.action).map(|method| method.name.as_str().into());
                (DIRECTORY.into(), member.unwrap_or_else(number))
            }
            (_, Some(service)) => (service.name.clone(), number()),
            _ => (header.service.0.to_string().into(), number()),
        }
    }

    /// Answers a Call with an error; anything else is dropped.
    fn refuse(&self, input: &Input, text: &str) {
        if let Input::Call(frame) = input {
            // A client that is gone needs no answer.
            let _ = self.client.sender().send(Frame::error_to(&frame.header, text));
        }
    }

    /// Whether the client has its role still.
    fn stands(&mut self, rules: &InForce) -> Result<(), CloseReason> {
        self.is_revoked = self.admitted.as_ref().is_some_and(|admitted| !admitted.member.stands(rules));
        if self.is_revoked { Err(CloseReason::Refused(ClientError::revoked().to_string())) } else { Ok(()) }
    }

    /// Services have left, or rules have changed. An error is why the client may not stay.
    fn refresh(&mut self) -> Result<(), CloseReason> {
        self.epoch = self.bus.epoch();
        let rules = self.bus.rules();
        if let Some(admitted) = &mut self.admitted
            && admitted.generation != rules.generation
        {
            admitted.renew(&rules);
            self.stands(&rules)?;
            self.end_subscriptions(&rules);
            self.limit_events(&rules);
        }
        let bus = &self.bus;
        let legs = &self.legs;
        self.routes.retain(|id, route| {
            let stays = bus.has(&route.service);
            if !stays {
                for leg in legs.values() {
                    leg.fail_service(*id);
                }
            }
            stays && route.access.generation == rules.generation
        });
        self.legs.retain(|_, leg| !leg.is_closed());
        self.heard.retain(|id| id == ServiceId::DIRECTORY || bus.service(id).is_some());
        Ok(())
    }
}

impl HostKey {
    fn of(info: &ServiceInfo) -> Self {
        let session = info.session_id.to_string_lossy();
        // Hosts have a session id of their own; services of the directory's process and of very old hosts do not.
        if session.is_empty() || session == "0" { Self(info.endpoints.join(" ")) } else { Self(session.into_owned()) }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("client", &self.client).finish_non_exhaustive()
    }
}

/// What a call or a post asks for.
#[derive(Clone, Copy)]
struct Asked {
    kind: Kind,
    is_post: bool,
    header: Header,
}

impl Asked {
    fn by(input: &Input) -> Option<Self> {
        let is_post = matches!(input, Input::Post(_));
        let (Input::Call(frame) | Input::Post(frame)) = input else { return None };
        Some(Self { kind: kind(frame.header.action, is_post), is_post, header: frame.header })
    }
}

fn header(input: &Input) -> Option<&Header> {
    match input {
        Input::Call(frame)
        | Input::Post(frame)
        | Input::Answer(frame)
        | Input::Event(frame)
        | Input::Cancel { frame, .. } => Some(&frame.header),
        _ => None,
    }
}

/// A message that nobody waits for.
fn local(input: Input, object: Option<keyway::Object>) -> Local {
    Local { input, object, answered: None }
}

/// Objects that a client passes have ids from here (spec 10.2).
const FIRST_OF_CLIENT: u32 = 1 << 31;
