//! A text becomes a configuration, or a list of everything that is wrong with it.

use std::time::Duration;

use keyway_config::{AuditOverflow, BridgeMode, ByteSize, Config, Overflow, RosFlavour, Scheme, Trust, Upstream, keys};

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

[telemetry]
otlp = "http://127.0.0.1:4318"

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
    assert_eq!(config.telemetry.otlp.as_deref(), Some("http://127.0.0.1:4318"));
    assert!(config.policy.has_role("guest") && !config.auth.admits_nobody(true));
}

#[test]
fn what_is_missing_has_the_usual_value() {
    let config = parse("").unwrap();
    assert_eq!((config.network.dead_after, config.network.threads), (Duration::from_secs(10), None));
    assert_eq!((config.limits.unauthenticated_bytes, config.limits.payload), (ByteSize(64 << 10), ByteSize(256 << 20)));
    assert_eq!(
        (config.limits.unauthenticated_time, config.limits.overflow),
        (Duration::from_secs(10), Overflow::DropOldest)
    );
    assert_eq!((config.session.kept_for, config.presence.enabled), (Duration::from_secs(60), true));
    assert_eq!((config.audit.folder, config.admin.listen, config.discovery.mdns), (None, None, false));
    assert!(config.listen.is_empty() && config.directories.is_empty() && config.auth.admits_nobody(true));
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

#[test]
fn keys_that_do_not_go_together_are_refused_with_what_to_do() {
    let tls = "cert = 'c'\nkey = 'k'\n";
    let open = "anonymous = { role = 'admin' }\n";
    for (text, expected) in [
        ("[[listen]]\nurl = 'tcp://127.0.0.1:1'\n".to_owned(), "2:7: KW-C104: nobody could come in here"),
        (
            format!("[[listen]]\nurl = 'tcps://h:1'\n{tls}[[certificate]]\nsubject = '*'\nrole = 'admin'\n"),
            "2:7: KW-C104: nobody could come in here: certificates",
        ),
        (
            format!("[[listen]]\nurl = 'https://h:1'\n{tls}[[certificate]]\nsubject = '*'\nrole = 'admin'\n"),
            "2:7: KW-C104: nobody could come in here: certificates",
        ),
        (
            format!("[[listen]]\nurl = 'https://h:1'\n{tls}client_ca = 'a'\ncors = ['*']\n{open}"),
            "6:8: KW-C102: with `client_ca`, pages",
        ),
        (format!("[[listen]]\nurl = 'tcps://h:1'\n{open}"), "2:7: KW-C102: tcps:// shows a certificate"),
        (format!("[[listen]]\nurl = 'quic://h:1'\ncert = 'c'\n{open}"), "2:7: KW-C102: quic:// shows a certificate"),
        (format!("[[listen]]\nurl = 'tcp://h:1'\n{tls}{open}"), "2:7: KW-C102: `cert` and `key` have no use"),
        (format!("[[listen]]\nurl = 'tcpsm://h:1'\n{tls}{open}"), "2:7: KW-C102: tcpsm:// lets in"),
        (format!("[[listen]]\nurl = 'tcps://h:1'\n{tls}client_ca = 'a'\n{open}"), "5:13: KW-C102: tcps:// asks"),
        (format!("[[listen]]\nurl = 'tcp://h:1'\nclient_ca = 'a'\n{open}"), "3:13: KW-C102: `client_ca` has no use"),
        (format!("[[listen]]\nurl = 'http://0.0.0.0:1'\n{open}"), "2:7: KW-C104: http:// is for loopback only"),
        (format!("[[listen]]\nurl = 'tcp://h:1'\ncors = ['*']\n{open}"), "3:8: KW-C102: `cors` is for"),
        (
            format!("[[listen]]\nurl = 'http://localhost:1'\ncors = ['app']\n{open}"),
            "3:8: KW-C101: \"app\" is no origin",
        ),
        (
            format!("[[listen]]\nurl = 'tcp://h:1'\ndirectory = 'x'\n{open}"),
            "3:13: KW-C103: there is no directory \"x\"",
        ),
        (
            "[[listen]]\nurl = 'tcp://h:1'\nanonymous = { role = 'x' }\n".to_owned(),
            "3:22: KW-C103: the policy has no role",
        ),
        (format!("[[listen]]\nurl = 'tcp://h:1'\n{open}").repeat(2), "5:7: KW-C103: listener 1 has the same URL"),
        ("[[directory]]\nurl = 'tcps://h:1'\n".to_owned(), "2:7: KW-C102: nothing says whether"),
        (
            "[[directory]]\nurl = 'tcps://h:1'\nca = 'a'\ninsecure_skip_verify = true\n".to_owned(),
            "2:7: KW-C102: `ca`, `pin`",
        ),
        ("[[directory]]\nurl = 'tcp://h:1'\nca = 'a'\n".to_owned(), "2:7: KW-C102: `ca`, `pin` and"),
        ("[[directory]]\nurl = 'tcps://h:1'\npin = 'a'\n".to_owned(), "3:7: KW-C101: `pin` is a SHA-256"),
        ("[[directory]]\nurl = 'tcpsm://h:1'\nca = 'a'\n".to_owned(), "2:7: KW-C102: tcpsm:// wants"),
        ("[[directory]]\nurl = 'tcps://h:1'\nca = 'a'\ncert = 'c'\n".to_owned(), "2:7: KW-C102: `cert` and `key`"),
        ("[[directory]]\nurl = 'tcp://h:1'\ntoken = 't'\n".to_owned(), "2:7: KW-C102: there is a token and no `user`"),
        (
            "[[directory]]\nurl = 'tcp://h:1'\nuser = 'u'\ntoken = 't'\ntoken_file = 'f'\n".to_owned(),
            "4:9: KW-C102: `token`",
        ),
        (
            "[[directory]]\nurl = 'tcp://h:1'\ninside_listen = 'tcps://h:1'\n".to_owned(),
            "3:17: KW-C101: `inside_listen`",
        ),
        ("[[directory]]\nname = 'a/b'\nurl = 'tcp://h:1'\n".to_owned(), "2:8: KW-C103: \"a/b\" is no name"),
        ("[[directory]]\nname = 'a'\nurl = 'tcp://h:1'\n".repeat(2), "5:8: KW-C103: another directory is named"),
        ("[network]\ndead_after = '1ms'\n".to_owned(), "2:14: KW-C101: `dead_after`"),
        ("[limits]\npayload = '8GiB'\n".to_owned(), "2:11: KW-C101: `payload`"),
        ("[limits]\nqueue_total = '1MiB'\n".to_owned(), "2:15: KW-C101: `queue_total`"),
        ("[limits]\nconnections = 0\n".to_owned(), "2:15: KW-C101: "),
        ("[limits]\noverflow = 'drop'\n".to_owned(), "2:12: KW-C101: unknown variant"),
        ("[limits]\nunauthenticated_time = '10'\n".to_owned(), "2:24: KW-C101: \"10\" is no duration"),
        ("[audit]\nkeep = '1MiB'\n".to_owned(), "2:8: KW-C101: `keep` is less"),
        ("[audit]\narguments = ['ALMotion']\n".to_owned(), "2:13: KW-C101: \"ALMotion\" is no pattern"),
        ("[telemetry]\notlp = 'collector:4317'\n".to_owned(), "2:8: KW-C101: `otlp` is the URL"),
        (format!("[discovery]\nname = '{}'\n", "n".repeat(64)), "2:8: KW-C101: `name` has 1 to 63"),
        (
            format!("[discovery]\nmdns = true\n[[listen]]\nurl = 'quic://h:1'\n{tls}{open}"),
            "2:8: KW-C102: `mdns` advertises",
        ),
        ("[admin]\nlisten = '0.0.0.0:80'\n".to_owned(), "2:10: KW-C104: 0.0.0.0:80 is no loopback"),
        ("[[lease]]\nservice = 'S'\non_loss = 'stop'\n".to_owned(), "3:11: KW-C101: \"stop\" is no method"),
        ("[[lease]]\nservice = 'S'\n".repeat(2), "4:11: KW-C103: service \"S\""),
        ("[[rule]]\nrole = 'x'\nservice = '*'\nallow = ['*']\n".to_owned(), "2:8: KW-P103: "),
        ("[[user]]\nname = 'u'\nrole = 'admin'\n".to_owned(), "2:8: KW-A103: "),
        ("policy = 'other.toml'\n".to_owned(), "1:10: KW-C105: no file can be read here"),
    ] {
        assert_problems(&text, &[], &[&format!("/etc/keyway/keyway.toml:{expected}")]);
    }
}

#[test]
fn certificates_alone_let_clients_in_where_they_can_be_shown() {
    for scheme in ["tcpsm", "quic", "https"] {
        let listen = format!("[[listen]]\nurl = '{scheme}://h:1'\ncert = 'c'\nkey = 'k'\nclient_ca = 'a'\n");
        parse(&format!("{listen}[[certificate]]\nsubject = '*'\nrole = 'admin'\n")).unwrap();
    }
}

#[test]
fn listeners_say_which_of_several_directories_they_show() {
    let two = "[[directory]]\nname = 'a'\nurl = 'tcp://h:1'\n[[directory]]\nname = 'b'\nurl = 'tcp://h:2'\n";
    let listen =
        |url: &str, more: &str| format!("{two}[[listen]]\nurl = '{url}'\nanonymous = {{ role = 'admin' }}\n{more}");
    let problem = "/etc/keyway/keyway.toml:8:7: KW-C103: there are several directories";
    assert_problems(&listen("tcp://127.0.0.1:1", ""), &[], &[problem]);
    parse(&listen("tcp://127.0.0.1:1", "directory = 'b'")).unwrap();
    // By names all of them are reached.
    parse(&listen("http://127.0.0.1:1", "")).unwrap();
}

#[test]
fn the_environment_overrides_every_single_value() {
    let config = parse_with(
        EVERYTHING,
        &[
            ("KEYWAY_NETWORK_THREADS", "7"),
            ("KEYWAY_LIMITS_PAYLOAD", "2MiB"),
            ("KEYWAY_LIMITS_OVERFLOW", "latest"),
            ("KEYWAY_ADMIN_LISTEN", "127.0.0.1:1"),
            ("KEYWAY_DISCOVERY_MDNS", "false"),
            ("KEYWAY_DISCOVERY_NAME", "12"),
            ("KEYWAY_PRESENCE_ENABLED", "true"),
            ("KEYWAY_LOCKOUT_FREE_PER_USER", "9"),
            ("KEYWAY_ANONYMOUS_ROLE", "guest"),
            ("KEYWAY_LOG", "debug"),
            ("KEYWAY_BIN", "x"),
            ("HOME", "/root"),
        ],
    );
    let config = config.unwrap();
    assert_eq!((config.network.threads.unwrap().get(), config.limits.payload), (7, ByteSize(2 << 20)));
    assert_eq!((config.limits.overflow, config.admin.listen.unwrap().port()), (Overflow::Latest, 1));
    assert_eq!((config.discovery.mdns, config.discovery.name.as_deref()), (false, Some("12")));
    assert!(config.presence.enabled);
}

#[test]
fn every_single_value_has_a_variable_that_is_read() {
    let variables: Vec<_> = keys().iter().filter_map(|key| Some((key, key.variable()?))).collect();
    assert!(variables.len() > 30, "{variables:?}");
    for (key, variable) in variables {
        // No key takes this: it is no number, flag, size, time, address or role, and no file can be read here.
        let refused = parse_with("", &[(&variable, "\u{1}/")]);
        let is_text = ["audit.folder", "session.key_file"].contains(&key.path.as_str()) || key.path.starts_with("jwt.");
        if !is_text {
            let refused = refused.unwrap_err();
            let start = format!("environment variable {variable}: KW-");
            assert!(refused.iter().all(|problem| problem.starts_with(&start)), "{refused:?}");
        }
    }
}

#[test]
fn a_variable_is_named_whoever_finds_the_mistake() {
    for (variable, value, expected) in [
        ("KEYWAY_LIMITS_PAYLOAD", "8GiB", "KW-C101: `payload`"),
        ("KEYWAY_LIMITS_CONNECTIONS", "-1", "KW-C101: invalid"),
        ("KEYWAY_LIMITS_CONNECTION", "1", "KW-C106: it overrides no key of [limits]; there are KEYWAY_LIMITS_"),
        ("KEYWAY_ANONYMOUS_ROLE", "stranger", "KW-A102: "),
        ("KEYWAY_ADMIN_LISTEN", "0.0.0.0:1", "KW-C104: "),
    ] {
        assert_problems("\n", &[(variable, value)], &[&format!("environment variable {variable}: {expected}")]);
    }
    let both = [("KEYWAY_PRESENCE_ENABLED", "maybe"), ("KEYWAY_NETWORK_THREADS", "0")];
    let expected = [
        "/etc/keyway/keyway.toml:2:15",
        "environment variable KEYWAY_NETWORK_THREADS",
        "environment variable KEYWAY_PRESENCE_ENABLED",
    ];
    assert_problems("[limits]\nconnections = 'x'", &both, &expected);
}

#[test]
fn what_is_shown_is_a_configuration_without_secrets() {
    let shown = parse(EVERYTHING).unwrap().to_toml();
    assert!(!shown.contains("very secret") && !shown.contains("0123456789"), "{shown}");
    let hash = "0".repeat(64);
    let again = parse(&shown.replace("<hidden>", &hash)).unwrap();
    assert_eq!(again.to_toml(), shown);
    assert_eq!((again.limits.payload, again.listen.len(), again.directories.len()), (ByteSize(1 << 20), 2, 2));
    assert!(again.policy.has_role("guest"));
}

#[test]
fn bridges_are_off_and_read_only_unless_they_are_told_otherwise() {
    let bridges = Config::parse("keyway.toml", "", [].into_iter()).unwrap().bridges;
    assert!(!bridges.any_enabled() && bridges.services.is_empty());
    assert_eq!(bridges.mode, BridgeMode::Read);
    let text = "[bridges]\nservices = ['Probe']\n[bridges.rosbridge]\nenabled = true\nflavour = 2\n";
    let bridges = Config::parse("keyway.toml", text, [].into_iter()).unwrap().bridges;
    assert!(bridges.any_enabled() && bridges.rosbridge.enabled && !bridges.ros1.enabled);
    assert_eq!(bridges.rosbridge.flavour, RosFlavour::Two);
}

#[test]
fn a_table_in_a_table_is_overridden_by_the_environment_too() {
    let environment = [("KEYWAY_BRIDGES_ROS1_MASTER".to_owned(), "http://other:11311".to_owned())];
    let config = Config::parse("keyway.toml", "[bridges.ros1]\nqueue = 5\n", environment.into_iter()).unwrap();
    assert_eq!((config.bridges.ros1.master.as_str(), config.bridges.ros1.queue), ("http://other:11311", 5));
    let environment = [("KEYWAY_BRIDGES_ROS1_QUEUE".to_owned(), "many".to_owned())];
    let error = Config::parse("keyway.toml", "", environment.into_iter()).unwrap_err().to_string();
    assert!(error.starts_with("environment variable KEYWAY_BRIDGES_ROS1_QUEUE: "), "{error}");
    let environment = [("KEYWAY_BRIDGES_ROS9_QUEUE".to_owned(), "1".to_owned())];
    let error = Config::parse("keyway.toml", "", environment.into_iter()).unwrap_err().to_string();
    assert!(error.contains("KEYWAY_BRIDGES_ROS1_QUEUE"), "{error}");
}

#[test]
fn a_bridge_that_shows_nothing_or_whose_directory_nobody_knows_is_refused() {
    let two = "[[directory]]\nname = 'a'\nurl = 'tcp://h:1'\n[[directory]]\nname = 'b'\nurl = 'tcp://h:2'\n";
    let rows = [
        ("[bridges.yarp]\nenabled = true\n".to_owned(), "a bridge is enabled and shows nothing"),
        ("[bridges]\ndirectory = 'x'\n".to_owned(), "there is no directory \"x\""),
        (
            format!("{two}[bridges]\nservices = ['A']\n[bridges.ros1]\nenabled = true\n"),
            "say by `directory` whose services",
        ),
        ("[bridges]\ncalls = 0\n".to_owned(), "`calls` is at least 1"),
        ("[bridges]\ncall_timeout = '1ms'\n".to_owned(), "`call_timeout` is"),
        ("[bridges.yarp]\ncall_timeout = '2h'\n".to_owned(), "`call_timeout` is"),
        ("[bridges.rosbridge]\nflavour = 3\n".to_owned(), "there is no ROS 3"),
        ("[bridges.yarp]\ndialect = '5'\n".to_owned(), "expected `3` or `4`"),
        ("[bridges.rosbridge]\nlisten = '9090'\n".to_owned(), "an address is a host and a port"),
        ("[bridges.ros]\nroot = 'qi'\n".to_owned(), "a name begins with a slash"),
        ("[[bridges.ros.rule]]\nfront = 'ros1'\n".to_owned(), "type"),
    ];
    for (text, expected) in rows {
        let error = Config::parse("keyway.toml", &text, [].into_iter()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
