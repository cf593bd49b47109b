//! What is wrong with a policy file, and where.

use std::{fmt, ops::Range};

/// A file that was refused, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PolicyError {
    /// The name of the file.
    pub file: String,
    /// At least one, in the order of the file.
    pub problems: Vec<Problem>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of mistake.
    pub code: ProblemCode,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// Kinds of mistakes. Codes keep their meaning; `docs/errors.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ProblemCode {
    /// No TOML, an unknown key, or a value of the wrong type.
    Syntax,
    /// A role that is defined twice, or built in.
    DuplicateRole,
    /// A role that inherits itself.
    Cycle,
    /// A role that nobody defined.
    UnknownRole,
    /// A pattern of services that is none.
    Glob,
    /// A member that is none.
    Member,
    /// A `when` that is no condition, or has no use.
    Condition,
    /// A rate or burst that is none, or has no use.
    Rate,
    /// A rule that says nothing.
    Empty,
    /// A value that is none of those a key takes.
    Value,
}

impl ProblemCode {
    /// All codes, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Syntax,
        Self::DuplicateRole,
        Self::Cycle,
        Self::UnknownRole,
        Self::Glob,
        Self::Member,
        Self::Condition,
        Self::Rate,
        Self::Empty,
        Self::Value,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Syntax => "KW-P100",
            Self::DuplicateRole => "KW-P101",
            Self::Cycle => "KW-P102",
            Self::UnknownRole => "KW-P103",
            Self::Glob => "KW-P104",
            Self::Member => "KW-P105",
            Self::Condition => "KW-P106",
            Self::Rate => "KW-P107",
            Self::Empty => "KW-P108",
            Self::Value => "KW-P109",
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            let Problem { code, line, column, reason } = problem;
            let break_before = if at == 0 { "" } else { "\n" };
            write!(f, "{break_before}{}:{line}:{column}: {}: {reason}", self.file, code.code())?;
        }
        Ok(())
    }
}

/// Line and column of a byte of a text, both counted from 1. The column is in characters.
pub fn position(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Collects the mistakes of a file.
#[derive(Debug)]
pub(crate) struct Problems<'t> {
    text: &'t str,
    found: Vec<(usize, Problem)>,
}

impl<'t> Problems<'t> {
    pub(crate) const fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    pub(crate) fn add(&mut self, code: ProblemCode, span: Range<usize>, reason: impl fmt::Display) {
        let (line, column) = position(self.text, span.start);
        self.found.push((span.start, Problem { code, line, column, reason: reason.to_string() }));
    }

    /// The value, or a note of what is wrong with it.
    pub(crate) fn note<T, E: fmt::Display>(
        &mut self,
        code: ProblemCode,
        span: Range<usize>,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.add(code, span, error)).ok()
    }

    pub(crate) fn finish(mut self, file: &str) -> Result<(), PolicyError> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|(at, _)| *at);
        Err(PolicyError {
            file: file.to_owned(),
            problems: self.found.into_iter().map(|(_, problem)| problem).collect(),
        })
    }
}
