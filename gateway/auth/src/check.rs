//! From the configuration as it is written to one that needs no more checks.

use std::{collections::HashMap, ops::Range, time::Duration};

use keyway_policy::{Glob, Policy};
use toml::Spanned;

use crate::{
    AuthConfig, AuthError, AuthProblemCode, AuthSource, Issuer, Jwks, LockoutSettings,
    certificate::{CertificateRule, SanPattern},
    config::{Credential, User},
    jwt::{ClaimRule, JwtRules, Keys},
    password::StoredHash,
    problem::Problems,
    source::{CertificateSource, DEFAULT_REFRESH, JwtSource, LockoutSource, UserSource},
    token::TokenHash,
};

pub(crate) fn parse(file: &str, text: &str, policy: &Policy) -> Result<AuthConfig, AuthError> {
    match toml::from_str::<AuthSource>(text) {
        Ok(source) => check(&source, file, text, policy),
        Err(error) => {
            let mut problems = Problems { text, found: Vec::new() };
            problems.add(AuthProblemCode::Syntax, error.span().unwrap_or(0..0), error.message());
            Err(AuthError { file: file.to_owned(), problems: problems.found })
        }
    }
}

pub(crate) fn check(source: &AuthSource, file: &str, text: &str, policy: &Policy) -> Result<AuthConfig, AuthError> {
    let mut reader = Reader { policy, problems: Problems { text, found: Vec::new() } };
    let mut users = HashMap::new();
    for user in &source.users {
        let name = user.name.get_ref();
        if name.is_empty() || users.contains_key(name) {
            let reason = format!("user {name:?} has no name, or is there already");
            reader.problems.add(AuthProblemCode::DuplicateUser, user.name.span(), reason);
        }
        if let Some(user) = reader.user(user) {
            users.insert(name.clone(), user);
        }
    }
    let config = AuthConfig {
        anonymous: source.anonymous.as_ref().map(|anonymous| reader.role(&anonymous.role)),
        users,
        certificates: source.certificates.iter().map(|row| reader.certificate(row)).collect(),
        jwt: source.jwt.as_ref().map(|jwt| reader.jwt(jwt)),
        lockout: source.lockout.as_ref().map_or_else(LockoutSettings::default, |lockout| reader.lockout(lockout)),
    };
    reader.problems.finish(file)?;
    Ok(config)
}

struct Reader<'t> {
    policy: &'t Policy,
    problems: Problems<'t>,
}

