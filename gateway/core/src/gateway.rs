//! The gateway: its rules, its buses, and what all doors ask it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use keyway_auth::{Credentials, Footing, Identity, Now, Outcome, Reason, Secret, Source, resume::ResumeError};
use keyway_history::audit::{Kind, Recorder};
use keyway_pipe::{ConnectionCap, ConnectionId, events_dropped, offload, slow_consumers_closed};
use tokio::task::AbortHandle;

use crate::{
    bus::{Bus, BusSettings},
    client::{Feeds, Sessions},
    comeback::Comebacks,
    journal::Journal,
    lease::Lease,
    member::Member,
    metrics::{AuditState, Metrics, Snapshot, Traffic},
    presence::{Presence, Stay},
    rules::{InForce, Rules},
};

/// A gateway. Clones are the same; it ends with the last of them.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    rules: Arc<ArcSwap<InForce>>,
    buses: Vec<Arc<Bus>>,
    working: Vec<AbortHandle>,
    recorder: Option<Recorder>,
    connections: ConnectionCap,
    feeds: Feeds,
    /// Of clients by name.
    sessions: Sessions,
    presence: Arc<Presence>,
    draining: AtomicBool,
    comebacks: Comebacks,
}

/// What a client shows, by its own value: it outlives the message it came in.
#[derive(Debug)]
pub enum Shown {
    /// Nothing.
    Nothing,
    /// A name with its password or token.
    Named {
        /// The name.
        user: String,
        /// The password or token.
        secret: Secret,
    },
    /// A token alone.
    Bearer(Secret),
    /// The key of a session that this gateway does not know any more.
    ResumeKey(Bytes),
    /// A certificate that TLS verified.
    Certificate {
        /// Its subject, as [`Names`](keyway_auth::certificate::Names) has it.
        subject: String,
        /// Its alternative names, likewise.
        sans: Vec<String>,
    },
}

/// What becomes of a client that wants to come in.
#[derive(Debug)]
pub enum Judged {
    /// It is in.
    Accepted {
        /// Who it is.
        identity: Identity,
        /// What it may do.
        role: String,
        /// What the role stands on, for [`Member::standing_on`].
        footing: Arc<Footing>,
    },
    /// It stays outside.
    Refused {
        /// Why.
        reason: Reason,
        /// How long it has to wait.
        delay: Duration,
    },
}

/// Where a client comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The door it has come to.
    pub door: &'static str,
    /// What its session is going to be called, if that is known.
    pub session: String,
    /// Its address and port, for logs.
    pub address: String,
    /// Whom its failures are counted for.
    pub source: Source,
}

impl Shown {
    /// Who the client says it is, as far as it can be read in a log.
    fn claimed(&self) -> String {
        let name = match self {
            Self::Named { user, .. } => user.as_str(),
            Self::Certificate { subject, .. } => subject,
            Self::Nothing | Self::Bearer(_) | Self::ResumeKey(_) => "",
        };
        name.chars().take(MAX_CLAIMED).collect()
    }
}

impl Gateway {
    /// Starts to attach to directories, and keeps trying (spec 12.5). Needs a tokio runtime.
    pub fn start(rules: Rules, buses: Vec<BusSettings>, recorder: Option<Recorder>) -> Self {
        let connections = ConnectionCap::new(rules.limits.connections_per_source, rules.limits.connections);
        let replay = rules.limits.replay;
        let rules = Arc::new(ArcSwap::new(InForce::first(rules)));
        let presence = Arc::<Presence>::default();
        let bus = |settings| Bus::new(settings, rules.clone(), presence.clone());
        let buses: Vec<_> = buses.into_iter().map(bus).collect();
        presence.leases.set(&rules.load().rules.leases, &buses, recorder.as_ref());
        let attaching = buses.iter().map(|bus| tokio::spawn(bus.clone().attach()).abort_handle());
        let expiring = tokio::spawn(presence.clone().expire_leases()).abort_handle();
        let working = attaching.chain([expiring]).collect();
        Self(Arc::new(Inner {
            rules,
            buses,
            working,
            recorder,
            connections,
            feeds: Feeds::new(replay),
            sessions: Sessions::default(),
            presence,
            draining: AtomicBool::new(false),
            comebacks: Comebacks::in_memory(),
        }))
    }

