//! `keyway policy` as administrators use it.

use std::{
    fs,
    path::Path,
    process::Output,
    sync::Arc,
    time::{Duration, SystemTime},
};

use keyway_history::audit::{AuditLog, Caller, Kind, Operation, Options, Outcome, Record};
use keyway_tests::process::Keyway;
use serde_json::{Value, json};

const POLICY: &str = r#"
[[role]]
name = "guest"

[[rule]]
name = "guests speak"
role = "guest"
service = "ALTextToSpeech"
allow = ["say", "read:volume"]

[[rule]]
name = "gentle"
role = "guest"
service = "ALMotion"
allow = ["setStiffnesses"]
when = "setStiffnesses: #1 <= 0.5"
"#;

fn policy(arguments: &[&str]) -> Output {
    Keyway::run(&[&["policy"], arguments].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn write(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A log in which a guest has said something, read the volume, and was refused a walk.
fn log(folder: &Path) -> String {
    let folder = folder.join("audit");
    let log = AuditLog::open(&folder, Options::default()).unwrap();
    let caller = Arc::new(Caller { role: "guest".into(), identity: "eve".into(), ..Caller::default() });
    for (service, member, kind, outcome) in [
        ("ALTextToSpeech", "say", Kind::Call, Outcome::Ok),
        ("ALTextToSpeech", "volume", Kind::Get, Outcome::Error),
        ("ALMotion", "moveTo", Kind::Call, Outcome::Refused("KW-P001".into())),
        ("", "", Kind::Logout, Outcome::Ok),
    ] {
        log.recorder().record(Record {
            time: SystemTime::now(),
            operation: Arc::new(Operation {
                caller: caller.clone(),
                service: service.into(),
                member: member.into(),
                kind,
            }),
            outcome,
            duration: Duration::from_micros(100),
            arguments: None,
        });
    }
    log.close().unwrap();
    folder.to_str().unwrap().to_owned()
}

#[test]
fn check_names_file_line_and_reason_of_every_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good.toml", POLICY);
    assert!(policy(&["check", &good]).status.success());
    let bad = write(folder.path(), "bad.toml", &POLICY.replace("role = \"guest\"", "role = \"gest\""));
    let output = policy(&["check", &good, &bad]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("bad.toml:7:") && said.contains("bad.toml:13:") && said.contains("KW-P103"), "{said}");
    let mistakes: Value = serde_json::from_slice(&policy(&["check", "--json", &bad]).stdout).unwrap();
    assert_eq!((&mistakes[0]["line"], &mistakes[0]["code"]), (&json!(7), &json!("KW-P103")));
    assert_eq!(policy(&["check", "/nowhere/policy.toml"]).status.code(), Some(1));
}

#[test]
fn explain_names_the_rule_that_decides() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "policy.toml", POLICY);
    let explain = |member| policy(&["explain", &file, "--role", "guest", member]);
    let allowed = explain("ALTextToSpeech.say");
    assert!(allowed.status.success() && text(&allowed.stdout).contains("guests speak"), "{allowed:?}");
    let limited = explain("ALMotion.setStiffnesses");
    assert!(limited.status.success() && text(&limited.stdout).contains("with limits"), "{limited:?}");
    let refused = explain("ALTextToSpeech.write:volume");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stdout).contains("KW-P001"), "{refused:?}");
    assert_eq!(explain("ALMotion.hear:x").status.code(), Some(2));
}

#[test]
fn what_is_learned_from_a_log_allows_what_was_done_and_nothing_that_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let audit = log(folder.path());
    let learned = policy(&["learn", &audit]);
    assert!(learned.status.success(), "{learned:?}");
    let learned = write(folder.path(), "learned.toml", &text(&learned.stdout));
    let allows = |member| policy(&["explain", &learned, "--role", "guest", member]).status.success();
    assert!(allows("ALTextToSpeech.say") && allows("ALTextToSpeech.read:volume"));
    assert!(!allows("ALMotion.moveTo") && !allows("ALTextToSpeech.write:volume"));
}

#[test]
fn a_changed_policy_is_tested_against_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let audit = log(folder.path());
    let before = write(folder.path(), "before.toml", POLICY);
    assert!(policy(&["test", &before, "--against", &before, &audit]).status.success());
    let after = write(folder.path(), "after.toml", &POLICY.replace("\"say\", ", ""));
    let output = policy(&["test", "--json", &after, "--against", &before, &audit]);
    assert_eq!(output.status.code(), Some(1));
    let differences: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(differences.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&differences[0]["before"]["outcome"], &differences[0]["after"]["code"]),
        (&json!("allowed"), &json!("KW-P001"))
    );
    assert!(text(&output.stderr).contains("1 of the recorded accesses"), "{output:?}");
}
