//! Configurations and times for tests.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::{
    sync::LazyLock,
    time::{Duration, Instant, UNIX_EPOCH},
};

use argon2::{Argon2, Params, PasswordHasher};
use keyway_auth::{AuthConfig, Now, Secret};
use keyway_policy::Policy;

pub(crate) const ROLES: &str = "[[role]]\nname = 'guest'\n[[role]]\nname = 'operator'\n";

pub(crate) fn config(text: &str) -> AuthConfig {
    AuthConfig::parse("keyway.toml", text, &Policy::parse("policy.toml", ROLES).unwrap()).unwrap()
}

/// Cheap, unlike those of real users.
pub(crate) fn password_hash(password: &str) -> String {
    let argon2 = Argon2::from(Params::new(64, 1, 1, None).unwrap());
    argon2.hash_password_with_salt(password.as_bytes(), b"salt of the tests").unwrap().to_string()
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// Milliseconds after the start of the tests, in the year 2023.
pub(crate) fn at(milliseconds: u64) -> Now {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let passed = Duration::from_millis(milliseconds);
    Now { monotonic: *START + passed, wall: UNIX_EPOCH + Duration::from_secs(1_700_000_000) + passed }
}
