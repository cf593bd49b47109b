//! A service host that is no session: a test says whom it lets in, and when it gives up its connections.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use keyway::{
    CapabilityMap, Directory, Object, Session,
    front::{
        AuthMap, AuthOutcome, AuthRequest, Client, CloseReason, Front, FrontSettings, Guard, Input, Local, Verdict,
        Warden,
    },
};
use keyway_value::ServiceInfo;

/// Hosts one service, as long as it lives. The directory hears nothing of what becomes of the host's connections.
pub(crate) struct LoneHost {
    host: Arc<Host>,
    _front: Front,
    registration: Session,
}

/// What its connections share.
struct Host {
    is_silent: AtomicBool,
    is_deaf: AtomicBool,
    is_late: AtomicBool,
    object: Object,
    clients: Mutex<Vec<Client>>,
    /// That were taken, ever.
    connections: AtomicUsize,
    /// Messages that came while it was deaf.
    overheard: AtomicUsize,
}

struct Connection(Arc<Host>);

/// [`Guard`] is not ours to implement for an `Arc`.
struct Door(Arc<Host>);

impl LoneHost {
    pub(crate) async fn register(directory: &Directory, name: &str, object: Object) -> Self {
        let host = Host {
            is_silent: false.into(),
            is_deaf: false.into(),
            is_late: false.into(),
            object,
            clients: Mutex::default(),
            connections: 0.into(),
            overheard: 0.into(),
        };
        let host = Arc::new(host);
        // It has all the time of the world.
        let settings = FrontSettings { authentication_timeout: Duration::from_secs(3600), ..FrontSettings::default() };
        let front = Front::listen("tcp://127.0.0.1:0", settings, Arc::new(Door(host.clone()))).await.unwrap();
        let registration = Session::connect(&directory.urls()[0]).await.unwrap();
        let service_directory = registration.service("ServiceDirectory").await.unwrap();
        let info = ServiceInfo {
            name: name.into(),
            endpoints: front.endpoints(),
            session_id: "a session of its own".into(),
            machine_id: keyway::machine_id().into(),
            ..ServiceInfo::default()
        };
        let id: u32 = service_directory.call("registerService", (info,)).await.unwrap();
        let () = service_directory.call("serviceReady", (id,)).await.unwrap();
        Self { host, _front: front, registration }
    }

    /// Takes connections and says nothing on them, or speaks again.
    pub(crate) fn be_silent(&self, is_silent: bool) {
        self.host.is_silent.store(is_silent, Ordering::SeqCst);
    }

    /// Answers nothing that it is asked, or does again.
    pub(crate) fn be_deaf(&self, is_deaf: bool) {
        self.host.is_deaf.store(is_deaf, Ordering::SeqCst);
    }

    /// Refuses what it is asked, as libqi does between saying that a service is ready and taking it in; or does no more.
    pub(crate) fn be_late(&self, is_late: bool) {
        self.host.is_late.store(is_late, Ordering::SeqCst);
    }

    /// Takes its service back.
    pub(crate) async fn leave(&self) {
        self.registration.close().await;
    }

    /// Gives up all connections, as a host does with those who read too slowly.
    pub(crate) fn hang_up(&self) {
        for client in self.host.clients.lock().unwrap().drain(..) {
            client.close(CloseReason::SlowConsumer);
        }
    }

    /// How many messages have come while it was deaf.
    pub(crate) fn overheard(&self) -> usize {
        self.host.overheard.load(Ordering::SeqCst)
    }

    /// How many connections it has taken.
    pub(crate) fn connections(&self) -> usize {
        self.host.connections.load(Ordering::SeqCst)
    }
}

impl Guard for Door {
    fn admit(&self, client: &Client) -> Option<Box<dyn Warden>> {
        self.0.clients.lock().unwrap().push(client.clone());
        self.0.connections.fetch_add(1, Ordering::SeqCst);
        Some(Box::new(Connection(self.0.clone())))
    }

    fn authenticates(&self) -> bool {
        true
    }
}

impl Warden for Connection {
    fn judge(&mut self, _request: AuthRequest, verdict: Verdict) {
        if !self.0.is_silent.load(Ordering::SeqCst) {
            verdict.give(AuthOutcome::Done(AuthMap::new()));
        }
    }

    fn opened(&mut self, _capabilities: &CapabilityMap) {}

    fn on_message(&mut self, _now: Instant, input: Input) -> Result<Option<Local>, CloseReason> {
        if self.0.is_deaf.load(Ordering::SeqCst) {
            self.0.overheard.fetch_add(1, Ordering::SeqCst);
            return Ok(None);
        }
        let object = (!self.0.is_late.load(Ordering::SeqCst)).then(|| self.0.object.clone());
        Ok(Some(Local { input, object, answered: None }))
    }

    fn closed(&mut self, _reason: &CloseReason) {}
}
