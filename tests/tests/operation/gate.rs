//! A gateway with an admin listener, and what it answers.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use keyway_tests::process::{Keyway, Running};
use serde_json::Value;
use tempfile::TempDir;

/// A gateway as the command runs it.
pub(crate) struct Gate {
    pub(crate) process: Running,
    pub(crate) admin: String,
    folder: TempDir,
}

/// What a request was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Gate {
    /// In front of a directory. Everybody is `admin`, unless `config` says more; `flags` go to the command.
    pub(crate) fn start(directory: &str, config: &str, flags: &[&str]) -> Self {
        Self::start_by(Command::new(Keyway::program()), directory, config, flags)
    }

    /// The same by a command that ends with `keyway`, such as one that starts it in a network namespace.
    pub(crate) fn start_by(mut command: Command, directory: &str, config: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("keyway.toml"), Self::text(directory, config)).unwrap();
        command.args(["--log", "info", "gateway", "--admin", "127.0.0.1:0", "--config"]);
        command.arg(folder.path().join("keyway.toml")).args(flags);
        let process = Running::start(&mut command);
        let admin = until("the admin listener is open", || {
            let said = process.said();
            let rest = said.split_once("the admin listener is open")?.1;
            let url = rest.split_once("http://")?.1;
            Some(url.split(|letter: char| letter.is_whitespace()).next()?.to_owned())
        });
        Self { process, admin, folder }
    }

    fn text(directory: &str, config: &str) -> String {
        format!(
            "{config}\n[[directory]]\nurl = \"{directory}\"\n\
             [[listen]]\nurl = \"tcp://127.0.0.1:0\"\nanonymous = {{ role = \"admin\" }}\n"
        )
    }

    /// Its configuration, to be written anew.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("keyway.toml")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.admin)).unwrap()
    }

    pub(crate) fn post(&self, path: &str) -> Answer {
        self.ask(&format!("POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n", self.admin)).unwrap()
    }

    /// The answer to a request without its end.
    pub(crate) fn ask(&self, request: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(&self.admin).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{request}Connection: close\r\n\r\n").as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, body: body.to_owned() })
    }

    /// The number of a metric with its labels, as `/metrics` shows it; 0 if it does not.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        let text = self.get("/metrics").body;
        let line = text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(shown, _)| shown == name));
        line.map_or(0, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
    }

    /// Waits until a metric has a value.
    pub(crate) fn wait_for(&self, name: &str, value: i64) {
        until(name, || (self.metric(name) == value).then_some(()));
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }
}

/// Asks until there is an answer.
pub(crate) fn until<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(Instant::now() < end, "in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Before a test gives up; machines are busy.
const PATIENCE: Duration = Duration::from_secs(30);
