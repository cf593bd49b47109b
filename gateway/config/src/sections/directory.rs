//! `[[directory]]`.

use std::{fmt, path::PathBuf};

use keyway_auth::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::QiUrl;

/// A directory whose services the gateway shows.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// By which listeners and name-based doors (`robot/Service`) know it; needed when there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is: `tcp://`, `tcps://`, `tcpsm://` or `unix://`.
    pub url: QiUrl,
    /// The user to log in as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's token; better in a `token_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// A file with the user's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Trust it if its certificate was issued by one of these, or is one of these (PEM file).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Trust the one server with this certificate: its SHA-256, in 64 hexadecimal digits with or without colons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// Trust any server. Whoever is on the way can read and change everything.
    #[serde(default)]
    pub insecure_skip_verify: bool,
    /// The certificate to show (PEM file), which `tcpsm` needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// The private key of `cert` (PEM file).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The URL at which internal clients reach the gateway, for services that are hosted outside. If it is missing, they reach them
    /// through the gateway's connection to the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside_listen: Option<QiUrl>,
    /// Internal connections: one for each client, or one for all.
    #[serde(default)]
    pub upstream: Upstream,
}

/// Internal connections of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Upstream {
    /// One for each external client.
    #[default]
    Dedicated,
    /// One for all, with one subscription for each signal.
    Shared,
}

/// Which server is believed to be a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust<'d> {
    /// Any: nothing is verified.
    Anybody,
    /// One whose certificate these have issued, or that is one of these.
    Ca(&'d PathBuf),
    /// The one with the certificate of this SHA-256.
    Pin(&'d str),
}

impl Directory {
    /// Whom to believe; `None` where there is no TLS.
    pub fn trust(&self) -> Option<Trust<'_>> {
        let by_ca = self.ca.as_ref().map(Trust::Ca);
        let by_pin = || self.pin.as_deref().map(Trust::Pin);
        by_ca.or_else(by_pin).or_else(|| self.insecure_skip_verify.then_some(Trust::Anybody))
    }
}

/// A token as it is written. It is never printed.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(from = "String")]
pub struct Token(#[schemars(with = "String")] pub Secret);

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(crate::HIDDEN)
    }
}
