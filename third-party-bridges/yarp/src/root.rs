//! The ports of the bridge itself: which services there are (spec 6.1).

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    sync::Arc,
};

use keyway_bridge::{NetworkError, Peer, Service, Snapshot};
use keyway_yarp_wire::{Bottle, Item, admin::many, name_server::port_name_part};
use tokio::sync::watch;

use crate::{
    exposed::Exposed,
    port::{Data, Outputs, Port, Purpose, Reader},
    shared::Shared,
};

/// `PREFIX/rpc:i` and `PREFIX/directory:o`, and all services that come and go.
#[derive(Debug)]
pub(crate) struct Root {
    shared: Arc<Shared>,
    events: Port,
    _rpc: Port,
    open: BTreeMap<String, Shown>,
}

#[derive(Debug)]
struct Shown {
    service: Arc<Service>,
    /// What its ports are called by.
    part: String,
    _ports: Exposed,
}

impl Root {
    pub(crate) async fn open(shared: &Arc<Shared>) -> Result<Self, NetworkError> {
        let Shared { options, .. } = &**shared;
        let reader = Some(Box::new(List { shared: shared.clone() }) as Box<dyn Reader>);
        let rpc = Port::open(shared, &format!("{}/rpc:i", options.prefix), Purpose { reader, outputs: None }).await?;
        let outputs = Some(Outputs::new(options.dialect, false, options.envelope));
        let purpose = Purpose { reader: None, outputs };
        let events = Port::open(shared, &format!("{}/directory:o", options.prefix), purpose).await?;
        Ok(Self { shared: shared.clone(), events, _rpc: rpc, open: BTreeMap::new() })
    }

    /// Opens and closes ports as services come and go, until it is dropped; says for which it has done so.
    pub(crate) async fn follow(mut self, shown: watch::Sender<Snapshot>) {
        let mut services = self.shared.bus.services();
        loop {
            let now = services.borrow_and_update().clone();
            self.close_all_but(|name, service| now.get(name).is_some_and(|other| Arc::ptr_eq(other, service)));
            for (name, service) in now.iter() {
                self.show(name, service).await;
            }
            shown.send_replace(now);
            if services.changed().await.is_err() {
                return;
            }
        }
    }

    fn close_all_but(&mut self, stays: impl Fn(&str, &Arc<Service>) -> bool) {
        let gone = self.open.iter().filter(|(name, shown)| !stays(name, &shown.service));
        let gone: BTreeSet<_> = gone.map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.open.remove(&name);
            self.tell("removed", &name);
        }
    }

    async fn show(&mut self, name: &str, service: &Arc<Service>) {
        let is_import = self.shared.options.imports.iter().any(|import| import.service == name);
        if is_import || self.open.contains_key(name) {
            return;
        }
        let part = port_name_part(name);
        let is_taken = |part: &str| part == IMPORTS || self.open.values().any(|shown| shown.part == part);
        if is_taken(&part) {
            tracing::error!(service = name, "not shown: /{part} is the name of others in YARP already");
            return;
        }
        let folder = format!("{}/{part}", self.shared.options.prefix);
        let ports = Exposed::open(&self.shared, service, &folder).await;
        self.open.insert(name.to_owned(), Shown { service: service.clone(), part, _ports: ports });
        self.tell("added", name);
    }

    fn tell(&self, what: &str, service: &str) {
        if let Some(outputs) = self.events.inner().outputs() {
            outputs.send(self.events.inner().name(), vec![Item::from(what), Item::from(service)].into());
        }
    }
}

/// Answers what comes to `PREFIX/rpc:i`.
struct List {
    shared: Arc<Shared>,
}

impl Reader for List {
    fn read<'a>(&'a self, message: Data, _: &'a Peer) -> Pin<Box<dyn Future<Output = Bottle> + Send + 'a>> {
        let reply = match message.bottle.items.first().and_then(Item::word).as_deref() {
            Some("list") => self.shared.bus.services().borrow().keys().map(String::as_str).collect(),
            Some("help") => many(&["*** Available commands:", "list", "help"]),
            Some(other) => Bottle::fail(format!("unknown method {other}")),
            None => Bottle::fail("unknown method; say help"),
        };
        Box::pin(async move { reply })
    }
}

/// The folder of ports that imports have.
pub(crate) const IMPORTS: &str = "import";
