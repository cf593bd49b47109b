//! URLs of doors and directories, checked.

use std::fmt;

use keyway_wire::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a door listens: `scheme://host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct DoorUrl {
    /// Which door, over what.
    pub scheme: Scheme,
    /// A name or IPv4 address.
    pub host: String,
    /// 0 takes a free one.
    pub port: u16,
}

/// The doors there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// REST, SSE and WebSocket without TLS, on loopback only.
    Http,
    /// REST, SSE and WebSocket.
    Https,
    /// Keyway's native protocol.
    Quic,
    /// `QiMessaging` without TLS.
    Tcp,
    /// `QiMessaging` over TLS.
    Tcps,
    /// `QiMessaging` over TLS, with certificates of the clients.
    Tcpsm,
}

impl Scheme {
    /// All of them, in the order in which they are named to people.
    pub const ALL: [Self; 6] = [Self::Tcp, Self::Tcps, Self::Tcpsm, Self::Quic, Self::Https, Self::Http];

    /// As in a URL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Quic => "quic",
            Self::Tcp => "tcp",
            Self::Tcps => "tcps",
            Self::Tcpsm => "tcpsm",
        }
    }

    /// Whether it has a certificate to show.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Quic | Self::Tcps | Self::Tcpsm)
    }

    /// Whether `QiMessaging` is spoken: service ids are those of one directory.
    pub const fn is_qi(self) -> bool {
        matches!(self, Self::Tcp | Self::Tcps | Self::Tcpsm)
    }

    /// Whether it is the HTTP door.
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl DoorUrl {
    /// Whether only programs on the same machine reach it.
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl TryFrom<String> for DoorUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url = Url::parse(&text);
        let scheme = Scheme::ALL.into_iter().find(|scheme| url.scheme.as_deref() == Some(scheme.name()));
        match (scheme, url.host, url.port) {
            (Some(scheme), Some(host), Some(port)) if is_host(&host) => Ok(Self { scheme, host, port }),
            (None, _, _) => Err(format!("{text:?} has no scheme of a door; begin with {}", schemes())),
            _ => Err(format!(
                "{text:?} is no URL to listen on; write scheme://host:port, such as \"tcps://0.0.0.0:9503\""
            )),
        }
    }
}

impl From<DoorUrl> for String {
    fn from(url: DoorUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for DoorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// Where a directory is, or is to be reached: `tcp://`, `tcps://` or `tcpsm://` with host and port, or `unix://` with a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct QiUrl(#[schemars(with = "String")] pub Url);

impl TryFrom<String> for QiUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url = Url::parse(&text);
        let hosted = url.scheme.as_deref() == Some("unix") || url.host.as_deref().is_some_and(is_host);
        if url.is_valid() && url.is_supported() && !url.is_quic() && hosted {
            return Ok(Self(url));
        }
        Err(format!(
            "{text:?} is no URL of a directory; write tcp://, tcps:// or tcpsm:// with host and port, such as \"tcps://robot:9503\""
        ))
    }
}

impl From<QiUrl> for String {
    fn from(url: QiUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for QiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// No path, user or bracket is part of a host; libqi's URLs have no IPv6 addresses (spec 1.1).
fn is_host(host: &str) -> bool {
    host.chars().all(|letter| letter.is_alphanumeric() || "-._".contains(letter))
}

fn schemes() -> String {
    Scheme::ALL.map(|scheme| format!("{scheme}://")).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_has_a_scheme_a_host_and_a_port() {
        for scheme in Scheme::ALL {
            let text = format!("{scheme}://0.0.0.0:9503");
            assert_eq!(DoorUrl::try_from(text.clone()).unwrap().to_string(), text);
        }
        for wrong in ["ws://h:1", "h:1", "tcp://h", "tcp://:1", "http://[::1]:80", "https://h/x:1", "tcp://a@b:1"] {
            assert!(DoorUrl::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_loopback_is_loopback() {
        for (url, expected) in [
            ("http://127.0.0.2:1", true),
            ("http://localhost:1", true),
            ("http://0.0.0.0:1", false),
            ("http://robot:1", false),
        ] {
            assert_eq!(DoorUrl::try_from(url.to_owned()).unwrap().is_loopback(), expected, "{url}");
        }
    }

    #[test]
    fn a_directory_is_reached_by_qi_urls() {
        for right in ["tcp://robot:9559", "tcps://robot:9503", "unix:///run/keyway"] {
            assert_eq!(QiUrl::try_from(right.to_owned()).unwrap().to_string(), right);
        }
        for wrong in ["quic://robot:1", "robot", "tcp://robot", "tcp://[::1]:9559"] {
            assert!(QiUrl::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
