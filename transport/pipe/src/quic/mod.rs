//! The native protocol over QUIC (`docs/native-protocol.md`): the same [`Sender`](crate::Sender) and
//! [`Handler`](crate::Handler) as over a carrier, with a lane for each subscription instead of one stream of bytes.
//!
//! A [`QuicEndpoint`] connects, a [`QuicListener`] accepts. What comes of both is a sender and a [`QuicDriver`].

mod between;
mod client;
mod comeback;
mod control_io;
mod driver;
mod error;
mod kept;
mod lane;
mod lane_set;
mod lanes;
mod reader;
mod server;
mod totals;
mod writer;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use quinn::{IdleTimeout, TransportConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};

pub use client::{Dialogue, MakeDialogue, QuicConnected, QuicEndpoint};
pub use driver::QuicDriver;
pub use error::QuicError;
pub(crate) use lanes::Lanes;
pub use server::{Keeping, QuicIncoming, QuicListener, QuicRequest, Said};

/// How QUIC connections are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuicOptions {
    /// After how long a silent peer is given up. Both sides announce theirs and the shorter one counts; a ping is sent after a
    /// third of it. Between 100 ms and a day.
    pub dead_after: Duration,
    /// How long a handshake may take, from the first packet to the client's credentials.
    pub handshake_timeout: Duration,
    /// Whether names may resolve to IPv6 addresses, as for TCP.
    pub ipv6: bool,
}

impl Default for QuicOptions {
    fn default() -> Self {
        Self { dead_after: Duration::from_secs(10), handshake_timeout: Duration::from_secs(10), ipv6: false }
    }
}

/// Unidirectional streams a peer may have open: its lanes and its large frames under way.
const STREAMS: u32 = LANES + 256;
/// Lanes a peer may have open.
const LANES: u32 = 1024;
/// What one stream may send ahead of its reader, in bytes.
const STREAM_WINDOW: u32 = 1 << 20;
/// What a connection may.
const WINDOW: u32 = 8 << 20;
/// What a connection may send before its client has proved who it is.
const STRANGERS_WINDOW: u32 = 64 << 10;
/// Bytes that are sent and not acknowledged.
const SEND_WINDOW: u64 = 8 << 20;
/// Buffers asked of the system for a socket, which all connections of an endpoint share.
const SOCKET_BUFFER: usize = 4 << 20;

impl QuicOptions {
    fn dead_after(&self) -> Duration {
        self.dead_after.clamp(Duration::from_millis(100), Duration::from_secs(86_400))
    }

    fn transport(&self) -> TransportConfig {
        let dead_after = self.dead_after();
        let mut transport = TransportConfig::default();
        transport
            // A day in milliseconds is well within what QUIC can say.
            .max_idle_timeout(IdleTimeout::try_from(dead_after).ok())
            .keep_alive_interval(Some(dead_after / 3))
            .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
            .receive_window(VarInt::from_u32(WINDOW))
            .send_window(SEND_WINDOW)
            .datagram_receive_buffer_size(None);
        transport
    }

    /// Of a client: the server opens lanes once it has let the client in.
    fn of_client(&self) -> Arc<TransportConfig> {
        let mut transport = self.transport();
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(0))
            .max_concurrent_uni_streams(VarInt::from_u32(STREAMS));
        Arc::new(transport)
    }

    /// Of a server: strangers have the control stream and nothing else.
    fn of_server(&self) -> Arc<TransportConfig> {
        let mut transport = self.transport();
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(1))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .receive_window(VarInt::from_u32(STRANGERS_WINDOW));
        Arc::new(transport)
    }
}

/// For a client that has proved who it is.
fn open_windows(connection: &quinn::Connection) {
    connection.set_receive_window(VarInt::from_u32(WINDOW));
    connection.set_max_concurrent_uni_streams(VarInt::from_u32(STREAMS));
}

/// A UDP socket with room for bursts.
fn udp_socket(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // The system gives what it likes; less costs speed and nothing else.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// quinn's side of the runtime that drives everything here.
fn runtime() -> Arc<dyn quinn::Runtime> {
    Arc::new(quinn::TokioRuntime)
}
