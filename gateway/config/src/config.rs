//! The configuration as it is used.

use std::{
    io,
    path::{Path, PathBuf},
};

use keyway_auth::{AuthConfig, AuthSource};
use keyway_policy::{Policy, PolicySource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::{
    Spanned, Table, Value,
    de::{DeTable, Deserializer},
};

use crate::{
    Admin, Audit, Bridges, ConfigError, Directory, Discovery, HIDDEN, Lease, Limits, Listen, Network, Place, Presence,
    Problem, ProblemCode, Session, Telemetry, check, document, files,
    schema::{auth_keys, policy_keys, top_level},
    source::{Problems, Source},
};

/// A configuration in which nothing is wrong. It does not change: a reload makes another one. Its paths are relative to
/// where the file is relative to.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[network]`.
    pub network: Network,
    /// `[[directory]]`.
    pub directories: Vec<Directory>,
    /// `[[listen]]`.
    pub listen: Vec<Listen>,
    /// `[limits]`.
    pub limits: Limits,
    /// `[audit]`.
    pub audit: Audit,
    /// `[admin]`.
    pub admin: Admin,
    /// `[session]`.
    pub session: Session,
    /// `[[lease]]`.
    pub leases: Vec<Lease>,
    /// `[discovery]`.
    pub discovery: Discovery,
    /// `[presence]`.
    pub presence: Presence,
    /// `[telemetry]`.
    pub telemetry: Telemetry,
    /// `[bridges]`.
    pub bridges: Bridges,
    /// `[[role]]` and `[[rule]]`, or the file they are in.
    pub policy: Policy,
    /// `[[user]]`, `[[certificate]]`, `[jwt]`, `[lockout]` and `[anonymous]`.
    pub auth: AuthConfig,
    policy_file: Option<PathBuf>,
    /// Roles, rules and identities as they were written, without secrets.
    written: Table,
}

/// What is in the file beside roles, rules and identities.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// A file with the roles and rules, instead of `[[role]]` and `[[rule]]` here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<PathBuf>,
    pub(crate) network: Network,
    /// Directories whose services are shown; `keyway up` runs one of its own if there is none.
    #[serde(rename = "directory", skip_serializing_if = "Vec::is_empty")]
    pub(crate) directories: Vec<Directory>,
    /// Doors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) listen: Vec<Listen>,
    pub(crate) limits: Limits,
    pub(crate) audit: Audit,
    pub(crate) admin: Admin,
    pub(crate) session: Session,
    /// Services that one client at a time may use exclusively.
    #[serde(rename = "lease", skip_serializing_if = "Vec::is_empty")]
    pub(crate) leases: Vec<Lease>,
    pub(crate) discovery: Discovery,
    pub(crate) presence: Presence,
    pub(crate) telemetry: Telemetry,
    pub(crate) bridges: Bridges,
}

/// Reads a file that a configuration names.
pub(crate) type ReadFile<'r> = dyn Fn(&Path) -> io::Result<String> + 'r;

impl Config {
    /// Reads and checks a text, which `environment` (all of it, as `std::env::vars` gives it) overrides. Everything that is wrong
    /// is reported at once. Nothing is read from disk: a file named by `policy` is refused, one by `token_file` or `jwks` ignored.
    pub fn parse(
        file: &str,
        text: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        parse(file, text, environment, None)
    }

    /// Reads and checks a file and those it names, overridden by the environment of the process.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let text = files::read(path).map_err(|error| {
            let place = Place::File { file: file.clone(), line: 0, column: 0 };
            let reason = format!("cannot read it: {error}; `keyway init` writes one");
            ConfigError { problems: vec![Problem { place, code: ProblemCode::File.code(), reason }] }
        })?;
        // A variable that is no text cannot be one of ours.
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        parse(&file, &text, environment, Some(&files::read))
    }

    /// The whole configuration with its defaults, as TOML without secrets.
    pub fn to_toml(&self) -> String {
        let settings = Settings {
            policy: self.policy_file.clone(),
            network: self.network.clone(),
            directories: self.directories.clone(),
            listen: self.listen.clone(),
            limits: self.limits.clone(),
            audit: self.audit.clone(),
            admin: self.admin.clone(),
            session: self.session.clone(),
            leases: self.leases.clone(),
            discovery: self.discovery.clone(),
            presence: self.presence.clone(),
            telemetry: self.telemetry.clone(),
            bridges: self.bridges.clone(),
        };
        let mut table = Table::try_from(settings).unwrap_or_default();
        table.extend(self.written.clone());
        toml::to_string_pretty(&table).unwrap_or_default()
    }
}

