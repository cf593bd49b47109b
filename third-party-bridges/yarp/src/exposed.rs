//! The ports of one service (spec 6.1).

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc};

use keyway::{
    ActionId, Signature, Value,
    value::{MetaProperty, MetaSignal, Type},
};
use keyway_bridge::{Event, Mode, Peer, Service};
use keyway_yarp_wire::{Bottle, name_server::port_name_part};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    mapping::{OutgoingError, arguments, from_bottle, to_bottle},
    options::StructStyle,
    port::{Data, Inner, Outputs, Port, Purpose, Reader},
    rpc::Rpc,
    shared::Shared,
};

/// A service with its ports, which close when this is dropped.
#[derive(Debug)]
pub(crate) struct Exposed {
    ports: Vec<Port>,
    tasks: JoinSet<()>,
}

impl Exposed {
    /// Opens the ports of a service; `folder` is what their names begin with. One that cannot be opened is left out.
    pub(crate) async fn open(shared: &Arc<Shared>, service: &Arc<Service>, folder: &str) -> Self {
        let mut exposed = Self { ports: Vec::new(), tasks: JoinSet::new() };
        let reader = Rpc { shared: shared.clone(), service: service.clone() };
        exposed
            .add(shared, &format!("{folder}/rpc:i"), Purpose { reader: Some(Box::new(reader)), outputs: None })
            .await;
        for (part, actions) in outputs(service) {
            let is_property = actions.iter().any(|action| service.members().properties.contains_key(&action.0));
            let outputs = Outputs::new(shared.options.dialect, is_property, shared.options.envelope);
            let purpose = Purpose { reader: None, outputs: Some(outputs) };
            if let Some(port) = exposed.add(shared, &format!("{folder}/{part}:o"), purpose).await {
                let inner = port.inner().clone();
                for action in actions {
                    let pump = Pump { service: service.clone(), action, style: shared.options.struct_style };
                    exposed.tasks.spawn(pump.run(inner.clone()));
                }
            }
        }
        if shared.options.inputs {
            exposed.add_inputs(shared, service, folder).await;
        }
        exposed
    }

    async fn add_inputs(&mut self, shared: &Arc<Shared>, service: &Arc<Service>, folder: &str) {
        for property in service.members().properties.values().filter(|property| is_shown(&property.name)) {
            let setter = Setter::start(shared, service, property, &mut self.tasks);
            let purpose = Purpose { reader: Some(Box::new(setter)), outputs: None };
            self.add(shared, &format!("{folder}/{}:i", port_name_part(&property.name)), purpose).await;
        }
        let mut named: Vec<&str> = Vec::new();
        for signal in service.signals().filter(|signal| is_shown(&signal.name)) {
            // Of overloads the first one is emitted.
            if named.contains(&signal.name.as_str()) || service.property(&signal.name).is_ok() {
                continue;
            }
            named.push(&signal.name);
            let emitter = Emitter { service: service.clone(), signal: signal.clone() };
            let purpose = Purpose { reader: Some(Box::new(emitter)), outputs: None };
            self.add(shared, &format!("{folder}/{}:i", port_name_part(&signal.name)), purpose).await;
        }
    }

    async fn add(&mut self, shared: &Arc<Shared>, name: &str, purpose: Purpose) -> Option<&Port> {
        match Port::open(shared, name, purpose).await {
            Ok(port) => {
                self.ports.push(port);
                self.ports.last()
            }
            Err(error) => {
                tracing::error!(port = name, %error, "the port is not opened");
                None
            }
        }
    }
}

/// The outputs by the name they have on YARP's side; a signal and a property of one name share a port, and so do overloads.
fn outputs(service: &Service) -> BTreeMap<String, Vec<ActionId>> {
    let mut outputs: BTreeMap<String, (String, Vec<ActionId>)> = BTreeMap::new();
    let signals = service.signals().map(|signal| (&signal.name, signal.uid));
    let properties = service.members().properties.values().map(|property| (&property.name, property.uid));
    for (name, uid) in signals.chain(properties).filter(|(name, _)| is_shown(name)) {
        let part = port_name_part(name);
        let (first, actions) = outputs.entry(part).or_insert_with(|| (name.clone(), Vec::new()));
        if first == name {
            actions.push(ActionId(uid));
        } else {
            let service = service.name();
            tracing::error!(service, "{name} is not shown: YARP cannot tell its name from that of {first}");
        }
    }
    outputs.into_iter().map(|(part, (_, actions))| (part, actions)).collect()
}

