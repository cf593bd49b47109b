//! A network namespace out of which programs connect, and into which nobody does.

use std::{
    net::Ipv4Addr,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU8, Ordering},
};

/// A namespace joined to this one by two virtual interfaces; removed when dropped. Needs root and `ip`.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    link: String,
    /// Of this side.
    pub here: Ipv4Addr,
    /// Of the namespace.
    pub there: Ipv4Addr,
}

impl Namespace {
    /// Makes one; `None`, and a word why, where the system does not let us.
    pub fn new() -> Option<Self> {
        static LAST: AtomicU8 = AtomicU8::new(0);
        let (pid, number) = (process::id(), LAST.fetch_add(1, Ordering::Relaxed));
        // 198.18.0.0/15 is for tests of networks (RFC 2544): 32,768 nets of four addresses.
        let net = 0xC612_0000 + ((pid * 8 + u32::from(number)) % 0x8000) * 4;
        let namespace = Self {
            name: format!("keyway-{pid}-{number}"),
            link: format!("kw{pid}-{number}"),
            here: Ipv4Addr::from(net + 1),
            there: Ipv4Addr::from(net + 2),
        };
        let made = namespace.make();
        made.inspect_err(|error| eprintln!("there is no network namespace to be had: {error}")).ok()?;
        Some(namespace)
    }

    fn make(&self) -> Result<(), String> {
        let Self { name, link, here, there } = self;
        ip(&["netns", "add", name])?;
        ip(&["link", "add", link, "type", "veth", "peer", "name", INSIDE, "netns", name])?;
        ip(&["addr", "add", &format!("{here}/30"), "dev", link])?;
        ip(&["link", "set", link, "up"])?;
        ip(&["-n", name, "addr", "add", &format!("{there}/30"), "dev", INSIDE])?;
        ip(&["-n", name, "link", "set", INSIDE, "up"])?;
        ip(&["-n", name, "link", "set", "lo", "up"])
    }

    /// From now on no TCP comes in but from one port of this side, to which programs there have connected.
    ///
    /// # Panics
    ///
    /// When the system does not do it.
    pub fn admit_only(&self, port: u16) {
        // Without packet filters, which not every machine has: what comes from elsewhere has no route.
        let (port, in_namespace) = (port.to_string(), ["-n", &self.name, "rule"]);
        let from_there = ["iif", INSIDE, "ipproto", "tcp"];
        let rules: [&[&str]; 4] = [
            &["add", "pref", "10", "iif", INSIDE, "ipproto", "tcp", "sport", &port, "lookup", "local"],
            &[&["add", "pref", "20"], &from_there[..], &["blackhole"]].concat(),
            &["add", "pref", "30", "lookup", "local"],
            &["del", "pref", "0"],
        ];
        for rule in rules {
            ip(&[&in_namespace[..], rule].concat()).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Cuts it off: it has no address any more, so that what is sent there is dropped, and nobody is told.
    ///
    /// # Panics
    ///
    /// When the system does not do it.
    pub fn cut(&self) {
        ip(&["-n", &self.name, "addr", "flush", "dev", INSIDE]).unwrap_or_else(|error| panic!("{error}"));
    }

    /// A command that runs a program there.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What was not made cannot be removed.
        let _ = ip(&["link", "del", &self.link]);
        let _ = ip(&["netns", "del", &self.name]);
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("ip: {error}")),
    }
}

/// The interface in the namespace.
const INSIDE: &str = "outside";
