//! Things that sessions have begun.

use std::{
    sync::{
        Arc,
        atomic::Ordering::{AcqRel, Acquire},
    },
    time::Instant,
};

use crate::{client::ClientError, journal::Entry, metrics::Traffic};

/// Something that a session has begun and that is not over: it counts as in flight, and its outcome goes to the audit log. Dropped
/// without an outcome, it has failed.
pub(crate) struct UnderWay {
    traffic: Arc<Traffic>,
    entry: Option<Entry>,
}

impl UnderWay {
    /// Begins, if no more than `limit` are under way with it.
    pub(crate) fn begin(traffic: &Arc<Traffic>, limit: usize) -> Result<Self, ClientError> {
        let more = |running| (running < limit).then_some(running + 1);
        let counted = traffic.in_flight.fetch_update(AcqRel, Acquire, more);
        counted.map(|_| Self { traffic: traffic.clone(), entry: None }).map_err(|_| Traffic::too_many())
    }

    /// Begins, where whoever asks has looked whether there is [room](Traffic::room).
    pub(crate) fn new(traffic: &Arc<Traffic>) -> Self {
        traffic.in_flight.fetch_add(1, AcqRel);
        Self { traffic: traffic.clone(), entry: None }
    }

    /// To be recorded when it is over.
    pub(crate) fn recorded(mut self, entry: Option<Entry>) -> Self {
        self.entry = entry;
        self
    }

    /// It is over; `ok` is whether the service did what it was asked.
    pub(crate) fn finish(mut self, ok: bool) {
        if let Some(entry) = self.entry.take() {
            entry.finish(Instant::now(), ok);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.traffic.in_flight.fetch_sub(1, AcqRel);
        if let Some(entry) = self.entry.take() {
            entry.finish(Instant::now(), false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_are_under_way_and_what_is_dropped_makes_room() {
        let traffic = Arc::<Traffic>::default();
        let (first, second) = (UnderWay::begin(&traffic, 2), UnderWay::begin(&traffic, 2));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(UnderWay::begin(&traffic, 2).err().map(|error| error.code()), Some("KW-G001"));
        drop(first);
        UnderWay::begin(&traffic, 2).unwrap().finish(true);
        assert_eq!(traffic.in_flight.load(Acquire), 1);
    }
}
