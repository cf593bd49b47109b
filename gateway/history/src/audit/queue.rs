//! What waits for the log's thread. Whoever records adds to a list; the thread takes the whole list away and leaves an empty one.

use std::{mem, sync::mpsc::SyncSender, time::Duration};

use parking_lot::{Condvar, Mutex};

use super::record::Record;

/// Bounded by those who add to it: a record has its room ([`Shared::used`](super::log::Shared::used)), and flushes come one at a time.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    /// The thread sleeps until something arrives.
    is_awaited: bool,
    /// Nothing is taken any more.
    has_ended: bool,
}

/// What the thread takes away at once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    /// Whoever waits until all before is on disk.
    pub(super) flushes: Vec<SyncSender<()>>,
    /// It is the last one.
    pub(super) is_closing: bool,
}

/// The thread has ended.
#[derive(Debug)]
pub(super) struct Ended;

impl Queue {
    /// Adds a record, for which there is room.
    pub(super) fn push(&self, record: Record) -> Result<(), Ended> {
        self.add(|batch| batch.records.push(record))
    }

    /// Adds records, for which there is room, and leaves an empty list.
    pub(super) fn append(&self, records: &mut Vec<Record>) -> Result<(), Ended> {
        self.add(|batch| batch.records.append(records))
    }

    /// Adds somebody who waits until all before is on disk.
    pub(super) fn flush(&self, done: SyncSender<()>) -> Result<(), Ended> {
        self.add(|batch| batch.flushes.push(done))
    }

    /// Says that the next batch is the last.
    pub(super) fn close(&self) {
        // A thread that has ended already is as good.
        let _ = self.add(|batch| batch.is_closing = true);
    }

    fn add(&self, what: impl FnOnce(&mut Batch)) -> Result<(), Ended> {
        let mut waiting = self.waiting.lock();
        if waiting.has_ended {
            return Err(Ended);
        }
        what(&mut waiting.batch);
        let wake = mem::take(&mut waiting.is_awaited);
        drop(waiting);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits until there is something, or no longer than `patience`. Returns whether it is worth waiting for more: there are records,
    /// and nobody waits for them.
    pub(super) fn wait(&self, patience: Duration) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.batch.is_empty() && !patience.is_zero() {
            waiting.is_awaited = true;
            let _ = self.arrived.wait_while_for(&mut waiting, |waiting| waiting.is_awaited, patience);
            waiting.is_awaited = false;
        }
        let Batch { records, flushes, is_closing } = &waiting.batch;
        !records.is_empty() && flushes.is_empty() && !is_closing
    }

    /// Puts an empty batch in the place of what waits, which it returns.
    pub(super) fn take(&self, empty: Batch) -> Batch {
        let mut waiting = self.waiting.lock();
        let batch = mem::replace(&mut waiting.batch, empty);
        waiting.has_ended |= batch.is_closing;
        batch
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.flushes.is_empty() && !self.is_closing
    }
}
