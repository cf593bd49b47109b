//! YARP ports as services of the bus (spec 7).

mod connected;
mod publish;
mod rpc;
mod subscribe;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use keyway::{Error, Object, Property, Signal, Value};
use keyway_yarp_wire::{Bottle, BottleError, Item, Vocab};
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::{
    mapping::{to_bottle, to_dynamic},
    options::Import,
    root::IMPORTS,
    shared::Shared,
};

/// Registers a service, and keeps it connected to its ports until it is dropped.
pub(crate) async fn run(shared: Arc<Shared>, import: Import) {
    let mut tasks = JoinSet::new();
    let mut builder = Object::builder();
    let status = Status::new(&import);
    let folder = format!("{}/{IMPORTS}/{}", shared.options.prefix, import.service);
    builder.description("Ports of YARP, shown by a bridge");
    builder.read_only_property("connected", &status.connected);
    if let Some(port) = &import.rpc {
        let client = rpc::start(&shared, &folder, port, import.carrier, &status, &mut tasks);
        add_rpc(&mut builder, &shared, client);
    }
    let heard = import.subscribe.as_ref().map(|_| Heard::default());
    if let Some(heard) = &heard {
        builder.signal("data", &heard.data).signal("stamped", &heard.stamped);
        builder.read_only_property("last", &heard.last);
    }
    let publisher = import.publish.as_ref().map(|_| publish::Publisher::default());
    if let Some(publisher) = &publisher {
        let (publisher, shared) = (publisher.clone(), shared.clone());
        builder.method("send", move |(values,): (Vec<Value>,)| {
            publisher.send(bottle(values, &shared)?).map_err(Error::remote)
        });
        builder.document("send", "Writes a bottle", &[("values", "what is in it")], "");
    }
    // The name is ours before anybody in YARP hears of it.
    let hosted = match shared.bus.register(&import.service, builder.build()).await {
        Ok(hosted) => hosted,
        Err(error) => {
            tracing::error!(service = import.service, %error, "the import is refused");
            return;
        }
    };
    if let (Some(port), Some(heard)) = (&import.subscribe, heard) {
        tasks.spawn(subscribe::run(
            shared.clone(),
            folder.clone(),
            port.clone(),
            import.carrier,
            heard,
            status.clone(),
        ));
    }
    if let (Some(port), Some(publisher)) = (&import.publish, publisher) {
        tasks.spawn(publish::run(shared.clone(), folder, port.clone(), import.carrier, publisher, status));
    }
    while tasks.join_next().await.is_some() {}
    drop(hosted);
}

/// What came last, and who is told.
#[derive(Debug, Default)]
struct Heard {
    data: Signal<(Vec<Value>,)>,
    stamped: Signal<(Vec<Value>, String)>,
    last: Property<Vec<Value>>,
}

/// Which ports are connected.
#[derive(Debug, Clone)]
struct Status {
    connected: Property<bool>,
    parts: Arc<Mutex<BTreeMap<&'static str, bool>>>,
}

impl Status {
    fn new(import: &Import) -> Self {
        let parts = [(RPC, &import.rpc), (SUBSCRIBE, &import.subscribe), (PUBLISH, &import.publish)];
        let parts = parts.into_iter().filter(|(_, port)| port.is_some()).map(|(part, _)| (part, false)).collect();
        Self { connected: Property::new(false), parts: Arc::new(Mutex::new(parts)) }
    }

    fn set(&self, part: &'static str, is_connected: bool) {
        let mut parts = self.parts.lock();
        parts.insert(part, is_connected);
        let all = parts.values().all(|connected| *connected);
        if self.connected.get() != all {
            // Nothing refuses it.
            let _ = self.connected.set(all);
        }
    }
}

fn add_rpc(builder: &mut keyway::ObjectBuilder, shared: &Arc<Shared>, client: rpc::Client) {
    let (calling, for_call) = (client.clone(), shared.clone());
    builder.method_async("call", move |(command, args): (String, Vec<Value>)| {
        let (client, arguments) = (calling.clone(), bottle(args, &for_call));
        async move {
            let mut items: Vec<_> = command.split_whitespace().map(Item::from).collect();
            items.extend(arguments?.items);
            let reply = client.ask(items.into()).await.map_err(Error::remote)?;
            match &reply.items[..] {
                [Item::Vocab(Vocab::FAIL), rest @ ..] => {
                    let text = rest.first().map(|item| {
                        item.word().map_or_else(|| Bottle::from(vec![item.clone()]).to_string(), Cow::into_owned)
                    });
                    Err(Error::remote(text.unwrap_or_else(|| "the port says [fail]".to_owned())))
                }
                items => Ok(values(items)),
            }
        }
    });
    builder.document("call", "Calls the port", &[("command", "its words"), ("args", "what follows")], "the reply");
    let dialect = shared.options.dialect;
    builder.method_async("rpc", move |(line,): (String,)| {
        let (client, request) = (client.clone(), Bottle::parse(line.as_bytes(), dialect));
        async move {
            let request = request.map_err(|error: BottleError| Error::remote(format!("malformed: {error}")))?;
            client.ask(request).await.map(|reply| reply.to_string()).map_err(Error::remote)
        }
    });
    builder.document("rpc", "Calls the port in the text form of bottles", &[("line", "the call")], "the reply");
}

/// Values as a bottle.
fn bottle(values: Vec<Value>, shared: &Shared) -> Result<Bottle, Error> {
    let tuple = Value::tuple(values);
    to_bottle(&tuple, shared.options.struct_style).map_err(|error| Error::remote(error.to_string()))
}

/// A bottle as values.
fn values(items: &[Item]) -> Vec<Value> {
    items.iter().map(|item| to_dynamic(item).unwrap_dynamic()).collect()
}

/// What every error begins with while the other side is not there.
fn unavailable(why: &str) -> String {
    format!("yarp peer unavailable: {why}")
}

const RPC: &str = "rpc";
const SUBSCRIBE: &str = "subscribe";
const PUBLISH: &str = "publish";
