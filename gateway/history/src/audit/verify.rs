//! Whether a log is as it was written.

use std::{io, path::Path};

use super::{
    chain::Link,
    head::{self, Head},
    read::ReadError,
    segment,
    walk::{Flaw, matches_known, walk},
};

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Records that fit.
    pub records: u64,
    /// Segments that were read.
    pub segments: u64,
    /// What is before the first record that is kept.
    pub start: Link,
    /// The last record that fits: an anchor, if there is no problem.
    pub last: Link,
    /// Whether half a line follows, which a writer is about to finish, or a crash left.
    pub unfinished: bool,
    /// The first that does not fit.
    pub problem: Option<Problem>,
}

/// The first place where a log is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {flaw}")]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
    /// What is wrong there.
    pub flaw: Flaw,
}

/// Reads a whole log, and finds the first line that was edited, moved, or is missing. A log may be verified while it is written.
pub fn verify(folder: &Path) -> Result<Report, ReadError> {
    verify_with(folder, &[])
}

/// [`verify`], for a log that must have these records, too.
pub fn verify_with(folder: &Path, anchors: &[Link]) -> Result<Report, ReadError> {
    loop {
        let head = Head::read(folder);
        let report = follow(folder, &head, anchors).map_err(|error| ReadError::new(folder, error))?;
        // Old segments may have been deleted meanwhile, as they should be.
        let later = Head::read(folder);
        let pruned = matches!((&head, &later), (Ok(Some(head)), Ok(Some(later))) if head.oldest < later.oldest);
        if report.problem.is_none() || !pruned {
            return Ok(report);
        }
    }
}

fn follow(folder: &Path, head: &io::Result<Option<Head>>, anchors: &[Link]) -> io::Result<Report> {
    let mut segments = segment::list(folder)?;
    let (head, head_flaw) = match head {
        Ok(Some(head)) => (Some(*head), None),
        Ok(None) if segments.is_empty() => return Err(io::ErrorKind::NotFound.into()),
        Ok(None) => (None, Some(Flaw::HeadMissing)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => (None, Some(Flaw::HeadEdited)),
        Err(error) => return Err(io::Error::new(error.kind(), error.to_string())),
    };
    let begin = head.unwrap_or_else(|| Head { oldest: segments.first().copied().unwrap_or(1), ..Head::START });
    // What is older was about to be deleted.
    segments.retain(|number| *number >= begin.oldest);
    let mut report =
        Report { records: 0, segments: 0, start: begin.start, last: begin.start, unfinished: false, problem: None };
    let known: Vec<_> = (head.map(|head| (head.last, Flaw::Head)).into_iter())
        .chain(anchors.iter().map(|anchor| (*anchor, Flaw::Anchor { expected: *anchor })))
        .collect();
    let problem = |number, line, flaw| Some(Problem { file: segment::name(number), line, flaw });
    if let Some(gone) = anchors.iter().find(|anchor| anchor.sequence < begin.start.sequence) {
        report.problem = problem(begin.oldest, 1, Flaw::AnchorGone { sequence: gone.sequence });
        return Ok(report);
    }
    if let Err(flaw) = matches_known(begin.start.sequence, begin.start, &known) {
        report.problem = problem(begin.oldest, 1, flaw);
        return Ok(report);
    }
    let (mut end, mut lines) = (begin.oldest, 0);
    for (number, expected) in segments.iter().zip(begin.oldest..) {
        if *number != expected {
            report.problem = problem(expected, 1, Flaw::MissingSegment);
            return Ok(report);
        }
        let walked = walk(&segment::path(folder, expected), report.last, &known)?;
        report.segments += 1;
        report.records += walked.link.sequence - report.last.sequence;
        report.last = walked.link;
        (end, lines) = (expected, walked.lines);
        let is_last = segments.last() == Some(number);
        let is_known = known.iter().all(|(known, _)| known.sequence <= walked.link.sequence);
        match walked.flaw {
            Some(Flaw::Unfinished) if is_last && is_known => report.unfinished = true,
            Some(flaw) => {
                report.problem = problem(expected, walked.lines + 1, flaw);
                return Ok(report);
            }
            None => {}
        }
    }
    let expected = known.iter().map(|(known, _)| known.sequence).max().unwrap_or(0);
    if report.last.sequence < expected {
        report.problem = problem(end, lines + 1, Flaw::CutOff { found: report.last.sequence, expected });
    } else if let Some(flaw) = head_flaw {
        report.problem = Some(Problem { file: head::NAME.to_owned(), line: 1, flaw });
    }
    Ok(report)
}
