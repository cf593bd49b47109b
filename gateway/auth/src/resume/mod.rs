//! Sealed resume keys: what a client shows to go on with its session over another connection, or after a restart of the gateway.
//!
//! The gateway keeps nothing for a key it gave out but the keys it seals with ([`SealingKeys`], which go to a file) and, for as long as they
//! would be believed, the numbers of those that were used ([`UsedKeys`]). A client sees random bytes.
//!
//! What a key says was true when it was made. Whoever redeems one looks up whether the identity still exists, and which role it has by now.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use keyway_auth::{Identity, Method, resume::{Resumption, SealingKeys, UsedKeys}};
//!
//! let now = SystemTime::now();
//! let keys = SealingKeys::generate(now)?;
//! let identity = Identity { name: "nao".into(), method: Method::Token };
//! let said = Resumption::new([7; 16], identity, now, Duration::from_secs(600));
//! let sealed = keys.seal(&said)?;
//!
//! let mut used = UsedKeys::new(10_000);
//! let opened = keys.open(now, &sealed)?;
//! assert_eq!(opened.identity.name, "nao");
//! used.redeem(now, &opened)?;
//! assert!(used.redeem(now, &opened).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod file;
mod keys;
mod used;

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{Fingerprint, Identity};

pub use keys::SealingKeys;
pub use used::UsedKeys;

/// What is sealed in a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumption {
    /// The session.
    pub session: [u8; 16],
    /// Whose it is.
    pub identity: Identity,
    /// Of the password or token that showed it: the key is worth nothing once that was replaced.
    pub credential: Option<Fingerprint>,
    /// When the key was made, in seconds since 1970.
    pub issued: u64,
    /// Until when it is believed.
    pub expires: u64,
    /// How many keys the session had before: each is used once, and makes those before it worthless.
    pub number: u64,
}

impl Resumption {
    /// The first key of a session, believed for so long.
    pub fn new(session: [u8; 16], identity: Identity, now: SystemTime, lifetime: Duration) -> Self {
        let issued = seconds(now);
        let expires = issued.saturating_add(lifetime.as_secs());
        Self { session, identity, credential: None, issued, expires, number: 0 }
    }

    /// Of an identity that was shown by this password or token.
    #[must_use]
    pub fn shown_by(self, credential: Option<Fingerprint>) -> Self {
        Self { credential, ..self }
    }

    /// The key that follows this one.
    #[must_use]
    pub fn next(&self, now: SystemTime, lifetime: Duration) -> Self {
        let number = self.number.saturating_add(1);
        Self { number, ..Self::new(self.session, self.identity.clone(), now, lifetime).shown_by(self.credential) }
    }
}

/// Why a resume key is not believed. The client authenticates anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// Not made here, changed on its way, or sealed by a key that has been dropped since.
    #[error("the resume key was not made by this gateway, or too long ago; authenticate anew")]
    Unknown,
    /// It is too old.
    #[error("the resume key has expired; authenticate anew")]
    Expired,
    /// It, or a later one of its session, was used before.
    #[error("the resume key was used before; authenticate anew")]
    Used,
    /// More sessions resume than are kept in mind.
    #[error("too many sessions were resumed lately; authenticate anew")]
    Full,
}

/// Why the file of keys cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("cannot use the file of resume keys {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// It is not what was written.
    #[error("{path}, line {line}: no resume key; remove the file to begin with a new one")]
    Line {
        /// Which file.
        path: String,
        /// Which line.
        line: usize,
    },
}

fn seconds(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
