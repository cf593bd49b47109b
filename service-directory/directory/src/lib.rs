//! The QiMessaging service directory: the registry of services, without I/O (spec 7).
//!
//! [`Registry`] decides who may register, change and see what. It knows connections as [`Owner`]s and answers with
//! [`Change`]s that its user announces; the SDK makes a service of it.

pub mod endpoints;
mod error;
mod registry;

pub use error::DirectoryError;
pub use registry::{Change, DirectoryConfig, Owner, Registry};
