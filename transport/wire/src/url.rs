//! Session and listen URLs (spec 1.1): `scheme://host:port`, every part optional, nothing else.

use std::{convert::Infallible, fmt, str::FromStr};

/// The port of a directory.
pub const DEFAULT_PORT: u16 = 9559;

/// A URL. Any text is one; whether it can be used is for [`is_valid`](Self::is_valid) and
/// [`is_supported`](Self::is_supported) to say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Url {
    /// `tcp`, `tcps`, `tcpsm`, or of our own `unix` and `quic`.
    pub scheme: Option<String>,
    /// A name or IPv4 address; the path of a `unix` URL.
    pub host: Option<String>,
    /// 0 to 65535.
    pub port: Option<u16>,
}

impl Url {
    /// Splits a text into its parts.
    pub fn parse(text: &str) -> Self {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        if scheme == Some("unix") {
            return Self { scheme: scheme.map(Into::into), host: some(rest), port: None };
        }
        let (host, port) = match rest.split_once(':') {
            Some((host, port)) => (host, number(port)),
            None => (rest, None),
        };
        Self { scheme: scheme.and_then(some), host: some(host), port }
    }

    /// Whether nothing is missing.
    pub fn is_valid(&self) -> bool {
        self.scheme.is_some() && self.host.is_some() && (self.port.is_some() || self.is_unix())
    }

    /// Whether this build can connect to and listen on such a URL, with settings of TLS if it [is](Self::is_tls) one of those.
    pub fn is_supported(&self) -> bool {
        matches!(self.scheme.as_deref(), Some("tcp" | "unix")) || self.is_tls()
    }

    /// Whether TLS is spoken there: `tcps` and `tcpsm` (spec 11), and `quic`.
    pub fn is_tls(&self) -> bool {
        matches!(self.scheme.as_deref(), Some("tcps")) || self.is_mutual_tls() || self.is_quic()
    }

    /// Whether the native protocol is spoken there ([`native`](crate::native)).
    pub fn is_quic(&self) -> bool {
        self.scheme.as_deref() == Some("quic")
    }

    /// Whether clients show certificates too: `tcpsm` (spec 11.4).
    pub fn is_mutual_tls(&self) -> bool {
        self.scheme.as_deref() == Some("tcpsm")
    }

    fn is_unix(&self) -> bool {
        self.scheme.as_deref() == Some("unix")
    }

    /// With what is missing of a URL to connect to: `tcp`, `127.0.0.1`, 9559 (spec 1.1, 1.2).
    pub fn with_connect_defaults(self) -> Self {
        self.with_defaults(DEFAULT_PORT)
    }

    /// With what is missing of a URL to listen on: `tcp`, `127.0.0.1`, a free port.
    pub fn with_listen_defaults(self) -> Self {
        self.with_defaults(0)
    }

    fn with_defaults(self, port: u16) -> Self {
        if self.is_unix() {
            return self;
        }
        Self {
            scheme: self.scheme.or_else(|| some("tcp")),
            host: self.host.or_else(|| some("127.0.0.1")),
            port: self.port.or(Some(port)),
        }
    }
}

/// Digits only: the standard parser would let a sign pass.
fn number(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl FromStr for Url {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::parse(text))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = &self.scheme {
            write!(f, "{scheme}://")?;
        }
        f.write_str(self.host.as_deref().unwrap_or_default())?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_optional() {
        for (text, scheme, host, port) in [
            ("tcp://h:1", Some("tcp"), Some("h"), Some(1)),
            ("h:1", None, Some("h"), Some(1)),
            ("h", None, Some("h"), None),
            (":1", None, None, Some(1)),
            ("tcp://", Some("tcp"), None, None),
            ("tcp://h:x", Some("tcp"), Some("h"), None),
            ("tcp://h:+1", Some("tcp"), Some("h"), None),
            ("tcp://h:65536", Some("tcp"), Some("h"), None),
            ("tcp://h:1:2", Some("tcp"), Some("h"), None),
            ("://h:1", None, Some("h"), Some(1)),
            ("", None, None, None),
        ] {
            let url = Url::parse(text);
            assert_eq!((url.scheme.as_deref(), url.host.as_deref(), url.port), (scheme, host, port), "{text}");
        }
        assert_eq!(Url::parse("robot").with_connect_defaults().to_string(), "tcp://robot:9559");
        assert_eq!(Url::parse("").with_listen_defaults().to_string(), "tcp://127.0.0.1:0");
    }

    #[test]
    fn only_a_url_with_all_its_parts_is_valid() {
        for (text, valid) in [("tcp://h:1", true), ("h:1", false), ("tcp://h", false), ("tcp://:1", false)] {
            assert_eq!(Url::parse(text).is_valid(), valid, "{text}");
        }
        assert!(Url::parse("unix:///run/keyway").is_valid());
    }

    #[test]
    fn a_url_is_written_as_it_was_read() {
        for text in ["tcp://h:1", "h:1", "h", ":1", "tcp://", "unix:///run/keyway:1", ""] {
            assert_eq!(Url::parse(text).to_string(), text);
        }
    }
}
