//! Opening a carrier to a URL.

use std::{io, sync::Arc};

use keyway_wire::Url;
use tokio::net::TcpStream;

use crate::{Carrier, SocketOptions, TcpCarrier, TlsCarrier, TlsClient, resolve::addresses};

/// Connects to `tcp://host:port` or `unix://path` (spec 1.3, 1.4).
///
/// There is no time-out but the one of the system (spec 1.16); a caller with less patience wraps the future. Every address the
/// host resolves to is tried in turn, IPv4 only unless [`SocketOptions::ipv6`] is set (spec 1.5).
pub async fn connect(url: &Url, options: &SocketOptions) -> io::Result<Arc<dyn Carrier>> {
    connect_with(url, options, None).await
}

/// [`connect`], and to `tcps://host:port` and `tcpsm://host:port` (spec 11) where there are settings for that.
///
/// The TLS handshake is done when this returns. Errors of it carry a [`HandshakeError`](crate::HandshakeError).
pub async fn connect_with(url: &Url, options: &SocketOptions, tls: Option<&TlsClient>) -> io::Result<Arc<dyn Carrier>> {
    match (url.scheme.as_deref(), url.host.as_deref(), url.port) {
        (Some("tcp"), Some(host), Some(port)) => Ok(Arc::new(connect_tcp(host, port, options).await?)),
        (Some("tcps" | "tcpsm"), Some(host), Some(port)) => {
            let missing = missing_tls(url, tls).unwrap_or_default();
            let settings = tls.filter(|_| missing.is_empty()).ok_or_else(|| invalid(missing))?;
            let tcp = connect_tcp(host, port, options).await?;
            Ok(Arc::new(TlsCarrier::connected(tcp, settings, host).await?))
        }
        #[cfg(unix)]
        (Some("unix"), Some(path), None) if !path.is_empty() => {
            let stream = tokio::net::UnixStream::connect(path).await?;
            Ok(Arc::new(crate::UnixCarrier::new(stream)?))
        }
        (Some(_), Some(_), Some(_)) => Err(invalid(format!("unsupported URL TCP scheme '{url}'"))),
        _ => Err(invalid(format!("invalid URL '{url}' used to connect, this connection will result in an error"))),
    }
}

/// Says why a URL cannot be connected to with these settings of TLS: there is no default that would trust anybody (H11).
pub fn missing_tls(url: &Url, tls: Option<&TlsClient>) -> Option<String> {
    match tls {
        None if url.is_tls() => Some(format!(
            "'{url}' is connected to by TLS, and nothing says which server to trust: name the CA (--ca), pin its certificate \
             (--pin), or trust anybody (--insecure-skip-verify)"
        )),
        Some(settings) if url.is_mutual_tls() && !settings.has_certificate() => {
            Some(format!("'{url}' lets in clients with a certificate only: give one (--cert and --key)"))
        }
        _ => None,
    }
}

async fn connect_tcp(host: &str, port: u16, options: &SocketOptions) -> io::Result<TcpCarrier> {
    let mut failure = None;
    for address in addresses(host, port, options.ipv6).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return TcpCarrier::new(stream, options),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
