//! What a client's role stands on: a reload asks whether it still does.

use super::{Authenticator, Credentials, Identity, Method};
use crate::{Fingerprint, jwt::Claims};

/// What the role of a client that was accepted stands on. It holds no secret.
#[derive(Debug, Clone)]
pub struct Footing(Ground);

#[derive(Debug, Clone)]
enum Ground {
    Anonymous,
    Certificate {
        subject: String,
        sans: Vec<String>,
    },
    Jwt(Claims),
    /// The user, and the password or token that let it in.
    User(String, Fingerprint),
    /// It could not be said, and so is gone with the next reload.
    Nothing,
}

impl Footing {
    /// Of a client that was accepted before a restart, of which only this is remembered: whoever came by a certificate or a JWT shows
    /// it again.
    pub fn recalled(identity: &Identity, credential: Option<Fingerprint>) -> Self {
        Self(match (identity.method, credential) {
            (Method::Anonymous, _) => Ground::Anonymous,
            (Method::Password | Method::Token, Some(credential)) => Ground::User(identity.name.clone(), credential),
            _ => Ground::Nothing,
        })
    }

    /// Of the password or token, if it was one.
    pub const fn credential(&self) -> Option<Fingerprint> {
        match &self.0 {
            Ground::User(_, credential) => Some(*credential),
            _ => None,
        }
    }
}

impl Authenticator {
    /// What the role of a client stands on that has just been accepted as `identity` with these credentials.
    pub fn footing(&self, credentials: &Credentials<'_>, identity: &Identity) -> Footing {
        let ground = match (identity.method, credentials) {
            (Method::Anonymous, _) => Ground::Anonymous,
            (Method::Password | Method::Token, _) => match self.config.users.get(&identity.name) {
                Some(user) => Ground::User(identity.name.clone(), Fingerprint::of(&user.credential)),
                None => Ground::Nothing,
            },
            (Method::Certificate, Credentials::Certificate { subject, sans }) => Ground::Certificate {
                subject: (*subject).to_owned(),
                sans: sans.iter().map(|san| (*san).to_owned()).collect(),
            },
            (Method::Jwt, Credentials::Named { secret, .. } | Credentials::Bearer(secret)) => {
                Claims::of(secret.expose()).map_or(Ground::Nothing, Ground::Jwt)
            }
            _ => Ground::Nothing,
        };
        Footing(ground)
    }

    /// The role that it gives by this configuration; `None` if the client would stay outside, as one whose password or token was
    /// replaced. Signatures are not verified again, and time does not count.
    pub fn role_by(&self, footing: &Footing) -> Option<&str> {
        match &footing.0 {
            Ground::Anonymous => self.anonymous(),
            Ground::Certificate { subject, sans } => {
                let sans: Vec<&str> = sans.iter().map(String::as_str).collect();
                let rule = self.config.certificates.iter().find(|rule| rule.matches(subject, &sans));
                rule.map(|rule| rule.role.as_str())
            }
            Ground::Jwt(claims) => self.config.jwt.as_ref().and_then(|jwt| jwt.role_of(claims)),
            Ground::User(name, credential) => {
                let user = self.config.users.get(name).filter(|user| Fingerprint::of(&user.credential) == *credential);
                user.map(|user| user.role.as_str())
            }
            Ground::Nothing => None,
        }
    }
}
