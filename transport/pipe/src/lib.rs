//! Carriers of QiMessaging frames and the driver that pumps a session through them.
//!
//! A [`Carrier`] moves bytes (TCP, a Unix socket, the same process). [`pipe`] makes a [`Sender`] and a [`Driver`] of it: the sender is
//! what any task or thread sends frames through, the driver is the one task of the connection, which reads frames and
//! hands them to a [`Handler`]. This crate knows frames and nothing of what they say: handshake, calls and objects are the
//! handler's, built from `keyway-session`.
//!
//! Beside these there are [`connect`] and [`Listener`] with their [`SocketOptions`], the [`ConnectionCap`], the network thread pool
//! ([`runtime`]) and the way off it for CPU work ([`offload`]).

mod carrier;
mod connect;
mod connection_cap;
mod connection_id;
mod driver;
mod handler;
mod listener;
pub mod offload;
mod outbox;
mod reassembly;
mod resolve;
pub mod runtime;
mod scratch;
mod socket_options;

#[cfg(unix)]
pub use carrier::UnixCarrier;
pub use carrier::{Carrier, PeerAddress, TcpCarrier, inproc_pair};
pub use connect::connect;
pub use connection_cap::{ConnectionCap, ConnectionPermit};
pub use connection_id::ConnectionId;
pub use driver::{Driver, Run, pipe};
pub use handler::Handler;
pub use listener::Listener;
pub use outbox::{Cork, QueueLimits, SendError, Sender, slow_consumers_closed};
pub use socket_options::{IPV6_VARIABLE, PING_TIMEOUT_VARIABLE, SocketOptions};
