//! Who is here: the clients of all doors, and the services they host. Every session [stays](Stay) here from its beginning to its
//! end, whatever ends it; programs inside ask and listen by the service `Presence`.

mod departure;
mod roster;
mod service;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Instant, SystemTime},
};

use keyway_history::audit::Caller;
use keyway_pipe::ConnectionId;
use keyway_value::ServiceId;
use parking_lot::Mutex;

pub use self::departure::Departure;
use self::roster::{Change, Roster};
pub(crate) use self::{roster::StayId, service::Served};
use crate::{
    journal::Journal,
    lease::{EXPIRY, Leases},
    member::Member,
    metrics::{Metrics, Snapshot, Totals, Traffic},
};

/// Everybody who is here.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    state: Mutex<State>,
    /// Those behind each bus that are told of it. Held from a change to the telling, so that all hear it in the same order.
    watchers: Mutex<Vec<Arc<Served>>>,
    pub(crate) leases: Leases,
    pub(crate) metrics: Metrics,
}

#[derive(Debug, Default)]
struct State {
    roster: Roster,
    traffic: HashMap<StayId, Arc<Traffic>>,
    /// Of the sessions that ended.
    past: Totals,
}

/// A session that is here until this is ended, or dropped.
pub struct Stay {
    presence: Arc<Presence>,
    id: StayId,
    caller: Arc<Caller>,
    traffic: Arc<Traffic>,
    began: Instant,
    journal: Option<Journal>,
}

impl Presence {
    /// The service for those behind a bus.
    pub(crate) fn serve(self: &Arc<Self>, bus: &Arc<str>) -> Arc<Served> {
        let served = Arc::new(Served::new(self, bus.clone()));
        self.watchers.lock().push(served.clone());
        served
    }

    /// A client is in; on one bus if it is named by its label, on all otherwise.
    pub(crate) fn enter(
        self: &Arc<Self>,
        member: &Member,
        bus: Option<Arc<str>>,
        connection: Option<ConnectionId>,
        traffic: Arc<Traffic>,
        journal: Option<Journal>,
    ) -> Stay {
        let mut id = StayId::default();
        self.change(|state| {
            let (new, change) = state.roster.join(SystemTime::now(), member, bus, connection);
            id = new;
            state.traffic.insert(new, traffic.clone());
            [change]
        });
        if let Some(journal) = &journal {
            journal.came();
        }
        let (presence, caller) = (self.clone(), member.caller.clone());
        Stay { presence, id, caller, traffic, began: Instant::now(), journal }
    }

    /// A client hosts a service.
    pub(crate) fn hosts(&self, bus: &Arc<str>, connection: ConnectionId, id: ServiceId, name: &str) {
        self.change(|state| state.roster.hosts(SystemTime::now(), bus, connection, id, name));
    }

    /// A client took its service back.
    pub(crate) fn hosts_no_more(&self, bus: &Arc<str>, id: ServiceId) {
        self.change(|state| state.roster.hosts_no_more(bus, id));
    }

    /// False if it has left already.
    fn leave(&self, id: StayId, why: Departure) -> bool {
        let mut is_news = false;
        self.leases.lost(id);
        self.change(|state| {
            if let Some(traffic) = state.traffic.remove(&id) {
                // What was under way has been answered or never will be.
                state.past.add(Totals { in_flight: 0, ..traffic.totals() });
                self.metrics.departed(why);
                is_news = true;
            }
            state.roster.leave(SystemTime::now(), id, why)
        });
        is_news
    }

    /// Takes leased services away from those who do not use them; again and again.
    pub(crate) async fn expire_leases(self: Arc<Self>) {
        loop {
            tokio::time::sleep(EXPIRY).await;
            self.leases.expire(Instant::now(), |stay| {
                let state = self.state.lock();
                state.traffic.get(&stay).is_some_and(|traffic| traffic.in_flight.load(Relaxed) > 0)
            });
        }
    }

    /// A client gives a leased service back. False if it does not hold it.
    fn release(&self, bus: &str, service: &str, connection: ConnectionId) -> bool {
        let stay = self.state.lock().roster.at(connection);
        stay.is_some_and(|stay| self.leases.release(bus, service, stay))
    }

