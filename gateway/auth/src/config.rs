//! A configuration that was checked.

use std::{collections::HashMap, fmt};

use keyway_policy::Policy;

use crate::{
    AuthError, Jwks, LockoutSettings, certificate::CertificateRule, check, jwt::JwtRules, password::StoredHash,
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

    /// The file with the keys of JWTs, if they are accepted.
    pub fn jwks_path(&self) -> Option<&str> {
        self.jwt.as_ref().map(|jwt| jwt.path.as_str())
    }

    /// With the keys of JWTs; without them no JWT is accepted.
    pub fn with_jwks(mut self, keys: Jwks) -> Self {
        if let Some(jwt) = &mut self.jwt {
            jwt.keys = keys;
        }
        self
    }

    /// Whether nobody can come in. A door does not start with it.
    pub fn admits_nobody(&self) -> bool {
        self.anonymous.is_none() && self.users.is_empty() && self.certificates.is_empty() && self.jwt.is_none()
    }
}

/// Hashes are not printed.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("role", &self.role).finish_non_exhaustive()
    }
}
