//! `[[listen]]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DoorUrl;

/// A door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Where: `tcp://`, `tcps://`, `tcpsm://`, `quic://`, `https://` or (loopback only) `http://`, with host and port.
    pub url: DoorUrl,
    /// The directory behind it, by name; needed for `tcp`, `tcps` and `tcpsm` when there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The certificate chain to show (PEM file); needed for TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// The private key of `cert` (PEM file).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Certificates of clients, or of those who issue them (PEM file): `tcpsm` demands one, `quic` and `https` ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// Origins whose web pages may use it (`"https://app.example"`, `"*"` for all); `https` and `http` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cors: Vec<String>,
    /// What clients may do here that show nothing; without it they are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<Anonymous>,
}

impl Listen {
    /// Whether clients can show a certificate.
    pub fn takes_certificates(&self) -> bool {
        self.client_ca.is_some()
    }
}

/// Clients that show nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Anonymous {
    /// Their role.
    pub role: String,
}
