//! What is wrong with a configuration, and where.

use std::fmt;

/// A configuration that was refused, with everything that is wrong with it, one mistake a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// At least one, in the order of the file.
    pub problems: Vec<Problem>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The stable code: one of [`ProblemCode`], of the policy's or of the authentication's.
    pub code: &'static str,
    /// What is wrong, and what to do. There are no secrets in it.
    pub reason: String,
}

/// Where a mistake was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a file.
    File {
        /// Its name.
        file: String,
        /// Counted from 1; 0 for a file that cannot be read.
        line: usize,
        /// In characters, counted from 1; 0 for a file that cannot be read.
        column: usize,
    },
    /// In an environment variable.
    Variable(String),
}

/// Kinds of mistakes. Codes keep their meaning; `docs/errors.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ProblemCode {
    /// No TOML, or an unknown or missing key.
    Syntax,
    /// A value of the wrong type, or one that the key does not take.
    Value,
    /// Keys that do not go together, or one that is missing beside another.
    Combination,
    /// A name that nothing has, or that two things have.
    Name,
    /// A door that would let nobody in, or a loopback one that is none.
    Door,
    /// A file that cannot be read or used.
    File,
    /// An environment variable for a key that there is not.
    Variable,
}

impl ProblemCode {
    /// All codes, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Syntax, Self::Value, Self::Combination, Self::Name, Self::Door, Self::File, Self::Variable];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Syntax => "KW-C100",
            Self::Value => "KW-C101",
            Self::Combination => "KW-C102",
            Self::Name => "KW-C103",
            Self::Door => "KW-C104",
            Self::File => "KW-C105",
            Self::Variable => "KW-C106",
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            let break_before = if at == 0 { "" } else { "\n" };
            write!(f, "{break_before}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.code, self.reason)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line: 0, .. } => f.write_str(file),
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}
