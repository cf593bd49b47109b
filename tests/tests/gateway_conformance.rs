//! B1: the conformance suite with its services behind a gateway and all its clients in front of it.

use std::process::{Command, Output, Stdio};

use keyway_tests::{
    gateway::{Gateway, token_of, user},
    libqi::{self, peer_python},
    process::{Keyway, Running},
};

/// Skipped in front of any gateway, by the suite itself.
const FOR_DIRECTORIES: &str = "a gateway may list its own endpoints";
/// Skipped by the suite when it has a user.
const FOR_OPEN_SERVERS: &str = "needs a server without authentication";

#[derive(Clone, Copy)]
enum Behind {
    Keyway,
    Libqi,
}

impl Behind {
    fn start(self, python: &str) -> Running {
        match self {
            Self::Keyway => Keyway::directory(&[]),
            Self::Libqi => libqi::directory(python, "tcp://127.0.0.1:0"),
        }
    }
}

/// Everybody may do everything.
fn passes_open(behind: Behind, upstream: &str) {
    let Some(python) = peer_python() else { return };
    let directory = behind.start(&python);
    let gateway = Keyway::gateway(&directory.url, &["--anonymous-role", "admin", "--upstream", upstream]);
    passes(&python, &directory, &gateway, None, &[FOR_DIRECTORIES]);
}

/// A user may do everything, and nobody else anything.
fn passes_with_a_user(behind: Behind, upstream: &str) {
    let Some(python) = peer_python() else { return };
    let directory = behind.start(&python);
    let gateway = Gateway::start(&directory.url, &user("nao", "admin"), &["--upstream", upstream]);
    passes(&python, &directory, &gateway.process, Some("nao"), &[FOR_DIRECTORIES, FOR_OPEN_SERVERS]);
}

fn passes(python: &str, directory: &Running, gateway: &Running, user: Option<&str>, may_skip: &[&str]) {
    let mut command = Command::new(python);
    command.args(["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]).stdin(Stdio::null());
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/qi")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("QI_URL", &directory.url).env("QI_URL_EXTERNAL", &gateway.url);
    if let Some(user) = user {
        command.env("QI_USER", user).env("QI_TOKEN", token_of(user));
    }
    let output = command.output().expect("pytest starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\nthe gateway said: {}", gateway.said());
    let skipped: Vec<_> = text.lines().filter(|line| line.starts_with("SKIPPED")).collect();
    let allowed = |line: &&&str| may_skip.iter().any(|reason| line.ends_with(reason));
    assert!(skipped.iter().all(|line| allowed(&line)), "{skipped:?}");
    assert!(passed(&output) > 250, "{text}");
    assert!(!gateway.said().contains("panicked"), "{}", gateway.said());
}

/// How many checks pytest's last line counts.
fn passed(output: &Output) -> u32 {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rev().find_map(|line| line.split_once(" passed"));
    last.and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

#[test]
fn the_suite_passes_in_front_of_keyways_directory() {
    passes_open(Behind::Keyway, "dedicated");
}

#[test]
fn the_suite_passes_in_front_of_keyways_directory_over_shared_connections() {
    passes_open(Behind::Keyway, "shared");
}

#[test]
fn the_suite_passes_in_front_of_libqis_directory() {
    passes_open(Behind::Libqi, "dedicated");
}

#[test]
fn the_suite_passes_in_front_of_libqis_directory_over_shared_connections() {
    passes_open(Behind::Libqi, "shared");
}

#[test]
fn the_suite_passes_as_a_user_in_front_of_keyways_directory() {
    passes_with_a_user(Behind::Keyway, "dedicated");
}

#[test]
fn the_suite_passes_as_a_user_in_front_of_keyways_directory_over_shared_connections() {
    passes_with_a_user(Behind::Keyway, "shared");
}

#[test]
fn the_suite_passes_as_a_user_in_front_of_libqis_directory() {
    passes_with_a_user(Behind::Libqi, "dedicated");
}

#[test]
fn the_suite_passes_as_a_user_in_front_of_libqis_directory_over_shared_connections() {
    passes_with_a_user(Behind::Libqi, "shared");
}
