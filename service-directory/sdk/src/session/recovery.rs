//! A session whose server was restarted: its subscriptions and services are made again (docs/native-protocol.md, section 6).

use std::{collections::HashMap, sync::Arc, time::Duration};

use keyway_session::SignalAddress;
use keyway_value::{Link, ServiceId};
use tokio::{task::JoinSet, time::Instant};

use super::{Registered, Session};
use crate::{Error, Result, peer::Peer, remote_object::subscribe};

/// How long a gateway may take to reach its directory again, and a directory to notice that a host is gone.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

impl Session {
    /// Makes again what the server had of this session. What cannot be made again ends: streams of services that are gone, or have
    /// another id now.
    pub(super) async fn recover(self, peer: Arc<Peer>) {
        let deadline = Instant::now() + PATIENCE;
        let attempts = Attempts { generation: peer.generation(), peer: peer.clone(), deadline };
        let services: Vec<_> = self.0.registered.lock().iter().map(|(given, own)| (*given, own.clone())).collect();
        for (_, own) in &services {
            // No other service of this session can have got its id already: that would be another object.
            if self.0.host.service(own.id).is_some_and(|object| object.uid() == own.object.uid()) {
                self.0.host.unbind(own.id);
            }
        }
        let names: HashMap<ServiceId, String> = {
            let mut proxies = self.0.proxies.lock();
            let known = proxies.drain().filter_map(|(name, remote)| Some((remote.upgrade()?.service, name)));
            known.collect()
        };
        let mut making = JoinSet::new();
        for (given, own) in services {
            making.spawn(self.clone().host_again(given, own, attempts.clone()));
        }
        for (key, link) in peer.routes() {
            making.spawn(self.clone().listen_again(key, link, names.get(&key.0).cloned(), attempts.clone()));
        }
        making.join_all().await;
        tracing::debug!("the session was begun anew by its server, and has what it had");
    }

    async fn host_again(self, given: ServiceId, own: Registered, attempts: Attempts) {
        loop {
            match self.host_once(given, &own).await {
                Err(error) if attempts.has_more(&error) => tokio::time::sleep(PAUSE).await,
                Err(error) => {
                    let service = &own.name;
                    return tracing::warn!(%service, %error, "not registered again after the server was restarted");
                }
                Ok(()) => return,
            }
        }
    }

    async fn host_once(&self, given: ServiceId, own: &Registered) -> Result<()> {
        let id = self.reserve(&own.name, Some(own.object.uid())).await?;
        self.0.host.bind(id, own.object.clone());
        self.0.registered.lock().insert(given, Registered { id, ..own.clone() });
        self.announce(id).await
    }

    async fn listen_again(self, key: SignalAddress, link: Link, name: Option<String>, attempts: Attempts) {
        loop {
            match self.listen_once(&attempts.peer, key, link, name.as_deref()).await {
                Err(error) if attempts.has_more(&error) => tokio::time::sleep(PAUSE).await,
                Ok(true) => return,
                // A later restart is a later recovery's.
                _ if !attempts.are_current() => return,
                _ => {
                    tracing::debug!(service = %key.0, signal = %key.2, "a signal is gone with its server");
                    return attempts.peer.close_route(key);
                }
            }
        }
    }

    /// False if the service is another one now.
    async fn listen_once(&self, peer: &Arc<Peer>, key: SignalAddress, link: Link, name: Option<&str>) -> Result<bool> {
        if let Some(name) = name
            && self.service_info(name).await?.service_id != key.0
        {
            return Ok(false);
        }
        subscribe(peer, key, link).await?;
        Ok(true)
    }
}

/// Attempts to make something again at a server that has just been restarted.
#[derive(Clone)]
struct Attempts {
    peer: Arc<Peer>,
    generation: u32,
    deadline: Instant,
}

impl Attempts {
    /// False when the session is over, or the server was restarted once more.
    fn are_current(&self) -> bool {
        self.peer.is_open() && self.peer.generation() == self.generation
    }

    /// Whether it is worth another attempt after this one.
    fn has_more(&self, error: &Error) -> bool {
        matches!(error, Error::Remote(_)) && Instant::now() < self.deadline && self.are_current()
    }
}
