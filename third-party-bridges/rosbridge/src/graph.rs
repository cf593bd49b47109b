//! What there is: the topics and services of the bus, and those of clients, which are there for the other clients.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Weak},
    time::SystemTime,
};

use arc_swap::ArcSwap;
use keyway_bridge::{Bus, Service, Snapshot};
use keyway_bridge_ros::{Events, Provided, Sink};
use keyway_ros_types::{Mapping, Registry, RosVersion, Shape, Stamp, Topic, TypeName};
use keyway_value::Value;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{front::Options, op::full_name};

/// Shared by all clients.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) bus: Bus,
    pub(crate) options: ArcSwap<Options>,
    /// The types that there are without any service.
    registry: Registry,
    mapping: ArcSwap<Mapping>,
    /// The services of the bus, and of the bridge itself.
    provided: ArcSwap<BTreeMap<String, Arc<Provided>>>,
    clients: Mutex<Clients>,
    /// Something is there that was not, or is gone.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Clients {
    topics: BTreeMap<String, ClientTopic>,
    services: BTreeMap<String, ClientService>,
}

#[derive(Debug)]
struct ClientTopic {
    kind: TypeName,
    shape: Shape,
    publishers: HashSet<u64>,
    latched: Option<Arc<Value>>,
    events: broadcast::Sender<Arc<Value>>,
    /// Rules and imports that listen. They keep the topic, whoever publishes.
    sinks: Vec<Listening>,
}

/// A rule or import that listens.
#[derive(Clone)]
struct Listening(Arc<Sink>);

#[derive(Debug)]
struct ClientService {
    kind: TypeName,
    owner: u64,
    asks: mpsc::Sender<Asked>,
}

/// A call that a client is to answer.
#[derive(Debug)]
pub(crate) struct Asked {
    /// As the client has advertised it.
    pub(crate) service: String,
    pub(crate) args: Json,
    pub(crate) answer: oneshot::Sender<Result<Json, Json>>,
}

/// Where the messages of a topic come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A signal or property.
    Bus(Box<Topic>, Arc<Service>),
    /// Clients, or the bridge itself.
    Clients { shape: Shape, latched: Option<Arc<Value>>, events: broadcast::Receiver<Arc<Value>> },
}

impl Graph {
    pub(crate) fn start(bus: &Bus, options: Options, registry: Registry) -> Arc<Self> {
        let mapping = Mapping::new(options.ros.mapping.clone(), registry.clone(), []);
        let with_events = options.ros.events;
        let graph = Arc::new(Self {
            bus: bus.clone(),
            options: ArcSwap::from_pointee(options),
            registry,
            mapping: ArcSwap::from_pointee(mapping),
            provided: ArcSwap::default(),
            clients: Mutex::default(),
            changes: watch::Sender::new(0),
        });
        let mut services = bus.services();
        let snapshot = services.borrow_and_update().clone();
        graph.map(&snapshot);
        let mut events = with_events.then(|| events(&graph)).flatten();
        if let Some(events) = &mut events {
            events.follow(&snapshot);
        }
        tokio::spawn(follow(Arc::downgrade(&graph), services, events));
        graph
    }

    fn map(&self, snapshot: &Snapshot) {
        let services = snapshot.iter().map(|(name, service)| (name.as_str(), service.members()));
        let mapping = Mapping::new(self.options.load().ros.mapping.clone(), self.registry.clone(), services);
        let text = Value::from(mapping.services_json());
        let root = mapping.options().root.clone();
        for skipped in mapping.skipped() {
            tracing::debug!(service = skipped.service, member = skipped.member, reason = %skipped.reason, "not shown");
        }
        let mut provided = Provided::members(snapshot, &mapping);
        provided.extend(Provided::own(&mapping, RosVersion::Ros1));
        self.provided
            .store(Arc::new(provided.into_iter().map(|(name, provided)| (name, Arc::new(provided))).collect()));
        self.mapping.store(Arc::new(mapping));
        self.publish_list(&full_name(&format!("{root}/services")), text);
        self.changed();
    }

    /// The list of what is shown, for who comes now and who comes later.
    fn publish_list(&self, topic: &str, text: Value) {
        let Some((kind, shape)) = self.message_type("std_msgs/String") else { return };
        let Shape::Message(message) = &shape else { return };
        let list = Arc::new(message.value(vec![text]));
        let mut clients = self.clients.lock();
        let entry = clients.topics.entry(topic.to_owned()).or_insert_with(|| ClientTopic::new(kind, shape.clone()));
        entry.publishers.insert(THE_BRIDGE);
        entry.latched = Some(list.clone());
        // Nobody need listen.
        let _ = entry.events.send(list);
    }

    pub(crate) fn mapping(&self) -> Arc<Mapping> {
        self.mapping.load_full()
    }

