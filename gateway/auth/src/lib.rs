//! Who a client of the gateway is, and which role of the policy that gives it (DESIGN 7).
//!
//! An [`Authenticator`] is made of an [`AuthConfig`], which is read from TOML and checked as a whole. It opens no socket and
//! reads no clock; doors give it what they were sent, and the time. Nobody gets in who is not in the configuration:
//! `anonymous` too has to be there.
//!
//! Passwords are verified by argon2id, which takes tens of milliseconds by design. [`Authenticator::begin`] does so in place:
//! **callers run it on the rayon pool (`keyway_pipe::offload`), never on a network thread**. The bound of the pool and the
//! bound of attempts at a time per source keep the work within limits.
//!
//! A client that lost its connection comes back with a sealed key: [`resume`].
//!
//! Signatures, hashes and randomness come from ring, the one crypto provider of the tree; sealed keys are XChaCha20-Poly1305's.
//!
//! ```
//! use std::time::{Instant, SystemTime};
//! use keyway_auth::{AuthConfig, Authenticator, Credentials, Now, Outcome, Secret, Source, token};
//! use keyway_policy::Policy;
//!
//! let (secret, hash) = token::generate()?;
//! let text = format!("[[user]]\nname = \"nao\"\nrole = \"admin\"\ntoken_hash = \"{hash}\"\n");
//! let config = AuthConfig::parse("keyway.toml", &text, &Policy::default())?;
//! let authenticator = Authenticator::new(config);
//!
//! let now = Now { monotonic: Instant::now(), wall: SystemTime::now() };
//! let credentials = Credentials::Named { user: "nao", secret: &secret };
//! let Outcome::Accepted { role, .. } = authenticator.begin(now, Source::Local, &credentials) else { panic!() };
//! assert_eq!(role, "admin");
//! let anonymous = authenticator.begin(now, Source::Local, &Credentials::Anonymous);
//! assert!(matches!(anonymous, Outcome::Refused { .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authenticator;
pub mod certificate;
mod check;
mod config;
mod fingerprint;
mod jwt;
mod lockout;
pub mod password;
mod problem;
pub mod resume;
mod secret;
mod source;
pub mod token;

pub use authenticator::{Authenticator, Credentials, Footing, Identity, Method, Now, Outcome, Reason};
pub use config::AuthConfig;
pub use fingerprint::Fingerprint;
pub use jwt::{Issuer, IssuerKeys, Jwks, JwksError, JwtError};
pub use lockout::{LockoutSettings, Source};
pub use problem::{AuthError, AuthProblem, AuthProblemCode};
pub use secret::Secret;
pub use source::AuthSource;
