//! Lines in what arrives.

use bytes::BytesMut;

use crate::WireError;

/// Looks for the ends of lines, at each byte once.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// How many bytes at the beginning of the buffer have no end of a line among them.
    searched: usize,
}

impl Lines {
    /// The next line without its end; `None` while it has none.
    pub(crate) fn next(&mut self, buffer: &mut BytesMut, limit: usize) -> Result<Option<BytesMut>, WireError> {
        let rest = buffer.get(self.searched..).unwrap_or_default();
        let found = rest.iter().position(|byte| *byte == b'\n').map(|end| self.searched + end);
        let size = found.unwrap_or(buffer.len());
        // One more for a carriage return.
        if size > limit + 1 {
            return Err(WireError::TooLarge { size: size as u64, limit });
        }
        let Some(end) = found else {
            self.searched = size;
            return Ok(None);
        };
        self.searched = 0;
        let mut line = buffer.split_to(end + 1);
        let length = line[..end].strip_suffix(b"\r").map_or(end, <[u8]>::len);
        line.truncate(length);
        Ok(Some(line))
    }
}
