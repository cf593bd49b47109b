//! The head: which record is the last that is known to be on disk, and where the log begins.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use serde_json::Value;

use super::{
    chain::{Link, seal, unseal},
    segment,
};

/// What `audit-head.json` states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The last record that is known to be on disk.
    pub(crate) last: Link,
    /// The oldest segment that is kept.
    pub(crate) oldest: u64,
    /// The record before its first.
    pub(crate) start: Link,
}

impl Head {
    /// Of a log without records.
    pub(crate) const START: Self = Self { last: Link::START, oldest: 1, start: Link::START };

    /// Reads it. `Ok(None)` if there is none, `InvalidData` if it is not as it was written.
    pub(crate) fn read(folder: &Path) -> io::Result<Option<Self>> {
        match fs::read(folder.join(NAME)) {
            Ok(bytes) => Self::parse(&bytes).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces it, as a whole or not at all.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let new = folder.join("audit-head.new");
        let mut file = File::create(&new)?;
        file.write_all(&self.text())?;
        file.sync_data()?;
        fs::rename(&new, folder.join(NAME))?;
        segment::sync_folder(folder)
    }

    fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        seal(self.last.sequence, self.last.hash, &mut text, |out| {
            // Writing into a vector does not fail.
            let _ = write!(out, ",\"kind\":\"head\",\"oldest\":{},\"start\":\"{}\"", self.oldest, self.start);
            1
        });
        text
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let line = bytes.strip_suffix(b"\n")?;
        let sealed = unseal(line).ok()?;
        let json: Value = serde_json::from_slice(line).ok()?;
        let start = json.get("start")?.as_str()?.parse().ok()?;
        let last = Link { sequence: sealed.link.sequence, hash: sealed.previous };
        Some(Self { last, oldest: json.get("oldest")?.as_u64()?, start })
    }
}

/// The head's file.
pub(crate) const NAME: &str = "audit-head.json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written_and_not_otherwise() {
        let head = Head { last: Link { sequence: 9, ..Link::START }, oldest: 3, start: Link::START };
        let text = head.text();
        assert_eq!(Head::parse(&text), Some(head));
        for at in 0..text.len() {
            let mut edited = text.clone();
            edited[at] ^= 1;
            assert_eq!(Head::parse(&edited), None);
            assert_eq!(Head::parse(&text[..at]), None);
        }
    }
}
