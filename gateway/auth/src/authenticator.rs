//! From credentials to a role.

mod attempt;
mod footing;
mod reason;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{
    AuthConfig, JwtError, Secret, Source,
    config::{Credential, User},
    jwt::is_jwt,
    token::TokenHash,
};
use attempt::{Attempts, Failed};

pub use footing::Footing;
pub use reason::Reason;

/// Decides who comes in. Its clones and successors share what they know of failures.
#[derive(Clone)]
pub struct Authenticator {
    config: Arc<AuthConfig>,
    attempts: Arc<Attempts>,
}

/// The time, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For delays.
    pub monotonic: Instant,
    /// For the validity of JWTs.
    pub wall: SystemTime,
}

/// What a client shows.
#[derive(Debug, Clone, Copy)]
pub enum Credentials<'a> {
    /// Nothing.
    Anonymous,
    /// A name with its password, token or JWT: libqi's `auth_user` and `auth_token`, HTTP's basic authentication.
    Named {
        /// The name.
        user: &'a str,
        /// Whichever of the three it is.
        secret: &'a Secret,
    },
    /// A token or JWT alone.
    Bearer(&'a Secret),
    /// A client certificate whose chain and key the TLS layer verified.
    Certificate {
        /// The subject, as [`Names`](crate::certificate::Names) has it.
        subject: &'a str,
        /// The alternative names, likewise.
        sans: &'a [&'a str],
    },
}

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// For logs and audit.
    pub name: String,
    /// How it is known.
    pub method: Method,
}

/// How a client showed who it is. Sealed keys hold a variant's place: new ones go to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Method {
    /// It did not.
    Anonymous,
    /// By a client certificate.
    Certificate,
    /// By a JWT.
    Jwt,
    /// By a password.
    Password,
    /// By an opaque token.
    Token,
}

/// What becomes of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The client is in.
    Accepted {
        /// Who it is.
        identity: Identity,
        /// What it may do, by the policy.
        role: String,
    },
    /// The client stays outside.
    Refused {
        /// Why.
        reason: Reason,
        /// How long it has to wait; earlier attempts are refused without a look.
        delay: Duration,
    },
}

impl Authenticator {
    /// With no failures known.
    pub fn new(config: AuthConfig) -> Self {
        let attempts = Arc::new(Attempts::new(&config.lockout));
        Self { config: Arc::new(config), attempts }
    }

    /// With another configuration, and the failures that are known. For reloads.
    pub fn with_config(&self, config: AuthConfig) -> Self {
        self.attempts.configure(&config.lockout);
        Self { config: Arc::new(config), attempts: Arc::clone(&self.attempts) }
    }

    /// Decides. It may take tens of milliseconds of CPU time (argon2id): call it on the rayon pool.
    pub fn begin(&self, now: Now, source: Source, credentials: &Credentials<'_>) -> Outcome {
        match credentials {
            Credentials::Anonymous => match &self.config.anonymous {
                Some(role) => accepted("anonymous", Method::Anonymous, role),
                None => Outcome::Refused { reason: Reason::AnonymousNotAllowed, delay: Duration::ZERO },
            },
            Credentials::Certificate { subject, sans } => self.certificate(subject, sans),
            Credentials::Named { user, secret } => self.attempt(now, source, Some(*user), secret),
            Credentials::Bearer(secret) => self.attempt(now, source, None, secret),
        }
    }

    /// The role of clients that show nothing, if they are let in.
    pub fn anonymous(&self) -> Option<&str> {
        self.config.anonymous.as_deref()
    }

    /// Whether there is nothing that a client could show.
    pub fn knows_nobody(&self) -> bool {
        self.config.users.is_empty() && !self.config.knows_certificates() && self.config.jwt.is_none()
    }

    /// Whether nobody can come in at a listener where certificates can be shown, or cannot.
    pub fn admits_nobody(&self, by_certificate: bool) -> bool {
        self.config.admits_nobody(by_certificate)
    }

    /// Whether certificates give roles: without rules for them, they do not say who a client is.
    pub fn knows_certificates(&self) -> bool {
        self.config.knows_certificates()
    }

    /// How many sources and users have failures that are remembered.
    pub fn remembered(&self) -> usize {
        self.attempts.remembered()
    }

