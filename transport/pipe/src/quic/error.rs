//! Why there is no connection.

use std::{io, sync::Arc};

use keyway_session::{CloseReason, WrongNumber};
use keyway_wire::{
    FrameError,
    native::{CloseCode, NativeError},
};
use quinn::{ConnectionError, VarInt};

use crate::{HandshakeError, TlsError};

/// Why a QUIC connection did not come about.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum QuicError {
    /// The system said so, or nobody answered.
    #[error("{0}")]
    Io(Arc<io::Error>),
    /// The other end's certificate is not trusted, or ours is not.
    #[error(transparent)]
    Tls(#[from] HandshakeError),
    /// The TLS settings cannot be used.
    #[error(transparent)]
    Settings(#[from] TlsError),
    /// The other end ended it: for credentials that it does not accept, say.
    #[error("{code}: {text}")]
    Closed {
        /// What it means.
        code: CloseCode,
        /// What it says to people.
        text: String,
    },
    /// The other end wants credentials that there are none of.
    #[error("the server asks for credentials: {0}")]
    Challenged(String),
    /// The other end does not follow the protocol.
    #[error("protocol violation: {0}")]
    Protocol(String),
    /// The handshake took too long.
    #[error("no handshake in time")]
    Timeout,
}

impl QuicError {
    /// What the loss of a connection to `host` means while it is being made.
    pub(super) fn of_connecting(host: &str, error: ConnectionError) -> Self {
        let host = host.to_owned();
        match error {
            ConnectionError::TransportError(error) if is_crypto(error.code.into()) => {
                HandshakeError::NotTrusted { host, why: error.reason }.into()
            }
            ConnectionError::ConnectionClosed(close) if is_crypto(close.error_code.into()) => {
                let why = String::from_utf8_lossy(&close.reason).into_owned();
                HandshakeError::Refused { host, why }.into()
            }
            error => error.into(),
        }
    }
}

/// TLS alerts, as QUIC numbers them (RFC 9001 section 4.8).
fn is_crypto(code: u64) -> bool {
    (0x100..0x200).contains(&code)
}

impl From<io::Error> for QuicError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl From<ConnectionError> for QuicError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => {
                let code = CloseCode(u32::try_from(close.error_code.into_inner()).unwrap_or(u32::MAX));
                Self::Closed { code, text: String::from_utf8_lossy(&close.reason).into_owned() }
            }
            error => io::Error::from(error).into(),
        }
    }
}

impl From<NativeError> for QuicError {
    fn from(error: NativeError) -> Self {
        Self::Protocol(error.to_string())
    }
}

/// What the loss of an open connection means.
pub(super) fn reason_of(error: ConnectionError) -> CloseReason {
    match QuicError::from(error) {
        QuicError::Closed { code: CloseCode::DONE | CloseCode::GOING_AWAY | CloseCode::REPLACED, .. } => {
            CloseReason::Remote
        }
        QuicError::Closed { code: CloseCode::REFUSED, text } => CloseReason::Refused(text),
        QuicError::Io(error) => CloseReason::Io(error),
        other => CloseReason::Io(Arc::new(io::Error::new(io::ErrorKind::ConnectionAborted, other.to_string()))),
    }
}

/// What bytes that are not of the protocol mean.
pub(super) fn violation(error: NativeError) -> CloseReason {
    match error {
        NativeError::TooLarge { size, limit } => FrameError::PayloadTooLarge { size, limit }.into(),
        error => CloseReason::Protocol(error.to_string()),
    }
}

/// What numbers that cannot be mean.
pub(super) fn miscounted(error: WrongNumber) -> CloseReason {
    CloseReason::Protocol(error.to_string())
}

/// How the other end is told of a reason.
pub(super) fn close_code(reason: &CloseReason, is_server: bool) -> CloseCode {
    match reason {
        // A server that ends a session of its own accord is being stopped, or wants the client to come again.
        CloseReason::Local if is_server => CloseCode::GOING_AWAY,
        CloseReason::AuthenticationTimeout => CloseCode::TIMEOUT,
        CloseReason::Frame(FrameError::PayloadTooLarge { .. }) => CloseCode::TOO_LARGE,
        CloseReason::Frame(_) | CloseReason::Protocol(_) | CloseReason::InvalidAuthenticationState => {
            CloseCode::PROTOCOL
        }
        CloseReason::Refused(_) | CloseReason::TooManyAttempts => CloseCode::REFUSED,
        CloseReason::SlowConsumer => CloseCode::SLOW_CONSUMER,
        _ => CloseCode::DONE,
    }
}

/// Closes at once.
pub(super) fn close(connection: &quinn::Connection, code: CloseCode, text: &str) {
    connection.close(VarInt::from_u32(code.0), text.as_bytes());
}
