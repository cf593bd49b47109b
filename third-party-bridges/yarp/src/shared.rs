//! What all ports of the front share.

use std::{
    collections::BTreeSet,
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use keyway_bridge::{Bus, OptIn, Peer};
use parking_lot::Mutex;

use crate::{front::NAME, name_server::NameServer, options::Options, registrar::Registrar};

/// Where everything comes from.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) opt_in: OptIn,
    pub(crate) bus: Bus,
    pub(crate) options: Options,
    pub(crate) name_server: NameServer,
    pub(crate) registrar: Registrar,
    /// Of all ports that are open.
    pub(crate) urls: Mutex<BTreeSet<String>>,
    connections: Arc<AtomicUsize>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Shared {
    pub(crate) fn new(
        opt_in: OptIn,
        bus: Bus,
        options: Options,
        name_server: NameServer,
        registrar: Registrar,
    ) -> Self {
        Self { opt_in, bus, options, name_server, registrar, urls: Mutex::default(), connections: Arc::default() }
    }

    /// By whom the calls of a connection are made.
    pub(crate) fn peer(&self, name: &str, address: impl Display) -> Peer {
        self.bus.peer(NAME, name, address).with_limit(self.options.call_timeout)
    }

    /// Room for another connection, if there is any.
    pub(crate) fn admit(&self) -> Option<Counted> {
        count(&self.connections, MAX_CONNECTIONS)
    }
}

/// Counts one more, unless that were too many.
pub(crate) fn count(counter: &Arc<AtomicUsize>, limit: usize) -> Option<Counted> {
    let more = |count: usize| (count < limit).then_some(count + 1);
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
    Some(Counted(counter.clone()))
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Of all ports (spec 8).
const MAX_CONNECTIONS: usize = 1024;
