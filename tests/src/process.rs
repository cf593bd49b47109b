//! The `keyway` command as a process.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::HANG;

/// The command.
#[derive(Debug)]
pub struct Keyway;

impl Keyway {
    /// The binary: `KEYWAY_BIN`, or the one beside the test.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn program() -> PathBuf {
        if let Some(path) = env::var_os("KEYWAY_BIN") {
            return path.into();
        }
        let path = beside_the_test("keyway");
        assert!(path.exists(), "there is no {}: run `cargo build -p keyway-cli` first", path.display());
        path
    }

    /// Starts `keyway directory` with more arguments, on a free port unless they say otherwise, and waits until it listens.
    pub fn directory(arguments: &[&str]) -> Running {
        let mut command = Command::new(Self::program());
        command.arg("directory");
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "tcp://127.0.0.1:0"]);
        }
        Running::start(command.args(arguments))
    }

    /// Starts `keyway gateway` in front of a directory with more arguments, on a free port unless they say otherwise, and waits
    /// until it listens.
    pub fn gateway(directory: &str, arguments: &[&str]) -> Running {
        let mut command = Command::new(Self::program());
        command.args(["gateway", "--directory", directory]);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "tcp://127.0.0.1:0"]);
        }
        Running::start(command.args(arguments))
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn run(arguments: &[&str]) -> Output {
        let mut command = Command::new(Self::program());
        command.args(arguments).stdin(Stdio::null());
        command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
    }
}

/// A process that has said `ready`; killed when dropped.
#[derive(Debug)]
pub struct Running {
    /// What it said to be ready at, first.
    pub url: String,
    /// All that it said to be ready at.
    pub urls: Vec<String>,
    /// Its number.
    pub pid: u32,
    process: Child,
    /// Kept open: the process must not find its output closed.
    _output: BufReader<ChildStdout>,
    said: Arc<Mutex<String>>,
    listening: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts a command and waits for its `ready URL` line.
    ///
    /// # Panics
    ///
    /// When it does not start, or says something else first.
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let (Some(output), Some(mut errors)) = (process.stdout.take(), process.stderr.take()) else {
            unreachable!("both are piped");
        };
        let said = Arc::new(Mutex::new(String::new()));
        let heard = said.clone();
        let listening = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = errors.read(&mut bytes) {
                append(&heard, &String::from_utf8_lossy(&bytes[..length]));
            }
        });
        let mut running = Self {
            url: String::new(),
            urls: Vec::new(),
            pid: process.id(),
            process,
            _output: BufReader::new(output),
            said,
            listening: Some(listening),
        };
        let mut line = String::new();
        let read = running._output.read_line(&mut line);
        match line.trim().strip_prefix("ready ") {
            Some(urls) => {
                running.urls = urls.split(' ').map(str::to_owned).collect();
                running.url = running.urls[0].clone();
            }
            None => panic!("{command:?} said {line:?} ({read:?}) instead of \"ready URL\"; {}", running.end()),
        }
        running
    }

    /// What it has written to standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().map(|said| said.clone()).unwrap_or_default()
    }

    /// Memory it holds now, in KiB.
    pub fn resident_kib(&self) -> u64 {
        resident_kib(self.pid)
    }

    /// Waits until it has given back all memory but so much, in KiB. The allocator does so a second after nobody uses it any more, and
    /// another of its threads may only just have served somebody.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub async fn shrinks_to(&self, most: u64) {
        let shrinking = async {
            while self.resident_kib() > most {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(HANG, shrinking).await.is_err() {
            panic!("{} KiB of memory are in use, and {most} KiB were to be left: {}", self.resident_kib(), self.said());
        }
    }

    /// Descriptors it has open.
    ///
    /// # Panics
    ///
    /// When the process is gone.
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.pid);
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}; it said: {}", self.said())).count()
    }

    /// Sends it a signal, by its name without `SIG`.
    ///
    /// # Panics
    ///
    /// When that does not work.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.pid.to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "no signal {name} to process {}", self.pid);
    }

    /// Asks it to end (SIGTERM), waits for that, and returns what it wrote to standard error.
    ///
    /// # Panics
    ///
    /// When it ends with an error.
    pub fn stop(&mut self) -> String {
        self.signal("TERM");
        self.ended()
    }

    /// Waits until it has ended by itself, and returns what it wrote to standard error.
    ///
    /// # Panics
    ///
    /// When it ends with an error.
    pub fn ended(&mut self) -> String {
        let status = self.process.wait();
        let said = self.end();
        assert!(status.as_ref().is_ok_and(ExitStatus::success), "ended with {status:?}: {said}");
        said
    }

    /// Kills it, as `kill -9` does, and returns what it wrote to standard error.
    pub fn end(&mut self) -> String {
        // It may have ended by itself; then there is nothing left to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
        self.said()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// A program of this workspace that is built beside the tests.
///
/// # Panics
///
/// When the test itself cannot be found.
pub fn beside_the_test(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap_or_else(|error| panic!("where is this test? {error}"));
    // target/PROFILE/deps/TEST
    let folder = test.ancestors().nth(2).unwrap_or(&test);
    folder.join(name).with_extension(env::consts::EXE_EXTENSION)
}

/// Memory a process holds now, in KiB; its program, of which ever more is read in, does not count.
///
/// # Panics
///
/// When the process is gone.
pub fn resident_kib(pid: u32) -> u64 {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("process {pid} has ended"))
}

fn append(said: &Mutex<String>, text: &str) {
    if let Ok(mut said) = said.lock() {
        said.push_str(text);
    }
}
