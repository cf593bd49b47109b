//! Opening a carrier to a URL.

use std::{io, sync::Arc};

use keyway_wire::Url;
use tokio::net::TcpStream;

use crate::{Carrier, SocketOptions, TcpCarrier, resolve::addresses};

/// Connects to `tcp://host:port` or `unix://path` (spec 1.3, 1.4).
///
/// There is no time-out but the one of the system (spec 1.16); a caller with less patience wraps the future. Every address the
/// host resolves to is tried in turn, IPv4 only unless [`SocketOptions::ipv6`] is set (spec 1.5).
pub async fn connect(url: &Url, options: &SocketOptions) -> io::Result<Arc<dyn Carrier>> {
    match (url.scheme.as_deref(), url.host.as_deref(), url.port) {
        (Some("tcp"), Some(host), Some(port)) => connect_tcp(host, port, options).await,
        #[cfg(unix)]
        (Some("unix"), Some(path), None) if !path.is_empty() => {
            let stream = tokio::net::UnixStream::connect(path).await?;
            Ok(Arc::new(crate::UnixCarrier::new(stream)?))
        }
        (Some(_), Some(_), Some(_)) => Err(invalid(format!("unsupported URL TCP scheme '{url}'"))),
        _ => Err(invalid(format!("invalid URL '{url}' used to connect, this connection will result in an error"))),
    }
}

async fn connect_tcp(host: &str, port: u16, options: &SocketOptions) -> io::Result<Arc<dyn Carrier>> {
    let mut failure = None;
    for address in addresses(host, port, options.ipv6).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(Arc::new(TcpCarrier::new(stream, options)?)),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
