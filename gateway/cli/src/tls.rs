//! TLS out of files (spec 11): which servers are believed, by which certificate this side is known to them, and what a listener shows.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use clap::Args;
use keyway::{SessionBuilder, TlsClient, TlsError, TlsServer};
use keyway_config::Trust;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::exit::Usage;

/// Settings of TLS for tcps and tcpsm.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TlsArgs {
    /// Believe servers with a certificate issued by one of these (PEM), or with one of these
    #[arg(long, value_name = "FILE", help_heading = "TLS (tcps, tcpsm)", group = "trust")]
    ca: Option<PathBuf>,
    /// Believe the one server with this certificate: its SHA-256, or a PEM file of it
    #[arg(long, value_name = "SHA256|FILE", help_heading = "TLS (tcps, tcpsm)", group = "trust")]
    pin: Option<String>,
    /// Believe any server. Whoever is on the way can read and change everything
    #[arg(long, help_heading = "TLS (tcps, tcpsm)", group = "trust")]
    insecure_skip_verify: bool,
    /// Show this certificate (PEM), which tcpsm needs
    #[arg(long, value_name = "FILE", help_heading = "TLS (tcps, tcpsm)", requires_all = ["key", "trust"])]
    cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", help_heading = "TLS (tcps, tcpsm)", requires = "cert")]
    key: Option<PathBuf>,
}

/// For connections to servers that are believed by `trust`; `cert` and `key` are what they are shown.
pub(crate) fn client(trust: &Trust<'_>, cert: Option<&Path>, key: Option<&Path>) -> Result<TlsClient, TlsError> {
    let client = match trust {
        Trust::Anybody => TlsClient::dangerous_skip_verification(),
        Trust::Ca(file) => TlsClient::ca_file(file),
        Trust::Pin(pin) if Path::new(pin).is_file() => TlsClient::pin_file(pin),
        Trust::Pin(pin) => TlsClient::pin_sha256(pin),
    }?;
    match (cert, key) {
        (Some(cert), Some(key)) => client.certificate_files(cert, key),
        _ => Ok(client),
    }
}

/// For listeners; nothing without a certificate and its key. Clients are believed by `client_ca`.
pub(crate) fn server(
    cert: Option<&Path>,
    key: Option<&Path>,
    client_ca: Option<&Path>,
) -> Result<Option<TlsServer>, TlsError> {
    let (Some(cert), Some(key)) = (cert, key) else { return Ok(None) };
    let server = TlsServer::from_files(cert, key)?;
    match client_ca {
        Some(file) => server.client_ca_file(file).map(Some),
        None => Ok(Some(server)),
    }
}

/// For HTTP clients: whom `ca` has issued certificates is believed, or whom the system believes.
pub(crate) fn https(ca: Option<&Path>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            let wrong = || format!("cannot use the certificates in {}", path.display());
            let pem = fs::read(path).with_context(wrong)?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                roots.add(certificate.with_context(wrong)?).with_context(wrong)?;
            }
        }
        // Some of the system's may be unusable; whoever needs one of these is told so by TLS.
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl TlsArgs {
    /// The settings, if any were given.
    pub(crate) fn client(&self) -> anyhow::Result<Option<TlsClient>> {
        let trust = match (&self.ca, &self.pin, self.insecure_skip_verify) {
            (Some(file), _, _) => Trust::Ca(file),
            (_, Some(pin), _) => Trust::Pin(pin),
            (_, _, true) => Trust::Anybody,
            _ => return Ok(None),
        };
        let client = client(&trust, self.cert.as_deref(), self.key.as_deref());
        Ok(Some(client.map_err(|error| Usage(error.to_string()))?))
    }

    /// Adds the settings, if any were given.
    pub(crate) fn apply(&self, builder: SessionBuilder) -> anyhow::Result<SessionBuilder> {
        Ok(match self.client()? {
            Some(tls) => builder.tls(tls),
            None => builder,
        })
    }

    /// The options as they were typed, each with a space behind it.
    pub(crate) fn words(&self) -> String {
        let file = |option: &str, path: &Option<PathBuf>| {
            path.as_ref().map(|path| format!("--{option} {} ", path.display())).unwrap_or_default()
        };
        let pin = self.pin.as_ref().map(|pin| format!("--pin {pin} ")).unwrap_or_default();
        let skip = if self.insecure_skip_verify { "--insecure-skip-verify " } else { "" };
        [file("ca", &self.ca), pin, skip.to_owned(), file("cert", &self.cert), file("key", &self.key)].concat()
    }
}
