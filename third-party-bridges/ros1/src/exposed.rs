//! Shows the services of the directory as they come and go (spec 6.7).

use std::{collections::BTreeMap, sync::Arc};

use keyway_bridge::{Service, Snapshot};
use keyway_bridge_ros::{Events, Provided, RosOptions};
use keyway_ros_types::{Mapping, MappingOptions, Registry, RegistryError, RosVersion};

use crate::{node::Node, publication::Publication};

/// What the bridge shows whatever services there are.
pub(crate) struct Exposed {
    node: Arc<Node>,
    options: MappingOptions,
    registry: Registry,
    catalogue: Arc<Publication>,
    events: Option<Events>,
    /// Names that belong to services of the directory.
    shown: Shown,
}

#[derive(Default)]
struct Shown {
    publications: BTreeMap<String, Arc<Publication>>,
    services: BTreeMap<String, Arc<Provided>>,
}

impl Exposed {
    pub(crate) fn new(node: Arc<Node>, options: &RosOptions, registry: Registry) -> Result<Self, RegistryError> {
        let (events, options) = (options.events, options.mapping.clone());
        let kind = "std_msgs/String".parse()?;
        let own = |name: &str, is_latched| {
            let publication =
                Publication::own(&registry, &format!("{}/{name}", options.root), &kind, is_latched, &node.sending)?;
            node.change(|graph| graph.publications.insert(publication.name.clone(), publication.clone()));
            Ok::<_, RegistryError>(publication)
        };
        let catalogue = own("services", true)?;
        let events = match events {
            true => {
                let publication = own("events", false)?;
                Some(Events::new(move |text| publication.publish_text(text)))
            }
            false => None,
        };
        Ok(Self { node, options, registry, catalogue, events, shown: Shown::default() })
    }

    /// Follows the services, for ever.
    pub(crate) async fn run(mut self) {
        let mut services = self.node.bus.services();
        loop {
            let snapshot = services.borrow_and_update().clone();
            self.show(&snapshot);
            if services.changed().await.is_err() {
                return;
            }
        }
    }

    fn show(&mut self, services: &Snapshot) {
        let members = services.iter().map(|(name, service)| (name.as_str(), service.members()));
        let mapping = Mapping::new(self.options.clone(), self.registry.clone(), members);
        for skipped in mapping.skipped() {
            tracing::info!(service = skipped.service, member = skipped.member, reason = %skipped.reason, "not shown");
        }
        let publications = self.publications(services, &mapping);
        let provided = self.provided(services, &mapping);
        let ended: Vec<Arc<Publication>> = self.node.change(|graph| {
            let is_new = |name: &String, publication: &Arc<Publication>| {
                publications.get(name).is_none_or(|new| !Arc::ptr_eq(new, publication))
            };
            let old = self.shown.publications.iter().filter(|(name, old)| is_new(name, old));
            let ended = old.map(|(_, publication)| publication.clone()).collect();
            graph.publications.retain(|name, _| !self.shown.publications.contains_key(name));
            graph.publications.extend(publications.clone());
            graph.services.retain(|name, _| !self.shown.services.contains_key(name));
            graph.services.extend(provided.clone());
            graph.shown = services.keys().cloned().collect();
            ended
        });
        ended.iter().for_each(|publication| publication.close());
        self.shown = Shown { publications, services: provided };
        if let Some(events) = &mut self.events {
            events.follow(services);
        }
        self.catalogue.publish_text(&mapping.services_json());
    }

    fn publications(&self, services: &Snapshot, mapping: &Mapping) -> BTreeMap<String, Arc<Publication>> {
        let publication = |topic: &keyway_ros_types::Topic| {
            let service: &Arc<Service> = services.get(&topic.service)?;
            let known = self.shown.publications.get(&topic.name).filter(|known| known.is_of(service, topic));
            let publication = known
                .cloned()
                .unwrap_or_else(|| Publication::of_service(service.clone(), topic.clone(), &self.node.sending));
            Some((topic.name.clone(), publication))
        };
        mapping.topics().filter_map(publication).collect()
    }

    fn provided(&self, services: &Snapshot, mapping: &Mapping) -> BTreeMap<String, Arc<Provided>> {
        let mut wanted = Provided::members(services, mapping);
        wanted.extend(Provided::own(mapping, RosVersion::Ros1));
        let kept = |(name, new): (String, Provided)| {
            let known = self.shown.services.get(&name).filter(|known| new.replaces(known)).cloned();
            (name, known.unwrap_or_else(|| Arc::new(new)))
        };
        wanted.into_iter().map(kept).collect()
    }
}
