//! Adverts on the local network: multicast DNS with the service type of NAOqi robots (spec 15.3).

mod advert;
mod found;

pub(crate) use advert::Advert;
pub(crate) use found::{Found, Kind};

/// What robots and gateways are advertised as.
pub(crate) const SERVICE_TYPE: &str = "_naoqi._tcp.local.";

/// The entry that tells a gateway from a robot; it holds the version.
const KEYWAY: &str = "keyway";
/// The entry that tells which robot it is.
const ROBOT_TYPE: &str = "RobotType";
