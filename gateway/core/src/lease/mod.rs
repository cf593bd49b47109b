//! Leases: services that one client at a time may use, and what is called when this client is lost.
//!
//! The first client that calls a method of the service, posts to it or sets a property holds it, until it leaves, gives it back
//! (`Presence.release`), or has called nothing for a while. Reading and subscribing stay open to all. When the holder is lost, in
//! whatever way, the stop call is made at once, and nobody has the service before it is done.

mod term;

use std::{
    fmt,
    sync::{Arc, Weak},
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use keyway_history::audit::{Caller, Kind, Operation, Outcome, Record, Recorder};
use parking_lot::Mutex;
use tokio::sync::watch;

pub(crate) use self::term::Holder;
use self::term::{Occupied, Term};
use crate::{
    bus::Bus,
    presence::{Stay, StayId},
};

/// A service that one client at a time may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRule {
    /// Its name.
    pub service: String,
    /// Which method of which service is called, without arguments, when the client that holds it is lost.
    pub on_loss: Option<(String, String)>,
    /// A client that calls nothing for so long has lost it.
    pub idle: Duration,
}

/// Somebody else holds the service. The text names who.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {text}", Self::CODE)]
pub struct Leased {
    pub(crate) text: String,
}

/// The lease of one service.
pub struct Lease {
    bus: Weak<Bus>,
    label: Arc<str>,
    service: String,
    state: Mutex<(LeaseRule, Term)>,
    recorder: Option<Recorder>,
    /// How many stop calls are under way.
    stops: Arc<watch::Sender<usize>>,
}

/// All leases.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    all: ArcSwap<Vec<Arc<Lease>>>,
    stops: Arc<watch::Sender<usize>>,
}

impl Leased {
    /// The stable code.
    pub const CODE: &'static str = "KW-L001";
}

impl Leases {
    /// Puts other rules in force. Who holds a service that still has a lease keeps it.
    pub(crate) fn set(&self, rules: &[LeaseRule], buses: &[Arc<Bus>], recorder: Option<&Recorder>) {
        let old = self.all.load();
        let lease = |bus: &Arc<Bus>, rule: &LeaseRule| {
            let same = old.iter().find(|lease| lease.label == *bus.label() && lease.service == rule.service);
            if let Some(lease) = same {
                lease.state.lock().0 = rule.clone();
                return lease.clone();
            }
            Arc::new(Lease {
                bus: Arc::downgrade(bus),
                label: bus.label().clone(),
                service: rule.service.clone(),
                state: Mutex::new((rule.clone(), Term::default())),
                recorder: recorder.cloned(),
                stops: self.stops.clone(),
            })
        };
        let all = buses.iter().flat_map(|bus| rules.iter().map(move |rule| (bus, rule)));
        self.all.store(Arc::new(all.map(|(bus, rule)| lease(bus, rule)).collect()));
    }

    /// The lease of a service, if it has one.
    pub(crate) fn of(&self, bus: &Bus, service: &str) -> Option<Arc<Lease>> {
        let all = self.all.load();
        all.iter().find(|lease| lease.service == service && lease.label == *bus.label()).cloned()
    }

    /// A session is over: what it held is stopped.
    pub(crate) fn lost(&self, stay: StayId) {
        for lease in self.all.load().iter() {
            let lost = lease.state.lock().1.lost(stay);
            if let Some(holder) = lost {
                lease.stop(holder, "its session ended");
            }
        }
    }

    /// A client gives a service back. False if it does not hold it.
    pub(crate) fn release(&self, label: &str, service: &str, stay: StayId) -> bool {
        let all = self.all.load();
        let lease = all.iter().find(|lease| lease.service == service && *lease.label == *label);
        lease.is_some_and(|lease| lease.state.lock().1.release(stay))
    }

    /// Takes services away from those who do not use them.
    pub(crate) fn expire(&self, now: Instant, is_busy: impl Fn(StayId) -> bool) {
        for lease in self.all.load().iter() {
            let lost = {
                let (rule, term) = &mut *lease.state.lock();
                term.expire(now, rule.idle, &is_busy)
            };
            if let Some(holder) = lost {
                lease.stop(holder, "it has called nothing for too long");
            }
        }
    }

