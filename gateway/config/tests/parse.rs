//! A text becomes a configuration, or a list of everything that is wrong with it.

use std::time::Duration;

use keyway_config::{AuditOverflow, ByteSize, Config, Overflow, Scheme, Trust, Upstream};

const EVERYTHING: &str = r#"
[network]
threads = 3
dead_after = "5s"

[[directory]]
name = "robot"
url = "tcps://robot:9503"
user = "nao"
token = "very secret"
pin = "00:ff:abababababababababababababababababababababababababababababab"
upstream = "shared"

[[directory]]
name = "meters"
url = "tcp://127.0.0.1:9559"
inside_listen = "tcp://10.0.0.2:9600"

[[listen]]
url = "tcpsm://0.0.0.0:9503"
directory = "robot"
cert = "server.pem"
key = "server.key"
client_ca = "ca.pem"

[[listen]]
url = "http://127.0.0.1:8080"
cors = ["https://app.example"]
anonymous = { role = "guest" }

[limits]
connections = 100
connections_per_source = 10
unauthenticated_time = "2s"
unauthenticated_bytes = "32KiB"
payload = "1MiB"
calls_per_second = 50
calls_in_flight = 64
queue_per_session = "1MiB"
queue_total = "16MiB"
overflow = "drop-oldest"

[audit]
folder = "log"
arguments = ["ALMotion.*"]
overflow = "fail-closed"
segment_size = "1MiB"
keep = "8MiB"

[admin]
listen = "127.0.0.1:9580"

[session]
kept_for = "30s"
replay_events = 10
replay_size = "8KiB"

[[lease]]
service = "ALMotion"
on_loss = "ALMotion.stopMove"

[discovery]
mdns = true
name = "lab"

[presence]
enabled = false

[[role]]
name = "guest"

[[rule]]
role = "guest"
service = "*"
allow = ["*"]

[[user]]
name = "admin"
role = "admin"
token_hash = "0123456789012345678901234567890123456789012345678901234567890123"

[lockout]
entries = 50
"#;

fn parse(text: &str) -> Result<Config, Vec<String>> {
    parse_with(text, &[])
}

fn parse_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse("/etc/keyway/keyway.toml", text, environment)
        .map_err(|error| error.to_string().lines().map(str::to_owned).collect())
}

/// Whether there is one problem for each of these beginnings, in this order, and nothing else.
fn assert_problems(text: &str, environment: &[(&str, &str)], expected: &[&str]) {
    let found = parse_with(text, environment).unwrap_err();
    let as_expected =
        found.len() == expected.len() && found.iter().zip(expected).all(|(found, start)| found.starts_with(start));
    assert!(as_expected, "found {found:#?}\nexpected {expected:#?}");
}

#[test]
fn every_section_is_read() {
    let config = parse(EVERYTHING).unwrap();
    assert_eq!(config.network.threads.unwrap().get(), 3);
    assert_eq!(config.network.dead_after, Duration::from_secs(5));
    let [robot, meters] = &config.directories[..] else { panic!("{:?}", config.directories) };
    assert_eq!((robot.name.as_deref(), robot.upstream), (Some("robot"), Upstream::Shared));
    assert!(matches!(robot.trust(), Some(Trust::Pin(_))));
    assert_eq!(robot.token.as_ref().unwrap().0.expose(), "very secret");
    assert_eq!((meters.trust(), meters.upstream), (None, Upstream::Dedicated));
    assert_eq!(meters.inside_listen.as_ref().unwrap().to_string(), "tcp://10.0.0.2:9600");
    let [mutual, web] = &config.listen[..] else { panic!("{:?}", config.listen) };
    assert_eq!((mutual.url.scheme, mutual.url.port), (Scheme::Tcpsm, 9503));
    assert_eq!(mutual.cert.as_ref().unwrap().to_str(), Some("/etc/keyway/server.pem"));
    assert_eq!(
        (&web.cors[..], &web.anonymous.as_ref().unwrap().role[..]),
        (&["https://app.example".to_owned()][..], "guest")
    );
    let limits = &config.limits;
    assert_eq!((limits.connections.get(), limits.connections_per_source.get()), (100, 10));
    assert_eq!(
        (limits.unauthenticated_time, limits.unauthenticated_bytes),
        (Duration::from_secs(2), ByteSize(32 << 10))
    );
    assert_eq!((limits.calls_per_second.unwrap().get(), limits.calls_in_flight.get()), (50, 64));
    assert_eq!(
        (limits.payload, limits.queue_total, limits.overflow),
        (ByteSize(1 << 20), ByteSize(16 << 20), Overflow::DropOldest)
    );
    assert_eq!(config.audit.folder.as_ref().unwrap().to_str(), Some("/etc/keyway/log"));
    assert!(config.audit.records_arguments("ALMotion", "moveTo") && config.audit.overflow == AuditOverflow::FailClosed);
    assert_eq!(config.audit.options().keep_bytes, Some(8 << 20));
    assert_eq!(config.admin.listen.unwrap().port(), 9580);
    assert_eq!((config.session.bounds().events, config.session.bounds().bytes), (10, 8 << 10));
    assert_eq!(config.leases[0].on_loss.as_ref().unwrap().member, "stopMove");
    assert_eq!((config.discovery.mdns, config.discovery.name.as_deref()), (true, Some("lab")));
    assert!(!config.presence.enabled);
    assert!(config.policy.has_role("guest") && !config.auth.admits_nobody());
}

#[test]
fn what_is_missing_has_the_usual_value() {
    let config = parse("").unwrap();
    assert_eq!((config.network.dead_after, config.network.threads), (Duration::from_secs(10), None));
    assert_eq!((config.limits.unauthenticated_bytes, config.limits.payload), (ByteSize(64 << 10), ByteSize(256 << 20)));
    assert_eq!(
        (config.limits.unauthenticated_time, config.limits.overflow),
        (Duration::from_secs(10), Overflow::Block)
    );
    assert_eq!((config.session.kept_for, config.presence.enabled), (Duration::from_secs(60), true));
    assert_eq!((config.audit.folder, config.admin.listen, config.discovery.mdns), (None, None, false));
    assert!(config.listen.is_empty() && config.directories.is_empty() && config.auth.admits_nobody());
}

#[test]
fn several_mistakes_are_reported_together_in_the_order_of_the_file() {
    let text = r#"
[limits]
connections = "many"
paylod = "1MiB"
payload = "big"

[[listen]]
cert = 1

[[listen]]
url = "ws://0.0.0.0:80"
colour = "red"

[nonsense]
a = 1

[[role]]
name = "guest"
inherit = ["none"]

[[user]]
role = "guest"
"#;
    let at = |place: &str| format!("/etc/keyway/keyway.toml:{place}: ");
    let expected = [
        "3:15: KW-C101",
        "4:1: KW-C100",
        "5:11: KW-C101",
        "7:1: KW-C100",
        "8:8: KW-C101",
        "11:7: KW-C101",
        "12:1: KW-C100",
        "14:2: KW-C100",
        "19:1: KW-C100",
        "21:1: KW-C100",
    ];
    let expected: Vec<_> = expected.iter().map(|place| at(place).trim_end_matches(": ").to_owned()).collect();
    assert_problems(text, &[], &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn what_is_no_toml_is_reported_where_it_ends_to_be() {
    assert_problems("[limits\nconnections = 1\n", &[], &["/etc/keyway/keyway.toml:1:8: KW-C100: "]);
}
