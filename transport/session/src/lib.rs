//! QiMessaging sessions without I/O: the handshake, calls, subscriptions and object references of one connection, as
//! plain state that is fed frames and time (spec 5–10).
//!
//! [`Connection`] is the state machine; [`CallTable`], [`IncomingCalls`], [`Subscriptions`] and [`BoundObjects`] are the
//! tables around it. It opens no socket and reads no clock, so tests run whole connections in memory.

mod bound_objects;
mod call_table;
mod capabilities;
mod close_reason;
mod connection;
pub mod errors;
mod incoming_calls;
mod stats;
mod subscriptions;
mod trace;

pub use bound_objects::BoundObjects;
pub use call_table::CallTable;
pub use capabilities::{CapabilityMap, SharedCapabilities};
pub use close_reason::CloseReason;
pub use connection::{
    AuthMap, AuthOutcome, ClientAuthenticator, ClientConfig, Connection, Credentials, DEFAULT_MAX_PAYLOAD, Input,
    ServerAuthentication, ServerAuthenticator, ServerConfig, UNAUTHENTICATED_MAX_PAYLOAD,
};
pub use incoming_calls::{IncomingCalls, IncomingKey};
pub use stats::{MethodStatistics, MinMaxSum, StatsTable};
pub use subscriptions::Subscriptions;
pub use trace::{EventTrace, TraceKind};
