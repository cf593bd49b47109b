//! What no single value shows: names, and keys that go together or do not.

use std::{collections::BTreeMap, time::Duration};

use keyway_auth::AuthConfig;
use keyway_policy::Policy;

use crate::{
    Directory, Listen, ProblemCode, QiUrl, Scheme,
    config::{Context, Settings},
};

pub(crate) fn check(
    settings: &Settings,
    policy: Option<&Policy>,
    auth: Option<&AuthConfig>,
    context: &mut Context<'_>,
) {
    numbers(settings, context);
    directories(&settings.directories, context);
    let mut listeners = BTreeMap::new();
    for (at, listen) in settings.listen.iter().enumerate() {
        let mut door = Door { listen, at: at.to_string(), context };
        if let (Some(first), true) = (listeners.insert(listen.url.to_string(), at), listen.url.port != 0) {
            door.add(ProblemCode::Name, "url", format!("listener {} has the same URL; give each its own", first + 1));
        }
        door.tls();
        door.http();
        door.directory(&settings.directories);
        door.who(policy, auth);
    }
    leases(settings, context);
    bridges(settings, context);
}

fn numbers(settings: &Settings, context: &mut Context<'_>) {
    let (limits, audit, session) = (&settings.limits, &settings.audit, &settings.session);
    let mut demand = |is_fine: bool, path: [&str; 2], reason: &str| {
        if !is_fine {
            context.add(ProblemCode::Value, &path, reason);
        }
    };
    let second_to_hour = Duration::from_secs(1)..=Duration::from_secs(3600);
    let is_time = |time| second_to_hour.contains(time);
    demand(is_time(&settings.network.dead_after), ["network", "dead_after"], "`dead_after` is \"1s\" to \"1h\"");
    let time = &limits.unauthenticated_time;
    demand(is_time(time), ["limits", "unauthenticated_time"], "`unauthenticated_time` is \"1s\" to \"1h\"");
    let first = limits.unauthenticated_bytes.0;
    let reason = "`unauthenticated_bytes` is \"1KiB\" to \"16MiB\": less than a handshake lets nobody in";
    demand((1 << 10..=16 << 20).contains(&first), ["limits", "unauthenticated_bytes"], reason);
    let reason = "`payload` is \"64KiB\" to less than \"4GiB\", which is what a frame can hold";
    demand((64 << 10..1 << 32).contains(&limits.payload.0), ["limits", "payload"], reason);
    let reason = "`queue_per_session` is at least \"64KiB\"";
    demand(limits.queue_per_session.0 >= 64 << 10, ["limits", "queue_per_session"], reason);
    let reason = "`queue_total` is less than `queue_per_session`; raise it";
    demand(limits.queue_total >= limits.queue_per_session, ["limits", "queue_total"], reason);
    demand((1..=1 << 20).contains(&audit.queue), ["audit", "queue"], "`queue` is 1 to 1048576 records");
    let reason = "`segment_size` is at least \"64KiB\"";
    demand(audit.segment_size.0 >= 64 << 10, ["audit", "segment_size"], reason);
    let reason = "`keep` is less than one segment (`segment_size`); raise it";
    demand(audit.keep.is_none_or(|keep| keep >= audit.segment_size), ["audit", "keep"], reason);
    let reason = "`argument_size` is at most \"64KiB\"";
    demand(audit.argument_size.0 <= 64 << 10, ["audit", "argument_size"], reason);
    let reason = "`replay_events` is at most 1048576";
    demand(session.replay_events <= 1 << 20, ["session", "replay_events"], reason);
    let reason = "`kept_for` is at most \"1day\"";
    demand(session.kept_for <= Duration::from_secs(86_400), ["session", "kept_for"], reason);
    let name = &settings.presence.name;
    let is_name = (1..=255).contains(&name.len()) && !name.contains(char::is_control);
    demand(is_name, ["presence", "name"], "`name` has 1 to 255 bytes, and no control characters");
    let is_url = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    let reason = "`otlp` is the URL of a collector, such as \"http://127.0.0.1:4318\"";
    demand(settings.telemetry.otlp.as_ref().is_none_or(is_url), ["telemetry", "otlp"], reason);
    let name = settings.discovery.name.as_deref();
    let is_name = name.is_none_or(|name| (1..=63).contains(&name.len()) && !name.contains(char::is_control));
    demand(is_name, ["discovery", "name"], "`name` has 1 to 63 bytes, and no control characters");
    let is_found = settings.listen.is_empty() || settings.listen.iter().any(|listen| listen.url.scheme.is_qi());
    if settings.discovery.mdns && !is_found {
        let reason = "`mdns` advertises tcp, tcps and tcpsm listeners, and there is none; add one, or remove it";
        context.add(ProblemCode::Combination, &["discovery", "mdns"], reason);
    }
    if let Some(address) = settings.admin.listen.filter(|address| !address.ip().is_loopback()) {
        let reason =
            format!("{address} is no loopback address; metrics are for this machine, such as \"127.0.0.1:9580\"");
        context.add(ProblemCode::Door, &["admin", "listen"], reason);
    }
}

