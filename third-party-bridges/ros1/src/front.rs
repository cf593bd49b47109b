//! The front: listeners, tasks, and how they end.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use keyway_bridge::{Bus, Front, FrontError, NetworkError, OptIn};
use keyway_bridge_ros::{Clock, InForce, RosOptions, registry};
use tokio::{sync::Mutex, task::AbortHandle};

use crate::{
    NAME,
    configured::Configured,
    exposed::Exposed,
    http,
    node::{Node, Place, serve_connections},
    publication::Sending,
    registrar::{self, Registered},
    rosout::Rosout,
    xmlrpc::XmlCall,
};

/// How the bridge is a node of ROS.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where the master is, `http://127.0.0.1:11311`.
    pub master: String,
    /// The node's name.
    pub node_name: String,
    /// The address on which others are listened for, and which they are told. Never a name: one that they cannot resolve makes
    /// them hang.
    pub advertise_host: String,
    /// How many messages may wait for a subscriber that takes nothing; the oldest go.
    pub queue: usize,
    /// Whether calls of `std_srvs` fail as other calls do, instead of saying `success: false`.
    pub native_errors: bool,
    /// What is shown, rules and imports.
    pub ros: RosOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            master: "http://127.0.0.1:11311".to_owned(),
            node_name: "/qi_bridge".to_owned(),
            advertise_host: "127.0.0.1".to_owned(),
            queue: 10,
            native_errors: true,
            ros: RosOptions::default(),
        }
    }
}

/// The bridge as a node of ROS 1, serving.
pub struct Ros1 {
    options: Options,
    node: Arc<Node>,
    registered: Arc<Mutex<Registered>>,
    tasks: [AbortHandle; 5],
    in_force: Option<InForce>,
}

impl Front for Ros1 {
    const NAME: &'static str = NAME;

    type Options = Options;

    async fn start(opt_in: &OptIn, bus: &Bus, options: Options) -> Result<Self, FrontError> {
        let wrong = |what: &str, why: String| FrontError::Option(format!("{what}: {why}"));
        check_name("root", &options.ros.mapping.root)?;
        check_name("node_name", &options.node_name)?;
        let (master_address, _) =
            http::split_uri(&options.master).map_err(|error| wrong("master", error.to_string()))?;
        // A master that is not there may come; one that may not be asked never may.
        match opt_in.resolve(&master_address).await {
            Ok(_) | Err(NetworkError::Resolve { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let registry = registry(&options.ros.definition_paths).map_err(|why| wrong("definition_paths", why))?;
        let address: IpAddr = options.advertise_host.parse().map_err(|_| {
            wrong("advertise_host", format!("{:?} is no address such as 127.0.0.1", options.advertise_host))
        })?;
        let slave = opt_in.listen(&SocketAddr::new(address, 0).to_string()).await?;
        let tcpros = opt_in.listen(&SocketAddr::new(address, 0).to_string()).await?;
        let port = |listener: &tokio::net::TcpListener| {
            listener
                .local_addr()
                .map(|address| address.port())
                .map_err(|error| wrong("advertise_host", error.to_string()))
        };
        let (slave_port, port) = (port(&slave)?, port(&tcpros)?);
        let api = format!("http://{}:{slave_port}/", options.advertise_host);
        let place = Place { api, host: options.advertise_host.clone(), port };
        let clock = Clock::new(false);
        let sending = Sending { queue: options.queue, clock: clock.clone() };
        let rosout = Rosout::new(&registry, &options.node_name, &sending);
        let rosout = rosout.map_err(|error| wrong("definition_paths", error.to_string()))?;
        let node = Node::new(opt_in, bus, place, sending, rosout, &options);

        let in_force = InForce::start(&Configured(node.clone()), &registry, &options.ros);
        let in_force = in_force.map_err(|(what, error)| wrong(what, error.to_string()))?;
        let follow = clock.follow(Configured(node.clone()), registry.clone());
        let exposed = Exposed::new(node.clone(), &options.ros, registry)
            .map_err(|error| wrong("definition_paths", error.to_string()))?;
        let registered = Arc::new(Mutex::new(Registered::default()));
        let answering = node.clone();
        let serving = [
            // Listeners accept before anything is registered (R1-2).
            tokio::spawn(http::serve(slave, move |call: XmlCall| answering.answer(&call))),
            tokio::spawn(serve_connections(node.clone(), tcpros)),
            tokio::spawn(exposed.run()),
            tokio::spawn(follow),
            tokio::spawn(registrar::run(node.clone(), options.ros.mapping.root.clone(), registered.clone())),
        ];
        let tasks = serving.map(|task| task.abort_handle());
        Ok(Self { options, node, registered, tasks, in_force: Some(in_force) })
    }

    fn listening(&self) -> Vec<String> {
        vec![self.node.api.clone(), self.node.service_api()]
    }

    fn reload(&self, options: Options) -> bool {
        options == self.options
    }

    async fn stop(mut self) {
        // What is under way of the registrar is given up first: it holds what is registered.
        let [.., registrar] = &self.tasks;
        registrar.abort();
        let rules = async {
            if let Some(in_force) = self.in_force.take() {
                in_force.stop().await;
            }
        };
        let goodbye = async {
            let mut registered = self.registered.lock().await;
            registrar::leave(&self.node, &self.options.ros.mapping.root, &mut registered).await;
        };
        tokio::join!(rules, goodbye);
    }
}

impl Drop for Ros1 {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        for publication in self.node.change(|graph| std::mem::take(&mut graph.publications)).values() {
            publication.close();
        }
    }
}

impl std::fmt::Debug for Ros1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ros1").field("options", &self.options).finish_non_exhaustive()
    }
}

fn check_name(option: &str, name: &str) -> Result<(), FrontError> {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if name.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_part)) {
        return Ok(());
    }
    Err(FrontError::Option(format!(
        "{option}: {name:?} is no name of ROS; write it as /name, of letters, digits and underscores"
    )))
}
