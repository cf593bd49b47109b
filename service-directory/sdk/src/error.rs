//! What can go wrong for a program that uses the SDK.

use std::{io, sync::Arc, time::Duration};

use keyway_pipe::{HandshakeError, TlsError};
use keyway_value::{CodecError, ConversionError};

/// Result of the SDK's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Failure of a session, a call or a subscription.
///
/// Texts of remote errors are passed on as the peer sent them: libqi programs match some of them (spec 2.11).
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The other side answered with an Error frame (spec 2.5); the text is the peer's own.
    #[error("{0}")]
    Remote(String),
    /// The call was canceled, here or there (spec 8.5).
    #[error("call has been canceled")]
    Canceled,
    /// The connection that carried the object is gone; the text says why.
    #[error("{0}")]
    Closed(String),
    /// The session has no directory (spec 7.6).
    #[error("Session not connected.")]
    NotConnected,
    /// No member of that name, or none that takes these arguments (spec 3.3); nothing was sent.
    #[error("{0}")]
    NoSuchMember(String),
    /// A value does not fit the type that was asked for (spec 3.4).
    #[error(transparent)]
    Conversion(#[from] ConversionError),
    /// Bytes do not hold what their signature says (spec 4).
    #[error("{0}")]
    Codec(Arc<CodecError>),
    /// The URL cannot be used (spec 1.1, 1.3).
    #[error("{0}; URLs that can be used look like tcp://host:port and unix:///path")]
    Url(String),
    /// The URL is one of TLS (spec 11), and settings for that are missing or cannot be used.
    #[error("{0}")]
    TlsSettings(String),
    /// There is no TLS with the server; its certificate is not trusted, for example.
    #[error("cannot connect to {url}: {source}")]
    Tls {
        /// Where to.
        url: String,
        /// What is wrong.
        source: HandshakeError,
    },
    /// No connection could be made.
    #[error("cannot connect to {url}: {source}; is it running, and is the address right?")]
    Connect {
        /// Where to.
        url: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A listener could not be opened.
    #[error("cannot listen on {url}: {source}; choose another address, or port 0 for a free one")]
    Listen {
        /// Where.
        url: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The service is registered, but none of its endpoints can be used (spec 1.3).
    #[error("{0}")]
    Unreachable(String),
    /// The other side did not answer in time.
    #[error("{what} took longer than {limit:?}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
}

impl Error {
    /// An error with a text of the caller's own, as a service method returns it.
    pub fn remote(text: impl Into<String>) -> Self {
        Self::Remote(text.into())
    }
}

impl From<TlsError> for Error {
    fn from(error: TlsError) -> Self {
        Self::TlsSettings(error.to_string())
    }
}

impl From<CodecError> for Error {
    fn from(error: CodecError) -> Self {
        Self::Codec(Arc::new(error))
    }
}