fn directories(directories: &[Directory], context: &mut Context<'_>) {
    let mut names = BTreeMap::new();
    for (at, directory) in directories.iter().enumerate() {
        let number = at.to_string();
        let mut add = |code, key: &str, reason: String| context.add(code, &["directory", &number, key], reason);
        match &directory.name {
            None if directories.len() > 1 => {
                add(ProblemCode::Name, "name", "there are several directories; give each a `name`".to_owned());
            }
            Some(name) if name.is_empty() || name.contains('/') => {
                add(ProblemCode::Name, "name", format!("{name:?} is no name: it is empty, or has a slash"));
            }
            Some(name) if names.insert(name, at).is_some() => {
                add(ProblemCode::Name, "name", format!("another directory is named {name:?}; give each its own name"));
            }
            _ => {}
        }
        let trusts = [directory.ca.is_some(), directory.pin.is_some(), directory.insecure_skip_verify];
        match (directory.url.0.is_tls(), trusts.iter().filter(|is_set| **is_set).count()) {
            (true, 1) | (false, 0) => {}
            (true, 0) => {
                let reason = "nothing says whether this server is to be believed; add `ca`, `pin` or `insecure_skip_verify = true`";
                add(ProblemCode::Combination, "url", reason.to_owned());
            }
            (true, _) => {
                let reason = "`ca`, `pin` and `insecure_skip_verify` exclude each other; keep one";
                add(ProblemCode::Combination, "url", reason.to_owned());
            }
            (false, _) => {
                let reason =
                    "`ca`, `pin` and `insecure_skip_verify` have no use without TLS; remove them, or write tcps://";
                add(ProblemCode::Combination, "url", reason.to_owned());
            }
        }
        if directory.pin.as_deref().is_some_and(|pin| !is_sha256(pin)) {
            let reason = "`pin` is a SHA-256 in 64 hexadecimal digits; `keyway cert show FILE` prints a certificate's";
            add(ProblemCode::Value, "pin", reason.to_owned());
        }
        if directory.cert.is_some() != directory.key.is_some() {
            add(ProblemCode::Combination, "url", "`cert` and `key` go together; add the other".to_owned());
        }
        if directory.cert.is_none() && directory.url.0.is_mutual_tls() {
            add(
                ProblemCode::Combination,
                "url",
                "tcpsm:// wants a certificate of ours; add `cert` and `key`".to_owned(),
            );
        }
        if directory.token.is_some() && directory.token_file.is_some() {
            let reason = "`token` and `token_file` exclude each other; keep one";
            add(ProblemCode::Combination, "token", reason.to_owned());
        }
        if directory.user.is_none() && (directory.token.is_some() || directory.token_file.is_some()) {
            add(ProblemCode::Combination, "url", "there is a token and no `user` to log in as; add it".to_owned());
        }
        if directory.inside_listen.as_ref().is_some_and(|QiUrl(url)| url.scheme.as_deref() != Some("tcp")) {
            let reason = "`inside_listen` is a tcp:// URL: internal clients come without certificates";
            add(ProblemCode::Value, "inside_listen", reason.to_owned());
        }
    }
}

