//! Which connections a port has, as `[list]` and `*` tell.

use std::collections::BTreeMap;

use keyway_yarp_wire::Carrier;
use parking_lot::Mutex;
use tokio::sync::watch;

/// From where to where, seen from a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

/// The connections of a port.
#[derive(Debug)]
pub(crate) struct Links {
    table: Mutex<BTreeMap<u64, Link>>,
    /// Goes up with each change.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Clone)]
struct Link {
    way: Way,
    peer: String,
    carrier: Carrier,
}

impl Default for Links {
    fn default() -> Self {
        Self { table: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

impl Links {
    pub(super) fn add(&self, id: u64, way: Way, peer: &str, carrier: Carrier) {
        self.table.lock().insert(id, Link { way, peer: peer.to_owned(), carrier });
        self.changes.send_modify(|changes| *changes += 1);
    }

    pub(super) fn remove(&self, id: u64) {
        if self.table.lock().remove(&id).is_some() {
            self.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// Changes whenever a connection comes or goes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The names of the ports at the other ends; who is no port is left out.
    pub(crate) fn ports(&self, way: Way) -> Vec<String> {
        let table = self.table.lock();
        let links = table.values().filter(|link| link.way == way && link.peer.starts_with('/'));
        links.map(|link| link.peer.clone()).collect()
    }

    /// How a connection is written, if it is there.
    pub(crate) fn find(&self, way: Way, peer: &str) -> Option<Carrier> {
        let table = self.table.lock();
        table.values().find(|link| link.way == way && link.peer == peer).map(|link| link.carrier)
    }

    /// The lines of `*`.
    pub(super) fn describe(&self, name: &str, contact: &str) -> String {
        let mut text = format!("This is {name} at {contact}\n");
        let table = self.table.lock();
        for (way, none) in [(Way::Out, "outgoing"), (Way::In, "incoming")] {
            let mut found = false;
            for link in table.values().filter(|link| link.way == way) {
                found = true;
                let (article, from, to) = match way {
                    Way::Out => ("output", name, link.peer.as_str()),
                    Way::In => ("input", link.peer.as_str(), name),
                };
                text.push_str(&format!(
                    "There is an {article} connection from {from} to {to} using {}\n",
                    link.carrier
                ));
            }
            if !found {
                text.push_str(&format!("There are no {none} connections\n"));
            }
        }
        text
    }
}
