//! Reading a log, to its end or as it grows.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
};

use super::{
    chain,
    entry::{Entry, Operations},
    lines::{Found, Lines},
    segment,
};

/// A log cannot be read, or a line of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read the audit log in {}", .folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no log.
    #[error("there is no audit log in {}", .0.display())]
    None(PathBuf),
    /// A line has no records. Reading goes on with the next; [`verify`](super::verify()) tells what happened.
    #[error("{file}:{line} is not a line of an audit log; run `keyway audit verify`")]
    NotALine {
        /// The file's name.
        file: String,
        /// The line in it.
        line: u64,
    },
}

impl ReadError {
    pub(crate) fn new(folder: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::None(folder.to_owned()),
            _ => Self::Io { folder: folder.to_owned(), source },
        }
    }
}

/// The records of a log in their order.
///
/// At the log's present end the iterator says `None`; asked again, it goes on with what has been written since.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    segment: u64,
    lines: Option<Lines>,
    line: Vec<u8>,
    /// What the segment's lines have said of operations.
    operations: Operations,
    /// Of the last line that was read.
    entries: VecDeque<Entry>,
    /// There is a later segment, so that this one grows no more.
    is_complete: bool,
}

impl Reader {
    /// All records.
    pub fn open(folder: &Path) -> Result<Self, ReadError> {
        let segments = segments(folder)?;
        Ok(Self::at(folder, segments[0]))
    }

    /// The last `count` records, and those that come.
    pub fn last(folder: &Path, count: u64) -> Result<Self, ReadError> {
        let (mut held, mut line) = (0, Vec::new());
        let mut reader = Self::open(folder)?;
        for number in segments(folder)?.into_iter().rev() {
            reader = Self::at(folder, number);
            let path = segment::path(folder, number);
            let mut lines = Lines::open(&path).map_err(|error| ReadError::new(folder, error))?;
            while lines.next(&mut line).map_err(|error| ReadError::new(folder, error))? == Found::Whole {
                held += chain::count(&line);
            }
            if held >= count {
                break;
            }
        }
        for _ in count..held {
            reader.next();
        }
        Ok(reader)
    }

    fn at(folder: &Path, segment: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            segment,
            lines: None,
            line: Vec::new(),
            operations: Operations::default(),
            entries: VecDeque::new(),
            is_complete: false,
        }
    }

    fn step(&mut self) -> io::Result<Option<Result<Entry, ReadError>>> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                return Ok(Some(Ok(entry)));
            }
            let lines = match &mut self.lines {
                Some(lines) => lines,
                None => match Lines::open(&segment::path(&self.folder, self.segment)) {
                    Ok(lines) => self.lines.insert(lines),
                    // Deleted since it was listed: it was the oldest.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => match self.later()? {
                        Some(later) => {
                            self.segment = later;
                            continue;
                        }
                        None => return Ok(None),
                    },
                    Err(error) => return Err(error),
                },
            };
            match lines.next(&mut self.line)? {
                Found::Whole => match self.read() {
                    Ok(()) => {}
                    Err(error) => return Ok(Some(Err(error))),
                },
                Found::End | Found::TooLong | Found::Unfinished if self.is_complete => match self.later()? {
                    Some(later) => *self = Self::at(&self.folder, later),
                    None => return Ok(None),
                },
                _ if self.later()?.is_some() => self.is_complete = true,
                _ => return Ok(None),
            }
        }
    }

    /// Reads the records of a line.
    fn read(&mut self) -> Result<(), ReadError> {
        let (file, line) = (segment::name(self.segment), self.lines.as_ref().map_or(0, |lines| lines.count));
        let read = std::str::from_utf8(&self.line).ok().and_then(|text| self.operations.read(text));
        let Some(mut entries) = read else { return Err(ReadError::NotALine { file, line }) };
        for entry in &mut entries {
            (entry.file, entry.line) = (file.clone(), line);
        }
        self.entries.extend(entries);
        Ok(())
    }

    fn later(&self) -> io::Result<Option<u64>> {
        Ok(segment::list(&self.folder)?.into_iter().find(|number| *number > self.segment))
    }
}

impl Iterator for Reader {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().unwrap_or_else(|error| Some(Err(ReadError::new(&self.folder, error))))
    }
}

/// All segments; at least one.
fn segments(folder: &Path) -> Result<Vec<u64>, ReadError> {
    let segments = segment::list(folder).map_err(|error| ReadError::new(folder, error))?;
    if segments.is_empty() { Err(ReadError::None(folder.to_owned())) } else { Ok(segments) }
}
