//! Passwords: argon2id in PHC strings (`$argon2id$v=19$m=19456,t=2,p=1$…`).

use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{Secret, token::NoRandomness};

/// What to write into `password_hash` for a password, with the parameters OWASP recommends: 19 MiB, 2 passes. It takes tens of
/// milliseconds.
pub fn hash(password: &Secret) -> Result<String, NoRandomness> {
    let mut salt = [0_u8; 16];
    SystemRandom::new().fill(&mut salt).map_err(|_| NoRandomness)?;
    let hash = Argon2::default().hash_password_with_salt(password.expose().as_bytes(), &salt);
    // The default parameters and 16 bytes of salt are what the algorithm takes.
    hash.map(|hash| hash.to_string()).map_err(|_| NoRandomness)
}

/// A hash that was checked.
#[derive(Clone)]
pub(crate) struct StoredHash(PasswordHash);

impl StoredHash {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let hash = PasswordHash::new(text).map_err(|_| "a password hash is a PHC string, `$argon2id$…`")?;
        if hash.algorithm.as_str() != "argon2id" {
            return Err("passwords are hashed by argon2id only");
        }
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err("the hash or its salt is missing");
        }
        let params = Params::try_from(&hash).map_err(|_| "the parameters of the hash are none of argon2id")?;
        if params.m_cost() > MAX_KIB || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
            return Err("the hash costs more than 1 GiB, 64 passes or 16 lanes");
        }
        Ok(Self(hash))
    }

    pub(crate) fn to_text(&self) -> String {
        self.0.to_string()
    }

    /// CPU work of tens of milliseconds.
    pub(crate) fn verify(&self, password: &Secret) -> bool {
        Argon2::default().verify_password(password.expose().as_bytes(), &self.0).is_ok()
    }
}

const MAX_KIB: u32 = 1 << 20;
const MAX_PASSES: u32 = 64;
const MAX_LANES: u32 = 16;
