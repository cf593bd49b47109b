//! A segment's lines, each of a bounded length.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

/// Reads lines, and knows where it is.
#[derive(Debug)]
pub(crate) struct Lines {
    reader: BufReader<File>,
    /// Bytes of all whole lines so far.
    pub(crate) offset: u64,
    /// Whole lines so far.
    pub(crate) count: u64,
}

/// What was found where a line should begin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing more.
    End,
    /// More than any record has, without a line feed.
    TooLong,
    /// Bytes without a line feed.
    Unfinished,
    /// A line, which is in the buffer without its line feed.
    Whole,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { reader: BufReader::with_capacity(64 << 10, File::open(path)?), offset: 0, count: 0 })
    }

    /// Reads the next line into `line`. What is not a whole line is not consumed: it may become one.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Found> {
        line.clear();
        let read = self.reader.by_ref().take(MAX_LINE).read_until(b'\n', line)? as u64;
        if line.last() == Some(&b'\n') {
            line.pop();
            self.offset += read;
            self.count += 1;
            return Ok(Found::Whole);
        }
        if read == 0 {
            return Ok(Found::End);
        }
        self.reader.seek(SeekFrom::Start(self.offset))?;
        Ok(if read == MAX_LINE { Found::TooLong } else { Found::Unfinished })
    }
}

/// Longer than any line that [`super::line`] makes with [`MAX_ARGUMENT_BYTES`].
const MAX_LINE: u64 = 1 << 20;
/// The most that may be recorded of arguments, in bytes of their payload.
pub(crate) const MAX_ARGUMENT_BYTES: usize = 64 << 10;