fn leases(settings: &Settings, context: &mut Context<'_>) {
    let mut seen = BTreeMap::new();
    for (at, lease) in settings.leases.iter().enumerate() {
        let number = at.to_string();
        if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&lease.idle) {
            context.add(ProblemCode::Value, &["lease", &number, "idle"], "`idle` is \"1s\" to \"1h\"");
        }
        if lease.service.is_empty() || seen.insert(&lease.service, at).is_some() {
            let reason = format!("service {:?} has no name, or a lease already; remove one", lease.service);
            context.add(ProblemCode::Name, &["lease", &number, "service"], reason);
        }
    }
}

fn bridges(settings: &Settings, context: &mut Context<'_>) {
    let bridges = &settings.bridges;
    match &bridges.directory {
        Some(name) if !settings.directories.iter().any(|directory| directory.name.as_ref() == Some(name)) => {
            let reason = format!("there is no directory {name:?}; give one this `name` in a [[directory]]");
            context.add(ProblemCode::Name, &["bridges", "directory"], reason);
        }
        None if bridges.any_enabled() && settings.directories.len() > 1 => {
            let reason = "there are several directories; say by `directory` whose services are shown";
            context.add(ProblemCode::Name, &["bridges"], reason);
        }
        _ => {}
    }
    if bridges.any_enabled() && bridges.services.is_empty() {
        let reason = "a bridge is enabled and shows nothing; name services, such as `services = [\"ALTextToSpeech\"]`";
        context.add(ProblemCode::Combination, &["bridges", "services"], reason);
    }
    let mut demand = |is_fine: bool, path: &[&str], reason: &str| {
        if !is_fine {
            context.add(ProblemCode::Value, &[&["bridges"], path].concat(), reason);
        }
    };
    let milliseconds_to_hour = Duration::from_millis(10)..=Duration::from_secs(3600);
    let reason = "`call_timeout` is \"10ms\" to \"1h\"";
    demand(milliseconds_to_hour.contains(&bridges.call_timeout), &["call_timeout"], reason);
    demand(milliseconds_to_hour.contains(&bridges.yarp.call_timeout), &["yarp", "call_timeout"], reason);
    demand(bridges.calls > 0, &["calls"], "`calls` is at least 1");
    demand(bridges.calls_per_connection > 0, &["calls_per_connection"], "`calls_per_connection` is at least 1");
    for (name, path) in [
        (&bridges.ros.root, ["ros", "root"]),
        (&bridges.ros1.node, ["ros1", "node"]),
        (&bridges.ros2.node, ["ros2", "node"]),
        (&bridges.yarp.prefix, ["yarp", "prefix"]),
    ] {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "_/".contains(letter);
        let is_name = name.len() > 1 && name.starts_with('/') && name.chars().all(is_letter);
        demand(is_name, &path, "a name begins with a slash and has letters, digits, `_` and slashes, such as \"/qi\"");
    }
    let master = bridges.ros1.master.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let reason = "`master` is a URL, such as \"http://127.0.0.1:11311\"";
    demand(master.is_some_and(is_address), &["ros1", "master"], reason);
    for (address, path) in [
        (Some(&bridges.rosbridge.listen), ["rosbridge", "listen"]),
        (bridges.yarp.name_server.as_ref(), ["yarp", "name_server"]),
    ]
    .into_iter()
    .filter_map(|(address, path)| Some((address?, path)))
    {
        demand(is_address(address), &path, "an address is a host and a port, such as \"127.0.0.1:9090\"");
    }
    for (host, path) in
        [(&bridges.ros1.advertise_host, ["ros1", "advertise_host"]), (&bridges.yarp.bind, ["yarp", "bind"])]
    {
        demand(is_host(host), &path, "a host is an address or a name, such as \"127.0.0.1\"");
    }
}

/// `host:port`
fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok())
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-_:[]".contains(letter))
}

/// One listener.
struct Door<'c, 's> {
    listen: &'c Listen,
    at: String,
    context: &'c mut Context<'s>,
}

impl Door<'_, '_> {
    fn add(&mut self, code: ProblemCode, key: &str, reason: impl Into<String>) {
        self.context.add(code, &["listen", &self.at, key], reason);
    }

