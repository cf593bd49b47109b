//! Following the chain through a segment.

use std::{io, path::Path};

use super::{
    chain::{Link, NotSealed, unseal},
    lines::{Found, Lines},
};

/// Why a line, a file or an end does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The record has a number and a hash that somebody noted, but the hash is another.
    #[error("record {} does not have the hash that was noted: {}", .expected.sequence, .expected.hash)]
    Anchor {
        /// What was noted.
        expected: Link,
    },
    /// A record that somebody noted is older than the log.
    #[error("record {sequence}, which was noted, is not kept any more")]
    AnchorGone {
        /// The number that was noted.
        sequence: u64,
    },
    /// The log ends before a record that there was.
    #[error("the log is cut off: it ends with record {found}, and there was a record {expected}")]
    CutOff {
        /// The last record there is.
        found: u64,
        /// The last there was, at least.
        expected: u64,
    },
    /// The bytes do not have the hash that the line states.
    #[error("the line was edited: it does not have the hash it states")]
    Edited,
    /// The head's hash of the line's last record is another.
    #[error("the line was replaced: the head has another hash for its last record")]
    Head,
    /// The head is not as it was written.
    #[error("the head was edited")]
    HeadEdited,
    /// There is no head.
    #[error("the head was deleted")]
    HeadMissing,
    /// Records are missing before this line.
    #[error("records {from} to {to} are missing before this line")]
    Missing {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A segment is not there.
    #[error("the segment is missing")]
    MissingSegment,
    /// Not a line of an audit log.
    #[error("not a line of an audit log")]
    NotARecord,
    /// A record whose number was there already.
    #[error("out of order: record {found} where record {expected} belongs")]
    OutOfOrder {
        /// Its number.
        found: u64,
        /// The one that belongs there.
        expected: u64,
    },
    /// The number fits, and the stated hash of the record before does not.
    #[error("the line was replaced, or the one before: it does not continue record {after}")]
    Replaced {
        /// The record before.
        after: u64,
    },
    /// A line without an end.
    #[error("half a line")]
    Unfinished,
}

/// How far the chain goes in a segment.
#[derive(Debug)]
pub(crate) struct Walked {
    /// The last record that fits.
    pub(crate) link: Link,
    /// Lines that fit.
    pub(crate) lines: u64,
    /// Their bytes.
    pub(crate) length: u64,
    /// What follows them.
    pub(crate) flaw: Option<Flaw>,
}

/// Follows the chain from `start`. Every record of `known` it passes must be the last of a line, with that hash.
pub(crate) fn walk(path: &Path, start: Link, known: &[(Link, Flaw)]) -> io::Result<Walked> {
    let (mut lines, mut line) = (Lines::open(path)?, Vec::new());
    let mut walked = Walked { link: start, lines: 0, length: 0, flaw: None };
    loop {
        let step = match lines.next(&mut line)? {
            Found::End => break,
            Found::TooLong => Err(Flaw::NotARecord),
            Found::Unfinished => Err(Flaw::Unfinished),
            Found::Whole => step(walked.link, &line).and_then(|link| matches_known(walked.link.sequence, link, known)),
        };
        match step {
            Ok(link) => walked = Walked { link, lines: lines.count, length: lines.offset, flaw: None },
            Err(flaw) => {
                walked.flaw = Some(flaw);
                break;
            }
        }
    }
    Ok(walked)
}

fn step(after: Link, line: &[u8]) -> Result<Link, Flaw> {
    let sealed = unseal(line).map_err(|not| match not {
        NotSealed::Hash => Flaw::Edited,
        NotSealed::Shape => Flaw::NotARecord,
    })?;
    let (found, expected) = (sealed.first, after.sequence + 1);
    if found > expected {
        return Err(Flaw::Missing { from: expected, to: found - 1 });
    }
    if found < expected {
        return Err(Flaw::OutOfOrder { found, expected });
    }
    if sealed.previous != after.hash {
        return Err(Flaw::Replaced { after: after.sequence });
    }
    Ok(sealed.link)
}

/// Passes a link on if all that is known of it, and of the records between it and the one `after` which it comes, is right.
pub(crate) fn matches_known(after: u64, link: Link, known: &[(Link, Flaw)]) -> Result<Link, Flaw> {
    let concerns =
        |known: &Link| known.sequence > after && known.sequence < link.sequence || known.sequence == link.sequence;
    let wrong = known.iter().find(|(known, _)| concerns(known) && *known != link);
    wrong.map_or(Ok(link), |(_, flaw)| Err(flaw.clone()))
}
