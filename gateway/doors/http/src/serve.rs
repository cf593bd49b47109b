//! Listeners and connections.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::http::Request;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use keyway_pipe::{CertificateDer, PeerAddress};
use keyway_wire::Url;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    DoorSettings, OpenError,
    handle::{Shared, handle},
};

/// One listener.
pub(crate) struct Listening {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    url: String,
}

/// What is known of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) is_tls: bool,
    /// The client's, which TLS verified, if it has shown one.
    pub(crate) certificate: Option<CertificateDer<'static>>,
    /// Whether a request of it has shown who it is.
    pub(crate) is_known: Arc<AtomicBool>,
}

impl Listening {
    pub(crate) async fn bind(text: &str, settings: &DoorSettings) -> Result<Self, OpenError> {
        let url = Url::parse(text);
        let (Some(scheme @ ("http" | "https")), Some(host), Some(port)) =
            (url.scheme.as_deref(), url.host.as_deref(), url.port)
        else {
            return Err(OpenError::Url(text.to_owned()));
        };
        let failed = |source| OpenError::Listen { url: text.to_owned(), source };
        let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await.map_err(failed)?.collect();
        let tls = match (scheme, &settings.tls) {
            ("https", Some(tls)) => Some(TlsAcceptor::from(tls.offering(&[b"h2", b"http/1.1"]))),
            ("https", None) => return Err(OpenError::NoCertificate(text.to_owned())),
            _ if addresses.iter().all(|address| address.ip().is_loopback()) => None,
            _ => return Err(OpenError::NotLoopback(text.to_owned())),
        };
        let listener = TcpListener::bind(&addresses[..]).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, tls, url: format!("{scheme}://{host}:{port}") })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Accepts for ever. When it is dropped, its connections are.
    pub(crate) async fn serve(self, shared: Arc<Shared>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => {
                        connections.spawn(connection(stream, address, self.tls.clone(), shared.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, url = %self.url, "cannot accept connections, trying again");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn connection(stream: TcpStream, address: SocketAddr, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let source = if tls.is_some() { PeerAddress::Tls(address) } else { PeerAddress::Tcp(address) };
    let Some(_permit) = shared.gateway.connections().admit(&source) else {
        tracing::debug!(client = %source, "refused: too many connections, from there or in all");
        return;
    };
    if let Err(error) = shared.settings.socket.set_on(&stream) {
        tracing::debug!(%error, client = %source, "a connection was gone before it was served");
        return;
    }
    let patience = shared.gateway.rules().limits.unauthenticated_time;
    let mut peer = Peer { address, is_tls: tls.is_some(), certificate: None, is_known: Arc::default() };
    let Some(acceptor) = tls else { return talk(stream, false, peer, patience, shared).await };
    match tokio::time::timeout(patience, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let tls = stream.get_ref().1;
            let is_http2 = tls.alpn_protocol() == Some(b"h2");
            peer.certificate =
                tls.peer_certificates().and_then(|chain| chain.first()).map(|first| first.clone().into_owned());
            talk(stream, is_http2, peer, patience, shared).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, client = %source, "no TLS"),
        Err(_) => tracing::debug!(client = %source, "no TLS in time"),
    }
}

async fn talk<S>(stream: S, is_http2: bool, peer: Peer, patience: Duration, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let requests = shared.settings.requests_per_connection;
    let (address, is_known) = (peer.address, peer.is_known.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (shared, peer) = (shared.clone(), peer.clone());
        async move { Ok::<_, Infallible>(handle(&shared, peer, request).await) }
    });
    // Strangers have this long, however they spend it.
    let stranger = async {
        tokio::time::sleep(patience).await;
        if is_known.load(Ordering::Acquire) {
            std::future::pending::<()>().await;
        }
    };
    let stream = TokioIo::new(stream);
    let talk = async {
        if is_http2 {
            http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(requests)
                .max_header_list_size(MAX_HEAD)
                .keep_alive_interval(Some(KEEP_ALIVE))
                .serve_connection(stream, service)
                .await
        } else {
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(patience)
                .max_buf_size(MAX_HEAD as usize)
                .serve_connection(stream, service)
                .with_upgrades()
                .await
        }
    };
    let ended = tokio::select! {
        ended = talk => ended,
        () = stranger => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, client = %address, "disconnected");
    }
}

/// Before the next try to accept, when the system has no room.
const PAUSE: Duration = Duration::from_millis(20);
/// Bytes of a request's head.
const MAX_HEAD: u32 = 64 << 10;
/// Between questions whether a client is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