    fn tls(&mut self) {
        let Listen { url, cert, key, client_ca, .. } = self.listen;
        let scheme = url.scheme;
        match (scheme.is_tls(), cert, key) {
            (true, Some(_), Some(_)) | (false, None, None) => {}
            (true, _, _) => {
                let reason =
                    format!("{scheme}:// shows a certificate; add `cert` and `key`, which `keyway cert server` makes");
                self.add(ProblemCode::Combination, "url", reason);
            }
            (false, _, _) => {
                let reason = format!(
                    "`cert` and `key` have no use at {scheme}://, which has no TLS; remove them, or change the scheme"
                );
                self.add(ProblemCode::Combination, "url", reason);
            }
        }
        match (scheme, client_ca) {
            (Scheme::Tcpsm, None) => {
                let reason = "tcpsm:// lets in clients with certificates; add `client_ca` to say whose";
                self.add(ProblemCode::Combination, "url", reason);
            }
            (Scheme::Tcp | Scheme::Http, Some(_)) => {
                self.add(ProblemCode::Combination, "client_ca", "`client_ca` has no use without TLS; remove it");
            }
            (Scheme::Tcps, Some(_)) => {
                let reason = "tcps:// asks clients for no certificate; write tcpsm://, or remove `client_ca`";
                self.add(ProblemCode::Combination, "client_ca", reason);
            }
            _ => {}
        }
    }

    fn http(&mut self) {
        let url = &self.listen.url;
        if url.scheme == Scheme::Http && !url.is_loopback() {
            let reason = "http:// is for loopback only: everybody on the way reads tokens; write https:// or 127.0.0.1";
            self.add(ProblemCode::Door, "url", reason);
        }
        if !url.scheme.is_http() && !self.listen.cors.is_empty() {
            self.add(ProblemCode::Combination, "cors", "`cors` is for https:// and http:// only; remove it");
        }
        if self.listen.takes_certificates() && self.listen.cors.iter().any(|origin| origin == "*") {
            let reason = "with `client_ca`, pages of everybody would come in by the certificates of those who look at them; name \
                          the origins, or remove `client_ca`";
            self.add(ProblemCode::Combination, "cors", reason);
        }
        for origin in &self.listen.cors {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if origin != "*" && host.is_none_or(|host| host.is_empty() || host.contains('/')) {
                let reason = format!(
                    "{origin:?} is no origin; write scheme and host, such as \"https://app.example\", or \"*\""
                );
                self.add(ProblemCode::Value, "cors", reason);
            }
        }
    }

    fn directory(&mut self, directories: &[Directory]) {
        match &self.listen.directory {
            None if self.listen.url.scheme.is_qi() && directories.len() > 1 => {
                let reason = "there are several directories; say by `directory` which of them is behind this listener";
                self.add(ProblemCode::Name, "url", reason);
            }
            Some(name) if !directories.iter().any(|directory| directory.name.as_ref() == Some(name)) => {
                let reason = format!("there is no directory {name:?}; give one this `name` in a [[directory]]");
                self.add(ProblemCode::Name, "directory", reason);
            }
            _ => {}
        }
    }

    /// Closed by default: whoever may come in has to be named.
    fn who(&mut self, policy: Option<&Policy>, auth: Option<&AuthConfig>) {
        match (&self.listen.anonymous, policy, auth) {
            (Some(anonymous), Some(policy), _) if !policy.has_role(&anonymous.role) => {
                let reason = format!("the policy has no role {:?}; add a [[role]] of this name", anonymous.role);
                self.context.add(ProblemCode::Name, &["listen", &self.at, "anonymous", "role"], reason);
            }
            (None, _, Some(auth)) if auth.admits_nobody(self.listen.takes_certificates()) => {
                let reason = if auth.knows_certificates() {
                    "nobody could come in here: certificates give roles where there is a `client_ca`, on tcpsm://, quic:// and https://; \
                     add one, or a [[user]], [jwt], or `anonymous = { role = \"…\" }`"
                } else {
                    "nobody could come in here; add a [[user]] (`keyway init` makes one), [[certificate]] or [jwt], \
                              or say `anonymous = { role = \"…\" }`"
                };
                self.add(ProblemCode::Door, "url", reason);
            }
            _ => {}
        }
    }
}

/// 64 hexadecimal digits, in pairs that colons may separate, as `--pin` takes them.
fn is_sha256(text: &str) -> bool {
    let digits: Vec<char> = text.chars().filter(|letter| *letter != ':').collect();
    digits.len() == 64 && digits.iter().all(char::is_ascii_hexdigit)
}
