//! The front.

use std::{net::SocketAddr, sync::Arc};

use keyway_bridge::{Bus, Front, FrontError, NetworkError, OptIn};
use keyway_bridge_ros::{InForce, RosOptions, registry};
use tokio::task::JoinHandle;

use crate::{NAME, configured::Configured, graph::Graph, message::Flavour, serve};

/// What can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where clients connect, `host:port`; port 0 takes a free one.
    pub listen: String,
    /// Origins whose web pages are let in.
    pub allowed_origins: Vec<String>,
    /// Whose words are used for types and times.
    pub flavour: Flavour,
    /// Whether `compression: "png"` is answered with pictures.
    pub png: bool,
    /// What is shown, rules and imports.
    pub ros: RosOptions,
}

/// The bridge to clients of rosbridge, serving.
#[derive(Debug)]
pub struct Rosbridge {
    address: SocketAddr,
    graph: Arc<Graph>,
    accepting: JoinHandle<()>,
    in_force: InForce,
}

impl Front for Rosbridge {
    const NAME: &'static str = NAME;

    type Options = Options;

    async fn start(opt_in: &OptIn, bus: &Bus, options: Options) -> Result<Self, FrontError> {
        let wrong_option = |what: &str, why: String| FrontError::Option(format!("{what}: {why}"));
        let registry = registry(&options.ros.definition_paths).map_err(|why| wrong_option("definition_paths", why))?;
        let listener = opt_in.listen(&options.listen).await?;
        let wrong = |source| NetworkError::Listen { address: options.listen.clone(), source };
        let address = listener.local_addr().map_err(wrong)?;
        let ros = options.ros.clone();
        let graph = Graph::start(bus, options, registry.clone());
        let in_force = InForce::start(&Configured(graph.clone()), &registry, &ros);
        let in_force = in_force.map_err(|(what, error)| wrong_option(what, error.to_string()))?;
        let accepting = tokio::spawn(serve::accept(listener, graph.clone()));
        Ok(Self { address, graph, accepting, in_force })
    }

    fn listening(&self) -> Vec<String> {
        vec![format!("ws://{}", self.address)]
    }

    fn reload(&self, options: Options) -> bool {
        let old = self.graph.options.load_full();
        let Options { allowed_origins, flavour, png, .. } = options.clone();
        let taken_over = Options { allowed_origins, flavour, png, ..old.as_ref().clone() };
        let is_all = taken_over == options;
        self.graph.options.store(Arc::new(taken_over));
        is_all
    }

    async fn stop(self) {
        self.in_force.stop().await;
        self.accepting.abort();
        // Its clients end with it.
        let _ = self.accepting.await;
    }
}
