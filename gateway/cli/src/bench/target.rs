//! From a directory's URL and names to the address, ids and types to measure.

use anyhow::{Context, anyhow};
use keyway::TlsClient;
use keyway_value::{
    ActionId, MetaMethod, MetaObject, MetaSignal, ObjectId, Payload, ServiceId, Signature, from_payload, to_payload,
};

use super::{peer::Peer, socket::Address};

/// The method `service` of the directory (spec 7.1).
const SERVICE: ActionId = ActionId(100);

/// A method or signal of a service, and where to reach it.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) address: Address,
    pub(super) service: ServiceId,
    pub(super) action: ActionId,
    /// Of its parameters.
    pub(super) signature: Signature,
}

/// Finds a method by name, or full name `name::(signature)`.
pub(super) async fn method(url: &str, tls: Option<&TlsClient>, service: &str, name: &str) -> anyhow::Result<Member> {
    let (address, service_id, metaobject) = describe(url, tls, service).await?;
    let method = method_of(&metaobject, service, name)?;
    let (action, signature) = (ActionId(method.uid), method.parameters_signature.clone());
    Ok(Member { address, service: service_id, action, signature })
}

/// Finds a signal by name.
pub(super) async fn signal(url: &str, tls: Option<&TlsClient>, service: &str, name: &str) -> anyhow::Result<Member> {
    let (address, service_id, metaobject) = describe(url, tls, service).await?;
    let signal = signal_of(&metaobject, service, name)?;
    let (action, signature) = (ActionId(signal.uid), signal.signature.clone());
    Ok(Member { address, service: service_id, action, signature })
}

/// A method of a service, by name or full name.
pub(super) fn method_of<'a>(metaobject: &'a MetaObject, service: &str, name: &str) -> anyhow::Result<&'a MetaMethod> {
    metaobject.method_by_name(name).ok_or_else(|| {
        let names: Vec<_> = metaobject.methods.values().filter(|method| method.uid >= 100).map(|m| &*m.name).collect();
        anyhow!("service {service} has no method {name}; it has {}", names.join(", "))
    })
}

/// A signal of a service, by name.
pub(super) fn signal_of<'a>(metaobject: &'a MetaObject, service: &str, name: &str) -> anyhow::Result<&'a MetaSignal> {
    metaobject.signal_by_name(name).ok_or_else(|| {
        let names: Vec<_> = metaobject.signals.values().filter(|signal| signal.uid >= 100).map(|s| &*s.name).collect();
        anyhow!("service {service} has no signal {name}; it has {}", names.join(", "))
    })
}

async fn describe(
    url: &str,
    tls: Option<&TlsClient>,
    service: &str,
) -> anyhow::Result<(Address, ServiceId, MetaObject)> {
    let directory = Address::resolve(url, tls).await?;
    let mut peer = Peer::connect(&directory, None).await?;
    let (address, service_id) = if service == "ServiceDirectory" {
        (directory.clone(), ServiceId::DIRECTORY)
    } else {
        let arguments = to_payload(&(service.to_owned(),))?;
        let info = peer
            .call(ServiceId::DIRECTORY, ObjectId::MAIN, SERVICE, arguments)
            .await
            .with_context(|| format!("{url} does not know a service {service}"))?;
        // The fields that directories of all ages send (spec 14): name, id, machine, process, endpoints.
        let (_, id, _, _, endpoints): (String, u32, String, u32, Vec<String>) = from_payload(&info)?;
        (choose(&directory, &endpoints).await?, ServiceId(id))
    };
    if address.socket != directory.socket {
        peer = Peer::connect(&address, None).await?;
    }
    let metaobject = peer
        .call(service_id, ObjectId::MAIN, ActionId::META_OBJECT, Payload::from(vec![0; 4]))
        .await
        .with_context(|| format!("service {service} does not describe itself"))?;
    Ok((address, service_id, from_payload(&metaobject)?))
}

/// Where to reach a service, as libqi's clients choose (spec 1.3): through the directory if it says so, over loopback if the
/// directory is reached that way, else not over loopback.
async fn choose(directory: &Address, endpoints: &[String]) -> anyhow::Result<Address> {
    if endpoints.iter().any(|endpoint| endpoint == "qi:ServiceDirectory") {
        return Ok(directory.clone());
    }
    let scheme = directory.url.scheme.as_deref().unwrap_or_default();
    let mut reachable = Vec::new();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.split_once("://").is_some_and(|(own, _)| own == scheme))
    {
        reachable.extend(Address::resolve(endpoint, directory.tls.as_ref()).await.ok());
    }
    let near = directory.socket.ip().is_loopback();
    reachable
        .into_iter()
        .min_by_key(|address| address.socket.ip().is_loopback() != near)
        .ok_or_else(|| anyhow!("no {scheme} endpoint among {}", endpoints.join(", ")))
}
