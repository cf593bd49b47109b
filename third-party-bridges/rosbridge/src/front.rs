//! The front.

use std::{net::SocketAddr, sync::Arc};

use keyway_bridge::{Bus, Front, FrontError, NetworkError, OptIn};
use keyway_ros_types::MappingOptions;
use tokio::task::JoinHandle;

use crate::{graph::Graph, message::Flavour, serve};

/// What can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where clients connect, `host:port`; port 0 takes a free one.
    pub listen: String,
    /// Origins whose web pages are let in.
    pub allowed_origins: Vec<String>,
    /// Whose words are used for types and times.
    pub flavour: Flavour,
    /// Whether `compression: "png"` is answered with pictures.
    pub png: bool,
    /// How services become topics and services of ROS.
    pub mapping: MappingOptions,
}

/// The bridge to clients of rosbridge, serving.
#[derive(Debug)]
pub struct Rosbridge {
    address: SocketAddr,
    graph: Arc<Graph>,
    accepting: JoinHandle<()>,
}

impl Front for Rosbridge {
    const NAME: &'static str = "rosbridge";

    type Options = Options;

    async fn start(opt_in: &OptIn, bus: &Bus, options: Options) -> Result<Self, FrontError> {
        let listener = opt_in.listen(&options.listen).await?;
        let wrong = |source| NetworkError::Listen { address: options.listen.clone(), source };
        let address = listener.local_addr().map_err(wrong)?;
        let graph = Graph::start(bus, options);
        let accepting = tokio::spawn(serve::accept(listener, graph.clone()));
        Ok(Self { address, graph, accepting })
    }

    fn listening(&self) -> Vec<String> {
        vec![format!("ws://{}", self.address)]
    }

    fn reload(&self, options: Options) -> bool {
        let old = self.graph.options.load_full();
        let is_all = old.listen == options.listen && old.mapping == options.mapping;
        let (listen, mapping) = (old.listen.clone(), old.mapping.clone());
        self.graph.options.store(Arc::new(Options { listen, mapping, ..options }));
        is_all
    }

    async fn stop(self) {
        self.accepting.abort();
        // Its clients end with it.
        let _ = self.accepting.await;
    }
}
