//! The sections of the file, as they are written and as they are used.

mod admin;
mod audit;
mod bridges;
mod directory;
mod discovery;
mod lease;
mod limits;
mod listen;
mod network;
mod presence;
mod session;
mod telemetry;

pub use admin::Admin;
pub use audit::{Audit, AuditOverflow, MemberGlob};
pub use bridges::{
    BridgeMode, Bridges, Ros, Ros1, Ros2, RosCall, RosCalled, RosFlavour, RosFront, RosImport, RosMiddleware,
    RosPublished, RosRule, RosSubscribed, RosTypes, Rosbridge, Yarp, YarpCarrier, YarpDialect, YarpImport, YarpStructs,
};
pub use directory::{Directory, Token, Trust, Upstream};
pub use discovery::Discovery;
pub use lease::{Lease, MemberPath};
pub use limits::{EventLimit, Limits, Overflow};
pub use listen::{Anonymous, Listen};
pub use network::Network;
pub use presence::Presence;
pub use session::Session;
pub use telemetry::Telemetry;
