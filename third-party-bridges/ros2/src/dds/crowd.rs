//! Counts who has left the domain.
//!
//! The library keeps for ever what it has heard of others (rustdds 0.15.1: their topics, readers and writers, and all that these
//! have said of themselves), some 100 KiB of a node. Only another participant knows nothing of them.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use rustdds::DomainParticipantStatusEvent;
use tokio::sync::Notify;

/// The others in the domain, as the node's first participant sees them.
#[derive(Debug)]
pub(crate) struct Crowd {
    people: Mutex<People>,
    /// How many may have left before the library is to forget them.
    limit: usize,
    is_large: Notify,
}

#[derive(Debug, Default)]
struct People {
    /// Participants of the bridge: those that are gone are kept by the library, too.
    own: BTreeSet<Prefix>,
    here: BTreeSet<Prefix>,
    left: usize,
}

/// What identifies a participant.
type Prefix = [u8; 12];

impl Crowd {
    pub(crate) fn new(limit: usize) -> Self {
        Self { people: Mutex::default(), limit: limit.max(1), is_large: Notify::new() }
    }

    /// Waits until so many have left that the library is to forget them: when nobody is there who would notice, or when there are
    /// far too many.
    pub(crate) async fn is_large(&self) {
        self.is_large.notified().await;
    }

    /// A participant of the bridge has begun.
    pub(super) fn begin(&self, participant: Prefix) {
        self.people.lock().own.insert(participant);
    }

    pub(super) fn follow(&self, event: &DomainParticipantStatusEvent) {
        match event {
            DomainParticipantStatusEvent::ParticipantDiscovered { dpd } => self.came(prefix(dpd.guid.prefix)),
            DomainParticipantStatusEvent::ParticipantLost { id, .. } => self.left(prefix(id)),
            _ => {}
        }
    }

    fn came(&self, who: Prefix) {
        self.people.lock().here.insert(who);
    }

    fn left(&self, who: Prefix) {
        let mut people = self.people.lock();
        people.here.remove(&who);
        people.left += 1;
        let nobody_is_here = people.here.is_subset(&people.own);
        if people.left >= self.limit && (nobody_is_here || people.left >= self.limit.saturating_mul(PATIENCE)) {
            self.is_large.notify_one();
        }
    }
}

/// The library does not name its type.
pub(super) fn prefix(bytes: impl AsRef<[u8]>) -> Prefix {
    bytes.as_ref().try_into().unwrap_or_default()
}

/// So many times the limit may have left while somebody is there.
const PATIENCE: usize = 10;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    impl Crowd {
        fn is_large_now(&self) -> bool {
            self.is_large().now_or_never().is_some()
        }
    }

    #[test]
    fn the_library_is_to_forget_when_nobody_notices_or_when_there_are_far_too_many() {
        let crowd = Crowd::new(2);
        crowd.begin([0; 12]);
        crowd.came([0; 12]);
        crowd.came([1; 12]);
        crowd.came([2; 12]);
        crowd.left([1; 12]);
        assert!(!crowd.is_large_now(), "one has left");
        crowd.came([3; 12]);
        crowd.left([2; 12]);
        assert!(!crowd.is_large_now(), "somebody is there");
        crowd.left([3; 12]);
        assert!(crowd.is_large_now());

        let crowd = Crowd::new(2);
        crowd.came([1; 12]);
        for _ in 1..2 * PATIENCE {
            crowd.left([2; 12]);
        }
        assert!(!crowd.is_large_now(), "somebody is there");
        crowd.left([2; 12]);
        assert!(crowd.is_large_now());
    }
}
