//! Which servers a client command believes, and by which certificate it is known to them (spec 11).

use std::path::{Path, PathBuf};

use clap::Args;
use keyway::{SessionBuilder, TlsClient};

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

impl TlsArgs {
    /// The settings, if any were given.
    pub(crate) fn client(&self) -> anyhow::Result<Option<TlsClient>> {
        let client = match (&self.ca, &self.pin, self.insecure_skip_verify) {
            (Some(file), _, _) => TlsClient::ca_file(file),
            (_, Some(pin), _) if Path::new(pin).is_file() => TlsClient::pin_file(pin),
            (_, Some(pin), _) => TlsClient::pin_sha256(pin),
            (_, _, true) => TlsClient::dangerous_skip_verification(),
            _ => return Ok(None),
        };
        let client = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => client.and_then(|client| client.certificate_files(cert, key)),
            _ => client,
        };
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
