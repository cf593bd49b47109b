//! One client's session of frames: every message is judged, then passed on to where its service is (DESIGN 4).
//!
//! To services on the bus goes a *splice*: the client has a [`Leg`] of its own to each service host. Services of other clients,
//! and all when the bus is shared, are objects of this process that pass things on: a *mux*.

mod journal;
mod judge;
mod leg;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use keyway::front::{Client, Input, Local};
use keyway_history::audit::{Arguments, Kind};
use keyway_pipe::QueueLimits;
use keyway_policy::{RateId, RateLimiter};
use keyway_session::{CapabilityMap, CloseReason, errors};
use keyway_value::{ActionId, ObjectId, ServiceId, ServiceInfo, Signature, Value};
use keyway_wire::{Flags, Frame, Header};
use parking_lot::Mutex;

use self::{
    journal::{Entry, Journal},
    judge::{Judgement, judge},
    leg::{HIGH_WATER, Leg, Refused, send_all},
};
use crate::{
    access::Access,
    bus::{Bus, Place, Service},
    gateway::Gateway,
    member::Member,
};

/// A client's session.
pub struct Relay {
    gateway: Gateway,
    bus: Arc<Bus>,
    client: Client,
    admitted: Option<Admitted>,
    routes: HashMap<ServiceId, Route>,
    waiting: HashMap<ServiceId, Waiting>,
    legs: HashMap<HostKey, Arc<Leg>>,
    /// What this read has brought for a host, until the end of the read.
    batch: Vec<Frame>,
    batch_for: Option<Arc<Leg>>,
    /// Calls that were passed on and are not answered.
    in_flight: Arc<AtomicUsize>,
    /// Set when something is found out that messages wait for.
    arrived: Arc<AtomicBool>,
    epoch: u64,
    began: Instant,
}

/// What is known of a client that is in.
struct Admitted {
    member: Member,
    capabilities: CapabilityMap,
    journal: Option<Journal>,
    limiter: RateLimiter,
    unlimited: bool,
    max_in_flight: usize,
    generation: u64,
}

/// Where messages for a service go.
struct Route {
    service: Arc<Service>,
    access: Arc<Access>,
    target: Target,
    /// What a role may do with objects of the service, by object.
    objects: HashMap<ObjectId, Arc<Access>>,
}

enum Target {
    Leg(Arc<Leg>),
    Object(keyway::Object),
}

/// Messages for a service that has not described itself yet.
struct Waiting {
    inputs: Vec<Input>,
    bytes: usize,
    found: Arc<Mutex<Option<Found>>>,
}

