//! Settings of TLS for `tcps` and `tcpsm` (spec 11): who is trusted, and by which certificate this end is known.

use std::{fmt, io, path::Path, sync::Arc};

use rustls::{
    CertificateError,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

mod client;
mod server;
mod verify;

pub use client::TlsClient;
pub use server::TlsServer;

/// Words of libqi for a TLS listener without a certificate (spec 11.8).
pub(crate) const INCOMPLETE: &str = "SSL certificates/key missing, the SSL configuration is incomplete";

/// Why TLS settings cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// There is no certificate where one should be.
    #[error("no PEM certificate in the {0}")]
    NoCertificate(&'static str),
    /// There is no private key where one should be.
    #[error("no usable PEM private key: {0}")]
    NoKey(String),
    /// Neither a SHA-256 in hexadecimal digits nor a PEM certificate.
    #[error("'{0}' is not a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")]
    Pin(String),
    /// Neither a host name nor an IP address.
    #[error("'{0}' is neither a host name nor an IP address")]
    ServerName(String),
    /// The certificate or the key is not usable, or one does not belong to the other.
    #[error("the certificate or its key cannot be used: {0}")]
    Refused(String),
}

/// Why there is no TLS with a server.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The server is not who it should be, as far as its certificate tells.
    #[error("the certificate of {host} is not trusted: {why}; use --ca, --pin or --insecure-skip-verify")]
    NotTrusted {
        /// Who was asked for.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// The server refused, mostly for want of a certificate of the client's that it trusts.
    #[error(
        "{host} refused the TLS connection: {why}; a server that wants certificates of its clients needs --cert and --key"
    )]
    Refused {
        /// Who was asked for.
        host: String,
        /// Its alert.
        why: String,
    },
    /// The server speaks something else.
    #[error("{host} does not speak TLS on this port ({why}); a server without TLS is reached by tcp://")]
    NotTls {
        /// Who was asked for.
        host: String,
        /// What was received.
        why: String,
    },
}

impl HandshakeError {
    /// What a failure of the TLS library means to who wants to reach `host`.
    pub(crate) fn new(host: &str, error: &rustls::Error) -> Self {
        let host = host.to_owned();
        match error {
            rustls::Error::InvalidCertificate(error) => Self::NotTrusted { host, why: reason(error) },
            rustls::Error::AlertReceived(alert) => Self::Refused { host, why: format!("{alert:?}") },
            rustls::Error::InvalidMessage(_) => Self::NotTls { host, why: error.to_string() },
            error => Self::Refused { host, why: error.to_string() },
        }
    }

    /// What the end of the stream in the middle of the handshake means.
    pub(crate) fn hung_up(host: &str) -> Self {
        Self::NotTls { host: host.to_owned(), why: "it hung up during the handshake".to_owned() }
    }
}

fn reason(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "nobody who is trusted has issued it".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet; is the clock right?".to_owned()
        }
        CertificateError::NotValidForName => "it is for another name".to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "it names no host".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            format!("it is for another name: {}", presented.join(", "))
        }
        CertificateError::ApplicationVerificationFailure => "it is not the pinned one".to_owned(),
        CertificateError::Other(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// The one crypto provider of the tree.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A certificate chain and the key of its first certificate.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates(chain, "certificate file")?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::NoKey(error.to_string()))?;
        Ok(Self { chain, key })
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// All certificates of a PEM text; `what` it is for the error when there is none.
fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or(TlsError::NoCertificate(what))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File { path: path.display().to_string(), source: source.into() })
}

fn refused(error: impl fmt::Display) -> TlsError {
    TlsError::Refused(error.to_string())
}