    /// Changes who is here, and tells it.
    fn change<C: IntoIterator<Item = Change>>(&self, change: impl FnOnce(&mut State) -> C) {
        let watchers = self.watchers.lock();
        let changes = change(&mut self.state.lock());
        for change in changes {
            log(&change);
            for watcher in watchers.iter() {
                watcher.tell(&change);
            }
        }
    }

    pub(crate) fn fill(&self, snapshot: &mut Snapshot) {
        let state = self.state.lock();
        let mut sessions = BTreeMap::new();
        for (_, who) in state.roster.clients() {
            *sessions.entry((who.door.clone(), who.role.clone())).or_default() += 1;
        }
        snapshot.sessions = sessions;
        snapshot.traffic = state.past;
        for traffic in state.traffic.values() {
            snapshot.traffic.add(traffic.totals());
        }
        drop(state);
        self.metrics.fill(snapshot);
    }
}

impl Stay {
    /// What the session does, to be counted there.
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Who it is.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(crate) fn id(&self) -> StayId {
        self.id
    }

    /// The client is somewhere else now.
    pub fn moved(&self, source: &str) {
        self.presence.change(|state| state.roster.moved(self.id, source));
    }

    /// The session is over. It ends once.
    pub fn end(&self, why: Departure) {
        if self.presence.leave(self.id, why)
            && let Some(journal) = &self.journal
        {
            journal.went(self.began.elapsed(), why.code());
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.end(Departure::Closed);
    }
}

impl fmt::Debug for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stay").field("id", &self.id).finish_non_exhaustive()
    }
}

fn log(change: &Change) {
    match change {
        Change::Joined(who) => {
            tracing::info!(session = who.session, identity = who.identity, role = %who.role, source = who.source, "joined");
        }
        Change::Left { who, why, .. } => {
            tracing::info!(session = who.session, identity = who.identity, %why, "left");
        }
        Change::AddressChanged { who, before } => {
            tracing::info!(session = who.session, source = who.source, before, "changed its address");
        }
        Change::ServiceJoined(service) => {
            tracing::info!(session = service.session, service = %service.name, "hosts a service");
        }
        Change::ServiceLeft { service, .. } => {
            tracing::info!(session = service.session, service = %service.name, "hosts a service no more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(presence: &Arc<Presence>, role: &str) -> Stay {
        let member = Member::new("qi", "1".to_owned(), "nao", role, "tcp://10.0.0.1:5".to_owned());
        presence.enter(&member, None, None, Arc::default(), None)
    }

    fn snapshot(presence: &Presence) -> Snapshot {
        let mut snapshot = Snapshot::default();
        presence.fill(&mut snapshot);
        snapshot
    }

    #[test]
    fn what_a_session_did_is_counted_after_its_end_and_what_was_under_way_is_not() {
        let presence = Arc::new(Presence::default());
        let (first, second) = (enter(&presence, "guest"), enter(&presence, "guest"));
        first.traffic().calls.fetch_add(3, Relaxed);
        first.traffic().in_flight.fetch_add(2, Relaxed);
        second.traffic().calls.fetch_add(4, Relaxed);
        let now = snapshot(&presence);
        assert_eq!((now.traffic.calls, now.traffic.in_flight), (7, 2));
        assert_eq!(now.sessions[&("qi".into(), "guest".into())], 2);
        first.end(Departure::Dead);
        let now = snapshot(&presence);
        assert_eq!((now.traffic.calls, now.traffic.in_flight), (7, 0));
        assert_eq!(now.sessions[&("qi".into(), "guest".into())], 1);
    }

    #[test]
    fn a_session_that_is_only_dropped_has_left_and_once() {
        let presence = Arc::new(Presence::default());
        drop(enter(&presence, "guest"));
        enter(&presence, "guest").end(Departure::Dead);
        let now = snapshot(&presence);
        assert!(now.sessions.is_empty());
        let ended: Vec<_> = now.departures.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(ended, [(Departure::Closed, 1), (Departure::Dead, 1)]);
    }
}
