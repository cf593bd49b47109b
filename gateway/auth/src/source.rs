//! The configuration as it is written.

use keyway_policy::Policy;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::{AuthConfig, AuthError, LockoutSettings, check};

/// Identities as they are written, to be part of a larger file. Its places are those of the text it was read from.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthSource {
    /// Clients that show nothing, at every door; without it they are refused.
    pub(crate) anonymous: Option<AnonymousSource>,
    /// Users.
    #[serde(default, rename = "user")]
    pub(crate) users: Vec<UserSource>,
    /// Client certificates and the roles they give; the first that fits counts.
    #[serde(default, rename = "certificate")]
    pub(crate) certificates: Vec<CertificateSource>,
    /// JSON web tokens.
    pub(crate) jwt: Option<JwtSource>,
    /// Delays after failed attempts.
    #[schemars(with = "Option<LockoutSource>")]
    pub(crate) lockout: Option<Spanned<LockoutSource>>,
}

/// Clients that show nothing.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnonymousSource {
    /// Their role.
    #[schemars(with = "String")]
    pub(crate) role: Spanned<String>,
}

/// A user.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserSource {
    /// The name to log in with.
    #[schemars(with = "String")]
    pub(crate) name: Spanned<String>,
    /// The user's role.
    #[schemars(with = "String")]
    pub(crate) role: Spanned<String>,
    /// The password's argon2id hash (`$argon2id$…`).
    #[schemars(with = "Option<String>")]
    pub(crate) password_hash: Option<Spanned<String>>,
    /// The token's SHA-256, in 64 hexadecimal digits.
    #[schemars(with = "Option<String>")]
    pub(crate) token_hash: Option<Spanned<String>>,
}

/// Certificates, by what is in them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateSource {
    /// A pattern of the subject as `keyway cert show` prints it: `"CN=arm-*,O=Lab"`.
    #[schemars(with = "Option<String>")]
    pub(crate) subject: Option<Spanned<String>>,
    /// A pattern of one of the alternative names: `"*.lab.example"`, `"email:*@lab.example"`, `"uri:spiffe://lab/*"`, `"ip:192.0.2.*"`.
    #[schemars(with = "Option<String>")]
    pub(crate) san: Option<Spanned<String>>,
    /// The role of their owners.
    #[schemars(with = "String")]
    pub(crate) role: Spanned<String>,
}

/// JSON web tokens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JwtSource {
    /// The file with the keys (JWKS); they are fetched from the issuer if it is missing.
    pub(crate) jwks: Option<String>,
    /// Certificates (PEM file) by which the issuer's server is believed; those of the system if it is missing.
    #[schemars(with = "Option<String>")]
    pub(crate) ca: Option<Spanned<String>>,
    /// Seconds between looks at the issuer's keys, 1 to 86400.
    #[schemars(with = "Option<u64>", extend("default" = DEFAULT_REFRESH))]
    pub(crate) refresh: Option<Spanned<u64>>,
    /// Who issues them (`iss`): without `jwks` an `https://` URL, or `http://` on this machine.
    #[schemars(with = "String")]
    pub(crate) issuer: Spanned<String>,
    /// For whom they are (`aud`).
    #[schemars(with = "String")]
    pub(crate) audience: Spanned<String>,
    /// Seconds by which clocks may differ; at most 300.
    #[serde(default = "default_leeway")]
    #[schemars(with = "u64", default = "default_leeway_seconds")]
    pub(crate) leeway: Spanned<u64>,
    /// Claims and the roles they give; the first that fits counts.
    #[serde(default, rename = "role")]
    pub(crate) roles: Vec<ClaimSource>,
}

/// A claim and the role it gives.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimSource {
    /// The claim's name.
    pub(crate) claim: String,
    /// A pattern of its value.
    #[schemars(with = "String")]
    pub(crate) value: Spanned<String>,
    /// The role.
    #[schemars(with = "String")]
    pub(crate) role: Spanned<String>,
}

/// Times are in seconds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockoutSource {
    /// Failed attempts of an address before the first delay.
    #[schemars(extend("default" = LockoutSettings::default().free_per_source))]
    pub(crate) free_per_source: Option<u32>,
    /// Failed attempts for a user before the first delay.
    #[schemars(extend("default" = LockoutSettings::default().free_per_user))]
    pub(crate) free_per_user: Option<u32>,
    /// Seconds of the first delay; each further one is twice as long.
    #[schemars(extend("default" = LockoutSettings::default().first_delay.as_secs()))]
    pub(crate) first_delay: Option<u32>,
    /// Seconds of the longest delay.
    #[schemars(extend("default" = LockoutSettings::default().longest_delay.as_secs()))]
    pub(crate) longest_delay: Option<u32>,
    /// Seconds without an attempt after which failures are forgotten.
    #[schemars(extend("default" = LockoutSettings::default().forget_after.as_secs()))]
    pub(crate) forget_after: Option<u32>,
    /// Addresses and users that are remembered.
    #[schemars(extend("default" = LockoutSettings::default().entries))]
    pub(crate) entries: Option<u32>,
    /// Passwords of one address that are verified at a time.
    #[schemars(extend("default" = LockoutSettings::default().parallel_per_source))]
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
    Spanned::new(0..0, default_leeway_seconds())
}

/// Issuers publish a key long before they sign with it.
pub(crate) const DEFAULT_REFRESH: u64 = 3600;

const fn default_leeway_seconds() -> u64 {
    30
}
