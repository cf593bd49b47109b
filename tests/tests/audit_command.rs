//! `keyway audit` as scripts and people use it.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use keyway_history::audit::{AuditLog, Caller, Kind, Operation, Options, Outcome, Record};
use keyway_tests::process::Keyway;
use serde_json::Value;

fn record(identity: &str, member: &str, outcome: Outcome) -> Record {
    let caller = Caller {
        session: "7f3a".into(),
        identity: identity.into(),
        role: "operator".into(),
        source: "192.0.2.7:51234".into(),
        door: "tcps".into(),
    };
    Record {
        time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_769_846_400),
        operation: Arc::new(Operation {
            caller: Arc::new(caller),
            service: "ALMotion".into(),
            member: member.into(),
            kind: Kind::Call,
        }),
        outcome,
        duration: Duration::from_micros(350),
        arguments: None,
    }
}

/// A log with three calls, each in a line of its own; record 1 is the log's start.
fn log(folder: &Path) -> AuditLog {
    let log = AuditLog::open(folder, Options::default()).unwrap();
    let recorder = log.recorder();
    let refused = Outcome::Refused("policy.denied".into());
    for (identity, member, outcome) in
        [("alice", "moveTo", Outcome::Ok), ("bob", "setStiffnesses", refused), ("alice", "evil\x1b[2J", Outcome::Error)]
    {
        recorder.record(record(identity, member, outcome));
        log.flush().unwrap();
    }
    log
}

fn audit(arguments: &[&str], folder: &Path) -> Output {
    let folder = folder.to_str().unwrap();
    Keyway::run(&[&["audit"], arguments, &[folder]].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a command that has to succeed prints.
fn printed(arguments: &[&str], folder: &Path) -> String {
    let output = audit(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn edit(folder: &Path, from: &str, to: &str) {
    let path = folder.join("audit-000001.jsonl");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace(from, to)).unwrap();
}

#[test]
fn a_log_as_it_was_written_is_verified_and_gives_an_anchor() {
    let folder = tempfile::tempdir().unwrap();
    log(folder.path()).close().unwrap();
    let verified = printed(&["verify"], folder.path());
    assert!(verified.starts_with("5 records in 1 segments fit\nanchor 5:"), "{verified}");
    let anchor = verified.trim_end().rsplit(' ').next().unwrap();
    printed(&["verify", "--anchor", anchor], folder.path());
    let json: Value = serde_json::from_str(&printed(&["verify", "--json"], folder.path())).unwrap();
    assert_eq!((&json["ok"], &json["records"], &json["anchor"]), (&true.into(), &5.into(), &anchor.into()));
    let other = anchor.replace("5:", "4:");
    assert_eq!(audit(&["verify", "--anchor", &other], folder.path()).status.code(), Some(1));
}

#[test]
fn a_log_that_was_edited_is_not_verified_and_the_record_is_named() {
    let folder = tempfile::tempdir().unwrap();
    log(folder.path()).close().unwrap();
    edit(folder.path(), "bob", "eve");
    let output = audit(&["verify"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("audit-000001.jsonl:3: the line was edited"), "{said}");
    let output = audit(&["verify", "--json"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["ok"], &json["problem"]["line"]), (&false.into(), &3.into()));
    // What is no record does not hide the others.
    edit(folder.path(), "{\"sequence\":3,", "");
    let output = audit(&["grep", "--identity", "alice"], folder.path());
    assert_eq!((output.status.code(), text(&output.stdout).lines().count()), (Some(0), 2));
    assert!(text(&output.stderr).contains("audit-000001.jsonl:3 is not a line"));
}

#[test]
fn grep_prints_what_has_all_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    log(folder.path()).close().unwrap();
    assert_eq!(
        printed(&["grep", "--identity", "b*", "--outcome", "refused"], folder.path()),
        "2026-01-31T08:00:00.000Z bob call ALMotion.setStiffnesses refused policy.denied 350 µs from 192.0.2.7:51234 by tcps\n"
    );
    let json = printed(&["grep", "--json", "--service", "AL*", "--outcome", "policy.*"], folder.path());
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["sequence"], &json["code"]), (&3.into(), &"policy.denied".into()));
    let times = ["grep", "--since", "2026-01-31", "--until", "2026-02-01", "--kind", "call"];
    assert_eq!(printed(&times, folder.path()).lines().count(), 3);
    // Nobody's screen is cleared by the name of a member.
    assert!(printed(&["grep", "--member", "evil*"], folder.path()).contains("evil\u{fffd}[2J"));
    assert_eq!(audit(&["grep", "--member", "fly"], folder.path()).status.code(), Some(1));
    assert_eq!(audit(&["grep", "--since", "soon"], folder.path()).status.code(), Some(2));
}

#[test]
fn tail_prints_the_last_and_follows() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let last = printed(&["tail", "-n", "2"], folder.path());
    assert_eq!(last.lines().map(|line| line.split(' ').nth(1).unwrap()).collect::<Vec<_>>(), ["bob", "alice"]);
    let mut command = Command::new(Keyway::program());
    command.args(["audit", "tail", "-f", "-n", "1", "--json"]).arg(folder.path()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut member = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["member"].clone();
    assert_eq!(member(), "evil\x1b[2J");
    for name in ["wakeUp", "rest"] {
        log.recorder().record(record("alice", name, Outcome::Ok));
        assert_eq!(member(), name);
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn a_folder_without_a_log_is_a_wrong_argument() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["verify", "grep", "tail"] {
        for folder in [folder.path(), &folder.path().join("none")] {
            let output = audit(&[command], folder);
            assert_eq!(output.status.code(), Some(2), "{command}");
            assert!(text(&output.stderr).contains("there is no audit log in"), "{command}");
        }
    }
}

#[test]
fn the_folder_is_that_of_the_users_state() {
    let state = tempfile::tempdir().unwrap();
    log(&state.path().join("keyway/audit")).close().unwrap();
    let mut command = Command::new(Keyway::program());
    let output = command.args(["audit", "verify"]).env("XDG_STATE_HOME", state.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}
