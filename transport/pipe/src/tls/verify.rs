//! Who is believed to be who.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        ParsedCertificate, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use sha2::{Digest, Sha256};

use super::{TlsError, provider, refused};

/// Certificates that are trusted: those they have issued, and they themselves ("partial chain", spec 11.4).
#[derive(Debug)]
pub(super) struct Anchors {
    certificates: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
}

impl Anchors {
    pub(super) fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(refused)?;
        }
        Ok(Self { certificates, roots: Arc::new(roots) })
    }

    /// Whether a certificate that was not accepted for its issuer's sake is trusted for its own.
    ///
    /// Both of these refusals come after the check of the dates; that of the name is still to be made.
    fn includes(&self, certificate: &CertificateDer<'_>, error: &Error) -> bool {
        let is_about_the_issuer = match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
            Error::InvalidCertificate(CertificateError::Other(other)) => {
                // A self-signed certificate as `openssl req -x509` makes it is a CA's.
                matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
            }
            _ => false,
        };
        is_about_the_issuer && self.certificates.iter().any(|trusted| trusted.as_ref() == certificate.as_ref())
    }
}

/// Verifies servers against anchors, and their names.
#[derive(Debug)]
pub(super) struct AnchoredServers {
    anchors: Anchors,
    chains: Arc<WebPkiServerVerifier>,
}

impl AnchoredServers {
    pub(super) fn new(anchors: Anchors) -> Result<Self, TlsError> {
        let builder = WebPkiServerVerifier::builder_with_provider(anchors.roots.clone(), provider());
        Ok(Self { chains: builder.build().map_err(refused)?, anchors })
    }
}

impl ServerCertVerifier for AnchoredServers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(error) if self.anchors.includes(end_entity, &error) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Believes a server that shows one certificate and has its key, or any server at all.
pub(super) struct KnownServer {
    /// SHA-256 of the certificate; `None` believes anybody.
    pub(super) pin: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl KnownServer {
    pub(super) fn new(pin: Option<[u8; 32]>) -> Self {
        Self { pin, provider: provider() }
    }
}

impl fmt::Debug for KnownServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownServer").field("pin", &self.pin).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for KnownServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.pin {
            Some(pin) if fingerprint(end_entity) != pin => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// SHA-256 of a certificate.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate.as_ref()).into()
}

/// Asks every client for a certificate.
#[derive(Debug)]
pub(super) struct AnchoredClients {
    anchors: Anchors,
    chains: Arc<dyn ClientCertVerifier>,
    /// Whether to refuse those that have none.
    demanded: bool,
}

impl AnchoredClients {
    pub(super) fn new(anchors: Anchors, demanded: bool) -> Result<Self, TlsError> {
        let builder = WebPkiClientVerifier::builder_with_provider(anchors.roots.clone(), provider());
        Ok(Self { chains: builder.build().map_err(refused)?, anchors, demanded })
    }
}

impl ClientCertVerifier for AnchoredClients {
    fn client_auth_mandatory(&self) -> bool {
        self.demanded
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.chains.verify_client_cert(end_entity, intermediates, now) {
            Err(error) if self.anchors.includes(end_entity, &error) => Ok(ClientCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
