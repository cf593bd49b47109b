//! A directory with `RosProbe`, the bridge, and a node of ROS 2 that sees it.

use keyway::{Directory, Session};
use keyway_bridge::{Bus, Exposure, Front, Mode, OptIn, Rules};
use keyway_bridge_ros2::{Options, Ros2};
use keyway_tests::{
    bridge::RosProbe,
    ros2::{Domain, RosNode, python},
};

pub(crate) struct World {
    pub(crate) node: RosNode,
    pub(crate) probe: RosProbe,
    pub(crate) bridge: Option<Ros2>,
    pub(crate) domain: Domain,
    pub(crate) url: String,
    _bus: Bus,
    _directory: Directory,
}

impl World {
    /// In write mode; nothing if there is no ROS 2.
    pub(crate) async fn start() -> Option<Self> {
        Self::with(Mode::Write, |options| options).await
    }

    pub(crate) async fn with(mode: Mode, options: impl FnOnce(Options) -> Options) -> Option<Self> {
        let python = python()?;
        let domain = Domain::free();
        let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
        let url = directory.urls().remove(0);
        let probe = RosProbe::register(&url, "RosProbe").await;
        let opt_in = OptIn::new(true, false).unwrap();
        let rules = Rules { mode, ..Rules::new(Exposure::parse(["RosProbe"]).unwrap()) };
        let bus = Bus::start(&opt_in, &url, Session::builder(), rules);
        bus.settled().await;
        let options = options(Options { domain: domain.id, ..Options::default() });
        let bridge = Ros2::start(&opt_in, &bus, options).await.unwrap();
        let node = RosNode::start(&python, &domain).await;
        Some(Self { node, probe, bridge: Some(bridge), domain, url, _bus: bus, _directory: directory })
    }
}
