//! `keyway init`, `keyway cert` and `keyway config` as administrators use them.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use keyway_tests::process::Keyway;
use serde_json::{Value, json};

/// Runs a command in a folder.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(Keyway::program());
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn fine(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn shown(folder: &Path, file: &str) -> Value {
    let list: Value = serde_json::from_str(&fine(folder, &["cert", "show", "--json", file])).unwrap();
    list[0].clone()
}

#[test]
fn init_writes_a_configuration_that_is_accepted_and_keeps_secrets_to_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let printed = fine(folder.path(), &["init", "--dir", "gate way", "--host", "robot.local"]);
    let written = folder.path().join("gate way");
    fine(&written, &["config", "check"]);
    fine(folder.path(), &["config", "check", "gate way/keyway.toml"]);
    for secret in ["admin.token", "tls/ca.key", "tls/server.key"] {
        assert_eq!(mode(&written.join(secret)), 0o600, "{secret}");
    }
    assert!(printed.contains("gate way/admin.token") && printed.contains("keyway up --config 'gate way/keyway.toml'"));
    // The token is in no other file, and not on the screen.
    let token = fs::read_to_string(written.join("admin.token")).unwrap();
    let config = fs::read_to_string(written.join("keyway.toml")).unwrap();
    assert!(token.trim().len() > 40 && !config.contains(token.trim()) && !printed.contains(token.trim()));
    let shown = shown(&written, "tls/server.pem");
    for name in ["dns:robot.local", "dns:localhost", "ip:127.0.0.1", "ip:::1"] {
        assert!(shown["sans"].as_array().unwrap().contains(&json!(name)), "{shown}");
    }
}

#[test]
fn init_overwrites_nothing_unless_it_is_forced_to() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("admin.token"), "mine").unwrap();
    let output = run(folder.path(), &["init"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("admin.token is there already; --force"), "{}", said(&output));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["admin.token"]);
    fine(folder.path(), &["init", "--force"]);
    assert_ne!(fs::read_to_string(folder.path().join("admin.token")).unwrap(), "mine");
    assert_eq!(mode(&folder.path().join("admin.token")), 0o600);
}

#[test]
fn certificates_of_init_serve_clients_that_trust_the_authority_or_pin_them() {
    let folder = tempfile::tempdir().unwrap();
    fine(folder.path(), &["init"]);
    fine(folder.path(), &["cert", "client", "tablet"]);
    let path = |file: &str| folder.path().join(file).display().to_string();
    let (ca, cert, key) = (path("tls/ca.pem"), path("tls/server.pem"), path("tls/server.key"));
    let listen = |url| {
        let arguments = ["--listen", url, "--cert", &cert, "--key", &key, "--client-ca", &ca];
        Keyway::directory(&arguments)
    };
    let (open, mutual) = (listen("tcps://127.0.0.1:0"), listen("tcpsm://127.0.0.1:0"));
    let pin = shown(folder.path(), "tls/server.pem")["pin"].as_str().unwrap().to_owned();
    for trust in [["--ca", &ca], ["--pin", &pin]] {
        let output = Keyway::run(&[&["info", "--qi-url", &open.url][..], &trust].concat());
        assert!(output.status.success(), "{trust:?}: {}", said(&output));
    }
    let (client, client_key) = (path("tls/tablet.pem"), path("tls/tablet.key"));
    let known = ["--ca", &ca, "--cert", &client, "--key", &client_key];
    let output = Keyway::run(&[&["info", "--qi-url", &mutual.url][..], &known].concat());
    assert!(output.status.success(), "{}", said(&output));
    // A server's certificate is none of a client.
    let wrong = ["--ca", &ca, "--cert", &cert, "--key", &key];
    assert!(!Keyway::run(&[&["info", "--qi-url", &mutual.url][..], &wrong].concat()).status.success());
}

#[test]
fn certificates_are_issued_for_names_and_addresses_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["cert", "server"]);
    assert!(!output.status.success() && said(&output).contains("`keyway cert new-ca`"), "{}", said(&output));
    fine(folder.path(), &["cert", "new-ca", "--name", "Lab"]);
    assert_eq!(run(folder.path(), &["cert", "new-ca"]).status.code(), Some(2));
    fine(folder.path(), &["cert", "server", "--host", "10.0.0.9", "--out", "robot", "--days", "30"]);
    let (ca, robot) = (shown(folder.path(), "tls/ca.pem"), shown(folder.path(), "tls/robot.pem"));
    assert_eq!((&ca["subject"], &ca["ca"], &robot["ca"]), (&json!("CN=Lab"), &json!(true), &json!(false)));
    assert_eq!((&robot["issuer"], &robot["sans"][0]), (&json!("CN=Lab"), &json!("ip:10.0.0.9")));
    for name in ["../evil", "", ".hidden", "a/b"] {
        assert_eq!(run(folder.path(), &["cert", "client", name]).status.code(), Some(2), "{name:?}");
    }
    assert_eq!(run(folder.path(), &["cert", "show", "tls/robot.key"]).status.code(), Some(2));
}

