//! Where lines go: segments that are appended to, begun and deleted.

use std::{
    collections::VecDeque,
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{chain::Link, head::Head, segment};

/// A file that is appended to. Tests have one that gets full.
pub(crate) trait Append: fmt::Debug + Send {
    /// Appends all or, with an error, any part of `bytes`.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Waits until all is on disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Takes back what is behind `length`.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Append for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// How a segment is opened, and created if it is not there.
pub(crate) type Opener = Box<dyn Fn(&Path) -> io::Result<Box<dyn Append>> + Send>;

/// Opens files.
pub(crate) fn files() -> Opener {
    Box::new(|path| Ok(Box::new(OpenOptions::new().append(true).create(true).open(path)?)))
}

/// A segment that is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) number: u64,
    /// The record before its first.
    pub(crate) start: Link,
    pub(crate) bytes: u64,
}

/// The segments of a log, the last of which grows.
pub(crate) struct Store {
    folder: PathBuf,
    open: Opener,
    file: Box<dyn Append>,
    /// In order; never empty.
    kept: VecDeque<Kept>,
    /// Whether there may be bytes behind the last segment's whole lines.
    is_dirty: bool,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("folder", &self.folder).field("kept", &self.kept).finish_non_exhaustive()
    }
}

impl Store {
    /// Goes on with the last of the segments in `older` and `last`.
    pub(crate) fn open(folder: &Path, open: Opener, older: VecDeque<Kept>, last: Kept) -> io::Result<Self> {
        let file = open(&segment::path(folder, last.number))?;
        segment::sync_folder(folder)?;
        let mut kept = older;
        kept.push_back(last);
        Ok(Self { folder: folder.to_owned(), open, file, kept, is_dirty: false })
    }

    /// Bytes of the segment that grows.
    pub(crate) fn length(&self) -> u64 {
        self.kept.back().map_or(0, |last| last.bytes)
    }

    /// Appends whole lines, all or none of them.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.is_dirty {
            self.file.cut(self.length())?;
        }
        self.is_dirty = true;
        self.file.append(lines)?;
        self.is_dirty = false;
        if let Some(last) = self.kept.back_mut() {
            last.bytes += lines.len() as u64;
        }
        Ok(())
    }

    /// Waits until all that was appended is on disk, and states `last` as its end.
    pub(crate) fn sync(&mut self, last: Link) -> io::Result<()> {
        self.file.sync()?;
        self.write_head(last)
    }

    /// Begins the segment whose first record comes after `start`, to which all is on disk.
    pub(crate) fn rotate(&mut self, start: Link) -> io::Result<()> {
        let number = self.kept.back().map_or(1, |last| last.number + 1);
        self.file = (self.open)(&segment::path(&self.folder, number))?;
        segment::sync_folder(&self.folder)?;
        self.kept.push_back(Kept { number, start, bytes: 0 });
        Ok(())
    }

    /// Deletes the oldest segments until no more than `keep_bytes` are left. Returns the last record that is gone.
    pub(crate) fn prune(&mut self, keep_bytes: u64, last: Link) -> io::Result<Option<u64>> {
        let (mut bytes, mut count) = (self.kept.iter().map(|kept| kept.bytes).sum::<u64>(), 0);
        for kept in self.kept.iter().take(self.kept.len() - 1) {
            if bytes <= keep_bytes {
                break;
            }
            bytes -= kept.bytes;
            count += 1;
        }
        let Some(oldest) = self.kept.get(count).filter(|_| count > 0).copied() else { return Ok(None) };
        // First stated, then done: a crash between leaves files that the next start deletes.
        Head { last, oldest: oldest.number, start: oldest.start }.write(&self.folder)?;
        while let Some(kept) = self.kept.front().filter(|kept| kept.number < oldest.number) {
            match fs::remove_file(segment::path(&self.folder, kept.number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => drop(self.kept.pop_front()),
            }
        }
        Ok(Some(oldest.start.sequence))
    }

    fn write_head(&self, last: Link) -> io::Result<()> {
        let Some(oldest) = self.kept.front() else { return Ok(()) };
        Head { last, oldest: oldest.number, start: oldest.start }.write(&self.folder)
    }
}
