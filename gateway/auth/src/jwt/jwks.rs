//! Public keys (RFC 7517) and what they verify.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

use super::JwtError;

/// Keys, of a file or an issuer. Those of other kinds or for other uses are left out.
#[derive(Debug, Clone, Default)]
pub struct Jwks {
    keys: Vec<Key>,
}

/// Why keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// No JSON, or no `keys`.
    #[error("the keys cannot be read, line {line}: {reason}")]
    Syntax {
        /// Where.
        line: usize,
        /// Why.
        reason: String,
    },
    /// A key that everybody else should not have.
    #[error("key {0} is private; write its public part only")]
    Private(usize),
    /// The parts of a key are none.
    #[error("the parts of key {0} are no public key of its kind")]
    Malformed(usize),
    /// Nothing can be verified with it, or trying all keys would take long.
    #[error("there are {0} keys for ES256, EdDSA or RS256; 1 to {MAX_KEYS} are needed")]
    Count(usize),
}

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Es256(Vec<u8>),
    EdDsa(Vec<u8>),
    Rs256 { n: Vec<u8>, e: Vec<u8> },
}

#[derive(Deserialize)]
struct File {
    keys: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

impl Jwks {
    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, JwksError> {
        let file: File = serde_json::from_str(text)
            .map_err(|error| JwksError::Syntax { line: error.line(), reason: error.to_string() })?;
        let mut keys = Vec::new();
        for (at, key) in file.keys.into_iter().enumerate() {
            if key.d.is_some() {
                return Err(JwksError::Private(at));
            }
            if let Some(material) = key.material(at)? {
                keys.push(Key { id: key.kid, material });
            }
        }
        if (1..=MAX_KEYS).contains(&keys.len()) { Ok(Self { keys }) } else { Err(JwksError::Count(keys.len())) }
    }

    /// By the keys of an algorithm that have an id, or by all of them.
    pub(super) fn verify(
        &self,
        algorithm: &str,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JwtError> {
        if !ALGORITHMS.contains(&algorithm) {
            return Err(JwtError::Unsupported);
        }
        let meant = |key: &&Key| key.material.algorithm() == algorithm && (id.is_none() || key.id.as_deref() == id);
        let mut keys = self.keys.iter().filter(meant).peekable();
        if keys.peek().is_none() {
            return Err(JwtError::UnknownKey);
        }
        if keys.any(|key| key.material.verify(message, signature)) { Ok(()) } else { Err(JwtError::Signature) }
    }
}

impl Written {
    fn material(&self, at: usize) -> Result<Option<Material>, JwksError> {
        let malformed = JwksError::Malformed(at);
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => "ES256",
            ("OKP", Some("Ed25519")) => "EdDSA",
            ("RSA", _) => "RS256",
            _ => return Ok(None),
        };
        let other_use = self.purpose.as_deref().is_some_and(|purpose| purpose != "sig")
            || self.key_ops.as_ref().is_some_and(|operations| !operations.iter().any(|name| name == "verify"))
            || self.alg.as_deref().is_some_and(|wanted| wanted != algorithm);
        if other_use {
            return Ok(None);
        }
        let part = |text: &Option<String>| BASE64_URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let material = match algorithm {
            "ES256" => part(&self.x).zip(part(&self.y)).and_then(|(x, y)| {
                let point = [&[4][..], &x, &y].concat();
                (x.len() == 32 && y.len() == 32).then_some(Material::Es256(point))
            }),
            "EdDSA" => part(&self.x).filter(|x| x.len() == 32).map(Material::EdDsa),
            _ => part(&self.n)
                .zip(part(&self.e))
                .filter(|(n, e)| (256..=1024).contains(&n.len()) && !e.is_empty() && e.len() <= 8)
                .map(|(n, e)| Material::Rs256 { n, e }),
        };
        material.map(Some).ok_or(malformed)
    }
}

impl Material {
    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
            Self::Rs256 { .. } => "RS256",
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature),
            Self::EdDsa(x) => UnparsedPublicKey::new(&ED25519, x).verify(message, signature),
            Self::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.is_ok()
    }
}

const ALGORITHMS: [&str; 3] = ["ES256", "EdDSA", "RS256"];
/// A token without key id is tried with each.
const MAX_KEYS: usize = 32;
