//! Services that clients of the gateway register: announced on the bus as the gateway's own, and reached over the connection
//! on which they were registered (spec 7.13, 12.3). Nobody ever connects to their hosts.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use keyway::{Error, Result, Session};
use keyway_directory::{DirectoryError, endpoints};
use keyway_history::audit::Kind;
use keyway_pipe::ConnectionId;
use keyway_value::{ServiceId, ServiceInfo};

use super::{
    Bus,
    service::{Place, Service},
};
use crate::{
    catalog::{MAX_ENDPOINTS, uid},
    journal::Journal,
};

impl Bus {
    /// Registers a client's service: the directory inside says whether the name is free, and which id it has.
    pub(super) async fn register(&self, owner: ConnectionId, role: &str, info: ServiceInfo) -> Result<ServiceId> {
        // What a stranger calls a service is recorded as far as a name may be long.
        let name: String = info.name.to_string_lossy().chars().take(MAX_NAME).collect();
        if let Err(refusal) = self.rules.load().rules.policy.may_register(role, &name) {
            let code = refusal.code.code();
            self.presence.metrics.refused(code);
            if let Some(journal) = self.journal(owner) {
                journal.refused(Kind::Register, &name.into(), "".into(), code);
            }
            return Err(Error::remote(refusal.to_string()));
        }
        self.recorded(owner, Kind::Register, name.into(), self.reserve(owner, info)).await
    }

    async fn reserve(&self, owner: ConnectionId, info: ServiceInfo) -> Result<ServiceId> {
        let length = info.name.as_bytes().len();
        let name = info.name.to_str().ok().filter(|_| length <= MAX_NAME);
        let name = name.ok_or_else(|| refused(&DirectoryError::InvalidName(length)))?.to_owned();
        let endpoints = endpoints::absolute(&info.endpoints, MAX_ENDPOINTS).map_err(|error| refused(&error))?;
        if self.catalog.lock().owned_by(owner).len() >= MAX_SERVICES {
            let limit = DirectoryError::TooMany { what: "services of one connection", limit: MAX_SERVICES };
            return Err(refused(&limit));
        }
        let session = self.attached_session()?;
        self.listen_inside(&session).await?;
        let id = session.reserve(&name, uid(&info)).await?;
        self.catalog.lock().reserved(owner, id, info, endpoints);
        if self.client(owner).is_none() {
            // It left meanwhile, and nobody else takes its service away.
            self.withdraw(id).await?;
        }
        Ok(id)
    }

    /// Shows a client's service to everybody, on both sides.
    pub(super) async fn ready(self: &Arc<Self>, owner: ConnectionId, id: ServiceId) -> Result<()> {
        let (name, uid) = self.catalog.lock().check_pending(owner, id).map_err(|error| refused(&error))?;
        let session = self.attached_session()?;
        let client = self.client(owner).ok_or(Error::NotConnected)?;
        let service = Arc::new(Service::new(id, name.to_string_lossy().into(), Place::Outside(client, uid)));
        self.reroute(|routes| drop(routes.insert(id, service.clone())));
        // Its host answers at once, as a rule. One that takes its time is announced all the same, and called when it has answered.
        let offering = tokio::spawn(offer(self.clone(), session.clone(), service));
        let _ = tokio::time::timeout(DESCRIPTION, offering).await;
        session.announce(id).await?;
        self.change(|catalog| catalog.ready(id));
        Ok(())
    }

    /// Takes a client's service back.
    pub(super) async fn unregister(&self, owner: ConnectionId, id: ServiceId) -> Result<()> {
        let taken_back = async {
            let unknown = || DirectoryError::UnregisterUnknown(id);
            self.catalog.lock().check_owner(owner, id, unknown).map_err(|error| refused(&error))?;
            self.withdraw(id).await
        };
        self.recorded(owner, Kind::Unregister, self.name_of(id), taken_back).await
    }

