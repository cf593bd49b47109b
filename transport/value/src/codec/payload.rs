//! Encoded bytes on their way to a socket.

use bytes::Bytes;

/// The bytes of a value: one piece, or several where a large buffer was linked instead of copied.
#[derive(Debug, Clone, Default)]
pub struct Payload {
    first: Bytes,
    rest: Vec<Bytes>,
}

impl Payload {
    /// No bytes.
    pub const fn new() -> Self {
        Self { first: Bytes::new(), rest: Vec::new() }
    }

    pub(crate) fn from_chunks(mut chunks: Vec<Bytes>) -> Self {
        if chunks.is_empty() {
            return Self::new();
        }
        let first = chunks.remove(0);
        Self { first, rest: chunks }
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.first.len() + self.rest.iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.rest.is_empty()
    }

    /// The pieces in order.
    pub fn chunks(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// The first piece; all of it for what was received or is small.
    pub const fn first(&self) -> &Bytes {
        &self.first
    }

    /// All bytes in one piece; copies only if there are several.
    pub fn into_bytes(self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        let mut flat = Vec::with_capacity(self.len());
        self.chunks().for_each(|chunk| flat.extend_from_slice(chunk));
        flat.into()
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self { first: bytes, rest: Vec::new() }
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.chunks().flatten().eq(other.chunks().flatten())
    }
}

impl Eq for Payload {}
