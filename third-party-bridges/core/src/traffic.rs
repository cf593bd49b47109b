//! The rules in force, and how many calls are under way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use arc_swap::ArcSwap;

use crate::Rules;

/// Shared by the bus and all its peers.
#[derive(Debug)]
pub(crate) struct Traffic {
    pub(crate) rules: ArcSwap<Rules>,
    under_way: Arc<AtomicUsize>,
}

/// A call under way; dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct UnderWay {
    counters: [Arc<AtomicUsize>; 2],
}

impl Traffic {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules: ArcSwap::from_pointee(rules), under_way: Arc::default() }
    }

    /// Room for a call of a peer that has so many under way, if there is any.
    pub(crate) fn admit(&self, of_peer: &Arc<AtomicUsize>) -> Option<UnderWay> {
        let limits = &self.rules.load().limits;
        if !take(of_peer, limits.calls_per_peer) {
            return None;
        }
        if !take(&self.under_way, limits.calls) {
            of_peer.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(UnderWay { counters: [of_peer.clone(), self.under_way.clone()] })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        for counter in &self.counters {
            counter.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Counts one more, unless that were too many.
fn take(counter: &AtomicUsize, limit: usize) -> bool {
    let more = |count: usize| (count < limit).then_some(count + 1);
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Exposure, Limits};

    #[test]
    fn a_peer_takes_its_share_and_no_more() {
        let limits = Limits { calls_per_peer: 2, calls: 3, ..Limits::default() };
        let traffic = Traffic::new(Rules { limits, ..Rules::new(Exposure::parse(["*"]).unwrap()) });
        let (one, other) = (Arc::default(), Arc::default());
        let running = (traffic.admit(&one).unwrap(), traffic.admit(&one).unwrap());
        assert!(traffic.admit(&one).is_none(), "a peer has a limit");
        let last = traffic.admit(&other).unwrap();
        assert!(traffic.admit(&other).is_none(), "all have a limit");
        drop(running.0);
        assert!(traffic.admit(&other).is_some());
        drop((running.1, last));
        assert_eq!(traffic.under_way.load(Ordering::Relaxed), 0);
    }
}
