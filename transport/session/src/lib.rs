//! QiMessaging sessions without I/O: the handshake, calls, subscriptions and object references of one connection, as
//! plain state that is fed frames and time (spec 5–10).
//!
//! [`Connection`] is the state machine; [`CallTable`], [`IncomingCalls`], [`Subscriptions`] and [`BoundObjects`] are the
//! tables around it; [`ObjectRequest`] says what a frame asks of an object. Nothing opens a socket or reads
//! a clock, so tests run whole connections in memory:
//!
//! ```
//! use std::time::Instant;
//!
//! use keyway_session::{ClientConfig, Connection, Input, ServerConfig};
//!
//! let now = Instant::now();
//! let mut client = Connection::client(ClientConfig::default(), now);
//! let mut server = Connection::server(ServerConfig::default(), now);
//! let (mut asked, mut answered) = (Vec::new(), Vec::new());
//! client.start(now, &mut |frame| asked.push(frame));
//! assert!(matches!(server.handle_frame(now, asked.remove(0), &mut |frame| answered.push(frame))?, Input::Opened));
//! assert!(matches!(client.handle_frame(now, answered.remove(0), &mut |frame| asked.push(frame))?, Input::Opened));
//! assert!(client.shared().object_ptr_uid);
//! # Ok::<(), keyway_session::CloseReason>(())
//! ```

mod actions;
mod bound_objects;
mod call_table;
mod capabilities;
mod close_reason;
mod connection;
pub mod errors;
mod incoming_calls;
mod receipts;
mod stats;
mod subscriptions;
mod trace;

pub use actions::{ObjectRequest, PropertyKey};
pub use bound_objects::BoundObjects;
pub use call_table::CallTable;
pub use capabilities::{CapabilityMap, SharedCapabilities};
pub use close_reason::CloseReason;
pub use connection::{
    AuthMap, AuthOutcome, AuthRequest, ClientAuthenticator, ClientConfig, Connection, Credentials, DEFAULT_MAX_PAYLOAD,
    Input, ServerAuthentication, ServerAuthenticator, ServerConfig, UNAUTHENTICATED_MAX_PAYLOAD,
};
pub use incoming_calls::{IncomingCalls, IncomingKey};
pub use receipts::{EventArrival, MAX_AHEAD, MAX_SIGNALS, Receipts, Series, SignalAddress, WrongNumber};
pub use stats::{MethodStatistics, MinMaxSum, StatsTable};
pub use subscriptions::Subscriptions;
pub use trace::{EventTrace, TraceKind};