    /// The directories behind it.
    pub fn buses(&self) -> &[Arc<Bus>] {
        &self.0.buses
    }

    /// Puts other rules in force, for all sessions and at once.
    pub fn reload(&self, rules: Rules) {
        let generation = self.0.rules.load().generation + 1;
        let Inner { presence, buses, recorder, .. } = &*self.0;
        presence.leases.set(&rules.leases, buses, recorder.as_ref());
        let in_force = Arc::new(InForce { rules, generation });
        self.0.rules.store(in_force.clone());
        // Before anybody looks again.
        self.0.sessions.judge(&in_force);
        for bus in &self.0.buses {
            bus.outdate();
        }
        self.metrics().reloaded();
    }

    /// The rules in force.
    pub fn rules(&self) -> Rules {
        self.0.rules.load().rules.clone()
    }

    /// The role of everybody at a listener where those who show nothing have the role `anonymous`, if there is nothing that a
    /// client could show: then there is nothing to ask it for.
    pub fn open_to_anybody(&self, anonymous: Option<&str>) -> Option<String> {
        let rules = self.0.rules.load();
        let authenticator = &rules.rules.authenticator;
        let role = anonymous.or_else(|| authenticator.anonymous());
        role.filter(|_| authenticator.knows_nobody()).map(str::to_owned)
    }

    /// Whether certificates give roles.
    pub fn knows_certificates(&self) -> bool {
        self.0.rules.load().rules.authenticator.knows_certificates()
    }

    /// Decides who a client is. Passwords are verified on the CPU threads. Who is refused is recorded.
    pub async fn authenticate(&self, origin: &Origin, shown: Shown) -> Judged {
        let claimed = shown.claimed();
        let cost = match &shown {
            // Argon2id takes tens of milliseconds.
            Shown::Named { .. } => Duration::from_millis(20),
            _ => Duration::ZERO,
        };
        let (gateway, source) = (self.clone(), origin.source);
        let judged = offload::run(cost, move || gateway.judge(source, &shown)).await;
        self.metrics().authenticated(&judged);
        if let Judged::Refused { reason, .. } = &judged {
            self.refused_login(origin, &claimed, reason.code());
        }
        judged
    }

    fn judge(&self, source: Source, shown: &Shown) -> Judged {
        let rules = self.0.rules.load();
        let authenticator = &rules.rules.authenticator;
        let names: Vec<&str>;
        let credentials = match shown {
            Shown::ResumeKey(key) => return self.resumed(&rules.rules, key),
            Shown::Nothing => Credentials::Anonymous,
            Shown::Named { user, secret } => Credentials::Named { user, secret },
            Shown::Bearer(secret) => Credentials::Bearer(secret),
            Shown::Certificate { subject, sans } => {
                names = sans.iter().map(String::as_str).collect();
                Credentials::Certificate { subject, sans: &names }
            }
        };
        let now = Now { monotonic: Instant::now(), wall: SystemTime::now() };
        match authenticator.begin(now, source, &credentials) {
            Outcome::Accepted { identity, role } => {
                let footing = Arc::new(authenticator.footing(&credentials, &identity));
                Judged::Accepted { identity, role, footing }
            }
            Outcome::Refused { reason, delay } => Judged::Refused { reason, delay },
        }
    }

    /// Who comes back with a key, as what it may come in by now.
    fn resumed(&self, rules: &Rules, key: &[u8]) -> Judged {
        let refused = |reason| Judged::Refused { reason, delay: Duration::ZERO };
        let (identity, footing) = match self.0.comebacks.redeem(key) {
            Ok(said) => said,
            Err(reason) => return refused(reason),
        };
        match rules.authenticator.role_by(&footing).map(str::to_owned) {
            Some(role) => Judged::Accepted { identity, role, footing: Arc::new(footing) },
            None => refused(Reason::Resume(ResumeError::Unknown)),
        }
    }