#[test]
fn check_names_file_line_and_reason_of_every_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[listen]]\nurl = 'tcps://h:1'\ncert = 'no.pem'\nkey = 'keyway.toml'\n[limits]\npayload = 'x'\n";
    fs::write(folder.path().join("keyway.toml"), text).unwrap();
    let output = run(folder.path(), &["config", "check"]);
    assert_eq!((output.status.code(), said(&output).contains("keyway.toml:6:11: KW-C101: ")), (Some(1), true));
    fs::write(folder.path().join("keyway.toml"), text.replace("'x'", "'1MiB'")).unwrap();
    let output = run(folder.path(), &["config", "check", "--json"]);
    let mistakes: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found: Vec<_> =
        mistakes.as_array().unwrap().iter().map(|mistake| (&mistake["line"], &mistake["code"])).collect();
    let expected = [(2, "KW-C104"), (3, "KW-C105"), (4, "KW-C105")].map(|(line, code)| (json!(line), json!(code)));
    assert_eq!(found, expected.iter().map(|(line, code)| (line, code)).collect::<Vec<_>>());
    let output = run(folder.path(), &["config", "check", "nowhere.toml"]);
    assert!(!output.status.success() && said(&output).contains("`keyway init`"), "{}", said(&output));
}

#[test]
fn the_environment_overrides_the_file_and_is_named_when_it_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keyway.toml"), "[limits]\nconnections = 5\n").unwrap();
    let with = |value: &str, command: &str| {
        let mut keyway = Command::new(Keyway::program());
        keyway.current_dir(folder.path()).env("KEYWAY_LIMITS_CONNECTIONS", value);
        keyway.args(["config", command]).stdin(Stdio::null()).output().unwrap()
    };
    let shown = String::from_utf8(with("7", "show").stdout).unwrap();
    assert!(shown.contains("connections = 7\n") && shown.contains("payload = \"256MiB\""), "{shown}");
    let output = with("many", "check");
    assert!(said(&output).contains("environment variable KEYWAY_LIMITS_CONNECTIONS: KW-C101: "), "{}", said(&output));
}

#[test]
fn a_file_of_rules_and_a_file_of_a_token_are_read_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let directory = "[[directory]]\nurl = 'tcp://robot:9559'\nuser = 'nao'\ntoken_file = 'robot.token'\n";
    write("keyway.toml", &format!("policy = 'rules.toml'\n{directory}"));
    write("robot.token", "secret of the robot\n");
    write("rules.toml", "[[role]]\nname = 'guest'\n");
    let parent = folder.path().parent().unwrap();
    let path = folder.path().join("keyway.toml");
    let shown = fine(parent, &["config", "show", path.to_str().unwrap()]);
    assert!(shown.contains("token = \"<hidden>\"") && !shown.contains("secret of the robot"), "{shown}");
    write("rules.toml", "[[role]]\nname = 'admin'\n");
    let output = run(folder.path(), &["config", "check"]);
    assert!(said(&output).contains("rules.toml:2:8: KW-P101: "), "{}", said(&output));
}

#[test]
fn the_schema_is_json_and_a_printed_user_can_be_appended() {
    let folder = tempfile::tempdir().unwrap();
    let schema: Value = serde_json::from_str(&fine(folder.path(), &["config", "schema"])).unwrap();
    assert!(schema["properties"]["listen"].is_object(), "{schema}");
    let output = run(folder.path(), &["config", "user", "alice", "--role", "admin"]);
    let by_token = String::from_utf8(output.stdout.clone()).unwrap();
    let token = said(&output).trim().rsplit(' ').next().unwrap().to_owned();
    assert!(token.len() > 40 && !by_token.contains(&token), "{output:?}");
    let mut keyway = Command::new(Keyway::program());
    keyway
        .args(["config", "user", "bob", "--role", "admin", "--password"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut keyway = keyway.spawn().unwrap();
    keyway.stdin.take().unwrap().write_all(b"a password\n").unwrap();
    let by_password = String::from_utf8(keyway.wait_with_output().unwrap().stdout).unwrap();
    assert!(by_password.contains("$argon2id$") && !by_password.contains("a password"), "{by_password}");
    fs::write(folder.path().join("keyway.toml"), by_token + &by_password).unwrap();
    fine(folder.path(), &["config", "check"]);
}
