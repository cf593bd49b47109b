//! Shows services of the bus as YARP ports, and YARP ports as services (spec yarp.md). YARP has neither authentication nor
//! encryption, so this runs only where somebody asked for it; see `keyway_bridge`.
//!
//! [`Yarp`] is the front that `keyway bridge yarp` runs. Each exposed service has a port `rpc:i` for calls, and one `NAME:o` for each
//! signal and property; see `exposed.rs`. What the bytes mean is in `keyway-yarp-wire`, what values become in `mapping`.

mod exposed;
mod front;
mod import;
mod mapping;
mod name_server;
mod options;
mod port;
mod registrar;
mod root;
mod rpc;
mod shared;

pub use front::Yarp;
pub use keyway_yarp_wire::{Carrier, Dialect};
pub use options::{Import, Options, StructStyle};
