//! Accepting carriers on a URL.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use keyway_wire::Url;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::{
    Carrier, SocketOptions, TcpCarrier, TlsCarrier, TlsServer,
    resolve::{addresses, interface_addresses},
    tls::INCOMPLETE,
};

/// First pause after an `accept` that failed for want of descriptors or memory (spec 1.17), doubled while it goes on.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A socket that listens on `tcp://host:port`, `tcps://host:port`, `tcpsm://host:port` or `unix://path`.
#[derive(Debug)]
pub struct Listener {
    socket: ListeningSocket,
    url: Url,
    options: SocketOptions,
}

#[derive(Debug)]
enum ListeningSocket {
    Tcp(TcpListener),
    Tls(TcpListener, Arc<rustls::ServerConfig>),
    #[cfg(unix)]
    Unix(unix::UnixSocket),
}

impl Listener {
    /// Listens on `url`; port 0 takes a free port (spec 1.6).
    ///
    /// A Unix socket left behind by a dead process is replaced, a live one is an error.
    pub async fn bind(url: &Url, options: &SocketOptions) -> io::Result<Self> {
        Self::bind_with(url, options, None).await
    }

    /// [`bind`](Self::bind), and on `tcps` and `tcpsm` where there are settings for that (spec 11).
    pub async fn bind_with(url: &Url, options: &SocketOptions, tls: Option<&TlsServer>) -> io::Result<Self> {
        match (url.scheme.as_deref(), url.host.as_deref(), url.port) {
            (Some("tcp"), Some(host), Some(port)) => {
                let listener = bind_tcp(host, port, options).await?;
                let port = listener.local_addr()?.port();
                Ok(Self::on_tcp(port, ListeningSocket::Tcp(listener), url, options))
            }
            (Some("tcps" | "tcpsm"), Some(host), Some(port)) => {
                let config = tls.and_then(|tls| tls.config(url.is_mutual_tls()));
                let config = config.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, INCOMPLETE))?;
                let listener = bind_tcp(host, port, options).await?;
                let port = listener.local_addr()?.port();
                Ok(Self::on_tcp(port, ListeningSocket::Tls(listener, config), url, options))
            }
            #[cfg(unix)]
            (Some("unix"), Some(path), None) if !path.is_empty() => {
                let socket = unix::UnixSocket::bind(path.into()).await?;
                Ok(Self { socket: ListeningSocket::Unix(socket), url: url.clone(), options: options.clone() })
            }
            _ => {
                let text = format!("cannot create TCP server from unrecognized scheme in URL '{url}'");
                Err(io::Error::new(io::ErrorKind::InvalidInput, text))
            }
        }
    }

    fn on_tcp(port: u16, socket: ListeningSocket, url: &Url, options: &SocketOptions) -> Self {
        Self { socket, url: Url { port: Some(port), ..url.clone() }, options: options.clone() }
    }

    /// Opens `count` listeners on the same port (SO_REUSEPORT): the kernel spreads new connections over them, and each is
    /// accepted from by a task of its own. One listener where the URL is not TCP.
    pub async fn bind_group(url: &Url, options: &SocketOptions, count: usize) -> io::Result<Vec<Self>> {
        let is_tcp = url.scheme.as_deref() == Some("tcp");
        let options = SocketOptions { reuse_port: options.reuse_port || (is_tcp && count > 1), ..options.clone() };
        let first = Self::bind(url, &options).await?;
        let url = first.url.clone();
        let mut group = vec![first];
        if is_tcp {
            for _ in 1..count {
                group.push(Self::bind(&url, &options).await?);
            }
        }
        Ok(group)
    }

    /// Waits for the next connection.
    ///
    /// Never gives up (spec 1.17): what fails on one connection is skipped, and when the process is out of descriptors it
    /// waits some milliseconds for others to be closed.
    pub async fn accept(&self) -> Arc<dyn Carrier> {
        let mut pause = SHORTEST_PAUSE;
        loop {
            match self.try_accept().await {
                Ok(carrier) => return carrier,
                Err(error) if concerns_one_connection(&error) => {
                    tracing::debug!(%error, url = %self.url, "a connection was gone before it was accepted");
                }
                Err(error) => {
                    tracing::warn!(%error, url = %self.url, ?pause, "cannot accept connections, trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// The URL listened on, with the port obtained (spec 1.6).
    pub fn local_url(&self) -> &Url {
        &self.url
    }

    /// The address of the socket, where it has one.
    pub fn local_address(&self) -> Option<SocketAddr> {
        match &self.socket {
            ListeningSocket::Tcp(listener) | ListeningSocket::Tls(listener, _) => listener.local_addr().ok(),
            #[cfg(unix)]
            ListeningSocket::Unix(_) => None,
        }
    }

    /// The URLs to advertise: the one listened on, or one for each IPv4 interface when that is `0.0.0.0` (spec 1.6, 1.7).
    ///
    /// Interfaces come and go: ask again every five seconds and publish what has changed (spec 1.7).
    pub fn endpoints(&self) -> io::Result<Vec<Url>> {
        let wildcard = self.local_address().is_some_and(|address| address.ip().is_unspecified());
        if !wildcard {
            return Ok(vec![self.url.clone()]);
        }
        let on = |ip: Ipv4Addr| Url { host: Some(ip.to_string()), ..self.url.clone() };
        Ok(interface_addresses()?.into_iter().map(on).collect())
    }

    async fn try_accept(&self) -> io::Result<Arc<dyn Carrier>> {
        match &self.socket {
            ListeningSocket::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Arc::new(TcpCarrier::new(stream, &self.options)?))
            }
            ListeningSocket::Tls(listener, config) => {
                let (stream, _) = listener.accept().await?;
                let tcp = TcpCarrier::new(stream, &self.options)?;
                Ok(Arc::new(TlsCarrier::accepted(tcp, config.clone())?))
            }
            #[cfg(unix)]
            ListeningSocket::Unix(socket) => socket.accept().await,
        }
    }
}

async fn bind_tcp(host: &str, port: u16, options: &SocketOptions) -> io::Result<TcpListener> {
    let mut failure = None;
    for address in addresses(host, port, options.ipv6).await? {
        match bind_address(address, options) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

fn bind_address(address: SocketAddr, options: &SocketOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows the option would let others take a port that is in use.
    #[cfg(unix)]
    {
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(options.reuse_port)?;
    }
    socket.bind(&address.into())?;
    socket.listen(options.backlog.try_into().unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::NotConnected
    )
}

#[cfg(unix)]
mod unix {
    use std::{
        io,
        os::unix::fs::FileTypeExt,
        path::{Path, PathBuf},
        sync::Arc,
    };

    use tokio::net::{UnixListener, UnixStream};

    use crate::{Carrier, UnixCarrier};

    /// A listening Unix socket, whose file goes with it.
    #[derive(Debug)]
    pub(super) struct UnixSocket {
        listener: UnixListener,
        path: PathBuf,
    }

    impl UnixSocket {
        pub(super) async fn bind(path: PathBuf) -> io::Result<Self> {
            let listener = match UnixListener::bind(&path) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    if !is_abandoned(&path).await {
                        return Err(error);
                    }
                    std::fs::remove_file(&path)?;
                    UnixListener::bind(&path)?
                }
                bound => bound?,
            };
            Ok(Self { listener, path })
        }

        pub(super) async fn accept(&self) -> io::Result<Arc<dyn Carrier>> {
            let (stream, _) = self.listener.accept().await?;
            Ok(Arc::new(UnixCarrier::new(stream)?))
        }
    }

    /// Whether there is a socket at `path` that nobody listens on any more.
    async fn is_abandoned(path: &Path) -> bool {
        // Other kinds of files refuse connections too, and are not ours to remove.
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
        let refusal = UnixStream::connect(path).await.err().map(|error| error.kind());
        is_socket && refusal == Some(io::ErrorKind::ConnectionRefused)
    }

    impl Drop for UnixSocket {
        fn drop(&mut self) {
            // Somebody may have removed it already.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_port_obtained_is_advertised_with_the_host_as_given() {
        let listener = Listener::bind(&url("tcp://localhost:0"), &SocketOptions::default()).await.unwrap();
        let port = listener.local_address().unwrap().port();
        assert_eq!(listener.endpoints().unwrap(), [url(&format!("tcp://localhost:{port}"))]);
    }

    #[tokio::test]
    async fn a_wildcard_address_is_advertised_as_those_of_the_interfaces() {
        let listener = Listener::bind(&url("tcp://0.0.0.0:0"), &SocketOptions::default()).await.unwrap();
        let port = listener.local_address().unwrap().port();
        let endpoints = listener.endpoints().unwrap();
        assert!(endpoints.contains(&url(&format!("tcp://127.0.0.1:{port}"))));
        assert!(!endpoints.iter().any(|endpoint| endpoint.host.as_deref() == Some("0.0.0.0")));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_group_of_listeners_shares_one_port() {
        let group = Listener::bind_group(&url("tcp://127.0.0.1:0"), &SocketOptions::default(), 3).await.unwrap();
        assert_eq!(group.len(), 3);
        assert!(group.iter().all(|listener| listener.local_url() == group[0].local_url()));
    }

    #[tokio::test]
    async fn an_unknown_scheme_is_refused_in_libqi_s_words() {
        let error = Listener::bind(&url("udp://127.0.0.1:0"), &SocketOptions::default()).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot create TCP server from unrecognized scheme in URL 'udp://127.0.0.1:0'");
        let error = crate::connect(&url("udp://127.0.0.1:1"), &SocketOptions::default()).await.unwrap_err();
        assert_eq!(error.to_string(), "unsupported URL TCP scheme 'udp://127.0.0.1:1'");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn an_abandoned_unix_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bus");
        let url = url(&format!("unix://{}", path.display()));
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listener = Listener::bind(&url, &SocketOptions::default()).await.unwrap();
        let error = Listener::bind(&url, &SocketOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert!(!path.exists());
        std::fs::write(&path, "somebody's file").unwrap();
        assert!(Listener::bind(&url, &SocketOptions::default()).await.is_err());
        assert!(path.exists());
    }

    fn url(text: &str) -> Url {
        Url::parse(text)
    }
}