    /// What the audit log calls a service.
    fn name_of(&self, id: ServiceId) -> Arc<str> {
        let name = self.catalog.lock().name(id).map(|name| name.to_string_lossy().into());
        name.unwrap_or_else(|| id.0.to_string().into())
    }

    /// Does something for a client, and records what came of it.
    async fn recorded<T>(
        &self,
        owner: ConnectionId,
        kind: Kind,
        service: Arc<str>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let begin = |mut journal: Journal| journal.begin_about(Instant::now(), kind, &service);
        let entry = self.journal(owner).map(begin).transpose();
        let entry = entry.map_err(|error| Error::remote(error.to_string()))?;
        let done = work.await;
        if let Some(entry) = entry {
            entry.finish(Instant::now(), done.is_ok());
        }
        done
    }

    /// Changes what a client says of its services. Inside they stay where they are: at the gateway.
    pub(super) fn update(&self, owner: ConnectionId, info: ServiceInfo) -> Result<()> {
        self.catalog.lock().updated(owner, info).map_err(|error| refused(&error))
    }

    async fn withdraw(&self, id: ServiceId) -> Result<()> {
        let gone = self.attached_session()?.unregister(id).await;
        self.change(|catalog| catalog.removed(id));
        gone
    }

    /// Takes back what a client has registered, in that order (spec 7.8).
    pub(super) fn withdraw_all(self: &Arc<Self>, owner: ConnectionId, mut journal: Option<Journal>) {
        let ids = self.catalog.lock().owned_by(owner);
        for id in ids {
            let bus = self.clone();
            // It is gone whether that can be recorded or not.
            let noted =
                |journal: &mut Journal| journal.begin_about(Instant::now(), Kind::Unregister, &self.name_of(id));
            let entry = journal.as_mut().and_then(|journal| noted(journal).ok());
            // The directory is told before anybody else's next request goes to it: a client that comes straight back finds its
            // names free.
            begin(async move {
                let told = async { bus.attached_session()?.unregister(id).await };
                if let Err(error) = told.await {
                    tracing::debug!(%id, %error, "a service of a client that left was gone already");
                }
                if let Some(entry) = entry {
                    entry.finish(Instant::now(), true);
                }
            });
            // Nobody can call it, whatever the directory says and when: who asks which services there are, and then for each of them,
            // finds them all.
            self.change(|catalog| catalog.removed(id));
        }
    }

    fn attached_session(&self) -> Result<Session> {
        self.session().ok_or_else(|| Error::remote("the directory behind the gateway is not reachable; try again"))
    }
}

/// Makes the service callable for programs inside, once its host has described it. That may take a while, or until its client has taken it back.
async fn offer(bus: Arc<Bus>, session: Session, service: Arc<Service>) {
    let described = bus.describe(&service, &session, LAST_PAUSE).await;
    if !bus.has(&service) {
        return;
    }
    match described {
        Ok(()) => {
            if let Some(object) = service.object(&bus) {
                session.offer(service.id, &service.name, object);
            }
        }
        Err(error @ Error::Remote(_)) => {
            let service = &service.name;
            tracing::warn!(%service, %error, "a client's service does not describe itself; nobody inside can call it");
        }
        Err(error) => tracing::debug!(service = %service.name, %error, "a client left as its service came"),
    }
}

/// Does what can be done at once, and the rest in a task.
fn begin(future: impl Future<Output = ()> + Send + 'static) {
    let mut future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(future);
    if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        tokio::spawn(future);
    }
}

fn refused(error: &DirectoryError) -> Error {
    Error::remote(error.to_string())
}

/// How long a service may take to describe itself before it is announced without.
const DESCRIPTION: Duration = Duration::from_secs(1);
/// Before a service is asked for the last time to describe itself, after some 5 s.
const LAST_PAUSE: Duration = Duration::from_millis(2560);
/// Bytes of a service name (7.9).
const MAX_NAME: usize = 255;
/// Services of one client.
const MAX_SERVICES: usize = 1024;
