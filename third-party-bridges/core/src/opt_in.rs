//! Insecure by consent: the proof that somebody asked for it, and how far it reaches.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream};

/// The proof that `--insecure` was given. All sockets of a bridge are opened through it: on loopback, unless more was allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptIn {
    allow_non_loopback: bool,
}

/// Nobody has asked for an insecure bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bridge has neither authentication nor encryption; add --insecure to run it all the same")]
pub struct Refusal;

/// A socket that was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// It would leave this machine. The address is the resolved one.
    #[error(
        "{address} is not a loopback address; add --allow-non-loopback if strangers on the network may use the bridge"
    )]
    NotLoopback {
        /// Where to.
        address: IpAddr,
    },
    /// Nothing has this name.
    #[error("{address} has no address: {source}")]
    Resolve {
        /// As it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another address, or port 0 for a free one")]
    Listen {
        /// As it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody answers there.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// As it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
}

impl OptIn {
    /// `insecure` is whether `--insecure` was given, `allow_non_loopback` whether that was.
    pub const fn new(insecure: bool, allow_non_loopback: bool) -> Result<Self, Refusal> {
        if insecure { Ok(Self { allow_non_loopback }) } else { Err(Refusal) }
    }

    /// Whether sockets may leave loopback.
    pub const fn allows_non_loopback(&self) -> bool {
        self.allow_non_loopback
    }

    /// Refuses an address that is not this machine's own.
    pub fn check(&self, address: IpAddr) -> Result<(), NetworkError> {
        if self.allow_non_loopback || address.to_canonical().is_loopback() {
            Ok(())
        } else {
            Err(NetworkError::NotLoopback { address })
        }
    }

    /// What `host:port` means, all of it allowed: a name counts by its addresses, not by its text.
    pub async fn resolve(&self, address: &str) -> Result<Vec<SocketAddr>, NetworkError> {
        let wrong = |source| NetworkError::Resolve { address: address.to_owned(), source };
        let found: Vec<_> = tokio::net::lookup_host(address).await.map_err(wrong)?.collect();
        if found.is_empty() {
            return Err(wrong(io::Error::from(io::ErrorKind::NotFound)));
        }
        for address in &found {
            self.check(address.ip())?;
        }
        Ok(found)
    }

    /// Listens on `host:port`; port 0 takes a free one.
    pub async fn listen(&self, address: &str) -> Result<TcpListener, NetworkError> {
        let found = self.resolve(address).await?;
        let wrong = |source| NetworkError::Listen { address: address.to_owned(), source };
        TcpListener::bind(&found[..]).await.map_err(wrong)
    }

    /// Connects to `host:port`. Small messages are not held back (`TCP_NODELAY`).
    pub async fn dial(&self, address: &str, limit: Duration) -> Result<TcpStream, NetworkError> {
        let wrong = |source| NetworkError::Connect { address: address.to_owned(), source };
        let connect = async {
            let found = self.resolve(address).await?;
            let stream = TcpStream::connect(&found[..]).await.map_err(wrong)?;
            stream.set_nodelay(true).map_err(wrong)?;
            Ok(stream)
        };
        let late = |_| wrong(io::Error::from(io::ErrorKind::TimedOut));
        tokio::time::timeout(limit, connect).await.map_err(late)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_serves_without_the_flag() {
        assert_eq!(OptIn::new(false, true), Err(Refusal));
        assert!(Refusal.to_string().contains("--insecure"));
    }

    #[tokio::test]
    async fn sockets_stay_on_loopback_unless_more_is_allowed() {
        let opt_in = OptIn::new(true, false).unwrap();
        for fine in ["127.0.0.1:0", "127.8.9.1:0", "localhost:0", "[::ffff:127.0.0.1]:0"] {
            assert!(opt_in.resolve(fine).await.is_ok(), "{fine}");
        }
        for refused in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80", "[::ffff:192.0.2.1]:80"] {
            let error = opt_in.listen(refused).await.unwrap_err();
            assert!(matches!(error, NetworkError::NotLoopback { .. }), "{refused}: {error}");
            assert!(error.to_string().contains("--allow-non-loopback"));
            let error = opt_in.dial(refused, Duration::from_secs(9)).await.unwrap_err();
            assert!(matches!(error, NetworkError::NotLoopback { .. }), "{refused}: {error}");
        }
        let everywhere = OptIn::new(true, true).unwrap();
        assert!(everywhere.listen("0.0.0.0:0").await.is_ok());
    }

    #[tokio::test]
    async fn what_is_listened_on_is_reached() {
        let opt_in = OptIn::new(true, false).unwrap();
        let listener = opt_in.listen("localhost:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stream = opt_in.dial(&address, Duration::from_secs(60)).await.unwrap();
        assert!(stream.nodelay().unwrap());
        drop(listener);
        assert!(matches!(opt_in.dial(&address, Duration::from_secs(60)).await, Err(NetworkError::Connect { .. })));
        assert!(matches!(opt_in.listen("no port").await, Err(NetworkError::Resolve { .. })));
    }
}
