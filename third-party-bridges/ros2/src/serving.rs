//! Taking part: the node with all that it shows, and that it does by rules and imports.

use std::{sync::Arc, time::Duration};

use keyway_bridge::{Bus, FrontError};
use keyway_bridge_ros::{Clock, InForce};
use keyway_ros_types::Registry;
use tokio::{sync::mpsc, task::AbortHandle, time::timeout};

use crate::{
    configured::Configured,
    dds::{Crowd, Dds, Graph, Place},
    exposed::Exposed,
    front::Options,
    rosout::Rosout,
};

/// What it takes to take part.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) bus: Bus,
    pub(crate) options: Options,
    pub(crate) registry: Registry,
    /// Nothing leaves the machine.
    pub(crate) is_local: bool,
}

/// A part that is taken. It ends when this is dropped.
pub(crate) struct Serving {
    tasks: [AbortHandle; 2],
    in_force: Option<InForce>,
    crowd: Arc<Crowd>,
    ended: Option<mpsc::Receiver<()>>,
}

impl Serving {
    pub(crate) async fn start(part: &Part) -> Result<Self, FrontError> {
        let Part { bus, options, registry, is_local } = part;
        let (alive, ended) = mpsc::channel(1);
        let (graph, crowd) = (Arc::new(Graph::new(&options.node_name)), Arc::new(Crowd::new(options.renew_after)));
        let place = Place { domain: options.domain, is_local: *is_local, graph, crowd: crowd.clone(), _alive: alive };
        let dds = Dds::start(place.clone(), true).await;
        let dds = dds.map_err(|error| {
            let hint = "its sockets cannot be kept on this machine, or there is no room for one more in the domain; \
                        another domain, or --allow-non-loopback, may help";
            FrontError::Option(format!("DDS, domain {}: {error}: {hint}", options.domain))
        })?;
        let clock = Clock::new(options.use_sim_time);
        let rosout = Rosout::new(&dds, registry, &options.node_name)
            .map_err(|error| FrontError::Option(format!("definition_paths: {error}")))?;
        let configured = Configured {
            bus: bus.clone(),
            dds,
            middleware: options.middleware,
            clock: clock.clone(),
            rosout: Arc::new(rosout),
        };
        let in_force = InForce::start(&configured, registry, &options.ros)
            .map_err(|(what, error)| FrontError::Option(format!("{what}: {error}")))?;
        // From here on nothing fails: what has not begun need not be ended.
        let following = tokio::spawn(clock.follow(configured.clone(), registry.clone())).abort_handle();
        let mut exposed = Exposed::new(configured, place, &options.ros, registry.clone());
        exposed.show_now().await;
        let showing = tokio::spawn(exposed.run()).abort_handle();
        Ok(Self { tasks: [showing, following], in_force: Some(in_force), crowd, ended: Some(ended) })
    }

    pub(crate) fn crowd(&self) -> Arc<Crowd> {
        self.crowd.clone()
    }

    pub(crate) async fn stop(mut self) {
        if let Some(in_force) = self.in_force.take() {
            in_force.stop().await;
        }
        let ended = self.ended.take();
        // With them go the ends of the thread's channels.
        drop(self);
        if let Some(mut ended) = ended {
            // Others are told that the node leaves.
            let _ = timeout(GOODBYE, ended.recv()).await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// How long it may take to leave.
const GOODBYE: Duration = Duration::from_millis(900);
