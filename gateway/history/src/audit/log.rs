//! The log as those see it who write to it: a bounded queue with a rule for when it is full.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::Mutex;

use super::{
    lines::MAX_ARGUMENT_BYTES,
    queue::{Ended, Queue},
    record::{Kind, Record},
    recovery::{self, OpenError},
    store::{self, Opener},
    writer::Writer,
};

/// How a log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// A segment that would grow beyond this is followed by another.
    pub segment_bytes: u64,
    /// The oldest segments are deleted when all have more than this; `None` keeps all. The chain says that they are gone.
    pub keep_bytes: Option<u64>,
    /// Records that may wait to be written, rooms of [`Recorder::reserve`] among them.
    pub queue: usize,
    /// How long the thread gathers records before it writes them in one go.
    pub batch_every: Duration,
    /// At most so much is lost when the machine stops. Zero waits for the disk after each batch.
    pub sync_every: Duration,
    /// How long to wait before writing again what could not be written.
    pub retry_every: Duration,
    /// Arguments with more bytes than this (at most 64 KiB) are recorded by their length.
    pub argument_bytes: usize,
}

impl Default for Options {
    /// 64 MiB segments of which all are kept, 16,384 records, batches of 5 ms, on disk every second, 4 KiB of arguments.
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            keep_bytes: None,
            queue: 16_384,
            batch_every: Duration::from_millis(5),
            sync_every: Duration::from_secs(1),
            retry_every: Duration::from_secs(1),
            argument_bytes: 4096,
        }
    }
}

/// What happens to a record for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// It is dropped, and a later record states how many were.
    #[default]
    DropAndCount,
    /// What was to be recorded does not happen.
    FailClosed,
}

/// Why a record cannot be taken: the call it belongs to is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The log was closed.
    #[error("the audit log is closed")]
    Closed,
    /// The disk is full or fails. It is tried again every [`Options::retry_every`].
    #[error("the audit log cannot be written")]
    Failing,
    /// Too many records wait.
    #[error("the audit log is behind")]
    Full,
}

/// The log was closed, or is to be on disk, and not everything is. The text says why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not all records could be written to the audit log; is its disk full?")]
pub struct CloseError;

/// What writers of records and the thread share.
pub(super) struct Shared {
    pub(super) queue: Queue,
    capacity: usize,
    argument_bytes: usize,
    /// Records that wait to be sealed, and rooms that were reserved.
    pub(super) used: AtomicUsize,
    pub(super) dropped: [AtomicU64; Kind::ALL.len()],
    pub(super) is_failing: AtomicBool,
    pub(super) is_closed: AtomicBool,
    /// Whoever waits for a flush.
    flushing: Mutex<()>,
}

/// An open log. It is closed when dropped.
pub struct AuditLog {
    recorder: Recorder,
    thread: Option<JoinHandle<Result<(), CloseError>>>,
}

/// Takes records. Clones are cheap, and write to the same log.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

/// Room for one record, taken before what it records has begun. Dropped, it is given back.
#[must_use = "the room is given back when it is dropped"]
pub struct Slot(Option<Arc<Shared>>);

impl AuditLog {
    /// Opens the log in a folder, or begins one there, and starts its thread. The tail of what is there is checked first (the last
    /// segment); what a crash left half-written is set aside, and the chain says so.
    pub fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        Self::open_with(folder, options, store::files())
    }

    pub(super) fn open_with(folder: &Path, options: Options, opener: Opener) -> Result<Self, OpenError> {
        let opened = recovery::open(folder, opener)?;
        let capacity = options.queue.max(1);
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            capacity,
            argument_bytes: options.argument_bytes.min(MAX_ARGUMENT_BYTES),
            used: AtomicUsize::new(0),
            dropped: [const { AtomicU64::new(0) }; Kind::ALL.len()],
            is_failing: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            flushing: Mutex::new(()),
        });
        let recorder = Recorder(shared);
        let options = Options { argument_bytes: recorder.0.argument_bytes, ..options };
        let writer = Writer::new(opened, options, recorder.0.clone());
        let thread = thread::Builder::new().name("keyway-audit".to_owned()).spawn(move || writer.run());
        let thread = thread.map_err(|source| OpenError::Io { folder: folder.to_owned(), source })?;
        Ok(Self { recorder, thread: Some(thread) })
    }

    /// What takes records.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Waits until all that was recorded so far is on disk. Blocks; not for network threads.
    pub fn flush(&self) -> Result<(), CloseError> {
        let shared = &self.recorder.0;
        let _one = shared.flushing.lock();
        if shared.is_failing.load(Relaxed) {
            return Err(CloseError);
        }
        let (done, waiting) = mpsc::sync_channel(1);
        shared.queue.flush(done).map_err(|Ended| CloseError)?;
        loop {
            match waiting.recv_timeout(FLUSH_POLL) {
                Ok(()) => return Ok(()),
                Err(RecvTimeoutError::Timeout) if !shared.is_failing.load(Relaxed) => {}
                // One that is still in the queue keeps its place, and needs no answer.
                Err(_) => return Err(CloseError),
            }
        }
    }

    /// Writes what waits and the log's last record, and ends the thread. Records that come later are refused.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), CloseError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.recorder.0.is_closed.store(true, Relaxed);
        self.recorder.0.queue.close();
        thread.thread().unpark();
        thread.join().unwrap_or(Err(CloseError))
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        if self.end().is_err() {
            tracing::error!("{CloseError}");
        }
    }
}