    /// Who holds what on a bus, and for how long.
    pub(crate) fn held(&self, label: &str, now: Instant) -> Vec<(String, Holder, Duration)> {
        let all = self.all.load();
        let held = |lease: &Arc<Lease>| {
            let state = lease.state.lock();
            let (holder, since) = state.1.holder()?;
            Some((lease.service.clone(), holder.clone(), now.saturating_duration_since(since)))
        };
        all.iter().filter(|lease| *lease.label == *label).filter_map(held).collect()
    }

    /// Waits until no stop call is under way.
    pub(crate) async fn settled(&self) {
        // The sender is kept here: it outlives the wait.
        let _ = self.stops.subscribe().wait_for(|stops| *stops == 0).await;
    }
}

impl Lease {
    /// A client uses the service, and holds it from then on.
    pub fn take(&self, now: Instant, stay: &Stay) -> Result<(), Leased> {
        let taken = self.state.lock().1.take(now, stay.id(), || {
            tracing::info!(service = %self.service, session = stay.caller().session, "leased");
            let Caller { session, identity, source, .. } = stay.caller().clone();
            Holder { stay: stay.id(), session, identity, source }
        });
        let service = &self.service;
        taken.map_err(|occupied| match occupied {
            Occupied::By(Holder { session, identity, source, .. }, held) => Leased {
                text: format!(
                    "{service} is leased to {identity} (session {session}, {source}) for {} s",
                    held.as_secs()
                ),
            },
            Occupied::Stopping => Leased { text: format!("{service} is being stopped, because who held it was lost") },
        })
    }

    /// Has the stop call made, and the service free after it.
    fn stop(self: &Arc<Self>, holder: Holder, why: &'static str) {
        let on_loss = self.state.lock().0.on_loss.clone();
        let Some((service, member)) = on_loss else {
            tracing::info!(service = %self.service, session = holder.session, why, "the lease is lost");
            return self.state.lock().1.stopped();
        };
        self.stops.send_modify(|stops| *stops += 1);
        let lease = self.clone();
        tokio::spawn(async move {
            let (time, started) = (SystemTime::now(), Instant::now());
            let result = lease.call(&service, &member).await;
            match &result {
                Ok(()) => tracing::warn!(
                    service,
                    member,
                    session = holder.session,
                    why,
                    "the lease is lost, and the stop call made"
                ),
                Err(error) => {
                    tracing::error!(service, member, session = holder.session, why, %error, "the lease is lost, and the stop call failed");
                }
            }
            if let Some(recorder) = &lease.recorder {
                let operation = Operation {
                    caller: Arc::new(caller(holder)),
                    service: service.as_str().into(),
                    member: member.as_str().into(),
                    kind: Kind::Call,
                };
                recorder.record(Record {
                    time,
                    operation: Arc::new(operation),
                    outcome: if result.is_ok() { Outcome::Ok } else { Outcome::Error },
                    duration: started.elapsed(),
                    arguments: None,
                });
            }
            lease.state.lock().1.stopped();
            lease.stops.send_modify(|stops| *stops -= 1);
        });
    }

    async fn call(&self, service: &str, member: &str) -> Result<(), String> {
        let session = self.bus.upgrade().and_then(|bus| bus.session()).ok_or("the directory is not attached")?;
        let call = async {
            let service = session.service(service).await?;
            service.call_dynamic(member, Vec::new()).await
        };
        match tokio::time::timeout(STOP, call).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", STOP.as_secs())),
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("service", &self.service).finish_non_exhaustive()
    }
}

/// Who calls in the name of a session that is gone.
fn caller(holder: Holder) -> Caller {
    let Holder { session, source, .. } = holder;
    Caller { session, identity: "lease".to_owned(), role: "gateway".to_owned(), source, door: "lease".to_owned() }
}

/// For a stop call; nobody can use the service meanwhile.
const STOP: Duration = Duration::from_secs(5);
/// How often idle holders are looked for.
pub(crate) const EXPIRY: Duration = Duration::from_secs(1);