/// What was found out about a service.
type Found = keyway::Result<(Arc<Service>, Arc<Access>)>;

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
            routes: HashMap::new(),
            waiting: HashMap::new(),
            legs: HashMap::new(),
            batch: Vec::new(),
            batch_for: None,
            in_flight: Arc::default(),
            arrived: Arc::default(),
            epoch: bus.epoch(),
            began: Instant::now(),
        }
    }

    /// The client is in.
    pub fn open(&mut self, member: Member, capabilities: &CapabilityMap) {
        let rules = self.bus.rules();
        let journal = self
            .gateway
            .recorder()
            .map(|recorder| Journal::new(recorder.clone(), member.caller.clone(), &rules.rules.audit));
        self.admitted = Some(Admitted {
            unlimited: rules.rules.policy.is_unlimited(&member.role),
            limiter: RateLimiter::new(&rules.rules.policy),
            max_in_flight: rules.rules.limits.calls_in_flight,
            generation: rules.generation,
            journal,
            capabilities: inward(capabilities),
            member,
        });
        self.bus.join(&self.client);
    }

    /// A message has come.
    pub fn on_message(&mut self, now: Instant, input: Input) -> Result<Option<Local>, CloseReason> {
        if self.bus.epoch() != self.epoch {
            self.refresh();
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
            if let Some(sender) = leg.sender()
                && sender.poll_room(context, HIGH_WATER).is_pending()
            {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// When [`on_timeout`](Self::on_timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let something = self.arrived.load(Ordering::Acquire) || self.bus.epoch() != self.epoch || self.has_unequal();
        // A moment in the past: at once.
        something.then_some(self.began)
    }

    /// Something has changed that no message tells.
    pub fn on_timeout(&mut self, now: Instant) {
        if self.bus.epoch() != self.epoch {
            self.refresh();
        }
        if self.arrived.swap(false, Ordering::AcqRel) {
            self.continue_waiting(now);
        }
        self.translate_unequal(now);
        self.on_batch_end();
    }

    /// The client is gone.
    pub fn close(&mut self) {
        for (_, leg) in self.legs.drain() {
            leg.end();
        }
        self.routes.clear();
        self.waiting.clear();
        if self.admitted.take().is_some() {
            self.bus.leave(self.client.id());
        }
    }

    /// Finds out where a message goes.
    fn take(&mut self, now: Instant, input: Input) -> Option<Local> {
        let header = header(&input).copied()?;
        if header.service == ServiceId::DIRECTORY {
            return self.directory(input, &header);
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
            Input::Answer(_) | Input::Event(_) | Input::Cancel { .. } => Some(Local { input, object: None }),
            _ => self.find(now, input, &header),
        }
    }

    /// Finds the service of a message, which may have to wait for that.
    fn find(&mut self, now: Instant, input: Input, header: &Header) -> Option<Local> {
        if let Some(waiting) = self.waiting.get_mut(&header.service) {
            waiting.bytes += Header::SIZE + header.size as usize;
            if waiting.bytes > MAX_WAITING {
                self.refuse(&input, errors::CALL_NOT_HANDLED);
            } else {
                waiting.inputs.push(input);
            }
            return None;
        }
        let Some(admitted) = &self.admitted else { return None };
        let Some(service) = self.bus.service(header.service) else {
            self.refuse(&input, errors::CALL_NOT_HANDLED);
            return None;
        };
        let role = admitted.member.role.clone();
        if let Some(access) = self.bus.known_access(&service, &role)
            && self.route(&service, access).is_ok()
        {
            return self.pass(now, input, header);
        }
        let found = Arc::new(Mutex::new(None));
        let (slot, bus, arrived, client) =
            (found.clone(), self.bus.clone(), self.arrived.clone(), self.client.sender().clone());
        tokio::spawn(async move {
            let access = bus.access(&service, &role).await;
            *slot.lock() = Some(access.map(|access| (service, access)));
            arrived.store(true, Ordering::Release);
            client.wake();
        });
        let bytes = header.size as usize;
        self.waiting.insert(header.service, Waiting { inputs: vec![input], bytes, found });
        None
    }

    /// Goes on with what has waited.
    fn continue_waiting(&mut self, now: Instant) {
        let ready: Vec<_> =
            self.waiting.iter().filter(|(_, waiting)| waiting.found.lock().is_some()).map(|(id, _)| *id).collect();
        for id in ready {
            let Some(Waiting { inputs, found, .. }) = self.waiting.remove(&id) else { continue };
            let found = found.lock().take();
            let failure = match found {
                Some(Ok((service, access))) => self.route(&service, access).err(),
                Some(Err(error)) => Some(error.to_string()),
                None => None,
            };
            for input in inputs {
                match &failure {
                    Some(text) => self.refuse(&input, text),
                    None => {
                        if let Some(local) = self.take(now, input) {
                            self.client.serve(local);
                        }
                    }
                }
            }
        }
    }

    /// Says where messages of a service go from now on.
    fn route(&mut self, service: &Arc<Service>, access: Arc<Access>) -> Result<(), String> {
        let target = match &service.place {
            Place::Inside(info) if !self.bus.is_shared() && !service.is_translated() => {
                Target::Leg(self.leg(info).ok_or("the directory behind the gateway is not reachable; try again")?)
            }
            _ => Target::Object(service.object().ok_or(errors::CALL_NOT_HANDLED)?),
        };
        let route = Route { service: service.clone(), access, target, objects: HashMap::new() };
        self.routes.insert(service.id, route);
        Ok(())
    }

    /// The client's connection to the host of a service.
    fn leg(&mut self, info: &ServiceInfo) -> Option<Arc<Leg>> {
        let key = HostKey::of(info);
        if let Some(leg) = self.legs.get(&key).filter(|leg| !leg.is_closed()) {
            return Some(leg.clone());
        }
        let session = self.bus.session()?;
        let capabilities = self.admitted.as_ref()?.capabilities.clone();
        let shared = self.client.shared();
        let (client, in_flight) = (self.client.sender().clone(), self.in_flight.clone());
        let leg = Leg::open(session, info.clone(), client, (capabilities, shared), in_flight, QueueLimits::default());
        self.legs.insert(key, leg.clone());
        Some(leg)
    }

    /// Judges a message, and passes it on.
    fn pass(&mut self, now: Instant, input: Input, header: &Header) -> Option<Local> {
        let (route, admitted) = (self.routes.get(&header.service)?, self.admitted.as_mut()?);
        let is_post = match &input {
            Input::Call(_) => false,
            Input::Post(_) => true,
            // The client's own objects answer and emit; what it cancels is its own call.
            Input::Event(_) if header.object.0 < FIRST_OF_CLIENT => return None,
            _ => return self.forward(input, header, None),
        };
        let is_own = header.object.0 >= FIRST_OF_CLIENT;
        if !is_post && !is_own && self.in_flight.load(Ordering::Relaxed) >= admitted.max_in_flight {
            self.refuse(&input, TOO_MANY_CALLS);
            return None;
        }
        let (Input::Call(frame) | Input::Post(frame)) = &input else { return None };
        let access = if header.object == ObjectId::MAIN || is_own || admitted.unlimited {
            &route.access
        } else {
            match route.objects.get(&header.object) {
                Some(access) => access,
                None => &route.access,
            }
        };
        let layout = self.client.shared().layout();
        match judge(access, frame, is_post, layout) {
            Judgement::Pass(rates, kind, member) => {
                let name = access.member(member);
                if let Err(text) = admitted.count(now, &rates, access, &name) {
                    self.refuse(&input, &text);
                    return None;
                }
                let entry =
                    match admitted.journal.as_ref().map(|journal| journal.begin(now, kind, &access.service, name)) {
                        Some(Ok(entry)) => Some(entry),
                        Some(Err(refusal)) => {
                            let text = refusal.to_string();
                            self.refuse(&input, &text);
                            return None;
                        }
                        None => None,
                    };
                self.forward(input, header, entry)
            }
            Judgement::Answer(payload) => {
                if !is_post {
                    let _ = self.client.sender().send(Frame::reply_to(header, payload));
                }
                None
            }
            Judgement::Refuse(refusal, kind, member) => {
                let refusal = refusal.refusal();
                let (text, code) = (refusal.to_string(), refusal.code.code());
                if let Some(journal) = &admitted.journal {
                    journal.refused(kind, &access.service, access.member(member), code);
                }
                self.refuse(&input, &text);
                None
            }
            Judgement::Unreadable(text) => {
                self.refuse(&input, &text);
                None
            }
        }
    }

    /// Passes a message on that may pass.
    fn forward(&mut self, input: Input, header: &Header, entry: Option<Entry>) -> Option<Local> {
        match &self.routes.get(&header.service)?.target {
            Target::Object(object) => {
                if let Some(entry) = entry {
                    entry.finish(true);
                }
                let object = (header.object == ObjectId::MAIN).then(|| object.clone());
                Some(Local { input, object })
            }
            Target::Leg(leg) => {
                let leg = leg.clone();
                match input {
                    Input::Call(frame) => {
                        leg.started(&frame.header, entry);
                        self.queue(leg, frame);
                    }
                    Input::Post(frame) => {
                        if let Some(entry) = entry {
                            entry.finish(true);
                        }
                        self.queue(leg, frame);
                    }
                    Input::Answer(frame) | Input::Event(frame) | Input::Cancel { frame, .. } => self.queue(leg, frame),
                    _ => {}
                }
                None
            }
        }
    }

    /// Gathers what goes to one host in one read.
    fn queue(&mut self, leg: Arc<Leg>, frame: Frame) {
        if self.batch_for.as_ref().is_some_and(|batched| !Arc::ptr_eq(batched, &leg)) {
            self.on_batch_end();
        }
        self.batch_for = Some(leg);
        self.batch.push(frame);
    }

    fn send_to(&self, leg: &Leg, frame: Frame) {
        if let Err(Refused(frame)) = leg.send(frame)
            && leg.withdraw(&frame.header)
        {
            let _ = self.client.sender().send(Frame::error_to(&frame.header, errors::NOT_CONNECTED));
        }
    }

    /// The gateway's own service 1: open to all who are in, since nothing works without it; what it tells depends on the role.
    fn directory(&mut self, input: Input, header: &Header) -> Option<Local> {
        let admitted = self.admitted.as_ref()?;
        let view = self.bus.view(&admitted.member.role);
        if !matches!(input, Input::Call(_) | Input::Post(_)) {
            return Some(Local { input, object: None });
        }
        let manages = (ActionId::IS_STATS_ENABLED.0..=ActionId::TRACE_OBJECT.0).contains(&header.action.0)
            || (header.action == ActionId::REGISTER_EVENT && subscribes_to_traces(&input));
        if manages && !admitted.unlimited {
            let rules = self.bus.rules();
            let access = rules.rules.policy.access(
                &admitted.member.role,
                crate::catalog::DIRECTORY,
                &view.object().metaobject(),
            );
            if let keyway_policy::Decision::Deny(refusal) = access.call(ActionId::IS_STATS_ENABLED) {
                let text = refusal.to_string();
                self.refuse(&input, &text);
                return None;
            }
        }
        Some(Local { input, object: Some(view.object().clone()) })
    }

    /// Answers a Call with an error; anything else is dropped.
    fn refuse(&self, input: &Input, text: &str) {
        if let Input::Call(frame) = input {
            // A client that is gone needs no answer.
            let _ = self.client.sender().send(Frame::error_to(&frame.header, text));
        }
    }

    /// Services have left, or rules have changed.
    fn refresh(&mut self) {
        self.epoch = self.bus.epoch();
        let rules = self.bus.rules();
        if let Some(admitted) = &mut self.admitted
            && admitted.generation != rules.generation
        {
            admitted.generation = rules.generation;
            admitted.unlimited = rules.rules.policy.is_unlimited(&admitted.member.role);
            admitted.limiter = RateLimiter::new(&rules.rules.policy);
            admitted.max_in_flight = rules.rules.limits.calls_in_flight;
        }
        let bus = &self.bus;
        let legs = &self.legs;
        self.routes.retain(|id, route| {
            let stays = bus.service(*id).is_some_and(|service| Arc::ptr_eq(&service, &route.service));
            if !stays {
                for leg in legs.values() {
                    leg.fail_service(*id);
                }
            }
            stays && route.access.generation == rules.generation
        });
        self.legs.retain(|_, leg| !leg.is_closed());
    }

    fn has_unequal(&self) -> bool {
        self.legs.values().any(|leg| leg.is_unequal())
    }

    /// Hosts that understand less than their client: their services are served by objects of this process, which translate.
    fn translate_unequal(&mut self, now: Instant) {
        let unequal: Vec<_> =
            self.legs.iter().filter(|(_, leg)| leg.is_unequal()).map(|(key, leg)| (key.clone(), leg.clone())).collect();
        for (key, leg) in unequal {
            self.legs.remove(&key);
            self.routes.retain(|_, route| {
                let is_its = matches!(&route.target, Target::Leg(other) if Arc::ptr_eq(other, &leg));
                if is_its {
                    route.service.translate();
                }
                !is_its
            });
            for frame in leg.take_unequal() {
                leg.withdraw(&frame.header);
                let input = match frame.header.kind {
                    keyway_wire::MessageKind::Call => Input::Call(frame),
                    keyway_wire::MessageKind::Post => Input::Post(frame),
                    // A client hosts nothing there yet, and cancels nothing that runs.
                    _ => continue,
                };
                if let Some(local) = self.take(now, input) {
                    self.client.serve(local);
                }
            }
        }
    }
}

impl Admitted {
    /// Counts a message for the rates of rules.
    fn count(&mut self, now: Instant, rates: &[RateId], access: &Access, member: &str) -> Result<(), String> {
        if rates.is_empty() {
            return Ok(());
        }
        let names = || (access.role.to_string(), access.service.to_string(), member.to_owned());
        self.limiter.take(now, rates, names).map_err(|refused| {
            if let Some(journal) = &self.journal {
                journal.refused(Kind::Call, &access.service, member.into(), refused.refusal.code.code());
            }
            refused.to_string()
        })
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

/// The arguments of a call, if their values are to be recorded.
fn arguments(access: &Access, frame: &Frame) -> Option<Arguments> {
    let declared = access.recorded(frame.header.action)?;
    let is_dynamic = frame.header.flags.contains(Flags::DYNAMIC_PAYLOAD);
    let signature = if is_dynamic { Signature::dynamic() } else { declared.clone() };
    Some(Arguments::new(signature, frame.payload_bytes().clone()))
}

/// Whether a registerEvent is for the trace of calls.
fn subscribes_to_traces(input: &Input) -> bool {
    let Input::Call(frame) = input else { return false };
    // What cannot be read is refused by the object.
    frame.payload_bytes().get(4..8) == Some(&ActionId::TRACE_OBJECT.0.to_le_bytes()[..])
}

/// A client's capabilities as a service host is told of them: what the gateway does not share with the client, the host must not
/// share with it either, since frames pass unchanged (DESIGN 4).
fn inward(client: &CapabilityMap) -> CapabilityMap {
    let own = CapabilityMap::from_environment();
    let mut map = CapabilityMap::empty();
    for (name, value) in client.iter() {
        let name = name.to_string_lossy();
        let is_known = own.get(&name).is_some();
        if is_known {
            map.set(&name, Value::Bool(client.has(&name) && own.has(&name)));
        } else {
            map.set(&name, value.clone());
        }
    }
    map
}

/// Objects that a client passes have ids from here (spec 10.2).
const FIRST_OF_CLIENT: u32 = 1 << 31;
/// Bytes that may wait for a service to describe itself.
const MAX_WAITING: usize = 4 << 20;
/// What a client is told that does not wait for answers.
const TOO_MANY_CALLS: &str =
    "KW-G001: too many calls of this session are under way; wait for answers, or raise limits.calls_in_flight";
