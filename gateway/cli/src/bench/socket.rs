//! The few operations of the benches on a connection, over the carriers of the pipes: TCP, with TLS or without.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll, ready},
};

use anyhow::bail;
use bytes::BytesMut;
use keyway::TlsClient;
use keyway_pipe::{Carrier, SocketOptions, TcpCarrier, connect_with, missing_tls};
use keyway_wire::Url;
use tokio::net::{TcpSocket, TcpStream, lookup_host};

/// A connection.
pub(super) type Stream = Arc<dyn Carrier>;

/// Where a server is, and how to connect there.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) url: Url,
    pub(super) socket: SocketAddr,
    /// Whom to trust.
    pub(super) tls: Option<TlsClient>,
}

impl Address {
    /// The address behind a URL, which may be partial (spec 1.1).
    pub(super) async fn resolve(url: &str, tls: Option<&TlsClient>) -> anyhow::Result<Self> {
        let whole = Url::parse(url).with_connect_defaults();
        let (Some("tcp" | "tcps" | "quic"), Some(host), Some(port)) =
            (whole.scheme.as_deref(), whole.host.as_deref(), whole.port)
        else {
            bail!("{url}: only tcp://, tcps:// and quic://host:port can be measured");
        };
        if let Some(missing) = missing_tls(&whole, tls) {
            bail!("{missing}");
        }
        let unknown = || anyhow::anyhow!("{url}: unknown host");
        let addresses = lookup_host((host, port)).await.map_err(|_| unknown())?;
        let socket = addresses.min_by_key(SocketAddr::is_ipv6).ok_or_else(unknown)?;
        Ok(Self { url: whole, socket, tls: tls.cloned() })
    }

    /// Without TLS.
    pub(super) fn plain(socket: SocketAddr) -> Self {
        let url =
            Url { scheme: Some("tcp".to_owned()), host: Some(socket.ip().to_string()), port: Some(socket.port()) };
        Self { url, socket, tls: None }
    }
}

/// Connects, from `source` if one is given and there is no TLS.
pub(super) async fn connect(address: &Address, source: Option<IpAddr>) -> io::Result<Stream> {
    let options = SocketOptions::default();
    match source {
        Some(source) if !address.url.is_tls() => {
            let socket = if source.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.bind(SocketAddr::new(source, 0))?;
            accepted(socket.connect(address.socket).await?)
        }
        _ => connect_with(&address.url, &options, address.tls.as_ref()).await,
    }
}

/// A connection that is there already.
pub(super) fn accepted(stream: TcpStream) -> io::Result<Stream> {
    Ok(Arc::new(TcpCarrier::new(stream, &SocketOptions::default())?))
}

/// Appends what is there, at least one byte; the end of the stream is an error.
pub(super) fn poll_read(stream: &Stream, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        match stream.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            result => return Poll::Ready(result),
        }
    }
}

/// Writes some of `bytes`. What is not written is to be written next.
pub(super) fn poll_write(stream: &Stream, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(cx))?;
        match stream.try_write_vectored(&[IoSlice::new(bytes)]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}

/// Appends what is there, at least one byte; the end of the stream is an error.
pub(super) async fn read(stream: &Stream, buffer: &mut BytesMut) -> io::Result<usize> {
    poll_fn(|cx| poll_read(stream, cx, buffer)).await
}

/// Writes all of `bytes`.
pub(super) async fn write_all(stream: &Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = poll_fn(|cx| poll_write(stream, cx, bytes)).await?;
        bytes = &bytes[written..];
    }
    Ok(())
}
