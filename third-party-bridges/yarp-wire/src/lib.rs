//! YARP on the wire, without I/O: bottles, port connections, administrative messages and the text of the name server
//! (spec yarp.md 1–5).
//!
//! It knows nothing of services: those are mapped by `keyway-bridge-yarp`. The types to know are [`Bottle`], [`Accepted`] for
//! the connections that come to a port, and [`Dialled`] for those that leave one.
//!
//! ```
//! use bytes::Bytes;
//! use keyway_yarp_wire::{Bottle, Dialect, Item};
//!
//! let bottle = Bottle::parse(b"set gain 2.5", Dialect::V3)?;
//! assert_eq!(bottle.items[2], Item::Float64(2.5));
//! let bytes = Bytes::from(bottle.to_bytes(Dialect::V3));
//! assert_eq!(Bottle::from_bytes(&bytes, Dialect::V3)?, bottle);
//! assert_eq!(bottle.to_string(), "set gain 2.5");
//! # Ok::<(), keyway_yarp_wire::BottleError>(())
//! ```

mod accepted;
pub mod admin;
mod binary;
mod bottle;
mod carrier;
mod dialect;
mod dialled;
mod error;
mod lines;
mod message;
pub mod name_server;
mod number;
mod text;
mod vocab;

pub use accepted::{Accepted, Event, MAX_NAME};
pub use bottle::{Bottle, Item, MAX_DEPTH, MAX_ITEMS};
pub use carrier::{CONFUSED, Carrier, UnknownCarrier};
pub use dialect::{Dialect, UnknownDialect};
pub use dialled::Dialled;
pub use error::{BottleError, WireError};
pub use message::{Command, Limits, Message, encode_message};
pub use vocab::Vocab;
