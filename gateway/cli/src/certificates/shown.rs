//! What is in a certificate, for people and scripts.

use std::time::{Duration, SystemTime};

use keyway_auth::certificate::{Names, NamesError, distinguished_name};
use serde::Serialize;
use sha2::{Digest, Sha256};
use x509_parser::{
    pem::Pem,
    prelude::{ASN1Time, X509Certificate},
};

/// One certificate.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    /// Whose it is, as `[[certificate]]` of the configuration asks for it.
    pub(crate) subject: String,
    /// Who has issued it.
    pub(crate) issuer: String,
    /// The host names and addresses it is for, likewise.
    pub(crate) sans: Vec<String>,
    /// From when on.
    pub(crate) not_before: String,
    /// Until when.
    pub(crate) not_after: String,
    /// Whether it is an authority's.
    pub(crate) ca: bool,
    /// As `--pin` takes it: the SHA-256 of its DER form.
    pub(crate) pin: String,
}

impl Shown {
    /// All certificates of a PEM text, the first wrong one excepted: why it is.
    pub(crate) fn all(pem: &[u8]) -> Result<Vec<Self>, String> {
        let mut shown = Vec::new();
        for block in Pem::iter_from_buffer(pem) {
            let block = block.map_err(|error| error.to_string())?;
            if block.label == "CERTIFICATE" {
                let certificate = block.parse_x509().map_err(|error| error.to_string())?;
                shown.push(Self::of(&certificate, &block.contents).map_err(|error| error.to_string())?);
            }
        }
        if shown.is_empty() { Err("there is no PEM certificate in it".to_owned()) } else { Ok(shown) }
    }

    fn of(certificate: &X509Certificate<'_>, der: &[u8]) -> Result<Self, NamesError> {
        let Names { subject, sans } = Names::of(certificate)?;
        Ok(Self {
            subject,
            issuer: distinguished_name(certificate.issuer()),
            sans,
            not_before: time(certificate.validity().not_before),
            not_after: time(certificate.validity().not_after),
            ca: certificate.is_ca(),
            pin: Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

fn time(time: ASN1Time) -> String {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(moment).to_string()
}
