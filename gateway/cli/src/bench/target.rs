//! From a directory's URL and names to the address, ids and types to measure.

use std::net::SocketAddr;

use anyhow::{Context, anyhow, bail};
use keyway_value::{ActionId, MetaObject, ObjectId, Payload, ServiceId, Signature, from_payload, to_payload};
use keyway_wire::Url;
use tokio::net::lookup_host;

use super::peer::Peer;

/// The method `service` of the directory (spec 7.1).
const SERVICE: ActionId = ActionId(100);

/// A method or signal of a service, and where to reach it.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) address: SocketAddr,
    pub(super) service: ServiceId,
    pub(super) action: ActionId,
    /// Of its parameters.
    pub(super) signature: Signature,
}

/// Finds a method by name, or full name `name::(signature)`.
pub(super) async fn method(url: &str, service: &str, name: &str) -> anyhow::Result<Member> {
    let (address, service_id, metaobject) = describe(url, service).await?;
    let method = metaobject.method_by_name(name).ok_or_else(|| {
        let names: Vec<_> = metaobject.methods.values().filter(|method| method.uid >= 100).map(|m| &*m.name).collect();
        anyhow!("service {service} at {url} has no method {name}; it has {}", names.join(", "))
    })?;
    let (action, signature) = (ActionId(method.uid), method.parameters_signature.clone());
    Ok(Member { address, service: service_id, action, signature })
}

/// Finds a signal by name.
pub(super) async fn signal(url: &str, service: &str, name: &str) -> anyhow::Result<Member> {
    let (address, service_id, metaobject) = describe(url, service).await?;
    let signal = metaobject.signal_by_name(name).ok_or_else(|| {
        let names: Vec<_> = metaobject.signals.values().filter(|signal| signal.uid >= 100).map(|s| &*s.name).collect();
        anyhow!("service {service} at {url} has no signal {name}; it has {}", names.join(", "))
    })?;
    let (action, signature) = (ActionId(signal.uid), signal.signature.clone());
    Ok(Member { address, service: service_id, action, signature })
}

/// The address behind a URL, which may be partial (spec 1.1).
pub(super) async fn resolve(url: &str) -> anyhow::Result<SocketAddr> {
    let whole = Url::parse(url).with_connect_defaults();
    let (Some("tcp"), Some(host), Some(port)) = (whole.scheme.as_deref(), whole.host.as_deref(), whole.port) else {
        bail!("{url}: only tcp://host:port can be measured");
    };
    let addresses = lookup_host((host, port)).await.with_context(|| format!("{url}: unknown host"))?;
    addresses.min_by_key(SocketAddr::is_ipv6).ok_or_else(|| anyhow!("{url}: unknown host"))
}

async fn describe(url: &str, service: &str) -> anyhow::Result<(SocketAddr, ServiceId, MetaObject)> {
    let directory = resolve(url).await?;
    let mut peer = Peer::connect(directory, None).await?;
    let (address, service_id) = if service == "ServiceDirectory" {
        (directory, ServiceId::DIRECTORY)
    } else {
        let arguments = to_payload(&(service.to_owned(),))?;
        let info = peer
            .call(ServiceId::DIRECTORY, ObjectId::MAIN, SERVICE, arguments)
            .await
            .with_context(|| format!("{url} does not know a service {service}"))?;
        // The fields that directories of all ages send (spec 14): name, id, machine, process, endpoints.
        let (_, id, _, _, endpoints): (String, u32, String, u32, Vec<String>) = from_payload(&info)?;
        (choose(directory, &endpoints).await?, ServiceId(id))
    };
    if address != directory {
        peer = Peer::connect(address, None).await?;
    }
    let metaobject = peer
        .call(service_id, ObjectId::MAIN, ActionId::META_OBJECT, Payload::from(vec![0; 4]))
        .await
        .with_context(|| format!("service {service} does not describe itself"))?;
    Ok((address, service_id, from_payload(&metaobject)?))
}

/// Where to reach a service, as libqi's clients choose (spec 1.3): through the directory if it says so, over loopback if the
/// directory is reached that way, else not over loopback.
async fn choose(directory: SocketAddr, endpoints: &[String]) -> anyhow::Result<SocketAddr> {
    if endpoints.iter().any(|endpoint| endpoint == "qi:ServiceDirectory") {
        return Ok(directory);
    }
    let mut reachable = Vec::new();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.starts_with("tcp://")) {
        reachable.extend(resolve(endpoint).await.ok());
    }
    let near = directory.ip().is_loopback();
    reachable
        .into_iter()
        .min_by_key(|address| address.ip().is_loopback() != near)
        .ok_or_else(|| anyhow!("no plain TCP endpoint among {}", endpoints.join(", ")))
}
