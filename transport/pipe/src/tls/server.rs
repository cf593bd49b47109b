//! TLS of the listening side.

use std::{path::Path, sync::Arc};

use keyway_wire::native::ALPN;
use ring::hmac;
use rustls::{
    ServerConfig,
    server::{NoServerSessionStorage, danger::ClientCertVerifier},
};

use super::{
    Identity, TlsError, certificates, provider, read, refused,
    verify::{AnchoredClients, Anchors},
};

/// The certificate of a listener, and for `tcpsm` the clients it believes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TlsServer {
    identity: Identity,
    anybody: Arc<ServerConfig>,
    mutual: Option<Mutual>,
}

/// How clients with certificates are served.
#[derive(Debug, Clone)]
struct Mutual {
    /// Where nobody else is.
    demanded: Arc<ServerConfig>,
    /// Where others prove who they are later.
    welcome: Arc<ServerConfig>,
}

impl TlsServer {
    /// Shows this certificate chain and has this key (PKCS#8, PKCS#1 or SEC1), both PEM.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let identity = Identity::from_pem(chain, key)?;
        let anybody = config(None, identity.clone())?;
        Ok(Self { identity, anybody, mutual: None })
    }

    /// [`from_pem`](Self::from_pem) with the content of files.
    pub fn from_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::from_pem(&read(chain.as_ref())?, &read(key.as_ref())?)
    }

    /// Makes listeners of `tcpsm` possible: they let in clients whose certificate was issued by one of these (PEM), or is one of
    /// these, and nobody else. Listeners of `tcps` ask for no certificate, with this or without. Those of other protocols ask for
    /// one, and let clients without one prove who they are otherwise.
    pub fn client_ca_pem(mut self, pem: &[u8]) -> Result<Self, TlsError> {
        let clients = |demanded| {
            let anchors = Anchors::new(certificates(pem, "clients' CA file")?)?;
            config(Some(Arc::new(AnchoredClients::new(anchors, demanded)?)), self.identity.clone())
        };
        self.mutual = Some(Mutual { demanded: clients(true)?, welcome: clients(false)? });
        Ok(self)
    }

    /// A key that stays the same for as long as the certificate's key does, also when the program is restarted.
    pub(crate) fn derived_key(&self, purpose: &[u8]) -> [u8; 32] {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, self.identity.key.secret_der());
        let mut key = [0; 32];
        key.copy_from_slice(hmac::sign(&secret, purpose).as_ref());
        key
    }

    /// [`client_ca_pem`](Self::client_ca_pem) with the content of a file.
    pub fn client_ca_file(self, path: impl AsRef<Path>) -> Result<Self, TlsError> {
        self.client_ca_pem(&read(path.as_ref())?)
    }

    /// Whether clients can be verified, so that `tcpsm` can be listened on.
    pub fn verifies_clients(&self) -> bool {
        self.mutual.is_some()
    }

    /// How a listener of another protocol serves with this certificate: `protocols` are offered to clients (ALPN).
    pub fn offering(&self, protocols: &[&[u8]]) -> Arc<ServerConfig> {
        let mut config = ServerConfig::clone(self.welcoming());
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }

    /// How a listener of `tcps` or, with `mutual`, of `tcpsm` serves.
    pub(crate) fn config(&self, mutual: bool) -> Option<Arc<ServerConfig>> {
        if mutual { Some(self.mutual.as_ref()?.demanded.clone()) } else { Some(self.anybody.clone()) }
    }

    /// How a listener of `quic` serves.
    pub(crate) fn quic(&self) -> ServerConfig {
        let mut config = ServerConfig::clone(self.welcoming());
        config.alpn_protocols = vec![ALPN.to_vec()];
        config
    }

    /// For clients with certificates and without, if some can be verified.
    fn welcoming(&self) -> &ServerConfig {
        self.mutual.as_ref().map_or(&self.anybody, |mutual| &mutual.welcome)
    }
}

fn config(clients: Option<Arc<dyn ClientCertVerifier>>, identity: Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(refused)?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(identity.chain, identity.key).map_err(refused)?;
    // Connections last; nothing is kept for a second one, and no ticket sent that would have to be read.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
