//! Who is here. Knows no clock and does no I/O: whoever tells it something tells the time, too.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use keyway_pipe::ConnectionId;
use keyway_value::ServiceId;

use super::Departure;
use crate::member::Member;

/// One session, by a number that no other session ever has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StayId(pub(crate) u64);

/// What to call the bus that a session goes to; `None` if it goes to all.
pub(crate) type BusName = Option<Arc<str>>;

/// A client that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Present {
    pub(crate) session: String,
    pub(crate) identity: String,
    pub(crate) role: Arc<str>,
    pub(crate) door: Arc<str>,
    pub(crate) source: String,
    pub(crate) since: SystemTime,
    pub(crate) bus: BusName,
    pub(crate) connection: Option<ConnectionId>,
}

/// A service that a client hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hosted {
    pub(crate) id: ServiceId,
    pub(crate) name: Arc<str>,
    /// The session that hosts it.
    pub(crate) session: String,
    pub(crate) since: SystemTime,
    stay: StayId,
    bus: Arc<str>,
}

/// Something that those who watch are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Joined(Present),
    Left { who: Present, why: Departure, after: Duration },
    AddressChanged { who: Present, before: String },
    ServiceJoined(Hosted),
    ServiceLeft { service: Hosted, why: Option<Departure> },
}

/// Clients and what they host.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    clients: BTreeMap<StayId, Present>,
    services: BTreeMap<(Arc<str>, ServiceId), Hosted>,
    last: u64,
}

impl Present {
    fn goes_to(&self, bus: &str) -> bool {
        self.bus.as_deref().is_none_or(|own| own == bus)
    }
}

impl Change {
    /// Whether it concerns those behind a bus.
    pub(crate) fn concerns(&self, bus: &str) -> bool {
        match self {
            Self::Joined(who) | Self::Left { who, .. } | Self::AddressChanged { who, .. } => who.goes_to(bus),
            Self::ServiceJoined(service) | Self::ServiceLeft { service, .. } => &*service.bus == bus,
        }
    }
}

impl Roster {
    /// A client is in.
    pub(crate) fn join(
        &mut self,
        now: SystemTime,
        member: &Member,
        bus: BusName,
        connection: Option<ConnectionId>,
    ) -> (StayId, Change) {
        self.last += 1;
        let id = StayId(self.last);
        let caller = &member.caller;
        let who = Present {
            session: caller.session.clone(),
            identity: caller.identity.clone(),
            role: member.role.clone(),
            door: caller.door.as_str().into(),
            source: caller.source.clone(),
            since: now,
            bus,
            connection,
        };
        self.clients.insert(id, who.clone());
        (id, Change::Joined(who))
    }

    /// A client is gone, and what it hosted goes before it.
    pub(crate) fn leave(&mut self, now: SystemTime, id: StayId, why: Departure) -> Vec<Change> {
        let Some(who) = self.clients.remove(&id) else { return Vec::new() };
        let hosted: Vec<_> = self.services.iter().filter(|(_, service)| service.stay == id).collect();
        let keys: Vec<_> = hosted.into_iter().map(|(key, _)| key.clone()).collect();
        let services = keys.iter().filter_map(|key| self.services.remove(key));
        let mut changes: Vec<_> = services.map(|service| Change::ServiceLeft { service, why: Some(why) }).collect();
        let after = now.duration_since(who.since).unwrap_or_default();
        changes.push(Change::Left { who, why, after });
        changes
    }

    /// A client is somewhere else now. Nothing to tell if it is not.
    pub(crate) fn moved(&mut self, id: StayId, source: &str) -> Option<Change> {
        let who = self.clients.get_mut(&id).filter(|who| who.source != source)?;
        let before = std::mem::replace(&mut who.source, source.to_owned());
        Some(Change::AddressChanged { who: who.clone(), before })
    }

    /// A client hosts a service.
    pub(crate) fn hosts(
        &mut self,
        now: SystemTime,
        bus: &Arc<str>,
        connection: ConnectionId,
        id: ServiceId,
        name: &str,
    ) -> Option<Change> {
        let stay = self.at(connection)?;
        let who = self.clients.get(&stay)?;
        let service =
            Hosted { id, name: name.into(), session: who.session.clone(), since: now, stay, bus: bus.clone() };
        self.services.insert((bus.clone(), id), service.clone());
        Some(Change::ServiceJoined(service))
    }

    /// A client took its service back. Nothing to tell if it left with its client before.
    pub(crate) fn hosts_no_more(&mut self, bus: &Arc<str>, id: ServiceId) -> Option<Change> {
        let service = self.services.remove(&(bus.clone(), id))?;
        Some(Change::ServiceLeft { service, why: None })
    }

