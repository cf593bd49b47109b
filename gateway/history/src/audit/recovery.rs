//! Opening a folder: the chain's tail is checked, and what a crash left half-written is cut off.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::{
    chain::{Link, unseal},
    head::Head,
    line::Event,
    lines::{Found, Lines},
    segment,
    store::{Kept, Opener, Store},
    verify::Problem,
    walk::{Flaw, walk},
};

/// A log cannot be opened for writing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Its tail is not as it was written. It is not written to: keep it as it is, run `keyway audit verify`, and begin another folder.
    #[error("the audit log is damaged: {0}; run `keyway audit verify`, keep the folder, and begin another")]
    Damaged(#[source] Problem),
    /// Another process writes to it.
    #[error("another process writes to the audit log in {}", .0.display())]
    InUse(PathBuf),
    /// The folder or a file in it cannot be made, read or written.
    #[error("cannot open the audit log in {}", .folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A log that can be written to.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) link: Link,
    pub(crate) recovered: Option<Event>,
    /// Held while it is written to.
    pub(crate) lock: File,
}

pub(crate) fn open(folder: &Path, opener: Opener) -> Result<Opened, OpenError> {
    let failed = |source| OpenError::Io { folder: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    let lock = segment::lock(folder).map_err(failed)?.ok_or_else(|| OpenError::InUse(folder.to_owned()))?;
    let tail = tail(folder).map_err(failed)?.map_err(OpenError::Damaged)?;
    let store = Store::open(folder, opener, tail.older, tail.last).map_err(failed)?;
    Ok(Opened { store, link: tail.link, recovered: tail.recovered, lock })
}

struct Tail {
    older: VecDeque<Kept>,
    last: Kept,
    link: Link,
    recovered: Option<Event>,
}

fn tail(folder: &Path) -> io::Result<Result<Tail, Problem>> {
    let damaged = |number, line, flaw| Ok(Err(Problem { file: segment::name(number), line, flaw }));
    let all = segment::list(folder)?;
    let head = match Head::read(folder) {
        Ok(Some(head)) => head,
        // Its head is the first thing a log gets.
        Ok(None) if all.is_empty() => {
            Head::START.write(folder)?;
            Head::START
        }
        Ok(None) => return damaged(all[0], 1, Flaw::HeadMissing),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return damaged(all.first().copied().unwrap_or(1), 1, Flaw::HeadEdited);
        }
        Err(error) => return Err(error),
    };
    let mut kept = VecDeque::new();
    for number in all {
        let path = segment::path(folder, number);
        if number < head.oldest {
            // Pruning was interrupted.
            fs::remove_file(path)?;
            continue;
        }
        let expected = head.oldest + kept.len() as u64;
        if number != expected {
            return damaged(expected, 1, Flaw::MissingSegment);
        }
        let start = if number == head.oldest { Some(head.start) } else { stated_start(&path)? };
        let Some(start) = start.or_else(|| ends_at(folder, kept.back(), head.last)) else {
            return damaged(number, 1, Flaw::NotARecord);
        };
        kept.push_back(Kept { number, start, bytes: fs::metadata(&path)?.len() });
    }
    let Some(mut last) = kept.pop_back() else {
        if head.last != head.start {
            return damaged(head.oldest, 1, Flaw::MissingSegment);
        }
        let last = Kept { number: head.oldest, start: head.start, bytes: 0 };
        return Ok(Ok(Tail { older: kept, last, link: head.start, recovered: None }));
    };
    if last.start.sequence > head.last.sequence {
        return damaged(last.number, 1, Flaw::Missing { from: head.last.sequence + 1, to: last.start.sequence });
    }
    if last.start.sequence == head.last.sequence && last.start.hash != head.last.hash {
        return damaged(last.number, 1, Flaw::Replaced { after: head.last.sequence });
    }
    let path = segment::path(folder, last.number);
    let walked = walk(&path, last.start, &[(head.last, Flaw::Head)])?;
    if walked.link.sequence < head.last.sequence {
        let cut_off = Flaw::CutOff { found: walked.link.sequence, expected: head.last.sequence };
        return damaged(last.number, walked.lines + 1, walked.flaw.unwrap_or(cut_off));
    }
    let mut recovered = None;
    if walked.flaw.is_some() {
        // Behind what is known to be on disk, a crash may leave anything. It is set aside, in case it was no crash.
        recovered = Some(set_aside(folder, &last, walked.length)?);
    }
    last.bytes = walked.length;
    Ok(Ok(Tail { older: kept, last, link: walked.link, recovered }))
}

/// The record before a segment's first, as that states it.
fn stated_start(path: &Path) -> io::Result<Option<Link>> {
    let mut line = Vec::new();
    if Lines::open(path)?.next(&mut line)? != Found::Whole {
        return Ok(None);
    }
    let sealed = unseal(&line).ok();
    Ok(sealed.map(|sealed| Link { sequence: sealed.first.saturating_sub(1), hash: sealed.previous }))
}

/// The head, if the segment `before` ends there: then all that was in the next one came after it.
fn ends_at(folder: &Path, before: Option<&Kept>, head: Link) -> Option<Link> {
    let before = before?;
    let walked = walk(&segment::path(folder, before.number), before.start, &[]).ok()?;
    (walked.flaw.is_none() && walked.link == head).then_some(head)
}

/// Cuts a segment to `length`, and keeps the rest in a file beside it.
fn set_aside(folder: &Path, segment: &Kept, length: u64) -> io::Result<Event> {
    let file = segment::name(segment.number);
    let path = segment::path(folder, segment.number);
    let mut from = File::open(&path)?;
    io::Seek::seek(&mut from, io::SeekFrom::Start(length))?;
    let mut to = File::create(folder.join(format!("{file}.cut-{length}")))?;
    let cut_bytes = io::copy(&mut from, &mut to)?;
    to.sync_all()?;
    let cut = OpenOptions::new().write(true).open(&path)?;
    cut.set_len(length)?;
    cut.sync_all()?;
    Ok(Event::Recovered { file, cut_bytes })
}
