//! Why a directory refuses; the texts are libqi's, because clients show and match them (spec 7.2).

use keyway_value::ServiceId;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Registered, but not ready yet (7.3).
    #[error("Cannot find ServiceInfo for service '{0}'")]
    Pending(String),
    /// Not registered (7.3).
    #[error("Cannot find service '{0}' in index")]
    Unknown(String),
    /// The name is taken, ready or not (7.4).
    #[error("Service \"{name}\" (#{id}) is already registered. Rejecting conflicting registration attempt.")]
    Conflict {
        /// The name.
        name: String,
        /// Who has it.
        id: ServiceId,
    },
    /// There is nothing to make ready (7.5).
    #[error("Can't find pending service #{0}")]
    NotPending(ServiceId),
    /// There is nothing to unregister (7.6).
    #[error("Unregister Service: Can't find service #{0}")]
    UnregisterUnknown(ServiceId),
    /// There is nothing to update (7.7).
    #[error("updateServiceInfo: Can't find service #{0}")]
    UpdateUnknown(ServiceId),
    /// Somebody else's service (7.12).
    #[error("Permission denied: service #{0} is owned by another session")]
    NotOwner(ServiceId),
    /// An endpoint that is no URI (1.2).
    #[error(
        "Call argument number 1 conversion failure from ServiceInfo to ServiceInfo: the endpoint {0:?} is not a URI"
    )]
    InvalidEndpoint(String),
    /// A name that cannot be kept (7.9).
    #[error("the service name is refused: it has {0} bytes, at most 255 of UTF-8 are allowed")]
    InvalidName(usize),
    /// More than one connection may have.
    #[error("too many {what}: at most {limit} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}
