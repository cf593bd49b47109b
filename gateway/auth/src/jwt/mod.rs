//! JSON Web Tokens of known issuers: ES256, EdDSA and RS256, verified by ring with keys of a local file or of the issuer.
//!
//! The algorithm is the key's, never only the header's, so a token cannot choose a weaker one. Time is a parameter.

mod claims;
mod issuer;
mod jwks;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keyway_policy::Glob;
use serde::Deserialize;

pub use issuer::{Issuer, IssuerKeys};
pub use jwks::{Jwks, JwksError};

pub(crate) use claims::Claims;

/// What tokens must have.
#[derive(Debug, Clone)]
pub(crate) struct JwtRules {
    pub(crate) keys: Keys,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) leeway: u64,
    pub(crate) roles: Vec<ClaimRule>,
}

/// What verifies tokens.
#[derive(Debug, Clone)]
pub(crate) enum Keys {
    /// Of a file, which was read when the configuration was.
    File { path: String, keys: Jwks },
    /// Of the issuer. Without `keys` nobody fetches them.
    Issuer { issuer: Issuer, keys: Option<IssuerKeys> },
}

/// A claim that gives a role. The first that fits wins.
#[derive(Debug, Clone)]
pub(crate) struct ClaimRule {
    pub(crate) claim: String,
    pub(crate) value: Glob,
    pub(crate) role: String,
}

/// Why a token is refused; for the log, not for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// Not three parts of base64url, or no JSON in them.
    #[error("the token is malformed")]
    Malformed,
    /// The header asks for what is not supported.
    #[error("the token's algorithm or a critical header is not supported")]
    Unsupported,
    /// No key of the file fits the header.
    #[error("no key of the file is meant")]
    UnknownKey,
    /// The issuer's keys, or the one of the header, have not been fetched.
    #[error("the key has not been fetched from the issuer")]
    NotFetched,
    /// It was not signed by the key.
    #[error("the signature is wrong")]
    Signature,
    /// `exp` is missing or over.
    #[error("the token has expired, or does not say when")]
    Expired,
    /// `nbf` is to come.
    #[error("the token is not valid yet")]
    NotYet,
    /// `iss` is another.
    #[error("the token is of another issuer")]
    Issuer,
    /// `aud` is another.
    #[error("the token is for another audience")]
    Audience,
    /// `sub` is missing.
    #[error("the token has no subject")]
    Subject,
    /// No claim gives a role.
    #[error("no claim of the token gives a role")]
    NoRole,
}

/// Who a token is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verified<'r> {
    pub(crate) subject: String,
    pub(crate) role: &'r str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

impl JwtRules {
    /// Verifies a token at a time in seconds since 1970.
    pub(crate) fn verify(&self, token: &str, now: u64) -> Result<Verified<'_>, JwtError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(JwtError::Malformed)?;
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| JwtError::Malformed)?;
        if header.crit.is_some() {
            return Err(JwtError::Unsupported);
        }
        self.keys.verify(&header.alg, header.kid.as_deref(), signed.as_bytes(), &decode(signature)?)?;
        // Nothing of the claims is looked at before the signature was.
        let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| JwtError::Malformed)?;
        claims.check(self, now)?;
        let subject = claims.subject().ok_or(JwtError::Subject)?.to_owned();
        let role = self.by_claims(&claims).ok_or(JwtError::NoRole)?;
        Ok(Verified { subject, role })
    }

    /// The role by the claims of a token that was verified before, whatever the time is.
    pub(crate) fn role_of(&self, claims: &Claims) -> Option<&str> {
        claims.check_parties(self).ok().and_then(|()| self.by_claims(claims))
    }

    fn by_claims(&self, claims: &Claims) -> Option<&str> {
        let rule = self.roles.iter().find(|rule| claims.has(&rule.claim, &rule.value));
        rule.map(|rule| rule.role.as_str())
    }
}

impl Keys {
    fn verify(&self, algorithm: &str, id: Option<&str>, message: &[u8], signature: &[u8]) -> Result<(), JwtError> {
        match self {
            Self::File { keys, .. } => keys.verify(algorithm, id, message, signature),
            Self::Issuer { keys: Some(keys), .. } => keys.verify(algorithm, id, message, signature),
            Self::Issuer { keys: None, .. } => Err(JwtError::NotFetched),
        }
    }
}

/// Whether a secret looks like a JWT rather than an opaque token.
pub(crate) fn is_jwt(token: &str) -> bool {
    token.starts_with("ey") && token.bytes().filter(|byte| *byte == b'.').count() == 2
}

fn decode(text: &str) -> Result<Vec<u8>, JwtError> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtError::Malformed)
}
