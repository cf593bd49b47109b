//! A directory with the probe, a name server, and the bridge between them.

use std::time::Duration;

use keyway::{Directory, Session};
use keyway_bridge::{Bus, Exposure, Front, Mode, OptIn, Rules};
use keyway_bridge_yarp::{Options, Yarp};
use keyway_tests::{eventually, yarp::World};
use tokio::time::sleep;

use crate::probe::Probe;

/// The probe's port for calls.
pub(crate) const R: &str = "/qi/YarpProbe/rpc:i";

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) probe: Probe,
    pub(crate) host: Session,
    pub(crate) directory: Directory,
    _bus: Bus,
    _bridge: Yarp,
}

impl Stage {
    /// Everything, with the probe exposed; `None` where there is no YARP.
    pub(crate) async fn start() -> Option<Self> {
        Self::with(|_| ()).await
    }

    /// With other options of the bridge.
    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Option<Self> {
        let world = World::start().await?;
        Some(Self::in_world(world, change).await)
    }

    /// With a name server that is there.
    pub(crate) async fn in_world(world: World, change: impl FnOnce(&mut Options)) -> Self {
        let directory = Directory::builder().start().await.unwrap();
        let host = Session::connect(&directory.urls()[0]).await.unwrap();
        let probe = Probe::new();
        host.register("YarpProbe", probe.object()).await.unwrap();
        let opt_in = OptIn::new(true, false).unwrap();
        let rules = Rules { mode: Mode::Write, ..Rules::new(Exposure::parse(["YarpProbe"]).unwrap()) };
        let bus = Bus::start(&opt_in, &directory.urls()[0], Session::builder(), rules);
        let mut options = Options { name_server: Some(world.name_server()), ..Options::default() };
        change(&mut options);
        let bridge = Yarp::start(&opt_in, &bus, options).await.unwrap();
        Self { world, probe, host, directory, _bus: bus, _bridge: bridge }
    }

    /// The response to a call of the probe.
    pub(crate) async fn rpc(&self, line: &str) -> String {
        self.world.rpc(R, line).await
    }

    /// Waits until somebody listens to `tick`, or nobody does.
    pub(crate) async fn tick_has_subscribers(&self, wanted: usize) {
        eventually("subscribers of tick", async {
            while self.probe.tick.subscribers() != wanted {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}
