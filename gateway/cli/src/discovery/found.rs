//! Who has answered: a robot, or a gateway. What they say of themselves is of strangers.

use std::net::IpAddr;

use keyway_config::Scheme;
use mdns_sd::ResolvedService;
use serde::Serialize;

use super::{KEYWAY, ROBOT_TYPE, SERVICE_TYPE};

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Found {
    /// What it is called; a robot by its own name.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The type of a robot, or the version of a gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// Where to connect.
    pub(crate) urls: Vec<String>,
    pub(crate) host: String,
    pub(crate) addresses: Vec<IpAddr>,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Gateway,
    Robot,
}

impl Found {
    pub(crate) fn new(service: &ResolvedService) -> Self {
        let entry = |key: &str| service.get_property_val_str(key).map(shown);
        let mut addresses: Vec<IpAddr> = service.addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr).collect();
        // The best first: what other machines reach, and what libqi understands.
        addresses.sort_by_key(|address| (address.is_loopback(), address.is_ipv6(), *address));
        let host = addresses.first().map_or_else(|| shown(&service.host), url_host);
        let version = entry(KEYWAY);
        let kind = if version.is_some() { Kind::Gateway } else { Kind::Robot };
        let ports = |scheme: Scheme| ports(service.get_property_val_str(scheme.name()).unwrap_or_default());
        let mut urls: Vec<_> = Scheme::ALL
            .into_iter()
            .flat_map(|scheme| ports(scheme).into_iter().map(move |port| (scheme, port)))
            .map(|(scheme, port)| format!("{scheme}://{host}:{port}"))
            .collect();
        if urls.is_empty() {
            // Robots say no more than their port.
            urls.push(format!("tcp://{host}:{}", service.port));
        }
        let name = service.fullname.strip_suffix(SERVICE_TYPE).unwrap_or(&service.fullname);
        Self {
            name: shown(&unescaped(name.trim_end_matches('.'))),
            kind,
            model: version.or_else(|| entry(ROBOT_TYPE)),
            urls,
            host: shown(service.host.trim_end_matches('.')),
            addresses,
        }
    }
}

/// The ports in an entry; what is none is left out.
fn ports(entry: &str) -> Vec<u16> {
    entry.split(',').filter_map(|port| port.parse().ok()).take(MAX_PORTS).collect()
}

fn url_host(address: &IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// A name as people write it: dots and backslashes in it have a backslash before them in DNS.
fn unescaped(name: &str) -> String {
    let mut letters = name.chars();
    std::iter::from_fn(|| match letters.next()? {
        '\\' => letters.next(),
        letter => Some(letter),
    })
    .collect()
}

/// Without what would move the cursor of a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// Nobody listens on more ports of a scheme.
const MAX_PORTS: usize = 16;

#[cfg(test)]
mod tests {
    use mdns_sd::ServiceInfo;

    use super::*;

    fn found(name: &str, entries: &[(&str, &str)]) -> Found {
        let addresses = ["127.0.0.1", "fd00::7", "192.0.2.7"].map(|text| text.parse::<IpAddr>().unwrap());
        let info = ServiceInfo::new(SERVICE_TYPE, name, "nao.local.", &addresses[..], 9559, entries).unwrap();
        Found::new(&info.as_resolved_service())
    }

    #[test]
    fn a_robot_is_reached_at_its_port() {
        let robot = found("nao.lab", &[("RobotType", "Pepper")]);
        assert_eq!((robot.name.as_str(), robot.kind, robot.model.as_deref()), ("nao.lab", Kind::Robot, Some("Pepper")));
        assert_eq!((robot.host.as_str(), &robot.urls[..]), ("nao.local", &["tcp://192.0.2.7:9559".to_owned()][..]));
    }

    #[test]
    fn a_gateway_says_which_schemes_it_speaks_where() {
        let gateway = found("lab", &[("tcps", "9503,9603,x"), ("quic", "9504"), ("keyway", "0.1.0")]);
        let urls = ["tcps://192.0.2.7:9503", "tcps://192.0.2.7:9603", "quic://192.0.2.7:9504"].map(str::to_owned);
        assert_eq!((gateway.kind, gateway.urls), (Kind::Gateway, urls.to_vec()));
    }

    #[test]
    fn nothing_that_a_stranger_says_moves_the_cursor() {
        let robot = found("nao", &[("RobotType", "\x1b[2J")]);
        assert_eq!(robot.model.as_deref(), Some("\u{fffd}[2J"));
    }
}
