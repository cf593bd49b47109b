//! The bridge as a node of ROS: what it publishes, provides and listens to, and its answers to other nodes (spec 3).

mod connections;
mod slave;

use std::{collections::BTreeMap, sync::Arc};

use keyway_bridge::{Bus, OptIn};
use keyway_bridge_ros::Provided;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    Options,
    master::Master,
    publication::{Publication, Sending},
    rosout::{Rosout, Severity},
    subscription::Subscription,
    xmlrpc::XmlValue,
};

pub(crate) use connections::serve as serve_connections;

/// Shared by all tasks of the front.
pub(crate) struct Node {
    /// `/qi_bridge`
    pub(crate) name: String,
    pub(crate) opt_in: OptIn,
    pub(crate) bus: Bus,
    pub(crate) master: Master,
    /// Where this node answers, `http://127.0.0.1:1234/`.
    pub(crate) api: String,
    /// Where it is connected to.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether calls of `std_srvs` fail as other calls do.
    pub(crate) native_errors: bool,
    pub(crate) sending: Sending,
    rosout: Rosout,
    graph: Mutex<Graph>,
    /// The graph is another one: the master is to be told.
    pub(crate) changed: Notify,
    /// Another node or the master wants this one gone.
    pub(crate) dismissed: Notify,
}

/// What the node shows of itself.
#[derive(Clone, Default)]
pub(crate) struct Graph {
    pub(crate) publications: BTreeMap<String, Arc<Publication>>,
    pub(crate) services: BTreeMap<String, Arc<Provided>>,
    pub(crate) subscriptions: BTreeMap<String, Arc<Subscription>>,
    /// Names of services of the directory, for the parameter of that name.
    pub(crate) shown: Vec<String>,
}

/// Where a node is.
pub(crate) struct Place {
    pub(crate) api: String,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Node {
    pub(crate) fn new(
        opt_in: &OptIn,
        bus: &Bus,
        place: Place,
        sending: Sending,
        rosout: Rosout,
        options: &Options,
    ) -> Arc<Self> {
        let Place { api, host, port } = place;
        let name = options.node_name.clone();
        let mut graph = Graph::default();
        graph.publications.insert(rosout.publication.name.clone(), rosout.publication.clone());
        Arc::new(Self {
            opt_in: opt_in.clone(),
            bus: bus.clone(),
            master: Master::new(opt_in.clone(), options.master.clone(), name.clone()),
            name,
            api,
            host,
            port,
            native_errors: options.native_errors,
            sending,
            graph: Mutex::new(graph),
            rosout,
            changed: Notify::new(),
            dismissed: Notify::new(),
        })
    }

    /// Complains, in the log and on `/rosout`.
    pub(crate) fn warn(&self, text: &str) {
        tracing::warn!("{text}");
        self.rosout.tell(Severity::Warn, text);
    }

    /// Complains about what somebody has to see to.
    pub(crate) fn error(&self, text: &str) {
        tracing::error!("{text}");
        self.rosout.tell(Severity::Error, text);
    }

    /// The graph as it is now.
    pub(crate) fn graph(&self) -> Graph {
        self.graph.lock().clone()
    }

    /// Changes the graph, and tells the master.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Graph) -> T) -> T {
        let changed = change(&mut self.graph.lock());
        self.changed.notify_one();
        changed
    }

    pub(crate) fn publication(&self, topic: &str) -> Option<Arc<Publication>> {
        self.graph.lock().publications.get(topic).cloned()
    }

    pub(crate) fn service(&self, name: &str) -> Option<Arc<Provided>> {
        self.graph.lock().services.get(name).cloned()
    }

    pub(crate) fn subscription(&self, topic: &str) -> Option<Arc<Subscription>> {
        self.graph.lock().subscriptions.get(topic).cloned()
    }

    /// A parameter that the bridge follows has this value, or none.
    pub(crate) fn parameter(&self, name: &str, value: &XmlValue) {
        // Slashes at the end are those of the master.
        if name.trim_end_matches('/') == SIM_TIME {
            self.sending.clock.simulate(*value == XmlValue::Bool(true));
        }
    }

    /// Where services are provided.
    pub(crate) fn service_api(&self) -> String {
        format!("rosrpc://{}:{}", self.host, self.port)
    }
}

/// Whether the time is that of a simulation.
pub(crate) const SIM_TIME: &str = "/use_sim_time";