impl Reader<'_> {
    fn role(&mut self, role: &Spanned<String>) -> String {
        let name = role.get_ref();
        if !self.policy.has_role(name) {
            self.problems.add(AuthProblemCode::UnknownRole, role.span(), format!("the policy has no role {name:?}"));
        }
        name.clone()
    }

    fn user(&mut self, user: &UserSource) -> Option<User> {
        let role = self.role(&user.role);
        let credential = match (&user.password_hash, &user.token_hash) {
            (Some(hash), None) => match StoredHash::parse(hash.get_ref()) {
                Ok(hash) => Credential::Password(Box::new(hash)),
                Err(reason) => return self.refuse(AuthProblemCode::Credential, hash.span(), reason),
            },
            (None, Some(hash)) => match TokenHash::parse(hash.get_ref()) {
                Some(hash) => Credential::Token(hash),
                None => {
                    let reason = "a token's hash is its SHA-256, in 64 hexadecimal digits";
                    return self.refuse(AuthProblemCode::Credential, hash.span(), reason);
                }
            },
            _ => {
                let reason = "a user has either a `password_hash` or a `token_hash`";
                return self.refuse(AuthProblemCode::Credential, user.name.span(), reason);
            }
        };
        Some(User { role, credential })
    }

    fn certificate(&mut self, row: &CertificateSource) -> CertificateRule {
        if row.subject.is_none() && row.san.is_none() {
            let reason =
                "a certificate is known by `subject`, `san` or both; `subject = \"*\"` is for all that are verified";
            self.problems.add(AuthProblemCode::Glob, row.role.span(), reason);
        }
        let subject = row.subject.as_ref().and_then(|subject| self.glob(subject, subject.get_ref()));
        let san = row.san.as_ref().and_then(|san| {
            let (kind, name) = SanPattern::split(san.get_ref());
            self.glob(san, &name).map(|name| SanPattern { kind, name })
        });
        CertificateRule { subject, san, role: self.role(&row.role) }
    }

    fn jwt(&mut self, jwt: &JwtSource) -> JwtRules {
        for (name, text) in [("issuer", &jwt.issuer), ("audience", &jwt.audience)] {
            if text.get_ref().is_empty() {
                let reason = format!("`{name}` is empty: tokens for others would be accepted");
                self.problems.add(AuthProblemCode::Jwt, text.span(), reason);
            }
        }
        let issuer = jwt.issuer.get_ref();
        if jwt.jwks.is_none() && !issuer.is_empty() && !Issuer::may_ask(issuer) {
            let reason = "keys are fetched by https://, or by http:// from this machine; change the `issuer`, or have the keys \
                          in a file (`jwks`)";
            self.problems.add(AuthProblemCode::Jwt, jwt.issuer.span(), reason);
        }
        let for_nothing =
            [("ca", jwt.ca.as_ref().map(Spanned::span)), ("refresh", jwt.refresh.as_ref().map(Spanned::span))];
        for (name, span) in for_nothing {
            if let (Some(span), true) = (span, jwt.jwks.is_some()) {
                let reason = format!("`{name}` has no use with the keys of a file; remove it, or `jwks`");
                self.problems.add(AuthProblemCode::Jwt, span, reason);
            }
        }
        if let Some(refresh) = jwt.refresh.as_ref().filter(|refresh| !(1..=86_400).contains(refresh.get_ref())) {
            self.problems.add(AuthProblemCode::Jwt, refresh.span(), "`refresh` is 1 to 86400 seconds");
        }
        if *jwt.leeway.get_ref() > MAX_LEEWAY {
            let reason = format!("`leeway` is at most {MAX_LEEWAY} seconds");
            self.problems.add(AuthProblemCode::Jwt, jwt.leeway.span(), reason);
        }
        if jwt.roles.is_empty() {
            let reason = "no claim gives a role; add `[[jwt.role]]` with `claim`, `value` and `role`";
            self.problems.add(AuthProblemCode::Jwt, jwt.issuer.span(), reason);
        }
        let mut roles = Vec::new();
        for row in &jwt.roles {
            let role = self.role(&row.role);
            if let Some(value) = self.glob(&row.value, row.value.get_ref()) {
                roles.push(ClaimRule { claim: row.claim.clone(), value, role });
            }
        }
        JwtRules {
            keys: keys(jwt),
            issuer: jwt.issuer.get_ref().clone(),
            audience: jwt.audience.get_ref().clone(),
            leeway: *jwt.leeway.get_ref(),
            roles,
        }
    }

    fn lockout(&mut self, written: &Spanned<LockoutSource>) -> LockoutSettings {
        let (source, usual) = (written.get_ref(), LockoutSettings::default());
        let seconds = |written: Option<u32>, usual| written.map_or(usual, |time| Duration::from_secs(time.into()));
        let settings = LockoutSettings {
            free_per_source: source.free_per_source.unwrap_or(usual.free_per_source),
            free_per_user: source.free_per_user.unwrap_or(usual.free_per_user),
            first_delay: seconds(source.first_delay, usual.first_delay),
            longest_delay: seconds(source.longest_delay, usual.longest_delay),
            forget_after: seconds(source.forget_after, usual.forget_after),
            entries: source.entries.map_or(usual.entries, |entries| entries as usize),
            parallel_per_source: source.parallel_per_source.unwrap_or(usual.parallel_per_source),
        };
        let reason = if settings.first_delay.is_zero() || settings.longest_delay < settings.first_delay {
            "`first_delay` is at least 1 second, and `longest_delay` not below it"
        } else if settings.forget_after < settings.longest_delay {
            "`forget_after` is not below `longest_delay`, or locked-out sources would be forgotten"
        } else if settings.entries == 0 || settings.entries > MAX_ENTRIES || settings.parallel_per_source == 0 {
            "`entries` is 1 to 1000000, and `parallel_per_source` at least 1"
        } else if settings.free_per_source > MAX_FREE || settings.free_per_user > MAX_FREE {
            "`free_per_source` and `free_per_user` are at most 1000"
        } else {
            return settings;
        };
        self.problems.add(AuthProblemCode::Lockout, written.span(), reason);
        usual
    }

    fn glob(&mut self, written: &Spanned<String>, pattern: &str) -> Option<Glob> {
        match Glob::parse(pattern) {
            Ok(glob) => Some(glob),
            Err(error) => self.refuse(AuthProblemCode::Glob, written.span(), &error.to_string()),
        }
    }

    fn refuse<T>(&mut self, code: AuthProblemCode, span: Range<usize>, reason: &str) -> Option<T> {
        self.problems.add(code, span, reason);
        None
    }
}

fn keys(jwt: &JwtSource) -> Keys {
    match &jwt.jwks {
        Some(path) => Keys::File { path: path.clone(), keys: Jwks::default() },
        None => {
            let refresh = jwt.refresh.as_ref().map_or(DEFAULT_REFRESH, |refresh| *refresh.get_ref());
            let ca = jwt.ca.as_ref().map(|ca| ca.get_ref().into());
            let issuer = Issuer { url: jwt.issuer.get_ref().clone(), ca, refresh: Duration::from_secs(refresh) };
            Keys::Issuer { issuer, keys: None }
        }
    }
}

/// Seconds by which clocks may differ at most.
const MAX_LEEWAY: u64 = 300;
const MAX_ENTRIES: usize = 1_000_000;
const MAX_FREE: u32 = 1000;
