//! The advert of a gateway: one name, the port of its first libqi listener, and an entry for each scheme with its ports.

use std::{collections::BTreeMap, fmt, net::IpAddr, time::Duration};

use keyway_config::DoorUrl;
use mdns_sd::{DaemonEvent, IfKind, ServiceDaemon, ServiceInfo};
use tokio::task::AbortHandle;

use super::{KEYWAY, SERVICE_TYPE};
use crate::{certificates::machine_name, exit::Usage};

/// An advert that is out until this is dropped.
pub(crate) struct Advert {
    daemon: ServiceDaemon,
    following: AbortHandle,
}

/// What it says.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    /// Of the first libqi listener.
    port: u16,
    /// Ports by scheme.
    schemes: BTreeMap<&'static str, Vec<u16>>,
    /// Where they are; every address of the machine, if there is none.
    addresses: Vec<IpAddr>,
}

impl Advert {
    /// Says where doors are reached. `everywhere` if one of them listens on all addresses, which may change.
    pub(crate) fn start(name: Option<&str>, urls: &[String], everywhere: bool) -> anyhow::Result<Self> {
        let said = Said::new(urls, everywhere)
            .ok_or_else(|| Usage("`mdns` advertises tcp, tcps and tcpsm listeners, and there is none".to_owned()))?;
        let machine = machine_name().unwrap_or_else(|| "keyway".to_owned());
        let machine = label(machine.split('.').next().unwrap_or_default());
        let name = label(name.unwrap_or(machine));
        // A name of our own: that of the machine belongs to its system, which may advertise other addresses by it.
        let host = format!("{}-keyway-{}.local.", machine.get(..40).unwrap_or(machine), said.port);
        let mut entries: Vec<_> =
            said.schemes.iter().map(|(scheme, ports)| ((*scheme).to_owned(), list(ports))).collect();
        entries.push((KEYWAY.to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
        let mut info = ServiceInfo::new(SERVICE_TYPE, name, &host, &said.addresses[..], said.port, &entries[..])?;
        if said.addresses.is_empty() {
            info = info.enable_addr_auto();
            // As the listeners do.
            info.set_interfaces(vec![IfKind::IPv4]);
        }
        let daemon = ServiceDaemon::new()?;
        let events = daemon.monitor()?;
        daemon.register(info)?;
        let follow = async move {
            while let Ok(event) = events.recv_async().await {
                match event {
                    DaemonEvent::Error(error) => tracing::warn!(%error, "the gateway cannot be advertised everywhere"),
                    DaemonEvent::NameChange(change) => {
                        tracing::warn!(name = %change.new_name, "the advert's name was taken, and is another now");
                    }
                    event => tracing::debug!(?event, "advert"),
                }
            }
        };
        Ok(Self { daemon, following: tokio::spawn(follow).abort_handle() })
    }

    /// Takes it back, so that nobody finds what is no longer there.
    pub(crate) async fn end(self) {
        if let Ok(ended) = self.daemon.shutdown() {
            // It is taken back or forgotten: nobody waits for it.
            let _ = tokio::time::timeout(ENDING, ended.recv_async()).await;
        }
    }
}

impl fmt::Debug for Advert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Advert").finish_non_exhaustive()
    }
}

impl Drop for Advert {
    fn drop(&mut self) {
        self.following.abort();
        // It may have ended already.
        let _ = self.daemon.shutdown();
    }
}

impl Said {
    /// What other machines reach; if there is nothing, what this one reaches.
    fn new(urls: &[String], everywhere: bool) -> Option<Self> {
        let urls: Vec<_> = urls.iter().filter_map(|url| DoorUrl::try_from(url.clone()).ok()).collect();
        let outside = urls.iter().any(|url| url.scheme.is_qi() && !url.is_loopback());
        let meant: Vec<_> = urls.into_iter().filter(|url| !outside || !url.is_loopback()).collect();
        let port = meant.iter().find(|url| url.scheme.is_qi())?.port;
        let mut schemes = BTreeMap::<_, Vec<u16>>::new();
        let mut addresses = Vec::new();
        for url in meant {
            let ports = schemes.entry(url.scheme.name()).or_default();
            if !ports.contains(&url.port) {
                ports.push(url.port);
            }
            // A name that is no address is this machine's own.
            let address = if url.host == "localhost" { Some([127, 0, 0, 1].into()) } else { url.host.parse().ok() };
            let is_new = |address: &IpAddr| !address.is_unspecified() && !addresses.contains(address);
            addresses.extend(address.filter(is_new));
        }
        if everywhere && outside {
            addresses.clear();
        }
        Some(Self { port, schemes, addresses })
    }
}

/// The ports of a scheme, as they are written.
fn list(ports: &[u16]) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}

/// As much of a text as a name in DNS holds.
fn label(text: &str) -> &str {
    let end = (0..=text.len().min(63)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

const ENDING: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    fn said(urls: &[&str], everywhere: bool) -> Option<Said> {
        Said::new(&urls.iter().map(|url| (*url).to_owned()).collect::<Vec<_>>(), everywhere)
    }

    #[test]
    fn what_others_reach_is_advertised_and_loopback_only_if_there_is_nothing_else() {
        let inside = "tcp://127.0.0.1:9559";
        let both = said(&[inside, "tcps://10.0.0.2:9503", "quic://10.0.0.2:9504", "https://0.0.0.0:9443"], false);
        let schemes = [("https", vec![9443]), ("quic", vec![9504]), ("tcps", vec![9503])].into_iter().collect();
        assert_eq!(both, Some(Said { port: 9503, schemes, addresses: vec![[10, 0, 0, 2].into()] }));
        let alone = said(&[inside, "quic://127.0.0.1:1"], true).unwrap();
        assert_eq!((alone.port, &alone.addresses[..]), (9559, &[[127, 0, 0, 1].into()][..]));
    }

    #[test]
    fn a_listener_on_all_addresses_is_advertised_with_those_the_machine_gets() {
        let said = said(&["tcp://127.0.0.1:9559", "tcp://10.0.0.2:9559"], true).unwrap();
        assert_eq!((said.schemes["tcp"].as_slice(), said.addresses), (&[9559][..], Vec::new()));
    }

    #[test]
    fn without_a_libqi_listener_there_is_nothing_to_say() {
        assert_eq!(said(&["quic://10.0.0.2:1", "https://10.0.0.2:2"], false), None);
    }

    #[test]
    fn a_name_is_cut_to_what_dns_takes() {
        assert_eq!(label("robot"), "robot");
        assert_eq!(label(&"ä".repeat(40)).len(), 62);
    }
}
