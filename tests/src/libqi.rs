//! Processes of the real libqi.

use std::{env, path::PathBuf, process::Stdio};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{eventually, process::Running};

/// A Python program that uses libqi; killed when dropped.
#[derive(Debug)]
pub struct Peer {
    url: String,
    _process: Child,
}

impl Peer {
    /// Starts a script of `tests/peers` and waits for its `ready URL`.
    ///
    /// # Panics
    ///
    /// When it ends before.
    pub async fn start(python: &str, script: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new(python)
            .arg(self::script(script))
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
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// libqi in a process of its own, which runs what a test tells it to (`tests/peers/libqi_driven.py`); killed when dropped.
#[derive(Debug)]
pub struct Driven {
    process: Child,
    input: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Driven {
    /// Starts it.
    pub fn start(python: &str) -> Self {
        Self::start_by(Command::new(python))
    }

    /// Starts it by a command that is only to be given the script, such as one that runs Python in a network namespace.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_by(mut command: Command) -> Self {
        command.arg(script("libqi_driven.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            unreachable!("both are piped");
        };
        Self { process, input, answers: BufReader::new(output).lines() }
    }

    /// Runs a Python program, and gives the value of its last expression.
    ///
    /// # Panics
    ///
    /// When it raises an exception.
    pub async fn run(&mut self, program: &str) -> Value {
        self.attempt(program).await.unwrap_or_else(|error| panic!("{program}\n{error}"))
    }

    /// Runs a Python program, and gives the value of its last expression, or what exception it raised.
    ///
    /// # Panics
    ///
    /// When the process is gone.
    pub async fn attempt(&mut self, program: &str) -> Result<Value, String> {
        self.begin(program).await;
        self.end().await
    }

    /// Begins to run a program; [`end`](Self::end) waits for it.
    ///
    /// # Panics
    ///
    /// When the process is gone.
    pub async fn begin(&mut self, program: &str) {
        let line = format!("{}\n", Value::from(program));
        self.input.write_all(line.as_bytes()).await.unwrap_or_else(|error| panic!("libqi is gone: {error}"));
    }

    /// What became of the program begun first.
    ///
    /// # Panics
    ///
    /// When the process is gone.
    pub async fn end(&mut self) -> Result<Value, String> {
        let line = eventually("libqi", self.answers.next_line()).await;
        let Ok(Some(line)) = line else { panic!("libqi is gone: {line:?}") };
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        match answer.get("error") {
            Some(error) => Err(error.as_str().unwrap_or_default().to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }

    /// Kills it, as `kill -9` does.
    pub async fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill().await;
    }
}

/// Starts libqi's own service directory on a URL.
pub fn directory(python: &str, url: &str) -> Running {
    Running::start(std::process::Command::new(python).arg(script("libqi_directory.py")).arg(url))
}

/// Where a script of `tests/peers` is.
pub fn script(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "peers", name].iter().collect()
}

/// The Python with libqi, from `KEYWAY_PEER_PYTHON`. Missing, it fails the run under CI and skips the test elsewhere.
///
/// # Panics
///
/// When it is missing under CI.
pub fn peer_python() -> Option<String> {
    match env::var("KEYWAY_PEER_PYTHON") {
        Ok(python) => Some(python),
        Err(_) if env::var_os("CI").is_some() => panic!("KEYWAY_PEER_PYTHON is not set: run `cargo xtask test`"),
        Err(_) => {
            eprintln!("skipped: KEYWAY_PEER_PYTHON is not set; `cargo xtask test` installs libqi and sets it");
            None
        }
    }
}
