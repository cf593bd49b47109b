//! The keys that resume keys are sealed with.
//!
//! ```text
//! 1   key's name, 4 bytes   nonce, 24 bytes   XChaCha20-Poly1305 of the postcard of a Resumption, 16 bytes longer than it
//! ```
//!
//! The first five bytes are authenticated with the rest.

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, SystemTime},
};

use chacha20poly1305::{
    AeadInPlace, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::{ResumeError, Resumption, seconds};
use crate::token::NoRandomness;

/// Keys that are kept: what the oldest sealed cannot be opened any more when there is one more.
const KEPT: usize = 3;
const FORMAT: u8 = 1;
const PREFIX: usize = 5;
const NONCE: usize = 24;
/// No sealed key is longer; nothing longer is looked at.
const LONGEST: usize = 1024;

/// The newest key, which seals, and older ones, which still open. They are wiped when they are dropped, and never printed.
pub struct SealingKeys {
    /// The newest first; never empty.
    pub(super) keys: VecDeque<SealingKey>,
}

pub(super) struct SealingKey {
    pub(super) name: [u8; 4],
    /// Seconds since 1970.
    pub(super) made: u64,
    pub(super) key: Zeroizing<[u8; 32]>,
}

impl SealingKeys {
    /// One new key.
    pub fn generate(now: SystemTime) -> Result<Self, NoRandomness> {
        Ok(Self { keys: [SealingKey::generate(now)?].into() })
    }

    /// Seals with a new key from now on, if the newest is this old. Drops the oldest when there are more than three. True if there
    /// is a new key, and the file is to be written.
    pub fn rotate(&mut self, now: SystemTime, after: Duration) -> Result<bool, NoRandomness> {
        let newest = self.keys.front().map_or(0, |key| key.made);
        if seconds(now) < newest.saturating_add(after.as_secs()) {
            return Ok(false);
        }
        self.keys.push_front(SealingKey::generate(now)?);
        self.keys.truncate(KEPT);
        Ok(true)
    }

    /// Seals what a resume key is to say.
    pub fn seal(&self, said: &Resumption) -> Result<Vec<u8>, NoRandomness> {
        let newest = self.keys.front().ok_or(NoRandomness)?;
        let mut sealed = vec![FORMAT];
        sealed.extend_from_slice(&newest.name);
        let mut nonce = [0; NONCE];
        SystemRandom::new().fill(&mut nonce).map_err(|_| NoRandomness)?;
        sealed.extend_from_slice(&nonce);
        let plain = Zeroizing::new(postcard::to_allocvec(said).unwrap_or_default());
        let payload = Payload { msg: &plain, aad: &sealed[..PREFIX] };
        // XChaCha20-Poly1305 fails for texts beyond 256 GiB only.
        let text = newest.cipher().encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| NoRandomness)?;
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// What a resume key says, if one of these keys sealed it and it has not expired. Whether it was used before is for
    /// [`UsedKeys`](super::UsedKeys) to say.
    pub fn open(&self, now: SystemTime, sealed: &[u8]) -> Result<Resumption, ResumeError> {
        let unknown = ResumeError::Unknown;
        if sealed.len() > LONGEST {
            return Err(unknown);
        }
        let (prefix, rest) = sealed.split_at_checked(PREFIX).ok_or(unknown)?;
        let (nonce, text) = rest.split_at_checked(NONCE).ok_or(unknown)?;
        let (format, name) = prefix.split_first().ok_or(unknown)?;
        let key = self.keys.iter().find(|key| *format == FORMAT && key.name == name).ok_or(unknown)?;
        let (text, tag) = text.split_at_checked(text.len().saturating_sub(16)).ok_or(unknown)?;
        if tag.len() != 16 {
            return Err(unknown);
        }
        let mut plain = Zeroizing::new(text.to_vec());
        let opened = key.cipher().decrypt_in_place_detached(XNonce::from_slice(nonce), prefix, &mut plain, tag.into());
        opened.map_err(|_| unknown)?;
        let said: Resumption = postcard::from_bytes(&plain).map_err(|_| unknown)?;
        if seconds(now) >= said.expires { Err(ResumeError::Expired) } else { Ok(said) }
    }
}

impl SealingKey {
    fn generate(now: SystemTime) -> Result<Self, NoRandomness> {
        let (mut name, mut key) = ([0; 4], Zeroizing::new([0; 32]));
        let random = SystemRandom::new();
        random.fill(&mut name).and_then(|()| random.fill(&mut *key)).map_err(|_| NoRandomness)?;
        Ok(Self { name, made: seconds(now), key })
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.key).into())
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKeys").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}
