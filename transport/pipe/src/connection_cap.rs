//! Cap of connections that have not authenticated yet, for each source (hardening H9).

use std::{collections::HashMap, fmt, net::IpAddr, sync::Arc};

use parking_lot::Mutex;

use crate::PeerAddress;

/// Counts connections which have not proved anything yet, by source address and in all.
///
/// A listener asks for a [`ConnectionPermit`] before it starts a session, keeps it until the peer has authenticated, and drops
/// it then or when the connection ends. Peers without an address (inproc, Unix sockets) count as one source.
#[derive(Clone)]
pub struct ConnectionCap {
    counts: Arc<Mutex<Counts>>,
    per_source: usize,
    total: usize,
}

/// Room for one unauthenticated connection; dropping it gives the room back.
pub struct ConnectionPermit {
    counts: Arc<Mutex<Counts>>,
    source: Option<IpAddr>,
}

#[derive(Default)]
struct Counts {
    total: usize,
    by_source: HashMap<Option<IpAddr>, usize>,
    admitted: u64,
    refused: u64,
}

impl ConnectionCap {
    /// At most `per_source` unauthenticated connections from one address, and `total` from all.
    pub fn new(per_source: usize, total: usize) -> Self {
        Self { counts: Arc::default(), per_source, total }
    }

    /// Room for a connection from `peer`, or `None` when it has to be closed at once.
    pub fn admit(&self, peer: &PeerAddress) -> Option<ConnectionPermit> {
        let source = peer.ip();
        let mut counts = self.counts.lock();
        let held = counts.by_source.get(&source).copied().unwrap_or(0);
        if held >= self.per_source || counts.total >= self.total {
            counts.refused += 1;
            return None;
        }
        counts.total += 1;
        counts.admitted += 1;
        counts.by_source.insert(source, held + 1);
        drop(counts);
        Some(ConnectionPermit { counts: self.counts.clone(), source })
    }

    /// Permits held now.
    pub fn held(&self) -> usize {
        self.counts.lock().total
    }

    /// Connections admitted so far.
    pub fn admitted(&self) -> u64 {
        self.counts.lock().admitted
    }

    /// Connections refused so far.
    pub fn refused(&self) -> u64 {
        self.counts.lock().refused
    }
}

impl fmt::Debug for ConnectionCap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionCap")
            .field("per_source", &self.per_source)
            .field("total", &self.total)
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        counts.total -= 1;
        // The map must not remember every address that ever came.
        if let Some(held) = counts.by_source.get_mut(&self.source) {
            *held -= 1;
            if *held == 0 {
                counts.by_source.remove(&self.source);
            }
        }
    }
}

impl fmt::Debug for ConnectionPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionPermit").field("source", &self.source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8, port: u16) -> PeerAddress {
        PeerAddress::Tcp(([10, 0, 0, last], port).into())
    }

    #[test]
    fn h9_a_source_at_its_cap_is_refused_and_others_are_not() {
        let cap = ConnectionCap::new(2, 10);
        let first = cap.admit(&peer(1, 1)).unwrap();
        let _second = cap.admit(&peer(1, 2)).unwrap();
        assert!(cap.admit(&peer(1, 3)).is_none());
        assert!(cap.admit(&peer(2, 1)).is_some());
        assert_eq!((cap.admitted(), cap.refused()), (3, 1));
        drop(first);
        assert!(cap.admit(&peer(1, 3)).is_some());
    }

    #[test]
    fn h9_the_total_is_capped_and_nothing_is_remembered_after_the_end() {
        let cap = ConnectionCap::new(10, 3);
        let permits: Vec<_> = (0..5).filter_map(|last| cap.admit(&peer(last, 1))).collect();
        assert_eq!(permits.len(), 3);
        drop(permits);
        assert_eq!(cap.held(), 0);
        assert!(cap.counts.lock().by_source.is_empty());
    }
}
