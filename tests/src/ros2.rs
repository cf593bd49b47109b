//! A real ROS 2: a node of rclpy that runs what tests tell it.

use std::{
    env,
    net::TcpListener,
    path::Path,
    process::{self, Stdio},
    sync::atomic::{AtomicU16, Ordering},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::eventually;

/// A domain that no other test has. It is free again when this is dropped.
#[derive(Debug)]
pub struct Domain {
    /// `ROS_DOMAIN_ID`
    pub id: u16,
    _taken: TcpListener,
}

/// The interpreter with rclpy and Cyclone DDS. Missing, it fails the run under CI and skips the test elsewhere.
///
/// # Panics
///
/// When it is missing under CI.
pub fn python() -> Option<String> {
    let python = env::var("KEYWAY_PEER_ROS2").ok();
    assert!(python.is_some() || env::var_os("CI").is_none(), "KEYWAY_PEER_ROS2 is not set: run `cargo xtask test`");
    if python.is_none() {
        eprintln!(
            "skipped: ROS 2 is not installed; `cargo xtask test` installs it, and KEYWAY_PEER_ROS2 names its Python"
        );
    }
    python
}

impl Domain {
    /// Takes one.
    ///
    /// # Panics
    ///
    /// When all are taken.
    pub fn free() -> Self {
        // DDS uses UDP at this port, and many processes may: TCP at the same one says that a test has the domain.
        let take = |id: u16| Some(Self { id, _taken: TcpListener::bind(("127.0.0.1", 7400 + 250 * id)).ok()? });
        // Participants leave a domain a while after their test: the one that was free for longest comes first.
        let first = NEXT.fetch_add(1, Ordering::Relaxed) + (process::id() % u32::from(DOMAINS)) as u16;
        let mut domains = (0..DOMAINS).map(|step| 1 + first.wrapping_add(step) % DOMAINS);
        domains.find_map(take).unwrap_or_else(|| panic!("no domain of DDS is free"))
    }

    /// The interpreter, for nodes of this domain; its output is to be read, and it is killed when dropped.
    pub fn command(&self, python: &str) -> Command {
        let mut command = Command::new(python);
        command
            .env("ROS_DOMAIN_ID", self.id.to_string())
            .env("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
            .env("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
            // Nodes that are killed leave their shared memory behind; the bridge has none.
            .env("FASTDDS_BUILTIN_TRANSPORTS", "UDPv4")
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// Domains that tests use.
const DOMAINS: u16 = 100;
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A node, in a process of its own; killed when dropped.
#[derive(Debug)]
pub struct RosNode {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl RosNode {
    /// Starts one in a domain.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start(python: &str, domain: &Domain) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/ros2_agent.py");
        let mut process = domain
            .command(python)
            .arg(script)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{python}: {error}"));
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            unreachable!("both are piped");
        };
        let mut node = Self { _process: process, input, output: BufReader::new(output).lines() };
        assert_eq!(node.line().await, "ready");
        node
    }

    /// What a Python program prints, which finds the node as `node`, and what `ros2_agent.py` has beside it.
    ///
    /// # Panics
    ///
    /// When the program fails.
    pub async fn run(&mut self, program: &str) -> String {
        self.attempt(program).await.unwrap_or_else(|error| panic!("{program}\n{error}"))
    }

    /// The same, or why it fails.
    ///
    /// # Errors
    ///
    /// The trace of Python's exception.
    pub async fn attempt(&mut self, program: &str) -> Result<String, String> {
        let line = Value::from(program).to_string() + "\n";
        self.input.write_all(line.as_bytes()).await.unwrap_or_else(|error| panic!("the node is gone: {error}"));
        let answer: Value = serde_json::from_str(&self.line().await).unwrap_or_else(|error| panic!("{error}"));
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        match text("error").as_str() {
            "" => Ok(text("out")),
            error => Err(error.to_owned()),
        }
    }

    async fn line(&mut self) -> String {
        let line = eventually("the node's answer", self.output.next_line()).await;
        line.unwrap_or_else(|error| panic!("the node's output: {error}"))
            .unwrap_or_else(|| panic!("the node has ended"))
    }
}
