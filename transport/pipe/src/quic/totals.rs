//! How much waits in all lanes of a session, and is kept for its peer.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::{QueueBudget, outbox::Share};

/// Bytes of a session; all of them count for the budget that sessions share.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// What waits to be written, or is being written.
    queued: AtomicUsize,
    /// What was written, or cannot be for want of a connection, and the peer may not have.
    kept: AtomicUsize,
    share: Share,
}

impl Totals {
    pub(super) fn sharing(budget: Option<QueueBudget>) -> Self {
        Self { share: Share::of(budget), ..Self::default() }
    }

    pub(super) fn queued(&self) -> usize {
        self.queued.load(Relaxed)
    }

    pub(super) fn kept(&self) -> usize {
        self.kept.load(Relaxed)
    }

    /// Whether there is no room left for several sessions together, and this one is among those who take it.
    pub(super) fn are_at_end(&self) -> bool {
        self.share.is_at_end()
    }

    pub(super) fn queue(&self, bytes: usize) {
        self.queued.fetch_add(bytes, Relaxed);
        self.share.add(bytes);
    }

    pub(super) fn unqueue(&self, bytes: usize) {
        self.queued.fetch_sub(bytes, Relaxed);
        self.share.sub(bytes);
    }

    pub(super) fn keep(&self, bytes: usize) {
        self.kept.fetch_add(bytes, Relaxed);
        self.share.add(bytes);
    }

    pub(super) fn forget(&self, bytes: usize) {
        self.kept.fetch_sub(bytes, Relaxed);
        self.share.sub(bytes);
    }
}
