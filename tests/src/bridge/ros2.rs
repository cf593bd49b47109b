//! ROS 2 as the suite sees it: by a node of rclpy, with types that come with ROS.

use std::process::Stdio;

use tokio::{process::Command, sync::Mutex};

use super::World;
use crate::{
    process::Running,
    ros2::{Domain, RosNode, python},
};

/// A domain, and a node that sees what is there.
#[derive(Debug)]
pub struct Nodes {
    python: String,
    domain: Domain,
    node: Mutex<RosNode>,
}

impl Nodes {
    /// Starts the node; `None` where there is no ROS 2.
    pub async fn start() -> Option<Self> {
        let (python, domain) = (python()?, Domain::free());
        let node = Mutex::new(RosNode::start(&python, &domain).await);
        Some(Self { python, domain, node })
    }

    /// The number of the domain.
    pub const fn domain(&self) -> u16 {
        self.domain.id
    }

    /// One more program of Python in the domain.
    pub fn program(&self, program: &str) -> Command {
        let mut command = self.domain.command(&self.python);
        command.args(["-c", program]).stdin(Stdio::null());
        command
    }

    /// What a program prints that the node runs (`peers/ros2_agent.py`).
    pub async fn run(&self, program: &str) -> String {
        self.node.lock().await.run(program).await
    }

    /// What a method returns, called by its name; or why not.
    async fn named(&self, arguments: &str) -> Result<String, String> {
        let program = format!("success, message = named('Probe', {arguments})\nprint(success, message)");
        let said = self.node.lock().await.attempt(&program).await?;
        let said = said.trim_end();
        match said.strip_prefix("True ") {
            Some(result) => Ok(result.to_owned()),
            None => Err(said.trim_start_matches("False ").to_owned()),
        }
    }
}

impl World for Nodes {
    fn arguments(&self) -> Vec<String> {
        ["ros2".to_owned(), "--domain".to_owned(), self.domain.id.to_string()].into()
    }

    async fn services(&self, _: &Running) -> Vec<String> {
        // What has just been said is heard first.
        let program = "
import time
time.sleep(0.3)
names = [name for name, _ in node.get_service_names_and_types() if name.startswith('/qi/')]
print('\\n'.join(sorted({name.split('/')[2] for name in names if name.count('/') == 3})))
";
        let said = self.run(program).await;
        said.split_whitespace().map(str::to_owned).collect()
    }

    async fn add(&self, _: &Running, a: i32, b: i32) -> Result<i32, String> {
        let sum = self.named(&format!("'add', {a}, {b}")).await?;
        sum.parse().map_err(|_| sum)
    }

    async fn gain(&self, _: &Running) -> Result<f64, String> {
        let program = "from std_msgs.msg import Float64\nprint(first('/qi/Probe/gain', Float64).data)";
        let said = self.node.lock().await.attempt(program).await?;
        said.trim().parse().map_err(|error| format!("{said}: {error}"))
    }

    async fn set_gain(&self, _: &Running, gain: f64) -> Result<(), String> {
        self.named(&format!("'set:gain', {gain:?}")).await.map(drop)
    }

    async fn restart(&mut self) {
        // Nobody is needed for nodes to find each other: the node itself comes back as another one.
        self.node = Mutex::new(RosNode::start(&self.python, &self.domain).await);
    }
}