    /// Tells of changes from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Where the messages of a topic come from, if it is there.
    pub(crate) fn source(&self, topic: &str) -> Option<Source> {
        let mapping = self.mapping.load();
        if let Some(topic) = mapping.topics().find(|known| known.name == topic) {
            let service = self.bus.find(&topic.service).ok()?;
            return Some(Source::Bus(Box::new(topic.clone()), service));
        }
        let clients = self.clients.lock();
        let topic = clients.topics.get(topic)?;
        let (shape, latched, events) = (topic.shape.clone(), topic.latched.clone(), topic.events.subscribe());
        Some(Source::Clients { shape, latched, events })
    }

    /// All topics with their types.
    pub(crate) fn topics(&self) -> Vec<(String, TypeName)> {
        let mapping = self.mapping.load();
        let of_bus = mapping.topics().map(|topic| (topic.name.clone(), topic.type_name.clone()));
        let mut topics: Vec<_> = of_bus.collect();
        topics.extend(self.clients.lock().topics.iter().map(|(name, topic)| (name.clone(), topic.kind.clone())));
        topics
    }

    /// All services with their types.
    pub(crate) fn services(&self) -> Vec<(String, TypeName)> {
        let provided = self.provided.load();
        let mut services: Vec<_> = provided.iter().map(|(name, own)| (name.clone(), own.kind().clone())).collect();
        services
            .extend(self.clients.lock().services.iter().map(|(name, service)| (name.clone(), service.kind.clone())));
        services
    }

    /// A service of the bus, or of the bridge itself.
    pub(crate) fn provided(&self, name: &str) -> Option<Arc<Provided>> {
        self.provided.load().get(name).cloned()
    }

    /// A type of messages that is known.
    pub(crate) fn message_type(&self, name: &str) -> Option<(TypeName, Shape)> {
        let name: TypeName = name.parse().ok()?;
        let shape = Shape::of_message(self.mapping.load().registry(), &name).ok()?;
        Some((name, shape))
    }

    /// A client publishes on a topic from now on.
    pub(crate) fn advertise(&self, client: u64, topic: &str, kind: &str) -> Result<(), String> {
        if self.mapping.load().topics().any(|known| known.name == topic) {
            return Err(format!("{topic} is published by the bridge"));
        }
        let Some((kind, shape)) = self.message_type(kind) else {
            return Err(format!("the type {kind:?} is not known"));
        };
        let mut clients = self.clients.lock();
        if clients.topics.len() >= MOST_TOPICS && !clients.topics.contains_key(topic) {
            return Err("there are too many topics".to_owned());
        }
        let entry = clients.topics.entry(topic.to_owned()).or_insert_with(|| ClientTopic::new(kind.clone(), shape));
        if entry.kind != kind {
            return Err(format!("{topic} is of the type {}, not {kind}", entry.kind));
        }
        if entry.publishers.contains(&THE_BRIDGE) {
            return Err(format!("{topic} is published by the bridge"));
        }
        entry.publishers.insert(client);
        drop(clients);
        self.changed();
        Ok(())
    }

    /// The bridge itself publishes on a topic from now on, and nobody else.
    pub(crate) fn advertise_own(&self, topic: &str, kind: &TypeName) -> Result<(), String> {
        self.advertise(THE_BRIDGE, topic, &kind.to_string())
    }

    /// The bridge itself listens to what clients publish on a topic, which is of this type from now on.
    pub(crate) fn listen_own(&self, topic: &str, kind: &TypeName, sink: Sink) -> Result<(), String> {
        let Some((kind, shape)) = self.message_type(&kind.to_string()) else {
            return Err(format!("the type {kind} is not known"));
        };
        let mut clients = self.clients.lock();
        let entry = clients.topics.entry(topic.to_owned()).or_insert_with(|| ClientTopic::new(kind.clone(), shape));
        if entry.kind != kind {
            return Err(format!("{topic} is of the type {}, not {kind}", entry.kind));
        }
        entry.sinks.push(Listening(Arc::new(sink)));
        Ok(())
    }

    /// Whether any client listens to a topic of clients.
    pub(crate) fn is_heard(&self, topic: &str) -> bool {
        self.clients.lock().topics.get(topic).is_some_and(|topic| topic.events.receiver_count() > 0)
    }

    /// Whether the client has advertised the topic, and the type of its messages.
    pub(crate) fn advertised(&self, client: u64, topic: &str) -> Option<Shape> {
        let clients = self.clients.lock();
        clients.topics.get(topic).filter(|topic| topic.publishers.contains(&client)).map(|topic| topic.shape.clone())
    }

    /// The type of a topic of clients.
    pub(crate) fn kind_of_client_topic(&self, topic: &str) -> Option<TypeName> {
        self.clients.lock().topics.get(topic).map(|topic| topic.kind.clone())
    }

