//! The vocabulary of doors that go by names: one session of an authenticated client, over all buses of a gateway.
//!
//! Every operation asks the policy, counts for limits and rates, and is written to the audit log here, so that doors need to
//! know neither. Payloads stay encoded: a door transcodes between its format and the declared types, guided by signatures. Calls
//! go over the gateway's own connections; objects are therefore never taken as arguments, and those that come are held for the
//! session under ids that nobody can guess.

mod error;
mod feed;
mod objects;
mod operation;
mod reply;
mod sessions;
mod subscription;
mod target;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use parking_lot::Mutex;

pub use self::{
    error::{ClientError, ErrorKind, GatewayCode},
    reply::Reply,
    subscription::{Delivery, Event, Missed, Overflow, Subscription},
    target::Target,
};
pub(crate) use self::{feed::Feeds, sessions::Sessions};
use self::{objects::Objects, target::Place};
use crate::{
    allowance::Allowance,
    bus::{Bus, Service},
    gateway::Gateway,
    member::Member,
    presence::Stay,
};

/// A client's session. Clones are the same.
#[derive(Clone)]
pub struct ClientSession {
    gateway: Gateway,
    member: Member,
    shared: Arc<Shared>,
}

/// What is counted and held for a session, over however many connections it comes.
struct Shared {
    /// Who it began as.
    member: Member,
    is_over: AtomicBool,
    /// Who is here hears of it, and leases know their holder by it.
    stay: Stay,
    allowance: Mutex<Allowance>,
    subscriptions: Arc<AtomicUsize>,
    objects: Mutex<Objects>,
}

impl Gateway {
    /// Begins a session of a client that is in.
    pub fn session(&self, member: Member) -> ClientSession {
        let rules = self.in_force();
        let shared = Arc::new(Shared {
            member: member.clone(),
            is_over: AtomicBool::new(false),
            stay: self.enter(&member, None, None, Arc::default()),
            allowance: Mutex::new(Allowance::of(&rules)),
            subscriptions: Arc::default(),
            objects: Mutex::default(),
        });
        self.sessions().add(&shared);
        // A reload that came between the two has not seen it.
        self.sessions().judge_one(&shared, &self.in_force());
        ClientSession { gateway: self.clone(), member, shared }
    }
}

impl ClientSession {
    /// The same session, coming from elsewhere: the audit log names `member`, which has the same role.
    #[must_use]
    pub fn coming_as(&self, member: Member) -> Self {
        Self { member, ..self.clone() }
    }

    /// Who it belongs to.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// The names of the services that the client may know of, in their order.
    pub fn services(&self) -> Vec<String> {
        let rules = self.gateway.in_force();
        let mut names = Vec::new();
        for bus in self.gateway.buses() {
            for service in bus.routed() {
                if rules.rules.policy.may_see(&self.member.role, &service.name) {
                    names.push(self.name_of(bus, &service.name));
                }
            }
        }
        names.sort_unstable();
        names
    }

    /// A service by name; `robot/Service` where there are several directories.
    pub async fn service(&self, name: &str) -> Result<Target, ClientError> {
        self.check()?;
        let (bus, service) = self.find(name)?;
        let access = bus.access(&service, &self.member.role).await.map_err(|error| match error {
            keyway::Error::Remote(_) => {
                ClientError::new(GatewayCode::Unreachable, "the service does not describe itself")
            }
            error => error.into(),
        })?;
        Ok(Target { bus: bus.clone(), access, place: Place::Service(service) })
    }

    /// Ends what has not been used for long. To be called now and then.
    pub fn expire(&self, now: Instant) {
        let expired = self.shared.objects.lock().expire(now);
        // Not under the lock: their hosts are told.
        drop(expired);
    }

    fn find(&self, name: &str) -> Result<(&Arc<Bus>, Arc<Service>), ClientError> {
        let (bus, name) = match self.gateway.buses() {
            [bus] => (Some(bus), name),
            buses => match name.split_once('/') {
                Some((robot, name)) => (buses.iter().find(|bus| bus.name() == robot), name),
                None => (None, name),
            },
        };
        // What is hidden is as if it were not there.
        let visible = |bus: &Bus, name: &str| bus.rules().rules.policy.may_see(&self.member.role, name);
        let found = bus.and_then(|bus| Some((bus, bus.routed_as(name)?)));
        match (found, bus) {
            (Some((bus, service)), _) if visible(bus, name) => Ok((bus, service)),
            (None, Some(bus)) if bus.session().is_none() => {
                Err(ClientError::new(GatewayCode::Unreachable, "the directory behind the gateway is not reachable"))
            }
            _ => {
                let (name, role) = (name.chars().take(MAX_QUOTED).collect::<String>(), &self.member.role);
                Err(ClientError::new(GatewayCode::NoService, format!("there is no service {name:?} for role {role:?}")))
            }
        }
    }

    fn name_of(&self, bus: &Bus, service: &str) -> String {
        if self.gateway.buses().len() == 1 { service.to_owned() } else { format!("{}/{service}", bus.name()) }
    }
}

impl fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSession").field("member", &self.member).finish_non_exhaustive()
    }
}

/// Counts down when it goes.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    /// One more, if that is not above `limit`.
    fn up_to(limit: usize, count: &Arc<AtomicUsize>) -> Option<Self> {
        let more = |held| (held < limit).then_some(held + 1);
        count.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Self(count.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Letters of a stranger's name that are told back.
const MAX_QUOTED: usize = 200;
