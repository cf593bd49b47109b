//! TLS of the connecting side.

use std::{path::Path, sync::Arc};

use keyway_wire::native::ALPN;
use rustls::{
    ClientConfig, ClientConnection,
    client::{Resumption, danger::ServerCertVerifier},
    pki_types::ServerName,
};

use super::{
    Identity, TlsError, certificates, provider, read, refused,
    verify::{AnchoredServers, Anchors, KnownServer, fingerprint},
};

/// Which servers are believed, and the certificate of the client's own. Cheap to clone.
///
/// There is no default: a connection by `tcps` or `tcpsm` wants one of the ways to trust a server to be chosen (H11).
#[derive(Debug, Clone)]
pub struct TlsClient {
    servers: Arc<dyn ServerCertVerifier>,
    identity: Option<Identity>,
    server_name: Option<ServerName<'static>>,
    config: Arc<ClientConfig>,
}

impl TlsClient {
    /// Trusts servers whose certificate was issued by one of these (PEM), or is one of these, if it is valid today and for the
    /// host name or IP address of the URL.
    pub fn ca_pem(pem: &[u8]) -> Result<Self, TlsError> {
        let anchors = Anchors::new(certificates(pem, "CA file")?)?;
        Self::new(Arc::new(AnchoredServers::new(anchors)?))
    }

    /// [`ca_pem`](Self::ca_pem) with the content of a file.
    pub fn ca_file(path: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::ca_pem(&read(path.as_ref())?)
    }

    /// Trusts the one server that has the certificate with this SHA-256 (of its DER form, as `openssl x509 -fingerprint -sha256`
    /// prints it), whatever names and dates are in it: for robots that made their certificate themselves.
    pub fn pin_sha256(fingerprint: &str) -> Result<Self, TlsError> {
        let pin = parse_fingerprint(fingerprint).ok_or_else(|| TlsError::Pin(fingerprint.to_owned()))?;
        Self::new(Arc::new(KnownServer::new(Some(pin))))
    }

    /// [`pin_sha256`](Self::pin_sha256) with the SHA-256 of the first certificate of a PEM text.
    pub fn pin_pem(pem: &[u8]) -> Result<Self, TlsError> {
        let pinned = certificates(pem, "pinned certificate's file")?;
        let pin = pinned.first().map(fingerprint);
        Self::new(Arc::new(KnownServer::new(Some(pin.ok_or(TlsError::NoCertificate("pinned certificate's file"))?))))
    }

    /// [`pin_pem`](Self::pin_pem) with the content of a file.
    pub fn pin_file(path: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::pin_pem(&read(path.as_ref())?)
    }

    /// Believes every server, as libqi does: whoever is on the way can read and change everything.
    pub fn dangerous_skip_verification() -> Result<Self, TlsError> {
        Self::new(Arc::new(KnownServer::new(None)))
    }

    /// Shows a certificate of the client's own, which `tcpsm` needs: its chain and its key (PKCS#8, PKCS#1 or SEC1), both PEM.
    pub fn certificate_pem(mut self, chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        self.identity = Some(Identity::from_pem(chain, key)?);
        self.config = config(&self.servers, self.identity.clone())?;
        Ok(self)
    }

    /// [`certificate_pem`](Self::certificate_pem) with the content of files.
    pub fn certificate_files(self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        self.certificate_pem(&read(chain.as_ref())?, &read(key.as_ref())?)
    }

    /// Expects certificates for this host name or IP address instead of the URL's.
    pub fn server_name(mut self, name: &str) -> Result<Self, TlsError> {
        self.server_name = Some(parse_name(name)?);
        Ok(self)
    }

    /// Whether there is a certificate of the client's own.
    pub fn has_certificate(&self) -> bool {
        self.identity.is_some()
    }

    fn new(servers: Arc<dyn ServerCertVerifier>) -> Result<Self, TlsError> {
        let config = config(&servers, None)?;
        Ok(Self { servers, identity: None, server_name: None, config })
    }

    /// Begins a connection to `host`.
    pub(crate) fn connection(&self, host: &str) -> Result<ClientConnection, TlsError> {
        ClientConnection::new(self.config.clone(), self.name_for(host)?).map_err(refused)
    }

    /// The same settings for a connection to `host` by QUIC, and the name that its certificate is to be for.
    pub(crate) fn quic(&self, host: &str) -> Result<(ClientConfig, String), TlsError> {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok((config, self.name_for(host)?.to_str().into_owned()))
    }

    fn name_for(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        match &self.server_name {
            Some(name) => Ok(name.clone()),
            None => parse_name(host),
        }
    }
}

fn config(servers: &Arc<dyn ServerCertVerifier>, identity: Option<Identity>) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .dangerous()
        .with_custom_certificate_verifier(servers.clone());
    let mut config = match identity {
        Some(Identity { chain, key }) => builder.with_client_auth_cert(chain, key).map_err(refused)?,
        None => builder.with_no_client_auth(),
    };
    // Connections last; nothing is kept for a second one.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn parse_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName(name.to_owned()))
}

/// 64 hexadecimal digits, in pairs that colons may separate.
fn parse_fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .trim()
        .chars()
        .filter(|character| *character != ':')
        .map(|character| character.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_with_and_without_colons() {
        let plain = "00ff10".to_owned() + &"ab".repeat(29);
        let bytes = parse_fingerprint(&plain).unwrap();
        assert_eq!(bytes[..4], [0x00, 0xff, 0x10, 0xab]);
        let pairs: Vec<_> = (0..32).map(|index| plain[2 * index..2 * index + 2].to_uppercase()).collect();
        assert_eq!(parse_fingerprint(&pairs.join(":")), Some(bytes));
        for wrong in ["", "00", &plain[1..], &format!("{plain}0"), &plain.replace('f', "g")] {
            assert_eq!(parse_fingerprint(wrong), None, "{wrong}");
        }
    }
}
