//! Metrics, health, readiness and reloads.

use std::{fs, process::Command};

use keyway::{Object, Session};
use keyway_tests::process::Keyway;
use serde_json::json;

use crate::gate::{Gate, until};

/// A host of the service `Echo`, inside.
async fn echo(directory: &str) -> Session {
    let session = Session::connect(directory).await.unwrap();
    let mut object = Object::builder();
    object.method("echo", |(text,): (String,)| text);
    session.register("Echo", object.build()).await.unwrap();
    session
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_do_is_counted() {
    let directory = Keyway::directory(&[]);
    let _host = echo(&directory.url).await;
    let gate = Gate::start(&directory.url, "", &[]);
    gate.wait_for(&format!("keyway_gateway_directory_attached{{directory=\"{}\"}}", directory.url), 1);
    assert_eq!(gate.metric("keyway_gateway_calls_total"), 0);
    let client = Session::connect(&gate.process.url).await.unwrap();
    let service = client.wait_for_service("Echo").await.unwrap();
    let asked = gate.metric("keyway_gateway_calls_total");
    for _ in 0..5 {
        assert_eq!(service.call::<String>("echo", ("hello".to_owned(),)).await.unwrap(), "hello");
    }
    assert_eq!(gate.metric("keyway_gateway_calls_total"), asked + 5);
    assert_eq!(gate.metric("keyway_gateway_calls_in_flight"), 0);
    assert_eq!(gate.metric("keyway_gateway_connections"), 1);
    assert_eq!(gate.metric("keyway_gateway_connections_accepted_total"), 1);
    assert_eq!(gate.metric("keyway_gateway_sessions{door=\"qi\",role=\"admin\"}"), 1);
    client.close().await;
    gate.wait_for("keyway_gateway_sessions_ended_total{why=\"closed\"}", 1);
    gate.wait_for("keyway_gateway_connections", 0);
    assert_eq!(gate.metric("keyway_gateway_calls_total"), asked + 5, "what a session did stays counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_and_wrong_tokens_are_counted_by_code() {
    let directory = Keyway::directory(&[]);
    let config = "[[role]]\nname = \"guest\"\n[[user]]\nname = \"nao\"\nrole = \"guest\"\n\
                  token_hash = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\n";
    let gate = Gate::start(&directory.url, config, &[]);
    gate.wait_for(&format!("keyway_gateway_directory_attached{{directory=\"{}\"}}", directory.url), 1);
    let connect = |token: &str| Session::builder().credentials("nao", token).connect(&gate.process.url);
    connect("wrong").await.unwrap_err();
    assert_eq!(gate.metric("keyway_gateway_authentications_total{outcome=\"KW-A001\"}"), 1);
    assert_eq!(gate.metric("keyway_gateway_authentications_total{outcome=\"ok\"}"), 0);
    let client = connect("test").await.unwrap();
    assert_eq!(gate.metric("keyway_gateway_authentications_total{outcome=\"ok\"}"), 1);
    assert_eq!(gate.metric("keyway_gateway_sessions{door=\"qi\",role=\"guest\"}"), 1);
    client.register("Forbidden", Object::builder().build()).await.unwrap_err();
    assert_eq!(gate.metric("keyway_gateway_refusals_total{code=\"KW-P008\"}"), 1);
    assert_eq!(gate.metric("keyway_gateway_refusals_total{code=\"KW-P001\"}"), 0);
}

#[test]
fn a_gateway_is_ready_when_it_listens_and_a_directory_is_attached() {
    // The first to be ended, so that it can come back at the same port.
    let mut directory = Keyway::directory(&[]);
    let gate = Gate::start(&directory.url, "", &[]);
    let ready = until("ready", || Some(gate.get("/readyz")).filter(|answer| answer.status == 200));
    let url = directory.url.clone();
    assert_eq!(
        ready.json(),
        json!({ "ready": true, "phase": "serving", "directories": [{ "name": url, "url": url, "attached": true }] })
    );
    directory.end();
    let not_ready = until("not ready", || Some(gate.get("/readyz")).filter(|answer| answer.status == 503));
    assert_eq!(not_ready.json()["directories"][0]["attached"], false);
    assert_eq!(gate.get("/healthz").status, 200, "the process lives");
    let again = Keyway::directory(&["--listen", &url]);
    until("ready again", || (gate.get("/readyz").status == 200).then_some(()));
    assert_eq!(gate.metric(&format!("keyway_gateway_directory_attachments_total{{directory=\"{}\"}}", again.url)), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_by_request_says_what_is_wrong_and_keeps_the_old_rules() {
    let directory = Keyway::directory(&[]);
    let gate = Gate::start(&directory.url, "", &[]);
    let client = Session::connect(&gate.process.url).await.unwrap();
    let text = fs::read_to_string(gate.file()).unwrap();

    fs::write(gate.file(), format!("{text}\n[limits]\ncalls_in_flight = 5\n")).unwrap();
    let good = gate.post("/reload");
    assert_eq!((good.status, good.json()), (200, json!({ "reloaded": true, "restart_needed": false, "problems": [] })));

    fs::write(gate.file(), format!("{text}\n[limits]\ncalls_in_flight = 0\n")).unwrap();
    let bad = gate.post("/reload");
    assert_eq!(bad.status, 422);
    let problem = &bad.json()["problems"][0];
    assert_eq!(problem["code"], "KW-C101");
    let line = text.lines().count() + 3;
    let place = problem["place"].as_str().unwrap();
    assert!(place.contains(&format!("keyway.toml:{line}:")), "{place}");

    assert_eq!(gate.metric("keyway_gateway_reloads_total{outcome=\"ok\"}"), 1);
    assert_eq!(gate.metric("keyway_gateway_reloads_total{outcome=\"refused\"}"), 1);
    assert!(client.is_connected() && client.services().await.is_ok());
}

#[test]
fn web_pages_cannot_ask() {
    let directory = Keyway::directory(&[]);
    let gate = Gate::start(&directory.url, "", &[]);
    let request = format!("POST /reload HTTP/1.1\r\nHost: {}\r\nOrigin: https://evil.example\r\n", gate.admin);
    assert_eq!(gate.ask(&request).unwrap().status, 403);
    assert_eq!(gate.ask("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n").unwrap().status, 403);
}

#[test]
fn an_admin_listener_is_on_loopback_only() {
    let mut command = Command::new(Keyway::program());
    command.args(["gateway", "--directory", "tcp://127.0.0.1:1", "--listen", "tcp://127.0.0.1:0"]);
    let output = command.args(["--anonymous-role", "none", "--admin", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("0.0.0.0:0 is no loopback address"), "{said}");
}
