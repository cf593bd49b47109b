//! The front: what it is told, how it starts and ends.

use std::{sync::Arc, time::Duration};

use keyway_bridge::{Bus, Front, FrontError, OptIn};
use keyway_bridge_ros::{Clock, InForce, RosOptions, registry};
use parking_lot::Mutex;
use tokio::{sync::mpsc, task::AbortHandle, time::timeout};

use crate::{
    NAME,
    configured::Configured,
    dds::{Dds, Graph, Middleware, Place},
    exposed::Exposed,
    names::is_name,
    rosout::Rosout,
};

/// How the bridge is a node of ROS 2.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `ROS_DOMAIN_ID`
    pub domain: u16,
    /// Whose requests are understood.
    pub middleware: Middleware,
    /// The node's name.
    pub node_name: String,
    /// Whether headers say the time of `/clock`.
    pub use_sim_time: bool,
    /// What is shown, rules and imports.
    pub ros: RosOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            domain: 0,
            middleware: Middleware::default(),
            node_name: "/qi/bridge".to_owned(),
            use_sim_time: false,
            ros: RosOptions::default(),
        }
    }
}

/// The bridge as a node of ROS 2, serving.
pub struct Ros2 {
    options: Options,
    tasks: [AbortHandle; 2],
    in_force: Option<InForce>,
    ended: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Front for Ros2 {
    const NAME: &'static str = NAME;

    type Options = Options;

    async fn start(opt_in: &OptIn, bus: &Bus, options: Options) -> Result<Self, FrontError> {
        for (option, name) in [("root", &options.ros.mapping.root), ("node", &options.node_name)] {
            if !is_name(name) {
                return Err(FrontError::Option(format!(
                    "{option}: {name:?} is no name of ROS 2; write it as /name, of letters, digits and single underscores"
                )));
            }
        }
        if options.domain > LAST_DOMAIN {
            return Err(FrontError::Option(format!("domain: {} is none; they are 0 to {LAST_DOMAIN}", options.domain)));
        }
        let registry = registry(&options.ros.definition_paths)
            .map_err(|why| FrontError::Option(format!("definition_paths: {why}")))?;
        let (alive, ended) = mpsc::channel(1);
        let graph = Arc::new(Graph::new(&options.node_name));
        let place = Place { domain: options.domain, is_local: !opt_in.allows_non_loopback(), graph, _alive: alive };
        let dds = Dds::start(place.clone(), true).await;
        let dds = dds.map_err(|error| {
            let hint = "its sockets cannot be kept on this machine, or there is no room for one more in the domain; \
                        another domain, or --allow-non-loopback, may help";
            FrontError::Option(format!("DDS, domain {}: {error}: {hint}", options.domain))
        })?;
        let clock = Clock::new(options.use_sim_time);
        let rosout = Rosout::new(&dds, &registry, &options.node_name)
            .map_err(|error| FrontError::Option(format!("definition_paths: {error}")))?;
        let configured = Configured {
            bus: bus.clone(),
            dds,
            middleware: options.middleware,
            clock: clock.clone(),
            rosout: Arc::new(rosout),
        };
        let following = tokio::spawn(clock.follow(configured.clone(), registry.clone())).abort_handle();
        let in_force = InForce::start(&configured, &registry, &options.ros)
            .map_err(|(what, error)| FrontError::Option(format!("{what}: {error}")))?;
        let mut exposed = Exposed::new(configured, place, &options.ros, registry);
        exposed.show_now().await;
        let showing = tokio::spawn(exposed.run()).abort_handle();
        Ok(Self { options, tasks: [showing, following], in_force: Some(in_force), ended: Mutex::new(Some(ended)) })
    }

    fn listening(&self) -> Vec<String> {
        vec![format!("dds://127.0.0.1/{}", self.options.domain)]
    }

    fn reload(&self, options: Options) -> bool {
        options == self.options
    }

    async fn stop(mut self) {
        if let Some(in_force) = self.in_force.take() {
            in_force.stop().await;
        }
        let ended = self.ended.lock().take();
        // With them go the ends of the thread's channels.
        drop(self);
        if let Some(mut ended) = ended {
            // Others are told that the node leaves.
            let _ = timeout(GOODBYE, ended.recv()).await;
        }
    }
}

impl Drop for Ros2 {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl std::fmt::Debug for Ros2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ros2").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Ports of higher domains overflow, or are those that the system gives to others.
const LAST_DOMAIN: u16 = 232;
/// How long it may take to leave.
const GOODBYE: Duration = Duration::from_millis(900);
