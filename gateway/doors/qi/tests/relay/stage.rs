//! A directory, a robot that hosts services, and a gateway before them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use keyway::{
    Directory, Object, ObjectBuilder, Property, Proxy, Session, SessionBuilder, Signal, front::FrontSettings,
};
use keyway_auth::{AuthConfig, Authenticator, Secret, token};
use keyway_door_qi::{Door, DoorSettings};
use keyway_gateway::{BusSettings, Gateway, Rules};
use keyway_history::audit::{AuditLog, Entry, Options, Reader};
use keyway_policy::Policy;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::valve::Valve;

/// Before a test gives up; machines are busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that has to live for a test.
pub(crate) struct Stage {
    pub(crate) directory: Directory,
    /// Between the gateway and the directory.
    pub(crate) valve: Valve,
    pub(crate) gateway: Gateway,
    pub(crate) robot: Robot,
    pub(crate) door: Door,
    log: AuditLog,
    folder: TempDir,
}

/// What hosts the services inside.
pub(crate) struct Robot {
    pub(crate) session: Session,
    pub(crate) said: Signal<(String,)>,
    /// Lets a call of `slow` end.
    pub(crate) release: Arc<Semaphore>,
    /// What was done.
    done: Arc<Mutex<Vec<String>>>,
}

/// What a stage is made of.
#[derive(Default)]
pub(crate) struct Plan<'a> {
    /// Whether clients share one connection to each host.
    pub(crate) shared: bool,
    pub(crate) policy: &'a str,
    /// Names and roles; the token of a user is [`token_of`] its name.
    pub(crate) users: &'a [(&'a str, &'a str)],
    pub(crate) front: FrontSettings,
    /// How the gateway is a client inside.
    pub(crate) inside: SessionBuilder,
    /// More than `tcp://127.0.0.1:0`.
    pub(crate) listen: &'a [&'a str],
}

impl Stage {
    pub(crate) async fn new(plan: Plan<'_>) -> Self {
        Self::with(plan, |_| {}).await
    }

    /// With rules that are changed before the start.
    pub(crate) async fn with(plan: Plan<'_>, change: impl FnOnce(&mut Rules)) -> Self {
        let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
        let url = directory.urls().remove(0);
        let robot = Robot::new(&url).await;
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::open(folder.path(), Options::default()).unwrap();
        let mut rules = rules(plan.policy, plan.users);
        change(&mut rules);
        let valve = Valve::before(&url).await;
        let bus = BusSettings { shared: plan.shared, ..BusSettings::new(valve.url.clone(), plan.inside) };
        let gateway = Gateway::start(rules, vec![bus], Some(log.recorder()));
        gateway.buses()[0].attached().await;
        let urls = [&["tcp://127.0.0.1:0"], plan.listen].concat().into_iter().map(str::to_owned).collect();
        let settings = DoorSettings { urls, front: plan.front, anonymous: None };
        let door = Door::open(&gateway, &gateway.buses()[0], settings).await.unwrap();
        Self { directory, valve, gateway, robot, door, log, folder }
    }

    /// A client that comes in as a user.
    pub(crate) async fn client(&self, user: &str) -> Session {
        let builder = Session::builder().credentials(user, token_of(user));
        soon("connecting", builder.connect(&self.door.urls()[0])).await.unwrap()
    }

    /// Such a client and the service `Robot`.
    pub(crate) async fn robot_as(&self, user: &str) -> (Session, Proxy) {
        let session = self.client(user).await;
        let robot = soon("the service", session.wait_for_service("Robot")).await.unwrap();
        (session, robot)
    }

    /// What is in the audit log.
    pub(crate) fn audited(&self) -> Vec<Entry> {
        self.log.flush().unwrap();
        Reader::open(self.folder.path()).unwrap().map(Result::unwrap).filter(|entry| entry.kind != "log").collect()
    }

    /// Waits for records of a kind and an outcome (or code), and gives them.
    pub(crate) async fn records(&self, kind: &str, outcome: &str) -> Vec<Entry> {
        let is_it = |entry: &Entry| entry.kind == kind && (entry.outcome == outcome || entry.code == outcome);
        let found = async {
            loop {
                let found: Vec<_> = self.audited().into_iter().filter(is_it).collect();
                if !found.is_empty() {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        soon(&format!("a record of {kind}, {outcome}"), found).await
    }
}

impl Robot {
    async fn new(directory: &str) -> Self {
        let session = Session::connect(directory).await.unwrap();
        let (said, release) = (Signal::new(), Arc::new(Semaphore::new(0)));
        let robot = Self { session, said, release, done: Arc::default() };
        robot.session.register("Robot", robot.object()).await.unwrap();
        robot
    }

    /// What its methods did.
    pub(crate) fn done(&self) -> Vec<String> {
        self.done.lock().unwrap().clone()
    }

    /// What it hosts.
    pub(crate) fn object(&self) -> ObjectBuilder {
        robot(&self.said, &self.release, &self.done)
    }
}

fn robot(said: &Signal<(String,)>, release: &Arc<Semaphore>, done: &Arc<Mutex<Vec<String>>>) -> ObjectBuilder {
    let note = |text: &str| {
        let (done, text) = (done.clone(), text.to_owned());
        move |more: &str| done.lock().unwrap().push(format!("{text}{more}"))
    };
    let mut builder = Object::builder();
    builder.signal("said", said);
    builder.property("volume", &Property::new(30_i32));
    let noted = note("say ");
    builder.method("say", move |(text,): (String,)| {
        noted(&text);
        text
    });
    let noted = note("shout ");
    builder.method("shout", move |(text,): (String,)| {
        noted(&text);
        text.to_uppercase()
    });
    builder.method("break", |()| Err::<(), _>("it broke".to_owned()));
    let release = release.clone();
    builder.method_async("slow", move |()| {
        let release = release.clone();
        async move {
            if let Ok(permit) = release.acquire().await {
                permit.forget();
            }
        }
    });
    let (noted, who) = (note("child"), note("who"));
    builder.method("child", move |()| {
        noted("");
        let (mut builder, who) = (Object::builder(), who.clone());
        builder.method("who", move |()| {
            who("");
            "child".to_owned()
        });
        builder.method("secret", |()| 42);
        builder.signal("fired", &Signal::<(i32,)>::new());
        builder.build()
    });
    builder
}

/// Rules of a policy, for users.
pub(crate) fn rules(policy: &str, users: &[(&str, &str)]) -> Rules {
    rules_with(policy, users, "")
}

/// With more ways to be known.
pub(crate) fn rules_with(policy: &str, users: &[(&str, &str)], more: &str) -> Rules {
    let policy = Policy::parse("keyway.toml", policy).unwrap();
    let row = |(name, role): &(&str, &str)| {
        let hash = token::hash(&Secret::new(token_of(name)));
        format!("[[user]]\nname = \"{name}\"\nrole = \"{role}\"\ntoken_hash = \"{hash}\"\n")
    };
    let users = users.iter().map(row).collect::<String>() + more;
    let auth = AuthConfig::parse("keyway.toml", &users, &policy).unwrap();
    Rules::new(policy, Authenticator::new(auth))
}

pub(crate) fn token_of(user: &str) -> String {
    format!("the token of {user}")
}

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let late = |_| panic!("in vain: {what}");
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(late)
}

/// Asks until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(what, waiting).await;
}
