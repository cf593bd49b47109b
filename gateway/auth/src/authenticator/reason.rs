//! Why a client stays outside.

use crate::{JwtError, resume::ResumeError};

/// A refusal. The text is for the client and tells it nothing it could use; codes keep their meaning (`docs/errors.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Unknown name, or wrong password or token.
    #[error("{}: the name or the password or token is wrong", self.code())]
    InvalidCredentials,
    /// Too many failures; the delay says how long.
    #[error("{}: too many failed attempts; try again later", self.code())]
    LockedOut,
    /// The configuration has no `anonymous`.
    #[error("{}: a name and a password or token are needed", self.code())]
    AnonymousNotAllowed,
    /// The certificate is good, but no row of the configuration is about it.
    #[error("{}: the certificate has no role here", self.code())]
    CertificateWithoutRole,
    /// The JWT is not accepted; the cause is for the log.
    #[error("{}: the token is not accepted", self.code())]
    Jwt(#[source] JwtError),
    /// The JWT is good, but gives no role.
    #[error("{}: the token has no role here", self.code())]
    JwtWithoutRole,
    /// The key of the JWT has not been fetched from its issuer. That is no failure of the client's.
    #[error("{}: the key of the token is not known yet; its issuer is asked, try again", self.code())]
    KeyNotFetched,
    /// The source has too many verifications running.
    #[error("{}: too many attempts at a time; try again", self.code())]
    Busy,
    /// The key of a lost session is not believed.
    #[error("{}: {_0}", self.code())]
    Resume(ResumeError),
}

impl Reason {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidCredentials => "KW-A001",
            Self::LockedOut => "KW-A002",
            Self::AnonymousNotAllowed => "KW-A003",
            Self::CertificateWithoutRole => "KW-A004",
            Self::Jwt(_) => "KW-A005",
            Self::JwtWithoutRole => "KW-A006",
            Self::Busy => "KW-A007",
            Self::KeyNotFetched => "KW-A008",
            Self::Resume(_) => "KW-A009",
        }
    }
}
