//! Finding out where messages go and what may be done there, while they wait.

use std::sync::{Arc, atomic::Ordering};
use std::{collections::HashMap, time::Instant};

use keyway::front::{Input, Local};
use keyway_pipe::QueueLimits;
use keyway_session::errors;
use keyway_value::{MetaObject, ObjectId, ServiceId, ServiceInfo, from_payload};
use keyway_wire::Header;
use parking_lot::Mutex;

use super::{HostKey, Relay, Route, Target, leg::Leg};
use crate::{
    access::Access,
    bus::{Place, Service},
};

/// Messages that wait until something is known.
pub(super) struct Waiting {
    inputs: Vec<Input>,
    bytes: usize,
    found: Arc<Mutex<Option<Found>>>,
}

/// What was found out, or why it was not.
type Found = Result<Known, String>;

enum Known {
    /// What a service is.
    Service(Arc<Service>, Arc<Access>),
    /// What may be done with an object of a service.
    Object(ServiceId, ObjectId, Arc<Access>),
}

impl Relay {
    /// Finds the service of a message, which may have to wait for that.
    pub(super) fn find(&mut self, now: Instant, input: Input, header: &Header) -> Option<Local> {
        let key = (header.service, ObjectId::MAIN);
        if self.waiting.contains_key(&key) {
            self.wait(key, input, header);
            return None;
        }
        let role = self.admitted.as_ref()?.member.role.clone();
        let Some(service) = self.bus.service(header.service) else {
            self.refuse(&input, errors::CALL_NOT_HANDLED);
            return None;
        };
        if let Some(access) = self.bus.known_access(&service, &role)
            && self.route(&service, access).is_ok()
        {
            return self.pass(now, input, header);
        }
        let bus = self.bus.clone();
        self.find_out(key, async move {
            let access = bus.access(&service, &role).await.map_err(|error| error.to_string())?;
            Ok(Known::Service(service, access))
        });
        self.wait(key, input, header);
        None
    }

    /// Finds out what may be done with an object that a service has returned, while the message waits.
    pub(super) fn find_object(&mut self, input: Input, header: &Header) {
        let key = (header.service, header.object);
        if self.waiting.contains_key(&key) {
            return self.wait(key, input, header);
        }
        let (Some(route), Some(admitted)) = (self.routes.get(&header.service), &self.admitted) else { return };
        let (service, object) = key;
        let (role, name, bus) = (admitted.member.role.clone(), route.service.name.clone(), self.bus.clone());
        let access = move |metaobject: Arc<MetaObject>| {
            let access = Access::of_object(&bus.rules(), &role, &name, metaobject);
            Ok(Known::Object(service, object, Arc::new(access)))
        };
        match &route.target {
            Target::Object(_) => {
                let found = self.client.object(service, object).map(|object| object.metaobject());
                self.find_out(key, async move { access(found.ok_or(errors::CALL_NOT_HANDLED)?) });
            }
            Target::Leg(leg) => {
                let leg = leg.clone();
                self.find_out(key, async move {
                    let payload = leg.ask_metaobject(service, object).await?;
                    let metaobject: MetaObject = from_payload(&payload).map_err(|error| error.to_string())?;
                    access(Arc::new(metaobject))
                });
            }
        }
        self.wait(key, input, header);
    }

    fn find_out(&mut self, key: (ServiceId, ObjectId), work: impl Future<Output = Found> + Send + 'static) {
        let found = Arc::new(Mutex::new(None));
        let (slot, arrived, client) = (found.clone(), self.arrived.clone(), self.client.sender().clone());
        tokio::spawn(async move {
            let result = work.await;
            *slot.lock() = Some(result);
            arrived.store(true, Ordering::Release);
            client.wake();
        });
        self.waiting.insert(key, Waiting { inputs: Vec::new(), bytes: 0, found });
    }

    fn wait(&mut self, key: (ServiceId, ObjectId), input: Input, header: &Header) {
        let Some(waiting) = self.waiting.get_mut(&key) else { return };
        waiting.bytes += Header::SIZE + header.size as usize;
        if waiting.bytes > MAX_WAITING {
            self.refuse(&input, errors::CALL_NOT_HANDLED);
        } else {
            waiting.inputs.push(input);
        }
    }

    /// Goes on with what has waited.
    pub(super) fn continue_waiting(&mut self, now: Instant) {
        let is_found = |waiting: &Waiting| waiting.found.lock().is_some();
        let ready: Vec<_> = self.waiting.iter().filter(|(_, waiting)| is_found(waiting)).map(|(key, _)| *key).collect();
        for key in ready {
            let Some(Waiting { inputs, found, .. }) = self.waiting.remove(&key) else { continue };
            let found = found.lock().take();
            let failure = match found {
                Some(Ok(Known::Service(service, access))) => self.route(&service, access).err(),
                Some(Ok(Known::Object(service, object, access))) => {
                    if let Some(route) = self.routes.get_mut(&service) {
                        route.remember(object, access);
                    }
                    None
                }
                Some(Err(error)) => Some(error),
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
    pub(super) fn route(&mut self, service: &Arc<Service>, access: Arc<Access>) -> Result<(), String> {
        let target = match (&service.place, self.bus.own(service.id)) {
            (_, Some(own)) => Target::Object(own),
            (Place::Inside(info), None) if !self.bus.is_shared() && !service.is_translated() => {
                Target::Leg(self.leg(info).ok_or("the directory behind the gateway is not reachable; try again")?)
            }
            _ => Target::Object(service.object(&self.bus).ok_or(errors::CALL_NOT_HANDLED)?),
        };
        let lease = self.gateway.lease(&self.bus, &service.name);
        let route = Route { service: service.clone(), access, target, lease, objects: HashMap::new() };
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
        let admitted = self.admitted.as_ref()?;
        let understood = (admitted.capabilities.clone(), self.client.shared());
        let client = self.client.sender().clone();
        let watched = (self.traffic.clone(), admitted.shown.clone(), self.lost.clone());
        let leg = Leg::open(session, info.clone(), client, understood, watched, QueueLimits::default());
        self.legs.insert(key, leg.clone());
        Some(leg)
    }
}

impl Route {
    /// Keeps what may be done with an object, for as many objects as a client may be thought to use.
    fn remember(&mut self, object: ObjectId, access: Arc<Access>) {
        if self.objects.len() >= MAX_OBJECTS {
            self.objects.clear();
        }
        self.objects.insert(object, access);
    }
}

/// Bytes that may wait for something to be found out.
const MAX_WAITING: usize = 4 << 20;
/// Objects of a service of which a session remembers what may be done with them.
const MAX_OBJECTS: usize = 1024;
