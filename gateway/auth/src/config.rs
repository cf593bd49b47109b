//! A configuration that was checked.

use std::{collections::HashMap, fmt, path::PathBuf};

use keyway_policy::Policy;

use crate::{
    AuthError, Issuer, IssuerKeys, Jwks, LockoutSettings,
    certificate::CertificateRule,
    check,
    jwt::{JwtRules, Keys},
    password::StoredHash,
    token::TokenHash,
};

/// Who may come in, and as what. It does not change: a reload makes another one.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    pub(crate) anonymous: Option<String>,
    pub(crate) users: HashMap<String, User>,
    pub(crate) certificates: Vec<CertificateRule>,
    pub(crate) jwt: Option<JwtRules>,
    pub(crate) lockout: LockoutSettings,
}

#[derive(Clone)]
pub(crate) struct User {
    pub(crate) role: String,
    pub(crate) credential: Credential,
}

#[derive(Clone)]
pub(crate) enum Credential {
    Password(Box<StoredHash>),
    Token(TokenHash),
}

impl AuthConfig {
    /// Reads and checks a file, with the roles of a policy. Everything that is wrong with it is reported at once.
    pub fn parse(file: &str, text: &str, policy: &Policy) -> Result<Self, AuthError> {
        check::parse(file, text, policy)
    }

    /// The file with the keys of JWTs, if they are in one.
    pub fn jwks_path(&self) -> Option<&str> {
        match self.keys() {
            Some(Keys::File { path, .. }) => Some(path),
            _ => None,
        }
    }

    /// With the keys of that file; without them no JWT is accepted.
    pub fn with_jwks(mut self, read: Jwks) -> Self {
        if let Some(JwtRules { keys: Keys::File { keys, .. }, .. }) = &mut self.jwt {
            *keys = read;
        }
        self
    }

    /// The issuer that publishes the keys of JWTs, if they are not in a file.
    pub fn issuer(&self) -> Option<&Issuer> {
        match self.keys() {
            Some(Keys::Issuer { issuer, .. }) => Some(issuer),
            _ => None,
        }
    }

    /// With another path to the certificates by which the issuer's server is believed.
    pub fn with_issuer_ca(mut self, path: PathBuf) -> Self {
        if let Some(JwtRules { keys: Keys::Issuer { issuer, .. }, .. }) = &mut self.jwt {
            issuer.ca = Some(path);
        }
        self
    }

    /// With the keys of the issuer, which somebody fetches; without them no JWT is accepted.
    pub fn with_issuer_keys(mut self, fetched: IssuerKeys) -> Self {
        if let Some(JwtRules { keys: Keys::Issuer { keys, .. }, .. }) = &mut self.jwt {
            *keys = Some(fetched);
        }
        self
    }

    fn keys(&self) -> Option<&Keys> {
        self.jwt.as_ref().map(|jwt| &jwt.keys)
    }

    /// Whether nobody can come in, whatever he shows; `by_certificate` is whether a certificate can be shown. A door does not start
    /// with it.
    pub fn admits_nobody(&self, by_certificate: bool) -> bool {
        self.anonymous.is_none()
            && self.users.is_empty()
            && self.jwt.is_none()
            && (self.certificates.is_empty() || !by_certificate)
    }

    /// Whether certificates give roles: without rules for them, they do not say who a client is.
    pub fn knows_certificates(&self) -> bool {
        !self.certificates.is_empty()
    }
}

/// Hashes are not printed.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("role", &self.role).finish_non_exhaustive()
    }
}
