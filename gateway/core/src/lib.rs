//! The gateway between strangers and a bus (DESIGN 3, 4): what all doors share.
//!
//! A [`Gateway`] is attached to one or more directories ([`Bus`]), and has [`Rules`] that can be replaced while it runs. A door
//! accepts its clients, has the gateway decide who they are, and hands their messages to a [`Relay`] (frames) or asks a
//! [`ClientSession`](client::ClientSession) (names).

mod access;
mod allowance;
mod bus;
mod carried;
mod catalog;
pub mod client;
mod comeback;
mod gateway;
mod journal;
mod lease;
mod member;
mod metrics;
mod pace;
mod pauses;
mod presence;
mod relay;
mod rules;
mod shown_objects;
mod under_way;

pub use bus::{Bus, BusSettings, DoorAddresses};
pub use comeback::{Comeback, Comebacks};
pub use gateway::{Gateway, Judged, Origin, Shown};
pub use journal::CALLS;
pub use lease::{Lease, LeaseRule, Leased};
pub use member::Member;
pub use metrics::{AuditState, BusState, Metrics, Snapshot, Totals, Traffic};
pub use presence::{Departure, Stay};
pub use relay::Relay;
pub use rules::{AuditRules, EventFilter, Limits, MemberFilter, Rules};

/// The skeleton of a door compiles and works.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/doors.md")]
mod doors {}
