//! Buffers that belong to a thread, so that no connection holds one while it is idle.

use std::cell::Cell;

use bytes::BytesMut;

/// Size of a thread's buffers: what one system call moves at most.
pub(crate) const SIZE: usize = 64 * 1024;

/// One of a thread's buffers.
pub(crate) struct Scratch(&'static std::thread::LocalKey<Cell<Option<BytesMut>>>);

/// Where bytes are read to.
pub(crate) const READ: Scratch = Scratch(&READ_BUFFER);
/// Where encrypted bytes are read to.
pub(crate) const ENCRYPTED: Scratch = Scratch(&ENCRYPTED_BUFFER);
/// Where small frames are encoded to.
pub(crate) const ENCODE: Scratch = Scratch(&ENCODE_BUFFER);
/// Where small pieces that wait are gathered for one write.
pub(crate) const GATHER: Scratch = Scratch(&GATHER_BUFFER);

thread_local! {
    static READ_BUFFER: Cell<Option<BytesMut>> = const { Cell::new(None) };
    static ENCRYPTED_BUFFER: Cell<Option<BytesMut>> = const { Cell::new(None) };
    static ENCODE_BUFFER: Cell<Option<BytesMut>> = const { Cell::new(None) };
    static GATHER_BUFFER: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

impl Scratch {
    /// Takes the thread's buffer, or a new one where it is in use further up the stack.
    pub(crate) fn take(&self) -> BytesMut {
        self.take_present().unwrap_or_else(|| BytesMut::with_capacity(SIZE))
    }

    /// Takes the thread's buffer if it is there.
    pub(crate) fn take_present(&self) -> Option<BytesMut> {
        // A thread that is ending has no buffers any more.
        self.0.try_with(Cell::take).ok().flatten()
    }

    /// Gives a buffer back. One that is not of the usual size is dropped.
    pub(crate) fn put(&self, mut buffer: BytesMut) {
        if is_scratch(&buffer) {
            buffer.clear();
            let _ = self.0.try_with(|cell| cell.set(Some(buffer)));
        }
    }
}

/// Whether a buffer is of the size of a thread's buffers.
pub(crate) fn is_scratch(buffer: &BytesMut) -> bool {
    (SIZE..=2 * SIZE).contains(&buffer.capacity())
}