    fn certificate(&self, subject: &str, sans: &[&str]) -> Outcome {
        match self.config.certificates.iter().find(|rule| rule.matches(subject, sans)) {
            Some(rule) => {
                // Certificates of machines may have alternative names only.
                let name = if subject.is_empty() { sans.first().copied().unwrap_or_default() } else { subject };
                accepted(name, Method::Certificate, &rule.role)
            }
            None => Outcome::Refused { reason: Reason::CertificateWithoutRole, delay: Duration::ZERO },
        }
    }

    fn attempt(&self, now: Now, source: Source, user: Option<&str>, secret: &Secret) -> Outcome {
        let settings = &self.config.lockout;
        // Names that are too long are not remembered, and nobody has them.
        let too_long = secret.expose().len() > MAX_SECRET || user.is_some_and(|user| user.len() > MAX_NAME);
        let user = user.filter(|user| user.len() <= MAX_NAME);
        let running = match self.attempts.start(now.monotonic, source, user, settings) {
            Ok(running) => running,
            Err(Failed { reason, delay }) => return Outcome::Refused { reason, delay },
        };
        let verified = if too_long { Err(Reason::InvalidCredentials) } else { self.verify(now, user, secret) };
        match verified {
            Ok((identity, role)) => {
                running.succeeded();
                Outcome::Accepted { identity, role }
            }
            // The client is not to blame, and must not be locked out when its issuer cannot be reached.
            Err(reason @ Reason::KeyNotFetched) => Outcome::Refused { reason, delay: FETCHING_DELAY },
            Err(reason) => {
                let known = user.is_some_and(|user| self.config.users.contains_key(user));
                Outcome::Refused { reason, delay: running.failed(now.monotonic, known, settings) }
            }
        }
    }

    fn verify(&self, now: Now, user: Option<&str>, secret: &Secret) -> Result<(Identity, String), Reason> {
        let known = user.and_then(|name| self.config.users.get_key_value(name));
        let found = match (known, user) {
            (Some((name, user)), _) => user.accepts(secret).map(|method| (name, user, method)),
            (None, Some(_)) => None,
            (None, None) => self.by_token(secret).map(|(name, user)| (name, user, Method::Token)),
        };
        if let Some((name, user, method)) = found {
            return Ok((Identity { name: name.clone(), method }, user.role.clone()));
        }
        if let Some(jwt) = self.config.jwt.as_ref().filter(|_| known.is_none() && is_jwt(secret.expose())) {
            let seconds = now.wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let verified = jwt.verify(secret.expose(), seconds).map_err(|error| match error {
                JwtError::NoRole => Reason::JwtWithoutRole,
                JwtError::NotFetched => Reason::KeyNotFetched,
                error => Reason::Jwt(error),
            })?;
            if user.is_some_and(|user| user != verified.subject) {
                return Err(Reason::InvalidCredentials);
            }
            let identity = Identity { name: verified.subject, method: Method::Jwt };
            return Ok((identity, verified.role.to_owned()));
        }
        let has_password = known.is_some_and(|(_, user)| matches!(user.credential, Credential::Password(_)));
        if user.is_some() && !has_password {
            self.take_as_long(secret);
        }
        Err(Reason::InvalidCredentials)
    }

    /// All are compared, each in constant time.
    fn by_token(&self, secret: &Secret) -> Option<(&String, &User)> {
        let hash = TokenHash::of(secret);
        let mut found = None;
        for (name, user) in &self.config.users {
            if let Credential::Token(wanted) = &user.credential
                && wanted.equals(&hash)
            {
                found = Some((name, user));
            }
        }
        found
    }

    /// The time of a refusal does not tell whether a user exists.
    fn take_as_long(&self, secret: &Secret) {
        let passwords = self.config.users.values().filter_map(|user| match &user.credential {
            Credential::Password(hash) => Some(hash),
            Credential::Token(_) => None,
        });
        if let Some(hash) = passwords.into_iter().next() {
            hash.verify(secret);
        }
    }
}

impl User {
    fn accepts(&self, secret: &Secret) -> Option<Method> {
        match &self.credential {
            Credential::Password(hash) => hash.verify(secret).then_some(Method::Password),
            Credential::Token(hash) => hash.equals(&TokenHash::of(secret)).then_some(Method::Token),
        }
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("config", &self.config).finish_non_exhaustive()
    }
}

fn accepted(name: &str, method: Method, role: &str) -> Outcome {
    Outcome::Accepted { identity: Identity { name: name.to_owned(), method }, role: role.to_owned() }
}

/// For the issuer to answer.
const FETCHING_DELAY: Duration = Duration::from_secs(1);
const MAX_NAME: usize = 256;
const MAX_SECRET: usize = 16 << 10;
