//! Who is here, as a real libqi program inside sees it.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use keyway::{Object, Session};
use keyway_tests::{libqi::peer_python, namespace::Namespace, process::Keyway};
use serde_json::Value;

use crate::{
    gate::{Gate, until},
    outsider::Outsider,
};

/// A libqi program that watches; none where libqi is missing.
fn libqi(directory: &str) -> Option<Outsider> {
    let python = peer_python()?;
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "peers", "libqi_presence.py"].iter().collect();
    let mut command = Command::new(python);
    command.arg(script).arg(directory);
    let watcher = Outsider::start(command);
    while watcher.line() != "ready []" {}
    Some(watcher)
}

fn attached(gate: &Gate) {
    until("the gateway is ready", || (gate.get("/readyz").status == 200).then_some(()));
}

/// The next signal: its name and its arguments.
fn told(watcher: &Outsider) -> (String, Vec<Value>) {
    let mut line = watcher.line();
    // Lines of libqi's own log begin with its level.
    while !line.starts_with("[\"") {
        line = watcher.line();
    }
    let mut values: Vec<Value> = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let name = values.remove(0).as_str().unwrap().to_owned();
    (name, values)
}

/// The next signal, which has to be this one.
fn expect(watcher: &Outsider, name: &str) -> Vec<Value> {
    let (heard, values) = told(watcher);
    assert_eq!(heard, name, "{values:?}");
    values
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_libqi_program_inside_hears_who_comes_and_why_they_go() {
    let directory = Keyway::directory(&[]);
    let gate = Gate::start(&directory.url, "", &[]);
    attached(&gate);
    let Some(watcher) = libqi(&directory.url) else { return };

    let client = Session::connect(&gate.process.url).await.unwrap();
    let joined = &expect(&watcher, "joined")[0];
    assert_eq!(
        (&joined["identity"], &joined["role"], &joined["door"]),
        (&"anonymous".into(), &"admin".into(), &"qi".into())
    );
    assert!(joined["source"].as_str().unwrap().contains("127.0.0.1"));
    let mut object = Object::builder();
    object.method("hello", |()| "hello".to_owned());
    client.register("Remote", object.build()).await.unwrap();
    let hosted = &expect(&watcher, "serviceJoined")[0];
    assert_eq!((&hosted["name"], &hosted["session"]), (&"Remote".into(), &joined["session"]));
    client.close().await;
    // libqi calls back on several threads: either may be heard first (spec 9.3).
    let mut heard: Vec<_> = [told(&watcher), told(&watcher)].into();
    heard.sort_by(|one, other| other.0.cmp(&one.0));
    let [(service_left, gone), (is_left, left)] = <[_; 2]>::try_from(heard).unwrap();
    assert_eq!((service_left.as_str(), &gone[0]["name"]), ("serviceLeft", &"Remote".into()));
    assert_eq!(is_left, "left");
    assert_eq!((&left[0]["session"], &left[1]), (&joined["session"], &"closed".into()));

    let mut killed = Outsider::watching(&gate.process.url, "Presence.joined");
    let joined = &expect(&watcher, "joined")[0];
    killed.kill();
    let left = expect(&watcher, "left");
    assert_eq!(left[0]["session"], joined["session"]);
    assert!(left[1] == "closed" || left[1] == "lost", "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_ask_who_is_here_if_the_policy_lets_them() {
    let directory = Keyway::directory(&[]);
    let config = "[[role]]\nname = \"guest\"\n[[rule]]\nrole = \"guest\"\nservice = \"Nothing\"\nallow = [\"*\"]\n\
                  [[user]]\nname = \"guest\"\nrole = \"guest\"\ntoken_hash = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\n";
    let gate = Gate::start(&directory.url, config, &[]);
    attached(&gate);
    let client = Session::connect(&gate.process.url).await.unwrap();
    let presence = client.wait_for_service("Presence").await.unwrap();
    let clients: Vec<(String, String, String, String, String, f64)> = presence.call("clients", ()).await.unwrap();
    let doors: Vec<_> = clients.iter().map(|(_, _, role, door, ..)| (role.as_str(), door.as_str())).collect();
    assert_eq!(doors, [("admin", "qi")]);
    let guest = Session::builder().credentials("guest", "test").connect(&gate.process.url).await.unwrap();
    assert!(!guest.services().await.unwrap().iter().any(|info| info.name.to_string_lossy() == "Presence"));
    let clients: Vec<(String, String, String, String, String, f64)> = presence.call("clients", ()).await.unwrap();
    assert_eq!(clients.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_is_there_again_when_the_directory_is() {
    let mut directory = Keyway::directory(&[]);
    let gate = Gate::start(&directory.url, "", &[]);
    attached(&gate);
    let url = directory.url.clone();
    directory.end();
    until("the directory is lost", || (gate.get("/readyz").status == 503).then_some(()));
    let again = Keyway::directory(&["--listen", &url]);
    let inside = Session::connect(&again.url).await.unwrap();
    let presence = inside.wait_for_service("Presence").await.unwrap();
    let clients: Vec<(String, String, String, String, String, f64)> = presence.call("clients", ()).await.unwrap();
    assert!(clients.is_empty());
}

/// The client is behind a cable that is cut: no packet says so to anybody. Needs root and `ip`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_cut_off_silently_is_found_within_dead_after() {
    let Some(outside) = Namespace::new() else {
        eprintln!("skipped: no network namespaces here");
        return;
    };
    let directory = Keyway::directory(&[]);
    let listen = format!("tcp://{}:0", outside.here);
    let gate = Gate::start(
        &directory.url,
        "[network]\ndead_after = \"4s\"\n",
        &["--listen", &listen, "--anonymous-role", "admin"],
    );
    attached(&gate);
    let inside = Session::connect(&directory.url).await.unwrap();
    let presence = inside.wait_for_service("Presence").await.unwrap();
    let mut left =
        presence.signal::<((String, String, String, String, String, f64), String, f64)>("left").await.unwrap();
    let mut command = outside.command(Keyway::program().to_str().unwrap());
    command.args(["watch", "--qi-url", &gate.process.url, "Presence.joined"]);
    let _client = Outsider::start(command);
    gate.wait_for("keyway_gateway_sessions{door=\"qi\",role=\"admin\"}", 1);
    outside.cut();
    let cut = Instant::now();
    let event = tokio::time::timeout(Duration::from_secs(30), left.next()).await.unwrap();
    let Some(Ok((_, why, _))) = event else { panic!("{event:?}") };
    assert_eq!(why, "dead");
    // Half a second for what is not the network; a busy machine may be late, but never by as much as the system's two hours.
    assert!(cut.elapsed() < Duration::from_secs(8), "{:?}", cut.elapsed());
}
