//! What carries bytes between two peers, behind one trait.

use std::{
    fmt, io,
    io::IoSlice,
    net::{IpAddr, SocketAddr},
    task::{Context, Poll},
};

use bytes::BytesMut;
use rustls::pki_types::CertificateDer;

pub(crate) mod inproc;
mod tcp;
mod tls;
#[cfg(unix)]
mod unix;

pub use inproc::pair as inproc_pair;
pub use tcp::TcpCarrier;
pub use tls::TlsCarrier;
#[cfg(unix)]
pub use unix::UnixCarrier;

/// An established, reliable, ordered stream of bytes in both directions.
///
/// Every method takes `&self`: the driver reads, while any thread may write a lone frame at once. There is one task that
/// polls for each direction (the driver), and the outbox lets one writer in at a time, so that an implementation
/// which needs exclusive access (TLS) may sit behind a plain mutex.
///
/// Readiness is a hint: `try_*` may still answer [`io::ErrorKind::WouldBlock`], after which the task polled last is woken
/// when the state changes.
pub trait Carrier: fmt::Debug + Send + Sync + 'static {
    /// Waits until reading may make progress.
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Appends what has arrived to `buffer`, no more than its spare capacity, which must not be zero.
    ///
    /// `Ok(0)` is the end of the stream.
    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize>;

    /// Waits until writing may make progress.
    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Writes a part of `slices`, in order, and says how many bytes were taken. The next call goes on with those that were not.
    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ends the direction of writing: the peer reads the end of the stream after what was written (spec 1.15).
    fn shutdown(&self);

    /// Who is at the other end.
    fn peer(&self) -> &PeerAddress;

    /// The address of this end, where the carrier has one.
    fn local(&self) -> Option<SocketAddr> {
        None
    }

    /// The certificate of the peer's own and its chain, verified; empty if it has shown none, or not yet: a handshake may still be
    /// under way.
    fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        Vec::new()
    }
}

/// Address of the other end of a carrier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerAddress {
    /// The same process.
    Inproc,
    /// An Internet address.
    Tcp(SocketAddr),
    /// An Internet address, with TLS.
    Tls(SocketAddr),
    /// An Internet address, over QUIC.
    Quic(SocketAddr),
    /// A Unix socket; the path is empty for the connecting side, which has no name.
    Unix(Box<str>),
}

impl PeerAddress {
    /// The Internet address without its port: what caps and limits for each source count by.
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket_address().map(|address| address.ip().to_canonical())
    }

    /// The Internet address.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) | Self::Tls(address) | Self::Quic(address) => Some(*address),
            Self::Inproc | Self::Unix(_) => None,
        }
    }

    /// Whether the peer is on this machine.
    pub fn is_local(&self) -> bool {
        self.ip().is_none_or(|ip| ip.is_loopback())
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inproc => f.write_str("inproc"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Tls(address) => write!(f, "tcps://{address}"),
            Self::Quic(address) => write!(f, "quic://{address}"),
            Self::Unix(path) => write!(f, "unix://{path}"),
        }
    }
}

/// Reads through `read`, and lets `clear` forget the readiness when the kernel's buffer is known to be empty.
///
/// With an edge-triggered epoll a read that did not fill the buffer has emptied the socket: the next bytes bring a new
/// event. Saying `WouldBlock` inside of tokio's `try_io` clears the readiness that was seen *before* the read, so no event is
/// lost, and the read that would only fetch EAGAIN is saved: one system call in three of a lone call.
pub(crate) fn read_to_the_edge(
    buffer: &mut BytesMut,
    clear: impl FnOnce(&mut dyn FnMut() -> io::Result<()>) -> io::Result<()>,
    mut read: impl FnMut(&mut BytesMut) -> io::Result<usize>,
) -> io::Result<usize> {
    let room = buffer.capacity() - buffer.len();
    let mut length = None;
    let outcome = clear(&mut || {
        let taken = read(buffer)?;
        length = Some(taken);
        let emptied = cfg!(any(target_os = "linux", target_os = "android")) && 0 < taken && taken < room;
        if emptied { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    match (length, outcome) {
        (Some(length), _) => Ok(length),
        (None, Err(error)) => Err(error),
        // `clear` did not call the closure although it reports success: nothing was read.
        (None, Ok(())) => Err(io::ErrorKind::WouldBlock.into()),
    }
}