    /// The keys by which clients come back to their sessions.
    pub fn comebacks(&self) -> &Comebacks {
        &self.0.comebacks
    }

    /// A client stays outside, for the reason with this code.
    pub fn refused_login(&self, origin: &Origin, claimed: &str, code: &'static str) {
        let Origin { door, session, address, .. } = origin;
        let member = Member::new(door, session.clone(), claimed, "", address.clone());
        if let Some(journal) = self.journal(&member) {
            journal.refused(Kind::Login, &"".into(), "".into(), code);
        }
    }

    /// Room for connections, by source and in all.
    pub fn connections(&self) -> &ConnectionCap {
        &self.0.connections
    }

    /// Counts reloads: what was concluded from other rules is void.
    pub fn generation(&self) -> u64 {
        self.0.rules.load().generation
    }

    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.0.rules.load_full()
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(crate) fn feeds(&self) -> &Feeds {
        &self.0.feeds
    }

    /// A client is in, and stays until the end of what this returns. It is on one bus, or on all; `connection` is the one on which
    /// it registers services.
    pub fn enter(
        &self,
        member: &Member,
        bus: Option<&Bus>,
        connection: Option<ConnectionId>,
        traffic: Arc<Traffic>,
    ) -> Stay {
        let bus = bus.map(|bus| bus.label().clone());
        self.0.presence.enter(member, bus, connection, traffic, self.journal(member))
    }

    /// The audit log as a client's session writes it, and traces; `None` if there is neither.
    pub(crate) fn journal(&self, member: &Member) -> Option<Journal> {
        Journal::new(self.0.recorder.as_ref(), &member.caller, &self.0.rules.load().rules.audit)
    }

    /// The lease of a service, if it has one: whoever calls, posts or sets something there takes it before.
    pub fn lease(&self, bus: &Bus, service: &str) -> Option<Arc<Lease>> {
        self.0.presence.leases.of(bus, service)
    }

    /// Takes no more calls, and waits for the answers to those that run.
    pub async fn drain(&self) {
        self.0.draining.store(true, Relaxed);
        while self.snapshot().traffic.in_flight > 0 {
            tokio::time::sleep(ANSWERS).await;
        }
    }

    /// Whether calls are refused, because the gateway ends.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Relaxed)
    }

    /// Waits until no stop call of a lease is under way.
    pub async fn settled(&self) {
        self.0.presence.leases.settled().await;
    }

    /// Where refusals and bad reloads are counted.
    pub fn metrics(&self) -> &Metrics {
        &self.0.presence.metrics
    }

    /// Everything that is counted, as it is now.
    pub fn snapshot(&self) -> Snapshot {
        let Inner { buses, recorder, connections, presence, .. } = &*self.0;
        let mut snapshot = Snapshot {
            connections_accepted: connections.admitted(),
            connections_refused: connections.refused(),
            connections: connections.held(),
            buses: buses.iter().map(|bus| bus.state()).collect(),
            slow_consumers_closed: slow_consumers_closed(),
            events_dropped: events_dropped(),
            audit: recorder
                .as_ref()
                .map(|recorder| AuditState { dropped: recorder.dropped(), failing: recorder.is_failing() }),
            ..Snapshot::default()
        };
        presence.fill(&mut snapshot);
        snapshot
    }
}

/// Letters of a stranger's name that are recorded.
const MAX_CLAIMED: usize = 128;
/// How often running calls are counted while the gateway ends.
const ANSWERS: Duration = Duration::from_millis(10);

impl Drop for Inner {
    fn drop(&mut self) {
        for task in &self.working {
            task.abort();
        }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("buses", &self.0.buses).finish_non_exhaustive()
    }
}