    /// The client at the other end of a connection.
    pub(crate) fn at(&self, connection: ConnectionId) -> Option<StayId> {
        let client = self.clients.iter().find(|(_, who)| who.connection == Some(connection));
        client.map(|(stay, _)| *stay)
    }

    /// All clients, those of one bus if it is named, in the order of their coming.
    pub(crate) fn clients(&self) -> impl Iterator<Item = (StayId, &Present)> {
        self.clients.iter().map(|(id, who)| (*id, who))
    }

    /// The clients that may use a bus.
    pub(crate) fn clients_of(&self, bus: &str) -> impl Iterator<Item = &Present> {
        self.clients.values().filter(move |who| who.goes_to(bus))
    }

    /// What clients host on a bus.
    pub(crate) fn services_of(&self, bus: &str) -> impl Iterator<Item = &Hosted> {
        self.services.values().filter(move |service| &*service.bus == bus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(session: &str) -> Member {
        Member::new("qi", session.to_owned(), "nao", "guest", "tcp://10.0.0.1:5".to_owned())
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn names(roster: &Roster, bus: &str) -> Vec<String> {
        roster.clients_of(bus).map(|who| who.session.clone()).collect()
    }

    #[test]
    fn a_client_that_leaves_is_told_with_why_and_after_which_time() {
        let mut roster = Roster::default();
        let (id, joined) = roster.join(at(10), &member("1"), None, None);
        assert!(matches!(joined, Change::Joined(who) if who.identity == "nao" && who.since == at(10)));
        let left = roster.leave(at(25), id, Departure::Dead);
        let [Change::Left { why: Departure::Dead, after, .. }] = left.as_slice() else { panic!("{left:?}") };
        assert_eq!(*after, Duration::from_secs(15));
        assert!(roster.leave(at(26), id, Departure::Closed).is_empty(), "nobody leaves twice");
        assert_eq!(roster.clients().count(), 0);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_negative_time() {
        let mut roster = Roster::default();
        let (id, _) = roster.join(at(10), &member("1"), None, None);
        let left = roster.leave(at(5), id, Departure::Closed);
        assert!(matches!(&left[..], [Change::Left { after, .. }] if after.is_zero()));
    }

    #[test]
    fn services_leave_before_the_client_that_hosts_them_and_only_once() {
        let mut roster = Roster::default();
        let bus: Arc<str> = "nao".into();
        let connection = ConnectionId(3);
        let (id, _) = roster.join(at(0), &member("1"), Some(bus.clone()), Some(connection));
        assert!(roster.hosts(at(1), &bus, connection, ServiceId(7), "Remote").is_some());
        assert!(roster.hosts(at(1), &bus, connection, ServiceId(8), "Other").is_some());
        assert!(matches!(
            roster.hosts_no_more(&bus, ServiceId(8)),
            Some(Change::ServiceLeft { service, why: None }) if &*service.name == "Other"
        ));
        let left = roster.leave(at(2), id, Departure::Lost);
        assert!(matches!(
            &left[..],
            [Change::ServiceLeft { why: Some(Departure::Lost), .. }, Change::Left { why: Departure::Lost, .. }]
        ));
        assert_eq!(roster.hosts_no_more(&bus, ServiceId(7)), None);
    }

    #[test]
    fn a_service_of_a_client_that_is_gone_is_not_listed() {
        let mut roster = Roster::default();
        assert_eq!(roster.hosts(at(1), &"".into(), ConnectionId(3), ServiceId(7), "Late"), None);
        assert_eq!(roster.services_of("").count(), 0);
    }

    #[test]
    fn those_behind_a_bus_see_its_clients_and_those_of_all_buses() {
        let mut roster = Roster::default();
        roster.join(at(0), &member("to-nao"), Some("nao".into()), None);
        roster.join(at(0), &member("to-pepper"), Some("pepper".into()), None);
        let (_, everywhere) = roster.join(at(0), &member("to-all"), None, None);
        assert_eq!(names(&roster, "nao"), ["to-nao", "to-all"]);
        assert_eq!(names(&roster, "pepper"), ["to-pepper", "to-all"]);
        assert!(everywhere.concerns("nao") && everywhere.concerns("pepper"));
    }

    #[test]
    fn a_new_address_is_told_and_the_same_one_is_not() {
        let mut roster = Roster::default();
        let (id, _) = roster.join(at(0), &member("1"), None, None);
        assert_eq!(roster.moved(id, "tcp://10.0.0.1:5"), None);
        let moved = roster.moved(id, "quic://10.0.0.2:6");
        assert!(matches!(moved, Some(Change::AddressChanged { who, before })
            if who.source == "quic://10.0.0.2:6" && before == "tcp://10.0.0.1:5"));
    }
}
