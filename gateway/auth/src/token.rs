//! Opaque tokens: 256 random bits, of which only the SHA-256 is kept.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Secret;

/// The system gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// A new token, and what to write into `token_hash`.
pub fn generate() -> Result<(Secret, String), NoRandomness> {
    let mut random = Zeroizing::new([0_u8; 32]);
    SystemRandom::new().fill(&mut *random).map_err(|_| NoRandomness)?;
    let token = Secret::new(BASE64_URL_SAFE_NO_PAD.encode(random.as_slice()));
    let hash = hash(&token);
    Ok((token, hash))
}

/// What to write into `token_hash` for a token: SHA-256 in hexadecimal. It is as strong as the token is random; hash
/// what people think up by [`password::hash`](crate::password::hash) instead.
pub fn hash(token: &Secret) -> String {
    TokenHash::of(token).0.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Clone, Copy)]
pub(crate) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(crate) fn of(token: &Secret) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.expose().as_bytes()).as_ref());
        Self(hash)
    }

    /// From 64 hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(0)? << 4 | digit(1)?;
        }
        Some(Self(hash))
    }

    pub(crate) const fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// In a time that does not depend on the bytes.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
