//! Shows the services of the directory as they come and go (spec 6.7).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use keyway_bridge::Snapshot;
use keyway_bridge_ros::{Events, Provided, RosOptions};
use keyway_ros_types::{Mapping, MappingOptions, Registry, RosVersion, Shape, Topic, TypeName, body::cdr};
use tokio::sync::{mpsc, watch};

use crate::{
    callers::Callers,
    configured::Configured,
    dds::{Asked, Dds, Place, Quality, Server, Writer},
    names,
    publication::Publication,
};

/// What the bridge shows whatever services there are.
pub(crate) struct Exposed {
    /// With its own participant.
    node: Configured,
    services: watch::Receiver<Snapshot>,
    /// Where members of services are shown. It is another participant: others forget what is gone only with the participant that
    /// had it (see `dds::goodbye`), so that it is left, and entered anew, when a service is gone.
    members: Option<Dds>,
    place: Place,
    options: MappingOptions,
    registry: Registry,
    asked: mpsc::Sender<Asked<Arc<Provided>>>,
    questions: mpsc::Receiver<Asked<Arc<Provided>>>,
    catalogue: Option<Texts>,
    /// `<root>/definitions` as a topic, for which no text is too long.
    definitions: Option<Texts>,
    events: Option<Events>,
    publications: BTreeMap<String, Publication>,
    /// Services of members.
    provided: BTreeMap<String, (Arc<Provided>, Server)>,
    /// Services of the bridge itself.
    own: BTreeMap<String, (Arc<Provided>, Server)>,
}

/// A topic of texts.
struct Texts {
    writer: Writer,
    shape: Shape,
}

impl Exposed {
    pub(crate) fn new(node: Configured, place: Place, options: &RosOptions, registry: Registry) -> Self {
        let (with_events, options) = (options.events, options.mapping.clone());
        let (asked, questions) = mpsc::channel(QUESTIONS);
        let texts =
            |name: &str, quality| Texts::new(&node.dds, &registry, &format!("{}/{name}", options.root), quality);
        let (catalogue, definitions) = (texts("services", Quality::Latched), texts("definitions", Quality::Latched));
        let events = with_events.then(|| texts("events", Quality::Usual)).flatten();
        let events = events.map(|texts| Events::new(move |text| texts.tell(text)));
        Self {
            services: node.bus.services(),
            node,
            members: None,
            place,
            options,
            registry,
            asked,
            questions,
            catalogue,
            definitions,
            events,
            publications: BTreeMap::new(),
            provided: BTreeMap::new(),
            own: BTreeMap::new(),
        }
    }

    /// Follows the services and answers what they are asked, for ever.
    pub(crate) async fn run(mut self) {
        let mut callers = Callers::new(self.node.bus.clone());
        loop {
            tokio::select! {
                changed = self.services.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.show_now().await;
                }
                Some(asked) = self.questions.recv() => callers.answer(asked),
            }
        }
    }

    /// Shows what there is at this moment.
    pub(crate) async fn show_now(&mut self) {
        let services = &self.services.borrow_and_update().clone();
        let members = services.iter().map(|(name, service)| (name.as_str(), service.members()));
        let mapping = Mapping::new(self.options.clone(), self.registry.clone(), members);
        for skipped in mapping.skipped() {
            tracing::info!(service = skipped.service, member = skipped.member, reason = %skipped.reason, "not shown");
        }
        let provided = Provided::members(services, &mapping);
        if self.loses(services, &mapping, &provided) {
            self.publications.clear();
            self.provided.clear();
            self.members = None;
        }
        if let Some(dds) = self.members().await {
            for topic in mapping.topics() {
                let Some(service) = services.get(&topic.service) else { continue };
                let start = || Publication::start(&dds, service.clone(), topic.clone(), self.node.clock.clone());
                self.publications.entry(topic.name.clone()).or_insert_with(start);
            }
            for (name, new) in provided {
                if !self.provided.contains_key(&name) {
                    let served = self.serve(&dds, &name, new);
                    self.provided.insert(name, served);
                }
            }
        }
        self.provide_own(&mapping);
        if let Some(catalogue) = &self.catalogue {
            catalogue.tell(&mapping.services_json());
        }
        if let Some(events) = &mut self.events {
            events.follow(services);
        }
    }

    /// Whether something that is shown is not to be shown any more, or otherwise.
    fn loses(&self, services: &Snapshot, mapping: &Mapping, provided: &BTreeMap<String, Provided>) -> bool {
        let topics: BTreeMap<&str, &Topic> = mapping.topics().map(|topic| (topic.name.as_str(), topic)).collect();
        let is_kept = |name: &str, known: &Publication| {
            let topic = topics.get(name);
            topic.is_some_and(|topic| services.get(&topic.service).is_some_and(|service| known.is_of(service, topic)))
        };
        self.publications.iter().any(|(name, known)| !is_kept(name, known))
            || self.provided.iter().any(|(name, (known, _))| !provided.get(name).is_some_and(|new| new.replaces(known)))
    }

    /// The participant that members are shown by.
    async fn members(&mut self) -> Option<Dds> {
        if self.members.is_none() {
            let mut attempts = 0;
            self.members = loop {
                match Dds::start(self.place.clone(), false).await {
                    Ok(dds) => break Some(dds),
                    Err(error) if attempts == ATTEMPTS => {
                        self.node.rosout.error(&format!("services are not shown until there are others: {error}"));
                        break None;
                    }
                    Err(error) => self.node.rosout.warn(&format!("services are not shown yet: {error}")),
                }
                attempts += 1;
                tokio::time::sleep(AGAIN).await;
            };
        }
        self.members.clone()
    }

    fn provide_own(&mut self, mapping: &Mapping) {
        if let Some(texts) = &self.definitions {
            texts.tell(&mapping.definitions_json(RosVersion::Ros2));
        }
        for (name, new) in Provided::own(mapping, RosVersion::Ros2) {
            if !self.own.get(&name).is_some_and(|(known, _)| new.replaces(known)) {
                let served = self.serve(&self.node.dds, &name, new);
                self.own.insert(name, served);
            }
        }
    }

    fn serve(&self, dds: &Dds, name: &str, provided: Provided) -> (Arc<Provided>, Server) {
        let (topics, provided) = (names::service(name, provided.kind()), Arc::new(provided));
        let server = dds.server(topics, self.node.middleware, provided.clone(), self.asked.clone());
        (provided, server)
    }
}

impl Texts {
    fn new(dds: &Dds, registry: &Registry, name: &str, quality: Quality) -> Option<Self> {
        let kind = TypeName::new("std_msgs", "String").ok()?;
        let shape = Shape::of_message(registry, &kind).ok()?;
        let writer = dds.writer(names::topic(name, &kind), quality);
        Some(Self { writer, shape })
    }

    fn tell(&self, text: &str) {
        let Shape::Message(message) = &self.shape else { return };
        let body = cdr::encode(&self.shape, &message.value(vec![text.into()]));
        if !body.is_ok_and(|body| self.writer.try_write(body.into())) {
            tracing::warn!("a text is lost: those who listen are slow");
        }
    }
}

/// How often it is tried to take part, and how long it is waited between.
const ATTEMPTS: u32 = 5;
const AGAIN: Duration = Duration::from_secs(1);
/// Requests that wait to be looked at.
const QUESTIONS: usize = 256;
