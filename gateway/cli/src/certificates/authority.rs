//! A certificate authority of one's own.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::exit::Usage;

/// Issues certificates.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key, both PEM.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    /// A new one, with its own certificate.
    pub(crate) fn create(name: &str, days: u32) -> anyhow::Result<(Self, Issued)> {
        let key = KeyPair::generate()?;
        let mut parameters = parameters(name, &[], days)?;
        // Issues certificates of servers and clients, not of other authorities.
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issued = Issued { certificate: parameters.self_signed(&key)?.pem(), key: key.serialize_pem() };
        Ok((Self { issuer: Issuer::new(parameters, key) }, issued))
    }

    /// The one that was written to files.
    pub(crate) fn read(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let read = |path: &Path| {
            let hint = "`keyway cert new-ca` makes an authority";
            fs::read_to_string(path).with_context(|| format!("cannot read {}; {hint}", path.display()))
        };
        let wrong = |path: &Path, error| Usage(format!("{} cannot be used: {error}", path.display()));
        let key_pair = KeyPair::from_pem(&read(key)?).map_err(|error| wrong(key, error))?;
        let issuer = Issuer::from_ca_cert_pem(&read(certificate)?, key_pair);
        Ok(Self { issuer: issuer.map_err(|error| wrong(certificate, error))? })
    }

    /// A certificate of a server that is reached by these names and addresses.
    pub(crate) fn server(&self, hosts: &[String], days: u32) -> anyhow::Result<Issued> {
        let name = hosts.first().map_or("localhost", String::as_str);
        self.issue(name, hosts, ExtendedKeyUsagePurpose::ServerAuth, days)
    }

    /// A certificate of a client. The name is its subject, and an alternative name too.
    pub(crate) fn client(&self, name: &str, days: u32) -> anyhow::Result<Issued> {
        self.issue(name, &[name.to_owned()], ExtendedKeyUsagePurpose::ClientAuth, days)
    }

    fn issue(
        &self,
        name: &str,
        sans: &[String],
        purpose: ExtendedKeyUsagePurpose,
        days: u32,
    ) -> anyhow::Result<Issued> {
        let key = KeyPair::generate()?;
        let mut parameters = parameters(name, sans, days)?;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![purpose];
        parameters.use_authority_key_identifier_extension = true;
        let certificate = parameters.signed_by(&key, &self.issuer)?.pem();
        Ok(Issued { certificate, key: key.serialize_pem() })
    }
}

/// The name of this machine, as other machines know it.
pub(crate) fn machine_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    (!name.is_empty()).then_some(name)
}

fn parameters(name: &str, sans: &[String], days: u32) -> anyhow::Result<CertificateParams> {
    let wrong = |error| Usage(format!("{sans:?}: not all of them are host names or addresses: {error}"));
    let mut parameters = CertificateParams::new(sans).map_err(wrong)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    // Clocks of robots are often behind.
    parameters.not_before = (now - DAY).into();
    parameters.not_after = (now + DAY * days).into();
    Ok(parameters)
}

const DAY: Duration = Duration::from_secs(86_400);
