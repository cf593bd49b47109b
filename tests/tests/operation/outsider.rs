//! Clients outside, each a process of its own, so that it can be killed.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use keyway_tests::process::Keyway;

/// A process whose lines are read; killed when dropped.
pub(crate) struct Outsider {
    process: Child,
    lines: Receiver<String>,
}

impl Outsider {
    /// Waits for a signal of a service: a client that stays.
    pub(crate) fn watching(gateway: &str, member: &str) -> Self {
        let mut command = Command::new(Keyway::program());
        command.args(["watch", "--qi-url", gateway, member]);
        Self::start(command)
    }

    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        // Ends with the process's output.
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process, lines }
    }

    /// The next line of its output.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(40)).expect("the process goes on talking")
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
