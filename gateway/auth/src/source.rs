//! The configuration as it is written.

use keyway_policy::Policy;
use serde::Deserialize;
use toml::Spanned;

use crate::{AuthConfig, AuthError, check};

/// Identities as they are written, to be part of a larger file. Its places are those of the text it was read from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSource {
    pub(crate) anonymous: Option<AnonymousSource>,
    #[serde(default, rename = "user")]
    pub(crate) users: Vec<UserSource>,
    #[serde(default, rename = "certificate")]
    pub(crate) certificates: Vec<CertificateSource>,
    pub(crate) jwt: Option<JwtSource>,
    pub(crate) lockout: Option<Spanned<LockoutSource>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnonymousSource {
    pub(crate) role: Spanned<String>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserSource {
    pub(crate) name: Spanned<String>,
    pub(crate) role: Spanned<String>,
    pub(crate) password_hash: Option<Spanned<String>>,
    pub(crate) token_hash: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateSource {
    pub(crate) subject: Option<Spanned<String>>,
    pub(crate) san: Option<Spanned<String>>,
    pub(crate) role: Spanned<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JwtSource {
    /// The path of the file with the keys; the caller reads it.
    pub(crate) jwks: String,
    pub(crate) issuer: Spanned<String>,
    pub(crate) audience: Spanned<String>,
    /// Seconds by which clocks may differ.
    #[serde(default = "default_leeway")]
    pub(crate) leeway: Spanned<u64>,
    #[serde(default, rename = "role")]
    pub(crate) roles: Vec<ClaimSource>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimSource {
    pub(crate) claim: String,
    pub(crate) value: Spanned<String>,
    pub(crate) role: Spanned<String>,
}

/// Times are in seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockoutSource {
    pub(crate) free_per_source: Option<u32>,
    pub(crate) free_per_user: Option<u32>,
    pub(crate) first_delay: Option<u32>,
    pub(crate) longest_delay: Option<u32>,
    pub(crate) forget_after: Option<u32>,
    pub(crate) entries: Option<u32>,
    pub(crate) parallel_per_source: Option<u32>,
}

impl AuthSource {
    /// Checks it as a whole, with the roles of a policy. `text` is what it was read from.
    pub fn check(&self, file: &str, text: &str, policy: &Policy) -> Result<AuthConfig, AuthError> {
        check::check(self, file, text, policy)
    }
}

/// Hashes are not printed.
impl std::fmt::Debug for UserSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserSource").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

fn default_leeway() -> Spanned<u64> {
    Spanned::new(0..0, 30)
}
