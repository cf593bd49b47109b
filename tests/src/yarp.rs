//! Programs of the real YARP.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{self, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::sleep,
};

use crate::eventually;

/// A name server of its own, and programs that use it; all are killed when it is dropped.
#[derive(Debug)]
pub struct World {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

impl World {
    /// Starts a name server; `None`, and a word why, where there is no YARP.
    ///
    /// # Panics
    ///
    /// When it is missing under CI, or does not start.
    pub async fn start() -> Option<Self> {
        let mut world = Self::without_server()?;
        world.start_server().await;
        Some(world)
    }

    /// A place for a name server that does not run.
    ///
    /// # Panics
    ///
    /// When YARP is missing under CI.
    pub fn without_server() -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for YARP: {error}"));
        let port = free_range();
        fs::write(folder.path().join("yarp.conf"), format!("127.0.0.1 {port} yarp\n"))
            .unwrap_or_else(|error| panic!("no yarp.conf: {error}"));
        Some(Self { programs, folder, port, server: None })
    }

    /// Starts the name server, which knows nothing.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start_server(&mut self) {
        let mut command = self.command("yarpserver");
        command.args(["--read", "--ip", "127.0.0.1", "--socket", &self.port.to_string()]);
        command.args(["--portdb", ":memory:", "--subdb", ":memory:"]).stdout(Stdio::null()).stderr(Stdio::null());
        self.server = Some(command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}")));
        eventually("yarpserver", async {
            while !self.run(&["where"], "").await.1 {
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }

    /// Kills the name server.
    pub async fn stop_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            // It may have ended by itself.
            let _ = server.kill().await;
        }
    }

    /// Where the name server is.
    pub fn name_server(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A program of YARP that uses this name server.
    pub fn command(&self, program: &str) -> Command {
        self.in_world(&self.programs.join("yarp/bin").join(program))
    }

    /// The client and server of `tests/peers/yarp_probe.cpp`, which xtask makes.
    pub fn probe(&self, arguments: &[&str]) -> Command {
        let mut command = self.in_world(&self.programs.join("probe/yarp_probe"));
        command.args(arguments);
        command
    }

    fn in_world(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("YARP_CONFIG_HOME", self.folder.path()).env("YARP_DATA_HOME", self.folder.path());
        command.env("YARP_COLORED_OUTPUT", "0").stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs `yarp` to its end; what it wrote, and whether it ended well.
    ///
    /// # Panics
    ///
    /// When it hangs.
    pub async fn run(&self, arguments: &[&str], input: &str) -> (String, bool) {
        let mut command = self.command("yarp");
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        if let Some(mut stdin) = process.stdin.take() {
            // It may not want to know.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let output = eventually(&format!("yarp {}", arguments.join(" ")), process.wait_with_output()).await;
        let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let all = [output.stdout, output.stderr].concat();
        (String::from_utf8_lossy(&all).into_owned(), output.status.success())
    }

    /// What `yarp` writes.
    pub async fn yarp(&self, arguments: &[&str]) -> String {
        self.run(arguments, "").await.0
    }

    /// What `yarp rpc` shows as the response to a line, without the word `Response:`.
    ///
    /// # Panics
    ///
    /// When there is no response.
    pub async fn rpc(&self, port: &str, line: &str) -> String {
        let (output, _) = self.run(&["rpc", port], &format!("{line}\n")).await;
        let begin = output.find("Response").unwrap_or_else(|| panic!("{line}: {output:?}"));
        let text = &output[begin..];
        match text.strip_prefix("Response: ") {
            Some(text) => text.lines().next().unwrap_or_default().to_owned(),
            None => text.trim_end().to_owned(),
        }
    }

    /// `yarp read` of a port, connected to others.
    pub fn reader(&self, arguments: &[&str]) -> Reader {
        let mut command = self.command("yarp");
        command.arg("read").args(arguments);
        Reader::start(command)
    }

    /// The names that the name server lists under a prefix.
    pub async fn names(&self, prefix: &str) -> Vec<String> {
        let output = self.yarp(&["name", "list", prefix]).await;
        let names = output.lines().filter_map(|line| line.trim().strip_prefix("registration name "));
        names.filter_map(|rest| rest.split(' ').next()).map(ToOwned::to_owned).collect()
    }

    /// Waits until the name server has a name, or has it not.
    pub async fn wait_for_name(&self, name: &str, is_there: bool) {
        eventually(&format!("{name} registered: {is_there}"), async {
            while self.names(name).await.iter().any(|other| other == name) != is_there {
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }

    /// Waits until `yarp` says something.
    pub async fn wait_until_said(&self, arguments: &[&str], text: &str) -> String {
        eventually(&format!("yarp {} says {text:?}", arguments.join(" ")), async {
            loop {
                let said = self.yarp(arguments).await;
                if said.contains(text) {
                    return said;
                }
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }
}

/// A program that writes lines; killed when dropped.
#[derive(Debug)]
pub struct Reader {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Reader {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let Some(output) = process.stdout.take() else { unreachable!("it is piped") };
        Self { process, lines: BufReader::new(output).lines() }
    }

    /// The next line that is no remark of YARP's own.
    ///
    /// # Panics
    ///
    /// When the program has ended.
    pub async fn line(&mut self) -> String {
        loop {
            let line = eventually("a line", self.lines.next_line()).await;
            match line {
                Ok(Some(line)) if line.starts_with('[') && line.contains("|yarp.") => {}
                Ok(Some(line)) => return line,
                other => panic!("the program is gone: {other:?}"),
            }
        }
    }

    /// So many lines.
    pub async fn take(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::with_capacity(count);
        for _ in 0..count {
            lines.push(self.line().await);
        }
        lines
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// Kills it, as `kill -9` does.
    pub async fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill().await;
    }
}

/// The folder of YARP's programs and libraries, from `KEYWAY_PEER_YARP`. Missing, it fails the run under CI and skips the test
/// elsewhere.
fn programs() -> Option<PathBuf> {
    match env::var_os("KEYWAY_PEER_YARP") {
        Some(folder) => Some(folder.into()),
        None if env::var_os("CI").is_some() => panic!("KEYWAY_PEER_YARP is not set: run `cargo xtask test`"),
        None => {
            eprintln!("skipped: KEYWAY_PEER_YARP is not set; `cargo xtask test` installs YARP and sets it");
            None
        }
    }
}

/// A free port with others behind it: the name server gives those out without looking whether they are free. They lie below those
/// that the system gives out.
fn free_range() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(process::id() % 180).unwrap_or_default();
    loop {
        let number = first.wrapping_add(NEXT.fetch_add(7, Ordering::Relaxed)) % 180;
        let port = 12_000 + number * 100;
        if (port..port + 30).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()) {
            return port;
        }
    }
}
