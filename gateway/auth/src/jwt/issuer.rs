//! Keys that an issuer publishes (OpenID Connect Discovery). Who fetches them is somebody else: nothing here opens a socket.

use std::{fmt, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use parking_lot::RwLock;

use super::{Jwks, JwtError};

/// Where keys are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// What tokens name as `iss`; its keys are found from there.
    pub url: String,
    /// Believe its server if its certificate was issued by one of these (PEM file); by the system's otherwise.
    pub ca: Option<PathBuf>,
    /// Between looks at its keys.
    pub refresh: Duration,
}

/// The keys of an issuer, which are fetched while tokens are verified. Clones share them.
#[derive(Clone)]
pub struct IssuerKeys(Arc<Shared>);

struct Shared {
    /// `None` until they have been fetched for the first time.
    keys: RwLock<Option<Arc<Jwks>>>,
    wanted: Box<dyn Fn() + Send + Sync>,
}

impl Issuer {
    /// Whether keys may be fetched from a URL: by `https`, and by `http` from this machine only.
    pub fn may_ask(url: &str) -> bool {
        let is_clean = !url.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '@');
        let host = |rest: &str| rest.split(['/', '\\', '?', '#']).next().unwrap_or_default().to_owned();
        match (url.strip_prefix("https://").map(host), url.strip_prefix("http://").map(host)) {
            (Some(host), _) => is_clean && !host.is_empty(),
            (None, Some(host)) => is_clean && is_loopback(&host),
            (None, None) => false,
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl IssuerKeys {
    /// None yet. `wanted` is called, and must not wait, when a token names a key that is not there.
    pub fn new(wanted: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared { keys: RwLock::default(), wanted: Box::new(wanted) }))
    }

    /// From now on these count.
    pub fn set(&self, keys: Jwks) {
        *self.0.keys.write() = Some(Arc::new(keys));
    }

    pub(super) fn verify(
        &self,
        algorithm: &str,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JwtError> {
        let keys = self.0.keys.read().clone();
        let verified = match keys {
            Some(keys) => keys.verify(algorithm, id, message, signature),
            None => Err(JwtError::NotFetched),
        };
        match verified {
            Err(JwtError::UnknownKey | JwtError::NotFetched) => {
                (self.0.wanted)();
                Err(JwtError::NotFetched)
            }
            verified => verified,
        }
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKeys").field("keys", &self.0.keys.read()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_by_https_or_from_this_machine() {
        for (url, may) in [
            ("https://id.example", true),
            ("https://id.example/realms/lab", true),
            ("http://127.0.0.1:8080/realms/lab", true),
            ("http://localhost", true),
            ("http://[::1]:8080", true),
            ("http://id.example", false),
            ("http://127.0.0.1.evil.example", false),
            ("http://127.0.0.1@evil.example", false),
            ("http://evil.example#127.0.0.1", false),
            ("https://", false),
            ("https://id example", false),
            ("ftp://127.0.0.1", false),
            ("keys.json", false),
        ] {
            assert_eq!(Issuer::may_ask(url), may, "{url}");
        }
    }
}
