//! How a client picks a connection to a service (spec 1.3).

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use keyway_pipe::Carrier;
use keyway_session::{CapabilityMap, ClientConfig};
use keyway_value::{ObjectUid, ServiceInfo};
use keyway_wire::{Endpoint, Url};

use super::{DirectoryLink, Session, builder::open};
use crate::{Error, Result, host::Host, machine_id::machine_id, peer::Peer, remote_object::RemoteObject};

impl Session {
    /// The service's main object, over a connection that exists already if one leads there.
    pub(super) async fn reach(&self, info: &ServiceInfo) -> Result<Arc<RemoteObject>> {
        let peer = self.connection_to(info).await?;
        let uid = <[u8; 20]>::try_from(info.object_uid.as_bytes()).ok().map(ObjectUid);
        let keep = Some(self.0.clone() as Arc<dyn Send + Sync>);
        Ok(Arc::new(RemoteObject::of_service(peer, info.service_id, uid, keep).await?))
    }

    async fn connection_to(&self, info: &ServiceInfo) -> Result<Arc<Peer>> {
        if let DirectoryLink::Local(state) = &self.0.link {
            // In the directory's process the registration connection leads to every host (7.13).
            if let Some(peer) = state.registration_peer(info.service_id) {
                return Ok(peer);
            }
        }
        if let Some(peer) = self.only_connection() {
            return Ok(peer);
        }
        if info.endpoints.is_empty() {
            let (name, id) = (&info.name, info.service_id);
            return Err(Error::Unreachable(format!("No endpoints returned for service:{name} (id:{id})")));
        }
        let _connecting = self.0.connecting.lock().await;
        let key = |endpoint: &String| (info.machine_id.to_string(), endpoint.clone());
        {
            let mut connections = self.0.connections.lock();
            connections.retain(|_, peer| peer.is_open());
            if let Some(peer) = info.endpoints.iter().find_map(|endpoint| connections.get(&key(endpoint))) {
                return Ok(peer.clone());
            }
        }
        let mut candidates = candidates(info, machine_id());
        // What cannot be verified is not connected to (H11).
        candidates.retain(|url| self.0.settings.missing_for(url).is_none());
        if candidates.is_empty() {
            return Err(Error::Unreachable("No reachable endpoint was found for this service.".into()));
        }
        // What a service's host may call on this connection are the objects passed to it, nothing else.
        let host = Arc::new(Host::default());
        let mut attempts: FuturesUnordered<_> = candidates
            .into_iter()
            .map(|url| {
                let host = &host;
                async move { (open(&self.0.settings, &url, host).await, url) }
            })
            .collect();
        while let Some((attempt, url)) = attempts.next().await {
            match attempt {
                Ok(peer) => {
                    let mut connections = self.0.connections.lock();
                    connections.insert(key(&url.to_string()), peer.clone());
                    connections.insert(key(&format!("qi:{}", info.name)), peer.clone());
                    return Ok(peer);
                }
                Err(error) => tracing::debug!(%url, %error, "an endpoint did not answer"),
            }
        }
        let id = info.service_id;
        Err(Error::Unreachable(format!("Could not connect to service #{id}: no endpoint replied.")))
    }
}

impl Session {
    /// Connects to the host of a service, for who is going to speak QiMessaging over the carrier itself: with this session's settings of
    /// TLS and sockets, by the first endpoint that answers (spec 1.3, steps 5 and 6), or to the directory where a service
    /// is reached through it.
    pub async fn carrier_to(&self, info: &ServiceInfo) -> Result<Arc<dyn Carrier>> {
        let settings = &self.0.settings;
        let mut candidates = candidates(info, machine_id());
        if candidates.is_empty()
            && let DirectoryLink::Remote { url, .. } = &self.0.link
        {
            candidates.push(Url::parse(url));
        }
        let mut attempts: FuturesUnordered<_> = candidates
            .iter()
            .filter(|url| settings.missing_for(url).is_none())
            .map(|url| keyway_pipe::connect_with(url, &settings.socket, settings.tls.as_ref()))
            .collect();
        let connecting = async {
            while let Some(attempt) = attempts.next().await {
                match attempt {
                    Ok(carrier) => return Ok(carrier),
                    Err(error) => tracing::debug!(service = %info.name, %error, "an endpoint did not answer"),
                }
            }
            let id = info.service_id;
            Err(Error::Unreachable(format!("Could not connect to service #{id}: no endpoint replied.")))
        };
        let limit = settings.connect_timeout;
        let late = |_| Error::Timeout { what: format!("connecting to the host of {}", info.name), limit };
        tokio::time::timeout(limit, connecting).await.map_err(late)?
    }

    /// Who this session is to the hosts it connects to, with other capabilities.
    pub fn client_config(&self, capabilities: CapabilityMap) -> ClientConfig {
        self.0.settings.client_config(capabilities)
    }

    /// How long this session waits for a peer to connect and to let it in.
    pub fn connect_timeout(&self) -> Duration {
        self.0.settings.connect_timeout
    }
}

/// The endpoints worth trying: loopback ones of the own machine, the others of others (spec 1.3, step 5).
fn candidates(info: &ServiceInfo, own_machine: &str) -> Vec<Url> {
    let absolute: Vec<_> = info
        .endpoints
        .iter()
        .filter_map(|text| Endpoint::parse(text).ok())
        .filter(|endpoint| !endpoint.is_relative())
        .collect();
    let (loopback, remote): (Vec<_>, Vec<_>) = absolute.iter().partition(|endpoint| endpoint.is_loopback());
    let chosen = match info.machine_id == *own_machine {
        true if loopback.is_empty() => remote,
        true => loopback,
        false => remote,
    };
    chosen.into_iter().map(|endpoint| Url::parse(endpoint.as_str())).filter(Url::is_supported).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(endpoints: &[&str]) -> ServiceInfo {
        ServiceInfo {
            machine_id: "here".into(),
            endpoints: endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect(),
            ..ServiceInfo::default()
        }
    }

    #[test]
    fn on_the_own_machine_only_loopback_endpoints_are_tried_when_there_are_any() {
        let info = info(&["qi:X", "tcp://127.0.0.1:1", "tcp://10.0.0.1:1"]);
        let tried: Vec<_> = candidates(&info, "here").iter().map(ToString::to_string).collect();
        assert_eq!(tried, ["tcp://127.0.0.1:1"]);
    }

    #[test]
    fn from_another_machine_loopback_endpoints_are_left_out() {
        let info = info(&["tcp://127.0.0.1:1", "tcp://10.0.0.1:1"]);
        let tried: Vec<_> = candidates(&info, "there").iter().map(ToString::to_string).collect();
        assert_eq!(tried, ["tcp://10.0.0.1:1"]);
    }
}
