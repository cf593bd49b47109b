//! The programs of YARP, as the world that the bridge is seen from.

use super::World;
use crate::{process::Running, yarp};

/// A name server and `yarp`.
#[derive(Debug)]
pub struct Tools(yarp::World);

impl Tools {
    /// Starts the name server; `None` where there is no YARP.
    pub async fn start() -> Option<Self> {
        yarp::World::start().await.map(Self)
    }

    /// The programs, for what only YARP has.
    pub const fn programs(&self) -> &yarp::World {
        &self.0
    }

    /// The response of the probe; or what follows `[fail]`, or why there is no response.
    async fn rpc(&self, line: &str) -> Result<String, String> {
        let (output, _) = self.0.run(&["rpc", "/qi/Probe/rpc:i"], &format!("{line}\n")).await;
        let response = output.lines().find_map(|line| line.strip_prefix("Response: ")).ok_or_else(|| output.clone())?;
        match response.strip_prefix("[fail] ") {
            Some(text) => Err(text.to_owned()),
            None => Ok(response.to_owned()),
        }
    }
}

impl World for Tools {
    fn arguments(&self) -> Vec<String> {
        ["yarp", "--name-server", &self.0.name_server()].map(str::to_owned).into()
    }

    async fn services(&self, _: &Running) -> Vec<String> {
        let names = self.0.names("/qi").await;
        let services = names.iter().filter_map(|name| name.strip_prefix("/qi/")?.strip_suffix("/rpc:i"));
        services.map(str::to_owned).collect()
    }

    async fn add(&self, _: &Running, a: i32, b: i32) -> Result<i32, String> {
        self.rpc(&format!("add {a} {b}")).await?.parse().map_err(|error| format!("no sum: {error}"))
    }

    async fn gain(&self, _: &Running) -> Result<f64, String> {
        self.rpc("get gain").await?.parse().map_err(|error| format!("no number: {error}"))
    }

    async fn set_gain(&self, _: &Running, gain: f64) -> Result<(), String> {
        self.rpc(&format!("set gain {gain:?}")).await.map(drop)
    }

    async fn restart(&mut self) {
        self.0.stop_server().await;
        self.0.start_server().await;
    }
}