    /// What a client says.
    pub(crate) fn publish(&self, topic: &str, message: Value, latch: bool) {
        let message = Arc::new(message);
        for Listening(sink) in self.tell(topic, &message, latch) {
            sink(message.as_ref().clone());
        }
    }

    /// What the bridge itself says: its own rules and imports do not hear it.
    pub(crate) fn publish_own(&self, topic: &str, message: Value) {
        self.tell(topic, &Arc::new(message), false);
    }

    /// Tells clients, and gives those within the bridge that listen.
    fn tell(&self, topic: &str, message: &Arc<Value>, latch: bool) -> Vec<Listening> {
        let mut clients = self.clients.lock();
        let Some(topic) = clients.topics.get_mut(topic) else { return Vec::new() };
        topic.latched = latch.then(|| message.clone());
        // Nobody need listen.
        let _ = topic.events.send(message.clone());
        topic.sinks.clone()
    }

    pub(crate) fn unadvertise(&self, client: u64, topic: &str) {
        let mut clients = self.clients.lock();
        if let Some(entry) = clients.topics.get_mut(topic) {
            entry.publishers.remove(&client);
            if entry.is_unused() {
                clients.topics.remove(topic);
                drop(clients);
                self.changed();
            }
        }
    }

    /// A client serves a service from now on.
    pub(crate) fn serve(
        &self,
        client: u64,
        service: &str,
        kind: &str,
        asks: mpsc::Sender<Asked>,
    ) -> Result<(), String> {
        let kind: TypeName = kind.parse().map_err(|error: keyway_ros_types::TypeNameError| error.to_string())?;
        if self.services().iter().any(|(known, _)| known == service) && self.owner(service) != Some(client) {
            return Err(format!("{service} is served already"));
        }
        let mut clients = self.clients.lock();
        if clients.services.len() >= MOST_TOPICS && !clients.services.contains_key(service) {
            return Err("there are too many services".to_owned());
        }
        clients.services.insert(service.to_owned(), ClientService { kind, owner: client, asks });
        drop(clients);
        self.changed();
        Ok(())
    }

    fn owner(&self, service: &str) -> Option<u64> {
        self.clients.lock().services.get(service).map(|service| service.owner)
    }

    /// Whom to ask for a service that a client serves, and its type.
    pub(crate) fn server(&self, service: &str) -> Option<(mpsc::Sender<Asked>, TypeName)> {
        self.clients.lock().services.get(service).map(|service| (service.asks.clone(), service.kind.clone()))
    }

    pub(crate) fn unserve(&self, client: u64, service: &str) {
        if self.owner(service) == Some(client) {
            self.clients.lock().services.remove(service);
            self.changed();
        }
    }

    /// A client is gone, with everything that it had.
    pub(crate) fn forget(&self, client: u64) {
        let mut clients = self.clients.lock();
        clients.services.retain(|_, service| service.owner != client);
        clients.topics.retain(|_, topic| {
            topic.publishers.remove(&client);
            !topic.is_unused()
        });
        drop(clients);
        self.changed();
    }
}

impl ClientTopic {
    fn new(kind: TypeName, shape: Shape) -> Self {
        let (events, _) = broadcast::channel(QUEUE);
        Self { kind, shape, publishers: HashSet::new(), latched: None, events, sinks: Vec::new() }
    }

    /// Whether nobody would miss it. Who only subscribes waits for it to come again.
    fn is_unused(&self) -> bool {
        self.publishers.is_empty() && self.sinks.is_empty()
    }
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listening")
    }
}

async fn follow(graph: Weak<Graph>, mut services: watch::Receiver<Snapshot>, mut events: Option<Events>) {
    while services.changed().await.is_ok() {
        let Some(graph) = graph.upgrade() else { return };
        let snapshot = services.borrow_and_update().clone();
        graph.map(&snapshot);
        if let Some(events) = &mut events {
            events.follow(&snapshot);
        }
    }
}

/// Publishes all signals on `<root>/events`.
fn events(graph: &Arc<Graph>) -> Option<Events> {
    let (kind, shape) = graph.message_type("std_msgs/String")?;
    let Shape::Message(message) = shape else { return None };
    let topic = full_name(&format!("{}/events", graph.mapping().options().root));
    graph.advertise_own(&topic, &kind).ok()?;
    let graph = Arc::downgrade(graph);
    Some(Events::new(move |text| {
        if let Some(graph) = graph.upgrade() {
            graph.publish_own(&topic, message.value(vec![text.into()]));
        }
    }))
}

/// What headers say that are written now.
pub(crate) fn now() -> Stamp {
    Stamp::at(0, SystemTime::now())
}

/// Who publishes the lists, and what rules and imports do.
const THE_BRIDGE: u64 = 0;
/// Of all clients.
const MOST_TOPICS: usize = 4096;
/// Messages of a client's topic that wait for a subscription; the oldest go.
const QUEUE: usize = 64;
