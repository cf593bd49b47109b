//! What is wrong with a configuration, and where.

use std::{fmt, ops::Range};

use keyway_policy::position;

/// A configuration that was refused, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct AuthError {
    /// The name of the file.
    pub file: String,
    /// At least one.
    pub problems: Vec<AuthProblem>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthProblem {
    /// What kind of mistake.
    pub code: AuthProblemCode,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong, without what is secret.
    pub reason: String,
}

/// Kinds of mistakes. Codes keep their meaning; `docs/errors.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AuthProblemCode {
    /// No TOML, an unknown key, or a value of the wrong type.
    Syntax,
    /// A user that is there twice, or has no name.
    DuplicateUser,
    /// A role the policy does not have.
    UnknownRole,
    /// A hash that is none, or not exactly one.
    Credential,
    /// A pattern that is none, or missing.
    Glob,
    /// Settings of JWTs that would let in too many.
    Jwt,
    /// A limit that is none.
    Lockout,
}

impl AuthProblemCode {
    /// All codes, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Syntax, Self::DuplicateUser, Self::UnknownRole, Self::Credential, Self::Glob, Self::Jwt, Self::Lockout];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Syntax => "KW-A100",
            Self::DuplicateUser => "KW-A101",
            Self::UnknownRole => "KW-A102",
            Self::Credential => "KW-A103",
            Self::Glob => "KW-A104",
            Self::Jwt => "KW-A105",
            Self::Lockout => "KW-A106",
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, AuthProblem { code, line, column, reason }) in self.problems.iter().enumerate() {
            let break_before = if at == 0 { "" } else { "\n" };
            write!(f, "{break_before}{}:{line}:{column}: {}: {reason}", self.file, code.code())?;
        }
        Ok(())
    }
}

/// Collects the mistakes of a file.
pub(crate) struct Problems<'t> {
    pub(crate) text: &'t str,
    pub(crate) found: Vec<AuthProblem>,
}

impl Problems<'_> {
    pub(crate) fn add(&mut self, code: AuthProblemCode, span: Range<usize>, reason: impl fmt::Display) {
        let (line, column) = position(self.text, span.start);
        self.found.push(AuthProblem { code, line, column, reason: reason.to_string() });
    }

    pub(crate) fn finish(mut self, file: &str) -> Result<(), AuthError> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|problem| (problem.line, problem.column));
        Err(AuthError { file: file.to_owned(), problems: self.found })
    }
}
