//! The text of a configuration with the environment behind it, and the places of both.

use std::{borrow::Cow, ops::Range};

use keyway_policy::position;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Error},
};

use crate::{
    ConfigError, Key, KeyKind, Place, Problem, ProblemCode,
    schema::{self, Named},
};

/// Places are bytes of the text. Each environment variable that overrides a key has a line of its own behind the file's last one,
/// which holds its name; so whoever turns bytes into lines finds the variables too.
pub(crate) struct Source {
    pub(crate) file: String,
    /// What places are counted in.
    pub(crate) text: String,
    /// Lines of the file.
    lines: usize,
    /// Bytes of the file.
    length: usize,
    overrides: Vec<Override>,
    /// Variables that name a section, but no key of it.
    unknown: Vec<(Range<usize>, String)>,
}

struct Override {
    value: String,
    key: &'static Key,
    span: Range<usize>,
}

impl Source {
    pub(crate) fn new(file: &str, text: &str, environment: impl Iterator<Item = (String, String)>) -> Self {
        let mut source = Self {
            file: file.to_owned(),
            text: text.to_owned(),
            lines: text.matches('\n').count() + 1,
            length: text.len(),
            overrides: Vec::new(),
            unknown: Vec::new(),
        };
        let named = |(name, value): (String, String)| Some((schema::named(&name)?, name, value));
        let mut environment: Vec<_> = environment.filter_map(named).collect();
        environment.sort_by(|(_, one, _), (_, other, _)| one.cmp(other));
        for (found, name, value) in environment {
            source.text.push('\n');
            let start = source.text.len();
            source.text.push_str(&name);
            let span = start..source.text.len();
            match found {
                Named::Key(key) => source.overrides.push(Override { value, key, span }),
                Named::Unknown(reason) => source.unknown.push((span, reason)),
            }
        }
        source
    }

    /// The file with what the environment overrides, and why it is none of TOML if it is not.
    pub(crate) fn table(&self) -> (Spanned<DeTable<'_>>, Vec<Error>) {
        let (mut table, errors) = DeTable::parse_recoverable(&self.text[..self.length]);
        for variable in &self.overrides {
            variable.insert(table.get_mut());
        }
        (table, errors)
    }

    pub(crate) fn place(&self, (line, column): (usize, usize)) -> Place {
        if line <= self.lines {
            return Place::File { file: self.file.clone(), line, column };
        }
        Place::Variable(self.text.lines().nth(line - 1).unwrap_or_default().to_owned())
    }
}

impl Override {
    fn insert<'s>(&'s self, table: &mut DeTable<'s>) {
        let name = |text| Spanned::new(self.span.clone(), Cow::Borrowed(text));
        let mut table = table;
        for section in self.key.section().into_iter().flat_map(|section| section.split('.')) {
            let empty = || Spanned::new(self.span.clone(), DeValue::Table(DeTable::new()));
            match table.entry(name(section)).or_insert_with(empty).get_mut() {
                DeValue::Table(section) => table = section,
                // The section is no table, and refused for it.
                _ => return,
            }
        }
        // The place of the key, too, becomes the variable's.
        table.remove(self.key.name());
        table.insert(name(self.key.name()), Spanned::new(self.span.clone(), self.value()));
    }

    /// Of the key's type, if the text is; the key refuses it otherwise.
    fn value(&self) -> DeValue<'_> {
        let typed = DeValue::parse(self.value.trim()).ok().map(Spanned::into_inner);
        match (self.key.kind, typed) {
            (KeyKind::Boolean, Some(value)) if value.is_bool() => value,
            (KeyKind::Integer, Some(value)) if value.is_integer() => value,
            _ => DeValue::String(Cow::Borrowed(&self.value)),
        }
    }
}

/// Collects what is wrong.
pub(crate) struct Problems<'s> {
    source: &'s Source,
    found: Vec<((usize, usize), Problem)>,
}

impl<'s> Problems<'s> {
    pub(crate) fn new(source: &'s Source) -> Self {
        let mut problems = Self { source, found: Vec::new() };
        for (span, reason) in &source.unknown {
            problems.add(ProblemCode::Variable, span.clone(), reason);
        }
        problems
    }

    pub(crate) fn add(&mut self, code: ProblemCode, span: Range<usize>, reason: impl Into<String>) {
        self.add_at(position(&self.source.text, span.start), code.code(), reason);
    }

    /// A problem that another crate found in the text.
    pub(crate) fn add_at(&mut self, at: (usize, usize), code: &'static str, reason: impl Into<String>) {
        let place = self.source.place(at);
        self.found.push((at, Problem { place, code, reason: reason.into() }));
    }

    /// A problem in another file, which is named at `span`.
    pub(crate) fn add_elsewhere(&mut self, span: Range<usize>, problem: Problem) {
        self.found.push((position(&self.source.text, span.start), problem));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order of the file, then the environment.
    pub(crate) fn into_error(mut self) -> ConfigError {
        self.found.sort_by_key(|(at, _)| *at);
        ConfigError { problems: self.found.into_iter().map(|(_, problem)| problem).collect() }
    }
}