fn parse(
    file: &str,
    text: &str,
    environment: impl Iterator<Item = (String, String)>,
    read_file: Option<&ReadFile<'_>>,
) -> Result<Config, ConfigError> {
    let source = Source::new(file, text, environment);
    let mut problems = Problems::new(&source);
    let (table, errors) = source.table();
    if !errors.is_empty() {
        for error in &errors {
            problems.add(ProblemCode::Syntax, error.span().unwrap_or(0..0), error.message());
        }
        return Err(problems.into_error());
    }
    let mut rest = table.clone();
    document::take_unknown(&mut rest, &top_level(), &mut problems);
    let policy_part = document::split(&mut rest, policy_keys());
    let auth_part = document::split(&mut rest, auth_keys());
    let written = written(&policy_part).into_iter().chain(written(&auth_part)).collect();
    let has_rules = !policy_part.get_ref().is_empty();
    let policy_source: Option<PolicySource> = document::read(policy_part, &mut problems);
    let auth_source: Option<AuthSource> = document::read(auth_part, &mut problems);
    let mut settings: Option<Settings> = document::read(rest, &mut problems);

    let mut context = Context { file, table: &table, read_file, problems };
    let policy_file = settings.as_ref().and_then(|settings| settings.policy.as_ref());
    let policy = match (policy_source, policy_file) {
        (Some(_), Some(path)) => files::policy(path, has_rules, &mut context),
        (Some(roles), None) => context.policy(&roles, &source),
        (None, _) => None,
    };
    let auth = match (auth_source, &policy) {
        (Some(identities), Some(policy)) => context.auth(&identities, &source, policy),
        _ => None,
    };
    if let Some(settings) = &mut settings {
        check::check(settings, policy.as_ref(), auth.as_ref(), &mut context);
        files::resolve(settings, &mut context);
    }
    let auth = auth.map(|auth| files::keys_of_jwts(auth, &mut context));
    match (settings, policy, auth) {
        (Some(settings), Some(policy), Some(auth)) if context.problems.is_empty() => Ok(Config {
            network: settings.network,
            directories: settings.directories,
            listen: settings.listen,
            limits: settings.limits,
            audit: settings.audit,
            admin: settings.admin,
            session: settings.session,
            leases: settings.leases,
            discovery: settings.discovery,
            presence: settings.presence,
            telemetry: settings.telemetry,
            bridges: settings.bridges,
            policy,
            auth,
            policy_file: settings.policy,
            written,
        }),
        _ => Err(context.problems.into_error()),
    }
}

/// What the checks look at.
pub(crate) struct Context<'s> {
    pub(crate) file: &'s str,
    pub(crate) table: &'s Spanned<DeTable<'s>>,
    /// `None` where no file may be read.
    pub(crate) read_file: Option<&'s ReadFile<'s>>,
    pub(crate) problems: Problems<'s>,
}

impl Context<'_> {
    /// A problem with the value of a path of keys, or with what would hold it.
    pub(crate) fn add(&mut self, code: ProblemCode, path: &[&str], reason: impl Into<String>) {
        self.problems.add(code, document::span_of(self.table, path), reason);
    }

    /// A problem in another file, which the value of a path of keys names.
    pub(crate) fn add_elsewhere(&mut self, path: &[&str], problem: Problem) {
        self.problems.add_elsewhere(document::span_of(self.table, path), problem);
    }

    fn policy(&mut self, roles: &PolicySource, source: &Source) -> Option<Policy> {
        let error = match roles.check(&source.file, &source.text) {
            Ok(policy) => return Some(policy),
            Err(error) => error,
        };
        for problem in error.problems {
            self.problems.add_at((problem.line, problem.column), problem.code.code(), problem.reason);
        }
        None
    }

    fn auth(&mut self, identities: &AuthSource, source: &Source, policy: &Policy) -> Option<AuthConfig> {
        let error = match identities.check(&source.file, &source.text, policy) {
            Ok(auth) => return Some(auth),
            Err(error) => error,
        };
        for problem in error.problems {
            self.problems.add_at((problem.line, problem.column), problem.code.code(), problem.reason);
        }
        None
    }
}

/// A part of the file as it was written, without secrets.
fn written(part: &Spanned<DeTable<'_>>) -> Table {
    // What cannot be read is refused, and shown to nobody.
    let mut table = Table::deserialize(Deserializer::from(part.clone())).unwrap_or_default();
    for user in table.get_mut("user").and_then(Value::as_array_mut).into_iter().flatten() {
        for (_, hash) in user.as_table_mut().into_iter().flatten().filter(|(key, _)| key.ends_with("_hash")) {
            *hash = Value::String(HIDDEN.to_owned());
        }
    }
    table
}
