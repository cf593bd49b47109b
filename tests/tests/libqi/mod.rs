//! Processes of the real libqi.

use std::{env, path::PathBuf, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A Python program that uses libqi; killed when dropped.
pub(crate) struct Peer {
    url: String,
    _process: Child,
}

impl Peer {
    /// Starts a script of `tests/peers` and waits for its `ready URL`.
    pub(crate) async fn start(python: &str, script: &str, arguments: &[&str]) -> Self {
        let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "peers", script].iter().collect();
        let mut process = Command::new(python)
            .arg(path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the peer's Python starts");
        let output = process.stdout.take().expect("standard output is piped");
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await.expect("the peer's output is text") {
            if let Some(url) = line.strip_prefix("ready ") {
                return Self { url: url.to_owned(), _process: process };
            }
        }
        panic!("{script} ended before it was ready");
    }

    /// What it said to be ready at.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// The Python with libqi, from `KEYWAY_PEER_PYTHON`. Missing, it fails the run under CI and skips the test elsewhere.
pub(crate) fn peer_python() -> Option<String> {
    match env::var("KEYWAY_PEER_PYTHON") {
        Ok(python) => Some(python),
        Err(_) if env::var_os("CI").is_some() => panic!("KEYWAY_PEER_PYTHON is not set: run `cargo xtask test`"),
        Err(_) => {
            eprintln!("skipped: KEYWAY_PEER_PYTHON is not set; `cargo xtask test` installs libqi and sets it");
            None
        }
    }
}
