//! Which crate may use which (docs/architecture.md), over `cargo metadata`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Every crate with the arrows that leave it. A crate may use what its arrows lead to, directly or further down.
const ARROWS: &[(&str, &[&str])] = &[
    ("keyway-value", &[]),
    ("keyway-wire", &["keyway-value"]),
    ("keyway-session", &["keyway-wire"]),
    ("keyway-pipe", &["keyway-session"]),
    ("keyway-directory", &["keyway-session"]),
    ("keyway-macros", &[]),
    ("keyway", &["keyway-pipe", "keyway-directory", "keyway-macros"]),
    ("keyway-policy", &["keyway-value"]),
    ("keyway-auth", &["keyway-policy"]),
    ("keyway-history", &["keyway-value"]),
    ("keyway-config", &["keyway-auth", "keyway-history", "keyway-wire"]),
    ("keyway-gateway", &["keyway", "keyway-auth", "keyway-history", "keyway-config"]),
    ("keyway-admin", &["keyway-gateway"]),
    ("keyway-dashboard", &["keyway-gateway"]),
    ("keyway-ros-types", &["keyway-value"]),
    ("keyway-yarp-wire", &["keyway-value"]),
    ("keyway-bridge", &["keyway"]),
    ("keyway-bridge-ros", &["keyway-bridge", "keyway-ros-types"]),
    ("xtask", &[]),
];

/// What the fronts of bridges (`keyway-bridge-*`) use.
const UNDER_FRONTS: &[&str] = &["keyway-bridge", "keyway-bridge-ros", "keyway-ros-types", "keyway-yarp-wire"];

/// Crates that do no I/O.
const SANS_IO: &[&str] = &[
    "keyway-value",
    "keyway-wire",
    "keyway-session",
    "keyway-directory",
    "keyway-policy",
    "keyway-ros-types",
    "keyway-yarp-wire",
];
/// What they may not depend on, however far down.
const RUNTIMES: &[&str] = &["mio", "socket2", "tokio"];
/// What their sources may not say.
const CLOCKS_AND_SOCKETS: &[&str] = &["Instant::now", "SystemTime::now", "TcpStream"];

/// Workspace crates and the workspace crates each of them uses.
type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn crates_use_only_what_lies_below_them() {
    let graph = workspace(&metadata());
    assert!(graph["keyway"].contains("keyway-pipe"), "the graph was not read: {graph:?}");
    assert_eq!(violations(&graph), Vec::<String>::new());
}

#[test]
fn sans_io_crates_depend_on_no_runtime_and_no_sockets() {
    let metadata = metadata();
    for name in SANS_IO {
        let found: Vec<_> = normal_closure(&metadata, name).into_iter().filter(|name| is_runtime(name)).collect();
        assert!(found.is_empty(), "{name} depends on {found:?}");
    }
    // The check sees what is there.
    let found = normal_closure(&metadata, "keyway-pipe");
    assert!(RUNTIMES.iter().all(|runtime| found.contains(*runtime)), "{found:?}");
}

#[test]
fn sans_io_sources_read_no_clock_and_open_no_socket() {
    let metadata = metadata();
    for name in SANS_IO {
        let sources = rust_files(&folder(&metadata, name).join("src"));
        assert!(!sources.is_empty(), "{name} has no sources");
        for source in sources {
            let text = fs::read_to_string(&source).unwrap();
            // Examples in comments are their users, and users have a clock.
            let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let says = |word: &str| code.iter().any(|line| line.contains(word));
            let said: Vec<_> = CLOCKS_AND_SOCKETS.iter().filter(|word| says(word)).collect();
            assert!(said.is_empty(), "{} says {said:?}; time is a parameter here", source.display());
        }
    }
}

#[test]
fn an_arrow_that_points_up_is_found() {
    assert_eq!(violations(&graph(&[("keyway-session", &["keyway-value", "keyway-wire"])])), [""; 0]);
    assert_eq!(violations(&graph(&[("keyway-wire", &["keyway-session"])])), ["keyway-wire uses keyway-session"]);
    assert_eq!(violations(&graph(&[("keyway-directory", &["keyway-pipe"])])), ["keyway-directory uses keyway-pipe"]);
    assert_eq!(violations(&graph(&[("keyway", &["keyway-cli"])])), ["keyway uses keyway-cli"]);
}

