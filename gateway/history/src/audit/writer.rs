//! The thread that writes: it gathers records, seals them into the chain, and waits for the disk now and then.

use std::{
    fs::File,
    io, mem,
    sync::{Arc, atomic::Ordering::Relaxed, mpsc::SyncSender},
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{
    chain::{self, Link},
    line::{self, Event, Known},
    log::{CloseError, Options, Shared},
    queue::Batch,
    record::Record,
    recovery::Opened,
    store::Store,
};

/// Owns the log's files.
pub(super) struct Writer {
    store: Store,
    options: Options,
    shared: Arc<Shared>,
    /// The last record that was sealed.
    link: Link,
    /// Sealed lines that are not yet in the segment.
    pending: Vec<u8>,
    known: Known,
    /// Whoever waits until all is on disk.
    flushes: Vec<SyncSender<()>>,
    /// Since when lines are in the segment of which it is not known that they are on disk.
    unsynced: Option<Instant>,
    /// What is to be said of it first.
    recovered: Option<Event>,
    pruned: Option<u64>,
    /// Something was given up.
    is_lost: bool,
    _lock: File,
}

impl Writer {
    pub(super) fn new(opened: Opened, options: Options, shared: Arc<Shared>) -> Self {
        Self {
            store: opened.store,
            options,
            shared,
            link: opened.link,
            pending: Vec::new(),
            known: Known::default(),
            flushes: Vec::new(),
            unsynced: None,
            recovered: opened.recovered,
            pruned: None,
            is_lost: false,
            _lock: opened.lock,
        }
    }

    pub(super) fn run(mut self) -> Result<(), CloseError> {
        if let Some(recovered) = self.recovered.take() {
            self.event(&recovered);
        }
        self.event(&Event::Started);
        let mut empty = Batch::default();
        loop {
            self.write();
            self.sync_if_due();
            if self.shared.queue.wait(self.pause()) {
                // Nobody has to wake this thread for the records that come meanwhile.
                thread::sleep(self.options.batch_every);
            }
            let mut batch = self.shared.queue.take(empty);
            self.seal_all(&mut batch.records);
            self.flushes.append(&mut batch.flushes);
            self.state_what_is_gone();
            if batch.is_closing {
                return self.finish();
            }
            empty = batch;
        }
    }

    /// Adds records to the chain. Their rooms are free when they are in it.
    fn seal_all(&mut self, records: &mut Vec<Record>) {
        let mut sealed = 0;
        while let Some(left @ [_, ..]) = records.get(sealed..) {
            let (bytes, mut count) = (self.options.argument_bytes, 0);
            self.seal(|known, room, out| {
                count = line::records(left, room, bytes, known, out);
                count as u64
            });
            self.shared.used.fetch_sub(count, Relaxed);
            sealed += count;
        }
        records.clear();
    }

    fn event(&mut self, event: &Event) {
        self.seal(|_, _, out| {
            line::event(event, SystemTime::now(), out);
            1
        });
    }

    /// Adds a line to the chain. `body` writes it, with so much room for records, and says how many records it has.
    fn seal(&mut self, mut body: impl FnMut(&mut Known, usize, &mut Vec<u8>) -> u64) {
        let mut has_rotated = false;
        loop {
            let (before, start) = (self.link, self.pending.len());
            let room = self.options.segment_bytes.saturating_sub(self.length() + FRAME);
            let room = usize::try_from(room).unwrap_or(LINE).min(LINE);
            let (known, body) = (&mut self.known, &mut body);
            let link = chain::seal(before.sequence + 1, before.hash, &mut self.pending, |out| body(known, room, out));
            let (length, is_first) = (self.length(), self.store.length() == 0 && start == 0);
            if length <= self.options.segment_bytes || is_first || has_rotated {
                self.link = link;
                if self.pending.len() > PENDING {
                    self.write();
                }
                return;
            }
            // Once more, as the first line of the next segment.
            self.pending.truncate(start);
            self.rotate(before);
            has_rotated = true;
        }
    }

    /// Bytes of the segment, those among them that are not yet in it.
    fn length(&self) -> u64 {
        self.store.length() + self.pending.len() as u64
    }

    /// Begins another segment; all before it is on disk.
    fn rotate(&mut self, before: Link) {
        self.write();
        self.known.clear();
        self.insist(|writer| writer.store.sync(before));
        self.insist(|writer| writer.store.rotate(before));
        if let Some(keep) = self.options.keep_bytes {
            self.insist(|writer| {
                let through = writer.store.prune(keep, before)?;
                writer.pruned = through.or(writer.pruned);
                Ok(())
            });
        }
    }

    fn state_what_is_gone(&mut self) {
        let counts = self.shared.dropped.each_ref().map(|count| count.swap(0, Relaxed));
        if counts.iter().any(|count| *count > 0) {
            self.event(&Event::Dropped(counts));
        }
        if let Some(through) = self.pruned.take() {
            self.event(&Event::Pruned { through });
        }
    }

    fn write(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let lines = mem::take(&mut self.pending);
        self.insist(|writer| writer.store.append(&lines));
        self.unsynced.get_or_insert_with(Instant::now);
        self.pending = lines;
        self.pending.clear();
    }

    fn sync_if_due(&mut self) {
        let is_due = self.unsynced.is_some_and(|since| since.elapsed() >= self.options.sync_every);
        if is_due || !self.flushes.is_empty() {
            self.insist(|writer| writer.store.sync(writer.link));
            self.unsynced = None;
            for done in self.flushes.drain(..) {
                // Whoever asked may have given up.
                let _ = done.try_send(());
            }
        }
    }

    /// How long nothing need be done.
    fn pause(&self) -> Duration {
        self.unsynced.map_or(IDLE, |since| self.options.sync_every.saturating_sub(since.elapsed()))
    }

    /// Does something until it works. Meanwhile the queue fills, and those who must be recorded are refused. A log that is
    /// being closed does not wait.
    fn insist(&mut self, mut what: impl FnMut(&mut Self) -> io::Result<()>) {
        while !self.is_lost {
            let Err(error) = what(self) else {
                if self.shared.is_failing.swap(false, Relaxed) {
                    tracing::warn!("the audit log can be written again");
                }
                return;
            };
            if !self.shared.is_failing.swap(true, Relaxed) {
                tracing::error!(%error, "the audit log cannot be written; trying again");
            }
            if self.shared.is_closed.load(Relaxed) {
                self.is_lost = true;
            } else {
                thread::park_timeout(self.options.retry_every);
            }
        }
    }

    fn finish(mut self) -> Result<(), CloseError> {
        self.event(&Event::Stopped);
        self.write();
        self.insist(|writer| writer.store.sync(writer.link));
        if self.is_lost { Err(CloseError) } else { Ok(()) }
    }
}

/// Bytes of records after which a line ends.
const LINE: usize = 64 << 10;
/// Bytes of a line besides its records: hashes, numbers, names.
const FRAME: u64 = 256;
/// Sealed bytes that are written without waiting for more.
const PENDING: usize = 256 << 10;
/// How long to wait for the first record.
const IDLE: Duration = Duration::from_secs(3600);
