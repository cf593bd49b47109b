//! Why a connection ended.

use std::{io, sync::Arc};

use keyway_wire::FrameError;

/// Why a connection ended, or is to end.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// Nobody proved who they are in time (spec 5.6).
    #[error("not authenticated in time")]
    AuthenticationTimeout,
    /// The bytes were no frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The server answered an authentication with a state that does not exist (spec 5.4). The text is libqi's.
    #[error("Invalid authentication state token.")]
    InvalidAuthenticationState,
    /// The operating system said so.
    #[error("disconnected: {0}")]
    Io(Arc<io::Error>),
    /// This side closed it.
    #[error("Session closed")]
    Local,
    /// A frame of the connection itself could not be understood.
    #[error("protocol violation: {0}")]
    Protocol(String),
    /// The other side, or this one, refused the authentication; the text says why.
    #[error("{0}")]
    Refused(String),
    /// The other side closed it.
    #[error("disconnected")]
    Remote,
    /// The other side does not read what is sent to it (spec 9.5).
    #[error("closed: the peer is too slow for what it subscribed to")]
    SlowConsumer,
    /// Too many steps of authentication, or too much sent during one (spec 5.14).
    #[error("too many attempts to authenticate")]
    TooManyAttempts,
}