#[test]
fn a_bridge_that_uses_the_gateway_is_found() {
    let all = graph(&[
        ("keyway-bridge", &["keyway", "keyway-config"]),
        ("keyway-bridge-ros1", &["keyway", "keyway-bridge", "keyway-ros-types", "keyway-value"]),
        ("keyway-bridge-yarp", &["keyway-bridge", "keyway-bridge-ros1", "keyway-gateway", "keyway-policy"]),
    ]);
    let expected = [
        "keyway-bridge uses keyway-config",
        "keyway-bridge-yarp uses keyway-bridge-ros1",
        "keyway-bridge-yarp uses keyway-gateway",
        "keyway-bridge-yarp uses keyway-policy",
    ];
    assert_eq!(violations(&all), expected);
}

#[test]
fn a_door_that_uses_another_door_is_found() {
    let all = graph(&[
        ("keyway-cli", &["keyway-door-http", "keyway-door-wamp", "keyway-value"]),
        ("keyway-door-http", &["keyway-gateway", "keyway-door-wamp"]),
        ("keyway-door-wamp", &["keyway-gateway", "keyway"]),
    ]);
    assert_eq!(violations(&all), ["keyway-door-http uses keyway-door-wamp"]);
}

#[test]
fn a_crate_nobody_drew_is_found() {
    let expected = ["keyway-helpers is not in the drawing: add it to docs/architecture.md and to ARROWS"];
    assert_eq!(violations(&graph(&[("keyway-helpers", &[])])), expected);
}

/// Every arrow of `graph` that the drawing does not have.
fn violations(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (name, used) in graph {
        let Some(may_use) = rule(name) else {
            found.push(format!("{name} is not in the drawing: add it to docs/architecture.md and to ARROWS"));
            continue;
        };
        found.extend(used.iter().filter(|used| !may_use(used)).map(|used| format!("{name} uses {used}")));
    }
    found
}

/// Whether a crate may use the one that is named.
type Rule = dyn Fn(&str) -> bool;

/// What a crate may use, if it is known.
fn rule(name: &str) -> Option<Box<Rule>> {
    if name == "keyway-tests" {
        return Some(Box::new(|_| true));
    }
    if name == "keyway-cli" {
        // Wiring: everything there is, but for tests. Bridges are commands of it too.
        return Some(Box::new(|used| !["keyway-tests", "xtask"].contains(&used)));
    }
    if name.starts_with("keyway-door-") {
        let below = below("keyway-gateway");
        return Some(Box::new(move |used| below.contains(used)));
    }
    let arrows = match ARROWS.iter().find(|(known, _)| *known == name) {
        Some((_, arrows)) => *arrows,
        None if name.starts_with("keyway-bridge-") => UNDER_FRONTS,
        None => return None,
    };
    let below: BTreeSet<_> = arrows.iter().flat_map(|arrow| below(arrow)).collect();
    Some(Box::new(move |used| below.contains(used)))
}

/// A crate of the drawing, and everything its arrows lead to.
fn below(name: &str) -> BTreeSet<&str> {
    let arrows = ARROWS.iter().filter(|(known, _)| *known == name).flat_map(|(_, arrows)| arrows.iter());
    arrows.flat_map(|arrow| below(arrow)).chain([name]).collect()
}

fn graph(edges: &[(&str, &[&str])]) -> Graph {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    edges.iter().map(|(name, used)| ((*name).to_owned(), names(used))).collect()
}

fn metadata() -> Metadata {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).other_options(["--locked".to_owned()]).exec().unwrap()
}

/// What the crates declare, whatever features are on. Tests may use what they like.
fn workspace(metadata: &Metadata) -> Graph {
    let packages = metadata.workspace_packages();
    let own: BTreeSet<_> = packages.iter().map(|package| package.name.to_string()).collect();
    let mut graph = Graph::new();
    for package in packages {
        let declared = package.dependencies.iter().filter(|used| used.kind != DependencyKind::Development);
        let used = declared.map(|used| used.name.clone()).filter(|name| own.contains(name)).collect();
        graph.insert(package.name.to_string(), used);
    }
    graph
}

/// The names of all packages that end up in a build of `name`.
fn normal_closure(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().unwrap();
    let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut waiting = vec![&package(metadata, name).id];
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let used = nodes[id].deps.iter();
        let normal = used.filter(|used| used.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        waiting.extend(normal.map(|used| &used.pkg));
    }
    seen.into_iter().map(|id| metadata[id].name.to_string()).collect()
}

fn is_runtime(name: &str) -> bool {
    RUNTIMES.contains(&name)
}

fn package<'a>(metadata: &'a Metadata, name: &str) -> &'a cargo_metadata::Package {
    metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == name).unwrap()
}

fn folder(metadata: &Metadata, name: &str) -> PathBuf {
    package(metadata, name).manifest_path.parent().unwrap().into()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
