//! Which password or token let a user in, without telling it.

use std::fmt;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::config::Credential;

/// Of what is stored of a user's password or token: another one has another fingerprint, and so has the same password that was hashed
/// anew. It is made of the stored hash, never of the secret.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    pub(crate) fn of(credential: &Credential) -> Self {
        let mut context = Context::new(&SHA256);
        match credential {
            Credential::Password(hash) => {
                context.update(b"password ");
                context.update(hash.to_text().as_bytes());
            }
            Credential::Token(hash) => {
                context.update(b"token ");
                context.update(hash.bytes());
            }
        }
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&context.finish().as_ref()[..16]);
        Self(fingerprint)
    }
}

/// It is not printed, as hashes are not.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprint").finish_non_exhaustive()
    }
}
