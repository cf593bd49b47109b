//! Carriers of QiMessaging frames and the driver that pumps a session through them.
//!
//! A [`Carrier`] moves bytes (TCP, TLS, a Unix socket, the same process). [`pipe`] makes a [`Sender`] and a [`Driver`] of it: the sender is
//! what any task or thread sends frames through, the driver is the one task of the connection, which reads frames and
//! hands them to a [`Handler`]. This crate knows frames and nothing of what they say: handshake, calls and objects are the
//! handler's, built from `keyway-session`.
//!
//! Over QUIC there is no carrier, but a stream for each subscription: [`QuicEndpoint`] and [`QuicListener`] give the same [`Sender`], and
//! a [`QuicDriver`] for the same [`Handler`].
//!
//! Beside these there are [`connect`] and [`Listener`] with their [`SocketOptions`], the [`ConnectionCap`], the network thread pool
//! ([`runtime`]) and the way off it for CPU work ([`offload`]).
//!
//! ```
//! use std::time::Instant;
//!
//! use keyway_pipe::{Handler, QueueLimits, Sender, inproc_pair, pipe};
//! use keyway_session::CloseReason;
//! use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
//! use keyway_wire::Frame;
//!
//! /// Answers the first call with nothing, and is done.
//! struct Once;
//!
//! impl Handler for Once {
//!     fn on_frame(&mut self, _: Instant, call: Frame, sender: &Sender) -> Result<(), CloseReason> {
//!         // Refused only when the pipe is closing already.
//!         let _ = sender.send(Frame::reply_to(&call.header, Payload::new()));
//!         Err(CloseReason::Local)
//!     }
//!     fn max_payload(&self) -> u32 {
//!         64 * 1024
//!     }
//!     fn on_closed(&mut self, reason: CloseReason) {
//!         println!("{reason}");
//!     }
//! }
//!
//! # keyway_pipe::runtime::build(Some(1)).unwrap().block_on(async {
//! let (left, right) = inproc_pair();
//! let (caller, _driver) = pipe(left, QueueLimits::default());
//! let (_, driver) = pipe(right, QueueLimits::default());
//! caller.send(Frame::call(MessageId(1), ServiceId(1), ObjectId(1), ActionId(100), Payload::new()))?;
//! driver.run(Once).await;
//! # Ok::<(), keyway_pipe::SendError>(())
//! # }).unwrap();
//! ```

mod carrier;
mod connect;
mod connection_cap;
mod connection_id;
mod driver;
mod handler;
mod listener;
pub mod offload;
mod outbox;
mod quic;
mod reassembly;
mod resolve;
pub mod runtime;
mod scratch;
mod sender;
mod socket_options;
mod tls;

#[cfg(unix)]
pub use carrier::UnixCarrier;
pub use carrier::{Carrier, PeerAddress, TcpCarrier, TlsCarrier, inproc_pair};
pub use connect::{connect, connect_with, missing_tls};
pub use connection_cap::{ConnectionCap, ConnectionPermit};
pub use connection_id::ConnectionId;
pub use driver::{Driver, Run, pipe};
pub use handler::Handler;
pub use listener::Listener;
pub use outbox::{EventRule, QueueBudget, QueueLimits, SendError, events_dropped, slow_consumers_closed};
pub use quic::{
    Dialogue, Keeping, MakeDialogue, QuicConnected, QuicDriver, QuicEndpoint, QuicError, QuicIncoming, QuicListener,
    QuicOptions, QuicRequest, Said,
};
pub use rustls::pki_types::CertificateDer;
pub use sender::{Cork, Sender};
pub use socket_options::{IPV6_VARIABLE, PING_TIMEOUT_VARIABLE, SocketOptions};
pub use tls::{HandshakeError, TlsClient, TlsError, TlsServer};