impl Recorder {
    /// Takes a record, or drops and counts it. Never waits.
    pub fn record(&self, record: Record) {
        match self.take_room() {
            Ok(()) => self.0.put_one(record),
            Err(_) => self.0.count_dropped(record.operation.kind),
        }
    }

    /// Takes records as [`record`](Self::record) does, in one go. Leaves an empty list.
    pub fn record_all(&self, records: &mut Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let fits = if self.0.is_closed.load(Relaxed) { 0 } else { self.0.take_rooms(records.len()) };
        for record in records.drain(fits..) {
            self.0.count_dropped(record.operation.kind);
        }
        self.0.put(records);
    }

    /// Takes a record, or says why not. Never waits.
    pub fn try_record(&self, record: Record) -> Result<(), Refusal> {
        self.reserve().map(|slot| slot.record(record))
    }

    /// Takes a record as its rule says. An error is only possible with [`Overflow::FailClosed`].
    pub fn record_by(&self, rule: Overflow, record: Record) -> Result<(), Refusal> {
        match rule {
            Overflow::DropAndCount => {
                self.record(record);
                Ok(())
            }
            Overflow::FailClosed => self.try_record(record),
        }
    }

    /// Takes room for one record, before the call that it is to record: what cannot be recorded can then still be refused.
    pub fn reserve(&self) -> Result<Slot, Refusal> {
        if self.0.is_failing.load(Relaxed) {
            return Err(Refusal::Failing);
        }
        self.take_room()?;
        Ok(Slot(Some(self.0.clone())))
    }

    /// Records that were dropped and are not yet stated in the chain.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// Whether the disk is full or fails.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.0.is_failing.load(Relaxed)
    }

    fn take_room(&self) -> Result<(), Refusal> {
        if self.0.is_closed.load(Relaxed) {
            return Err(Refusal::Closed);
        }
        if self.0.take_rooms(1) == 1 { Ok(()) } else { Err(Refusal::Full) }
    }
}

impl Shared {
    /// Takes rooms, as many as there are. Returns how many.
    fn take_rooms(&self, wanted: usize) -> usize {
        let before = self.used.fetch_add(wanted, Relaxed);
        let fits = self.capacity.saturating_sub(before).min(wanted);
        if fits < wanted {
            self.used.fetch_sub(wanted - fits, Relaxed);
        }
        fits
    }

    /// Puts a record where room was taken for it.
    fn put_one(&self, mut record: Record) {
        self.bound(&mut record);
        let kind = record.operation.kind;
        if self.queue.push(record).is_err() {
            self.count_dropped(kind);
        }
    }

    /// Puts records where rooms were taken for them.
    fn put(&self, records: &mut Vec<Record>) {
        records.iter_mut().for_each(|record| self.bound(record));
        if self.queue.append(records).is_err() {
            records.drain(..).for_each(|record| self.count_dropped(record.operation.kind));
        }
    }

    fn bound(&self, record: &mut Record) {
        if let Some(arguments) = &mut record.arguments {
            arguments.bound(self.argument_bytes);
        }
    }

    fn count_dropped(&self, kind: Kind) {
        self.dropped[kind.index()].fetch_add(1, Relaxed);
    }
}

impl Slot {
    /// Puts the record there.
    pub fn record(mut self, record: Record) {
        if let Some(shared) = self.0.take() {
            shared.put_one(record);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.used.fetch_sub(1, Relaxed);
        }
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuditLog").field(&self.recorder).finish()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.0.used.load(Relaxed);
        f.debug_struct("Recorder").field("waiting", &waiting).field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// How often a flush looks whether the disk fails.
const FLUSH_POLL: Duration = Duration::from_millis(20);
