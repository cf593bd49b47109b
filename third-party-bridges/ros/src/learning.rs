//! Types of topics that nobody has defined here, and that publishers know (spec 7).

use std::collections::BTreeMap;

use keyway_ros_types::{Registry, RegistryError, TypeName};

use crate::{Learning, RosNode};

/// The definitions that there are, and those that publishers of topics have told.
#[derive(Debug)]
pub(crate) struct Types {
    known: Registry,
    learned: BTreeMap<String, Registry>,
}

/// Types that publishers are asked for.
pub(crate) struct Unknown {
    known: Registry,
    topics: Vec<(String, Learning)>,
}

impl Types {
    /// All types of these topics; or those that have to be learned, if they can be.
    pub(crate) fn of<'t, N: RosNode>(
        node: &N,
        known: &Registry,
        topics: impl IntoIterator<Item = (&'t str, &'t TypeName)>,
    ) -> Result<Self, Unknown> {
        let unknown = topics.into_iter().filter(|(_, kind)| {
            // What is known in part is to be defined whole.
            matches!(known.message(kind), Err(RegistryError::Unknown(unknown)) if unknown == **kind)
        });
        let learning = unknown.filter_map(|(topic, kind)| Some((topic.to_owned(), node.learn(topic, kind)?)));
        let (known, topics) = (known.clone(), learning.collect::<Vec<_>>());
        if topics.is_empty() { Ok(Self { known, learned: BTreeMap::new() }) } else { Err(Unknown { known, topics }) }
    }

    /// Those of a topic.
    pub(crate) fn of_topic(&self, topic: &str) -> &Registry {
        self.learned.get(topic).unwrap_or(&self.known)
    }

    /// Those that there are without anybody who publishes.
    pub(crate) const fn known(&self) -> &Registry {
        &self.known
    }
}

impl Unknown {
    /// Waits for the publishers.
    pub(crate) async fn learned(self) -> Types {
        let mut learned = BTreeMap::new();
        for (topic, learning) in self.topics {
            tracing::info!(topic, "its type is not defined here; who publishes it is asked");
            let registry = learning.await;
            learned.insert(topic, registry);
        }
        Types { known: self.known, learned }
    }
}