/// Members for insiders are not shown (MAP-4).
fn is_shown(name: &str) -> bool {
    !name.starts_with('_')
}

/// Sends what a signal emits, or a property becomes, while anybody reads it (MAP-3).
struct Pump {
    service: Arc<Service>,
    action: ActionId,
    style: StructStyle,
}

impl Pump {
    async fn run(self, port: Arc<Inner>) {
        let Some(outputs) = port.outputs() else { return };
        let mut readers = outputs.count();
        let mut has_failed = false;
        while readers.wait_for(|readers| *readers > 0).await.is_ok() {
            let Ok(mut listener) = self.service.listen(self.action) else { return };
            loop {
                let event = tokio::select! {
                    event = listener.next() => event,
                    _ = readers.wait_for(|readers| *readers == 0) => break,
                };
                let Some(event) = event else { return };
                match self.bottle(&event) {
                    Ok(bottle) => outputs.send(port.name(), bottle),
                    Err(error) => {
                        if !has_failed {
                            tracing::warn!(port = port.name(), %error, "values that YARP cannot have are left out");
                        }
                        has_failed = true;
                    }
                }
            }
            outputs.forget();
        }
    }

    fn bottle(&self, event: &Event) -> Result<Bottle, OutgoingError> {
        to_bottle(&event.value, self.style)
    }
}

/// Sets a property to what is written to its port. The last value wins.
struct Setter {
    shared: Arc<Shared>,
    signature: Signature,
    latest: watch::Sender<Option<Value>>,
}

impl Setter {
    fn start(shared: &Arc<Shared>, service: &Arc<Service>, property: &MetaProperty, tasks: &mut JoinSet<()>) -> Self {
        let (latest, mut changes) = watch::channel(None);
        let (shared, service, id) = (shared.clone(), service.clone(), ActionId(property.uid));
        let setter = Self { shared: shared.clone(), signature: property.signature.clone(), latest };
        let name = property.name.clone();
        tasks.spawn(async move {
            let peer = shared.peer(&format!("{name}:i"), "");
            while changes.changed().await.is_ok() {
                let Some(value) = changes.borrow_and_update().clone() else { continue };
                if let Err(error) = peer.set(&service, id, value).await {
                    tracing::info!(service = service.name(), property = name, %error, "not set");
                }
            }
        });
        setter
    }
}

impl Reader for Setter {
    fn read<'a>(&'a self, message: Data, _: &'a Peer) -> Pin<Box<dyn Future<Output = Bottle> + Send + 'a>> {
        let reply = if self.shared.bus.rules().mode == Mode::Read {
            Bottle::fail("read-only bridge")
        } else {
            match from_bottle(&message.bottle, &self.signature) {
                Ok(value) => {
                    self.latest.send_replace(Some(value));
                    Bottle::default()
                }
                Err(reason) => Bottle::fail(format!("bad argument 1: {reason}")),
            }
        };
        Box::pin(async move { reply })
    }
}

/// Emits a signal with what is written to its port.
struct Emitter {
    service: Arc<Service>,
    signal: MetaSignal,
}

impl Reader for Emitter {
    fn read<'a>(&'a self, message: Data, peer: &'a Peer) -> Pin<Box<dyn Future<Output = Bottle> + Send + 'a>> {
        Box::pin(async move {
            let name = &self.signal.name;
            let items = message.bottle.items;
            let Type::Tuple(wanted) = self.signal.signature.kind() else {
                return Bottle::fail(format!("not allowed: {name} takes anything"));
            };
            if items.len() != wanted.len() {
                let (given, taken) = (items.len(), wanted.len());
                return Bottle::fail(format!("wrong number of arguments for {name}: {given} given, {taken} taken"));
            }
            let values = match arguments(&items, wanted) {
                Ok((values, _)) => values,
                Err((position, reason)) => {
                    return Bottle::fail(format!("bad argument {position} for {name}: {reason}"));
                }
            };
            match peer.emit(&self.service, ActionId(self.signal.uid), values).await {
                Ok(()) => Bottle::default(),
                Err(error) => Bottle::fail(error.to_string()),
            }
        })
    }
}
