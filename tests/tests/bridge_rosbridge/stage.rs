//! A directory with the probe, and a bridge in front of it.

use keyway::{Directory, Session};
use keyway_bridge::{Bus, Exposure, Front, Mode, OptIn, Rules};
use keyway_bridge_rosbridge::{Flavour, Options, RosOptions, Rosbridge};
use keyway_tests::{
    bridge::{RosProbe, rosbridge::Client},
    eventually,
};
use serde_json::Value;
use tokio::process::Command;

pub(crate) struct Stage {
    pub(crate) probe: RosProbe,
    pub(crate) url: String,
    pub(crate) bridge: Rosbridge,
    /// Where the probe is.
    pub(crate) directory: String,
    _directory: Directory,
    _bus: Bus,
}

pub(crate) fn options() -> Options {
    Options {
        listen: "127.0.0.1:0".to_owned(),
        allowed_origins: Vec::new(),
        flavour: Flavour::Ros1,
        png: false,
        ros: RosOptions::default(),
    }
}

impl Stage {
    pub(crate) async fn start() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let directory = Directory::builder().start().await.unwrap();
        let probe = RosProbe::register(&directory.urls()[0], "RosProbe").await;
        let opt_in = OptIn::new(true, false).unwrap();
        let rules = Rules { mode: Mode::Write, ..Rules::new(Exposure::parse(["RosProbe"]).unwrap()) };
        let bus = Bus::start(&opt_in, &directory.urls()[0], Session::builder(), rules);
        eventually("the probe", bus.settled()).await;
        let bridge = Rosbridge::start(&opt_in, &bus, options).await.unwrap();
        let url = bridge.listening().remove(0);
        Self { probe, url, bridge, directory: directory.urls().remove(0), _directory: directory, _bus: bus }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.url).await.unwrap()
    }

    /// Runs a case of a script of `tests/peers`, and gives what it prints; `None` where the real client is not installed.
    pub(crate) async fn run(&self, program: Option<&mut Command>, case: &str) -> Option<Value> {
        run(&self.url, program, case).await
    }
}

/// Runs a case of a script against the bridge at `url`.
pub(crate) async fn run(url: &str, program: Option<&mut Command>, case: &str) -> Option<Value> {
    let command = program?.arg(case).arg(url.trim_start_matches("ws://")).kill_on_drop(true);
    let output = eventually(case, command.output()).await.unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{case}: {said}{errors}");
    let line = said.lines().last().unwrap_or_default();
    Some(serde_json::from_str(line).unwrap_or_else(|error| panic!("{case}: {error}: {said}{errors}")))
}

/// What runs a client: the program in an environment variable, which `cargo xtask test` sets. Missing, it fails the run under
/// CI and skips the test elsewhere.
pub(crate) fn peer(variable: &str) -> Option<String> {
    match std::env::var(variable) {
        Ok(value) => Some(value),
        Err(_) if std::env::var_os("CI").is_some() => panic!("{variable} is not set: run `cargo xtask test`"),
        Err(_) => {
            eprintln!("skipped: {variable} is not set; `cargo xtask test` installs the client and sets it");
            None
        }
    }
}
