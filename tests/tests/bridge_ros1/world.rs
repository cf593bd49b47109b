//! A directory with `RosProbe`, a master, and the bridge between them.

use std::{fs, time::Duration};

use keyway::{Directory, Session};
use keyway_bridge::{Bus, Exposure, Front, Mode, OptIn, Rules};
use keyway_bridge_ros1::{Options, Ros1};
use keyway_tests::{
    bridge::RosProbe,
    eventually,
    ros1::{self, RosMaster, Said},
};

pub(crate) struct World {
    pub(crate) master: RosMaster,
    pub(crate) probe: RosProbe,
    pub(crate) bus: Bus,
    pub(crate) bridge: Option<Ros1>,
    pub(crate) url: String,
    _directory: Directory,
}

impl World {
    /// In write mode; nothing if there is no ROS 1.
    pub(crate) async fn start() -> Option<Self> {
        Self::with(Mode::Write, |options| options).await
    }

    pub(crate) async fn with(mode: Mode, options: impl FnOnce(Options) -> Options) -> Option<Self> {
        if !ros1::is_installed() {
            return None;
        }
        let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
        let url = directory.urls().remove(0);
        let probe = RosProbe::register(&url, "RosProbe").await;
        let master = RosMaster::start();
        let opt_in = OptIn::new(true, false).unwrap();
        let rules = Rules { mode, ..Rules::new(Exposure::parse(["RosProbe"]).unwrap()) };
        let bus = Bus::start(&opt_in, &url, Session::builder(), rules);
        bus.settled().await;
        let options = options(Options { master: master.uri(), ..Options::default() });
        let bridge = Ros1::start(&opt_in, &bus, options).await.unwrap();
        let world = Self { master, probe, bus, bridge: Some(bridge), url, _directory: directory };
        world.registered().await;
        Some(world)
    }

    /// Waits until the master knows the bridge's services.
    pub(crate) async fn registered(&self) {
        eventually("registration", async {
            // The parameter is set when everything else is registered.
            while !self.master.tool("rosparam", &["get", "/qi/services"]).await.out.contains("RosProbe") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }

    /// Gives ROS's tools the bridge's types, from what it says of them itself.
    pub(crate) async fn generate(&mut self) {
        let program = "import rosservice\nprint(rosservice.call_service('/qi/definitions', [])[1].message)";
        let said = self.master.python(program).await.ok();
        let files: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&said).unwrap();
        let package = self.master.folder().join("qi_bridge_msgs");
        for (path, text) in files {
            let path = package.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.as_str().unwrap()).unwrap();
        }
        let manifest = "<package><name>qi_bridge_msgs</name><version>0.1.0</version><description>x</description>\
                        <maintainer email=\"x@x.invalid\">x</maintainer><license>MIT</license></package>";
        fs::write(package.join("package.xml"), manifest).unwrap();
        self.master.generate_modules(&package);
    }

    pub(crate) async fn call(&self, service: &str, arguments: &str) -> Said {
        self.master.tool("rosservice", &["call", service, arguments]).await
    }
}
