//! ROS 1 as the suite sees it: by its own tools, with types that come with ROS.

use super::World;
use crate::{process::Running, ros1::RosMaster};

impl RosMaster {
    /// What a call by name gives, or why it fails.
    async fn call_named(&self, member: &str, args: &str) -> Result<String, String> {
        let request = format!(r#"{{load_namespace: '{{"service":"Probe","member":"{member}","args":{args}}}'}}"#);
        let said = self.tool("rosservice", &["call", "/qi/call_std", &request]).await;
        let message = said.out.lines().find_map(|line| line.strip_prefix("message: "));
        let Some(message) = message else { return Err(said.err) };
        let message = message.trim_matches('"').to_owned();
        if said.out.starts_with("success: True") { Ok(message) } else { Err(message) }
    }
}

impl World for RosMaster {
    fn arguments(&self) -> Vec<String> {
        ["ros1".to_owned(), "--master".to_owned(), self.uri()].into()
    }

    async fn services(&self, _: &Running) -> Vec<String> {
        let listed = self.tool("rosservice", &["list"]).await.out;
        let names = listed.lines().filter_map(|name| Some(name.strip_prefix("/qi/")?.split_once('/')?.0.to_owned()));
        let mut services: Vec<String> = names.collect();
        services.dedup();
        services
    }

    async fn add(&self, _: &Running, a: i32, b: i32) -> Result<i32, String> {
        let sum = self.call_named("add", &format!("[{a},{b}]")).await?;
        sum.parse().map_err(|_| sum)
    }

    async fn gain(&self, _: &Running) -> Result<f64, String> {
        let said = self.tool("rostopic", &["echo", "-n", "1", "/qi/Probe/gain"]).await;
        let number = said.out.lines().find_map(|line| line.strip_prefix("data: ")?.parse().ok());
        number.ok_or_else(|| format!("{said:?}"))
    }

    async fn set_gain(&self, _: &Running, gain: f64) -> Result<(), String> {
        self.call_named("set:gain", &format!("[{gain:?}]")).await.map(drop)
    }

    async fn restart(&mut self) {
        Self::restart(self);
    }
}
