//! The front that `keyway bridge yarp` runs.

use std::{sync::Arc, time::Duration};

use keyway_bridge::{Bus, Front, FrontError, OptIn, Snapshot};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{import, name_server::NameServer, options::Options, registrar::Registrar, root::Root, shared::Shared};

/// Services as YARP ports, and YARP ports as services.
#[derive(Debug)]
pub struct Yarp {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Front for Yarp {
    const NAME: &'static str = NAME;
    type Options = Options;

    async fn start(opt_in: &OptIn, bus: &Bus, options: Options) -> Result<Self, FrontError> {
        options.check()?;
        let name_server = NameServer::new(opt_in.clone(), options.name_server.clone());
        let registrar = Registrar::start(name_server.clone(), opt_in.clone(), options.takeover);
        let shared = Arc::new(Shared::new(opt_in.clone(), bus.clone(), options, name_server, registrar));
        let mut tasks = JoinSet::new();
        let (show, mut shown) = watch::channel(Snapshot::default());
        let root = Root::open(&shared).await?;
        for import in shared.options.imports.clone() {
            tasks.spawn(import::run(shared.clone(), import));
        }
        tasks.spawn(root.follow(show));
        let ready = async {
            bus.settled().await;
            // It ends with the task, and then there is nothing to wait for.
            let wanted = bus.services().borrow().clone();
            let _ = shown.wait_for(|shown| wanted.keys().all(|name| shown.contains_key(name))).await;
            shared.registrar.settled().await;
        };
        // Whoever reads that the bridge is ready finds the ports that there are. Without a name server nobody does, and it is
        // ready all the same.
        let _ = timeout(PATIENCE, ready).await;
        Ok(Self { shared, tasks })
    }

    fn listening(&self) -> Vec<String> {
        self.shared.urls.lock().iter().cloned().collect()
    }

    fn reload(&self, options: Options) -> bool {
        self.shared.options == options
    }

    async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.shared.registrar.stop().await;
    }
}

pub(crate) const NAME: &str = "yarp";
const PATIENCE: Duration = Duration::from_secs(3);
