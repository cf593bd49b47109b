//! The files that a configuration names: read once, before anything is used.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use keyway_auth::{AuthConfig, Jwks};
use keyway_policy::Policy;

use crate::{
    Place, Problem, ProblemCode, Token,
    config::{Context, Settings},
};

/// Reads a file, up to a size that no configuration has.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let size = fs::metadata(path)?.len();
    if size > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has {size} bytes, more than {LARGEST}")));
    }
    fs::read_to_string(path)
}

/// The policy in a file of its own.
pub(crate) fn policy(path: &Path, has_rules: bool, context: &mut Context<'_>) -> Option<Policy> {
    if has_rules {
        let reason = "`policy` names a file of roles and rules, and there are some here too; have all of them in one";
        context.add(ProblemCode::Combination, &["policy"], reason);
    }
    let path = beside(context.file, path);
    let Some(text) = context.text(&path, &["policy"]) else {
        if context.read_file.is_none() {
            context.add(
                ProblemCode::File,
                &["policy"],
                "no file can be read here; have the roles and rules in this text",
            );
        }
        return None;
    };
    let error = match Policy::parse(&path.display().to_string(), &text) {
        Ok(policy) => return Some(policy),
        Err(error) => error,
    };
    for problem in error.problems {
        let place = Place::File { file: error.file.clone(), line: problem.line, column: problem.column };
        let problem = Problem { place, code: problem.code.code(), reason: problem.reason };
        context.add_elsewhere(&["policy"], problem);
    }
    None
}

/// Makes paths relative to where the file is relative to, and reads what they lead to.
pub(crate) fn resolve(settings: &mut Settings, context: &mut Context<'_>) {
    let file = context.file;
    let resolve = |path: &mut Option<PathBuf>| {
        if let Some(path) = path {
            *path = beside(file, path);
        }
    };
    resolve(&mut settings.policy);
    resolve(&mut settings.audit.folder);
    resolve(&mut settings.session.key_file);
    for (at, directory) in settings.directories.iter_mut().enumerate() {
        let paths = [
            ("ca", &mut directory.ca, CERTIFICATE),
            ("cert", &mut directory.cert, CERTIFICATE),
            ("key", &mut directory.key, KEY),
        ];
        for (key, path, holds) in paths {
            resolve(path);
            context.pem(path.as_deref(), &["directory", &at.to_string(), key], holds);
        }
        resolve(&mut directory.token_file);
        if let Some(path) = &directory.token_file {
            let text = context.text(path, &["directory", &at.to_string(), "token_file"]);
            if let Some(text) = text {
                directory.token = Some(Token::from(text.trim().to_owned()));
            }
        }
    }
    for (at, listen) in settings.listen.iter_mut().enumerate() {
        let paths = [
            ("cert", &mut listen.cert, CERTIFICATE),
            ("key", &mut listen.key, KEY),
            ("client_ca", &mut listen.client_ca, CERTIFICATE),
        ];
        for (key, path, holds) in paths {
            resolve(path);
            context.pem(path.as_deref(), &["listen", &at.to_string(), key], holds);
        }
    }
}

/// With the keys of JWTs, or with where to find those by which their issuer is believed.
pub(crate) fn keys_of_jwts(auth: AuthConfig, context: &mut Context<'_>) -> AuthConfig {
    if let Some(path) = auth.issuer().and_then(|issuer| issuer.ca.as_deref()).map(|path| beside(context.file, path)) {
        context.pem(Some(&path), &["jwt", "ca"], CERTIFICATE);
        return auth.with_issuer_ca(path);
    }
    let Some(path) = auth.jwks_path().map(|path| beside(context.file, Path::new(path))) else { return auth };
    let Some(text) = context.text(&path, &["jwt", "jwks"]) else { return auth };
    match Jwks::parse(&text) {
        Ok(keys) => auth.with_jwks(keys),
        Err(error) => {
            context.add(ProblemCode::File, &["jwt", "jwks"], format!("{}: {error}", path.display()));
            auth
        }
    }
}

impl Context<'_> {
    /// The text of a file that is named at `keys`; nothing where no file may be read.
    fn text(&mut self, path: &Path, keys: &[&str]) -> Option<String> {
        match self.read_file?(path) {
            Ok(text) => Some(text),
            Err(error) => {
                let reason =
                    format!("cannot read {}: {error}; relative paths begin beside the configuration", path.display());
                self.add(ProblemCode::File, keys, reason);
                None
            }
        }
    }

    /// Says so if a file does not hold what it should.
    fn pem(&mut self, path: Option<&Path>, keys: &[&str], (label, what): (&str, &str)) {
        let Some(path) = path else { return };
        if self.text(path, keys).is_some_and(|text| !text.contains(label)) {
            let reason = format!("{} holds no {what} in PEM form; `keyway cert` makes some", path.display());
            self.add(ProblemCode::File, keys, reason);
        }
    }
}

/// A path that is relative to the folder of a file.
fn beside(file: &str, path: &Path) -> PathBuf {
    Path::new(file).parent().map_or_else(|| path.to_owned(), |folder| folder.join(path))
}

const LARGEST: u64 = 16 << 20;
const CERTIFICATE: (&str, &str) = ("-----BEGIN CERTIFICATE-----", "certificate");
const KEY: (&str, &str) = ("PRIVATE KEY-----", "private key");
