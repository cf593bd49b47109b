//! A gateway that says on the network where it is, and `keyway discover` that hears it. On the loopback interface, which every
//! machine has, and which carries multicast DNS from one program to another.

use std::{
    process,
    time::{Duration, Instant},
};

use keyway_tests::{
    gateway::{Gateway, user},
    process::{Keyway, Running},
};
use serde_json::Value;

fn discovered(timeout: &str) -> Vec<Value> {
    let output = Keyway::run(&["discover", "--json", "--timeout", timeout]);
    let found: Vec<Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    // Other gateways and robots may be there, or nobody.
    assert_eq!(output.status.code(), Some(if found.is_empty() { 3 } else { 0 }), "{output:?}");
    found
}

fn find(name: &str) -> Option<Value> {
    discovered("2s").into_iter().find(|found| found["name"] == name)
}

/// The advert comes when its name has been found to be free; a busy machine takes its time.
fn wait_for(name: &str) -> Value {
    let started = Instant::now();
    loop {
        if let Some(found) = find(name) {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "nobody advertises {name}");
    }
}

fn urls(found: &Value) -> Vec<String> {
    let urls = found["urls"].as_array().unwrap();
    urls.iter().map(|url| url.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_gateway_that_is_told_to_is_discovered_until_it_ends() {
    let name = format!("gateway {}.test", process::id());
    let directory = Keyway::directory(&[]);
    let config = format!("[discovery]\nmdns = true\nname = \"{name}\"\n{}", user("guest", "admin"));
    let more = ["--listen", "tcp://127.0.0.1:0", "--listen", "http://127.0.0.1:0"];
    let mut gateway = Gateway::start(&directory.url, &config, &more);
    let found = wait_for(&name);
    assert_eq!((&found["kind"], &found["model"]), (&"gateway".into(), &env!("CARGO_PKG_VERSION").into()));
    let listening = &gateway.process.urls;
    let said = urls(&found);
    assert!(listening.iter().all(|url| said.contains(url)) && said.len() == listening.len(), "{said:?} {listening:?}");

    gateway.process.stop();
    assert_eq!(find(&name), None, "it has taken back its advert");
}

#[test]
fn up_with_a_configuration_is_discovered_and_without_being_told_to_is_not() {
    let name = format!("up {}", process::id());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keyway.toml");
    let start = |mdns: bool| {
        let listen = "[[listen]]\nurl = \"tcp://127.0.0.1:0\"\n";
        let config = format!("[discovery]\nmdns = {mdns}\nname = \"{name}\"\n{listen}{}", user("guest", "admin"));
        std::fs::write(&file, config).unwrap();
        let mut command = process::Command::new(Keyway::program());
        command.args(["up", "--bus", "tcp://127.0.0.1:0", "--config"]).arg(&file);
        Running::start(&mut command)
    };
    let up = start(true);
    let found = wait_for(&name);
    assert_eq!(urls(&found), up.urls[1..], "the bus is for programs inside");
    drop(up);
    let _silent = start(false);
    // Killed, the first could not say goodbye: only what answers now counts.
    assert_eq!(find(&name), None);
}

#[test]
fn discover_says_what_is_wrong_with_its_arguments() {
    let output = Keyway::run(&["discover", "--timeout", "soon"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
