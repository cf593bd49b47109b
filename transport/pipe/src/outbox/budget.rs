//! Room that connections share.

use std::sync::{
    Arc,
    atomic::{AtomicIsize, Ordering::Relaxed},
};

/// Bytes that may wait for all peers of several connections together. Clones are the same.
#[derive(Debug, Clone)]
pub struct QueueBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: isize,
    /// Below 0 for moments: what leaves may be counted before it has been counted as waiting.
    held: AtomicIsize,
}

/// What one connection takes of a budget; it gives that back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share {
    budget: Option<QueueBudget>,
    held: AtomicIsize,
}

impl QueueBudget {
    /// Of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Inner { limit: signed(bytes), held: AtomicIsize::new(0) }))
    }

    /// What waits now.
    pub fn held(&self) -> usize {
        usize::try_from(self.0.held.load(Relaxed)).unwrap_or(0)
    }
}

impl Share {
    pub(crate) fn of(budget: Option<QueueBudget>) -> Self {
        Self { budget, held: AtomicIsize::new(0) }
    }

    /// Takes as much as now waits, instead of what waited before. Not to be called by two at a time.
    pub(crate) fn set(&self, bytes: usize) {
        let Some(QueueBudget(budget)) = &self.budget else { return };
        let bytes = signed(bytes);
        let before = self.held.swap(bytes, Relaxed);
        budget.held.fetch_add(bytes - before, Relaxed);
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Relaxed) > 0
    }

    pub(crate) fn add(&self, bytes: usize) {
        let Some(QueueBudget(budget)) = &self.budget else { return };
        self.held.fetch_add(signed(bytes), Relaxed);
        budget.held.fetch_add(signed(bytes), Relaxed);
    }

    pub(crate) fn sub(&self, bytes: usize) {
        let Some(QueueBudget(budget)) = &self.budget else { return };
        self.held.fetch_sub(signed(bytes), Relaxed);
        budget.held.fetch_sub(signed(bytes), Relaxed);
    }

    /// Whether nothing more fits, and this connection is among those who hold something.
    pub(crate) fn is_at_end(&self) -> bool {
        let is_spent = |QueueBudget(budget): &QueueBudget| budget.held.load(Relaxed) >= budget.limit;
        self.is_held() && self.budget.as_ref().is_some_and(is_spent)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// No memory has more.
fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_by_all_and_given_back_by_each() {
        let budget = QueueBudget::new(100);
        let (one, other) = (Share::of(Some(budget.clone())), Share::of(Some(budget.clone())));
        one.set(60);
        other.add(30);
        assert!(!one.is_at_end() && !other.is_at_end());
        other.add(10);
        assert!(one.is_at_end() && other.is_at_end());
        one.set(20);
        assert_eq!((budget.held(), other.is_at_end()), (60, false));
        one.set(90);
        other.sub(40);
        assert!(!other.is_at_end(), "whoever holds nothing is not to blame");
        drop(one);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn without_a_budget_there_is_no_end() {
        let alone = Share::default();
        alone.set(usize::MAX);
        assert!(!alone.is_at_end());
    }
}
