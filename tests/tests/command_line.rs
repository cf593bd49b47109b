//! The `keyway` command as scripts and people use it: against a real libqi directory with a Python service (A6), and as a server.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use keyway_tests::{
    libqi::{Peer, peer_python},
    process::{Keyway, Running},
};
use serde_json::{Value, json};

/// A libqi directory with the service `Peer`; none where libqi is missing.
async fn libqi() -> Option<Peer> {
    Some(Peer::start(&peer_python()?, "libqi_service.py", &["Peer"]).await)
}

/// Runs a client command at a directory.
fn at(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(Keyway::program());
    command.args(arguments).env("QI_URL", url).stdin(Stdio::null());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a command that has to succeed prints.
fn printed(url: &str, arguments: &[&str]) -> String {
    let output = at(url, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn parsed(url: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(url, arguments)).unwrap()
}

/// A command that goes on printing; killed when dropped.
struct Printing {
    process: Child,
    lines: Receiver<String>,
}

impl Printing {
    fn start(url: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(Keyway::program());
        command.args(arguments).env("QI_URL", url).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        // Ends with the process's output.
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(HANG).unwrap()
    }

    /// Ends it as `timeout` and systemd do.
    fn terminate(mut self) -> i32 {
        terminate(self.process.id());
        self.process.wait().unwrap().code().unwrap()
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Only what hangs takes this long.
const HANG: Duration = Duration::from_secs(60);

fn terminate(pid: u32) {
    assert!(Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn info_lists_and_describes_the_services_of_a_libqi_directory() {
    let Some(peer) = libqi().await else { return };
    let url = peer.url();
    assert_eq!(printed(url, &["info"]), "001 [ServiceDirectory]\n002 [Peer]\n");
    assert_eq!(printed(url, &["info", "-z"]), "ServiceDirectory\nPeer\n");
    let details = printed(url, &["info", "--raw-signature", "--show-doc", "Peer"]);
    assert!(details.starts_with("002 [Peer]\n* Info\n"), "{details}");
    assert!(details.contains("* Methods\n  100 add       i (ii)\n      Adds.\n"), "{details}");
    assert!(details.contains("* Properties\n"), "{details}");
    assert!(!details.contains("registerEvent"), "{details}");
    assert!(printed(url, &["info", "--hidden", "Peer"]).contains("  000 registerEvent"));
    let parseable = printed(url, &["info", "-dz", "P*"]);
    assert!(parseable.starts_with("Peer:add,") && parseable.contains(":anything,changed,handed,level:level"));
    let document = parsed(url, &["info", "--json", "Peer"]);
    assert_eq!(document[0]["methods"][0]["name"], "registerEvent");
    assert_eq!(document[0]["id"], 2);
    let output = at(url, &["info", "Nobody"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is no service \"Nobody\""));
}

#[tokio::test]
async fn call_takes_json_and_text_and_prints_json() {
    let Some(peer) = libqi().await else { return };
    let url = peer.url();
    for (arguments, expected) in [
        (&["Peer.add", "40", "2"][..], "42\n"),
        (&["Peer.add::(ii)", "-40", "-2"], "-42\n"),
        (&["Peer.over", "7"], "\"int\"\n"),
        (&["Peer.over", "seven"], "\"str\"\n"),
        (&["Peer.over", "\"7\""], "\"str\"\n"),
        (&["Peer.nothing"], "null\n"),
        (&["Peer.echo13", "[\"a\",\"b\"]"], "[\"a\",\"b\"]\n"),
        (&["Peer.echo14", "{\"a\":1}"], "{\"a\":1}\n"),
        (&["Peer.echo22", "[1,\"one\"]"], "{\"x\":1,\"label\":\"one\"}\n"),
        (&["*.add", "1", "1"], "Peer.add: 2\n"),
    ] {
        let mut command = vec!["call"];
        command.extend(arguments);
        assert_eq!(printed(url, &command), expected, "{arguments:?}");
    }
    let output = at(url, &["call", "Peer.boom"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("kaboom"));
    let output = at(url, &["call", "Peer.nowhere"]);
    assert!(text(&output.stderr).contains("keyway info Peer"), "{}", text(&output.stderr));
    assert_eq!(at(url, &["call", "Peer"]).status.code(), Some(2));
    assert_eq!(at(url, &["call", "--json", "Peer.over", "seven"]).status.code(), Some(2));
}

#[tokio::test]
async fn properties_are_read_and_written() {
    let Some(peer) = libqi().await else { return };
    let url = peer.url();
    assert_eq!(printed(url, &["set", "Peer.level", "42"]), "");
    assert_eq!(printed(url, &["get", "Peer.level"]), "42\n");
    assert_eq!(printed(url, &["get", "Pe*.*"]), "Peer.level: 42\n");
    assert_eq!(parsed(url, &["get", "--json", "Peer.level"]), json!({"Peer.level": 42}));
    let output = at(url, &["get", "Peer.add"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("means no property"));
}

#[tokio::test]
async fn watch_prints_signals_and_changes_of_properties() {
    let Some(peer) = libqi().await else { return };
    let url = peer.url();
    let watch = Printing::start(url, &["watch", "--json", "Peer.changed", "Peer.level"]);
    // Subscribed as soon as anything arrives.
    let first = loop {
        printed(url, &["post", "Peer.changed", "1", "one"]);
        if let Ok(line) = watch.lines.recv_timeout(Duration::from_millis(100)) {
            break line;
        }
    };
    let event: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((&event["member"], &event["arguments"]), (&json!("Peer.changed"), &json!([1, "one"])));
    printed(url, &["call", "Peer.emit", "2", "two"]);
    while !watch.line().contains("[2,\"two\"]") {}
    printed(url, &["set", "Peer.level", "43"]);
    while !watch.line().contains("[43]") {}
    assert_eq!(watch.terminate(), 0);
}

#[tokio::test]
async fn trace_prints_calls_with_their_results_and_switches_tracing_off_again() {
    let Some(peer) = libqi().await else { return };
    let url = peer.url();
    let trace = Printing::start(url, &["trace", "--json", "Peer.add"]);
    while printed(url, &["call", "Peer.isTraceEnabled"]) != "true\n" {}
    printed(url, &["call", "Peer.add", "1", "2"]);
    let (mut kinds, mut values) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let event: Value = serde_json::from_str(&trace.line()).unwrap();
        assert_eq!(event["member"], "Peer.add");
        kinds.push(event["kind"].as_str().unwrap().to_owned());
        values.push(event["arguments"].clone());
    }
    kinds.sort();
    assert_eq!(kinds, ["call", "result"]);
    assert!(values.contains(&json!([1, 2])) && values.contains(&json!(3)), "{values:?}");
    assert_eq!(trace.terminate(), 0);
    assert_eq!(printed(url, &["call", "Peer.isTraceEnabled"]), "false\n");
}

#[tokio::test]
async fn top_counts_calls_and_switches_statistics_off_again() {
    let Some(peer) = libqi().await else { return };
    let url = peer.url();
    let top = Printing::start(url, &["top", "--json", "-i", "0.2", "Peer"]);
    while printed(url, &["call", "Peer.isStatsEnabled"]) != "true\n" {}
    let row = loop {
        printed(url, &["call", "Peer.add", "1", "2"]);
        let rows: Value = serde_json::from_str(&top.line()).unwrap();
        if let Some(row) = rows.get(0) {
            break row.clone();
        }
    };
    assert_eq!((&row["service"], &row["method"]), (&json!("Peer"), &json!("add(ii)")));
    assert!(row["calls_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(top.terminate(), 0);
    assert_eq!(printed(url, &["call", "Peer.isStatsEnabled"]), "false\n");
}

#[tokio::test]
async fn probe_tells_a_libqi_directory_from_other_servers() {
    let Some(peer) = libqi().await else { return };
    let report = parsed(peer.url(), &["probe", "--json"]);
    assert_eq!((&report["kind"], &report["services"]), (&json!("directory"), &json!(2)));
    assert_eq!(report["capabilities"]["ClientServerSocket"], true);
    assert!(report["next"].as_str().unwrap().starts_with("keyway info --qi-url tcp://"));
}

#[test]
fn probe_names_what_is_no_qi_server() {
    for (greeting, kind) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "http"),
        (b"\x15\x03\x01\x00\x02\x02\x16", "tls"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "foreign"),
        (b"", "closed"),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("tcp://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Reads what it does not understand, answers, hangs up.
            let _ = stream.read(&mut [0; 1024]);
            std::io::Write::write_all(&mut stream, greeting).unwrap();
        });
        let output = Keyway::run(&["probe", "--json", &url]);
        assert_eq!(output.status.code(), Some(1));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["kind"], kind);
        server.join().unwrap();
    }
}

#[test]
fn exit_codes_tell_usage_from_connection_from_refusal() {
    assert_eq!(Keyway::run(&["info", "--qi-url", "tcp://127.0.0.1:1"]).status.code(), Some(3));
    assert_eq!(Keyway::run(&["probe", "tcp://127.0.0.1:1"]).status.code(), Some(3));
    assert_eq!(Keyway::run(&["info", "--qi-url", "carrier-pigeon://127.0.0.1:1"]).status.code(), Some(2));
    assert_eq!(Keyway::run(&["directory", "--listen", "tcp://203.0.113.1:1"]).status.code(), Some(2));
    assert_eq!(Keyway::run(&["fly"]).status.code(), Some(2));
    let help = text(&Keyway::run(&["--help"]).stdout);
    assert!(help.contains("keyway up --demo") && !help.contains("bench"), "{help}");
}

#[test]
fn a_listening_command_prints_its_ready_line_only_and_ends_well_when_told_to() {
    let state = tempfile::tempdir().unwrap();
    let free = "tcp://127.0.0.1:0";
    let commands: [&[&str]; 4] = [
        &["directory", "--listen", free, "--listen", free],
        &["up", "--bus", free, "--bus", free],
        &["up", "--bus", free, "--listen", free, "--anonymous-role", "admin"],
        &["up", "--demo", "--bus", free, "--listen", free, "--anonymous-role", "demo"],
    ];
    for arguments in commands {
        let mut command = Command::new(Keyway::program());
        command.args(arguments).env("XDG_STATE_HOME", state.path());
        command.args(["--network-threads", "2"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let urls: Vec<_> = line.trim_end().split(' ').collect();
        assert_eq!((urls[0], urls.len()), ("ready", 3), "{line}");
        for url in &urls[1..] {
            assert!(printed(url, &["info"]).starts_with("001 [ServiceDirectory]\n"));
        }
        terminate(process.id());
        assert_eq!(process.wait().unwrap().code(), Some(0));
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

#[test]
fn the_demo_robot_and_meter_do_what_the_readme_says() {
    let mut command = Command::new(Keyway::program());
    let state = tempfile::tempdir().unwrap();
    command.args(["up", "--demo", "--bus", "tcp://127.0.0.1:0", "--listen", "tcp://127.0.0.1:0"]);
    let demo = Running::start(command.env("XDG_STATE_HOME", state.path()));
    let url = &demo.url;
    assert_eq!(printed(url, &["info"]), "001 [ServiceDirectory]\n002 [Robot]\n003 [Meter]\n");
    assert_eq!(printed(url, &["call", "Robot.walkTo", "0.2", "0.1"]), "[0.2,0.1]\n");
    assert_eq!(printed(url, &["get", "Robot.position"]), "[0.2,0.1]\n");
    let output = at(url, &["set", "Robot.volume", "101"]);
    assert!(text(&output.stderr).contains("volume goes from 0 to 100"), "{}", text(&output.stderr));
    let event = parsed(url, &["watch", "--json", "-n", "1", "Robot.image"]);
    assert_eq!(event["arguments"][0][0], 80);
    printed(url, &["set", "Meter.interval", "0.01"]);
    assert!(printed(url, &["watch", "-n", "2", "Meter.measured"]).starts_with("Meter.measured: ["));
    assert!(printed(url, &["call", "Robot.arm"]).contains("$object"));
}

#[test]
fn completions_and_manual_pages_are_written() {
    assert!(text(&Keyway::run(&["completions", "bash"]).stdout).contains("_keyway"));
    assert!(text(&Keyway::run(&["man"]).stdout).contains(".TH keyway"));
}
