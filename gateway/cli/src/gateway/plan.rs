//! What a gateway is to be, from its file and its flags.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use keyway::{
    Session, SessionBuilder, TlsClient, TlsServer,
    front::{FrontSettings, Kept},
};
use keyway_admin::AdminError;
use keyway_auth::{AuthConfig, Authenticator, resume::SealingKeys};
use keyway_config::{Audit, Config, Directory, Discovery, DoorUrl, Listen, Network, Scheme};
use keyway_gateway::{AuditRules, BusSettings, Comebacks, LeaseRule, Limits, Rules, client::Overflow};
use keyway_history::audit::AuditLog;
use keyway_pipe::{QueueBudget, SocketOptions};
use keyway_policy::Policy;

use super::args::{DirectoryFlags, GateArgs, Upstream};
use crate::{exit::Usage, tls};

/// Everything a gateway needs to start.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) file: Option<PathBuf>,
    pub(crate) rules: Rules,
    pub(crate) buses: Vec<BusSettings>,
    pub(crate) listeners: Vec<Listener>,
    /// Where supervisors and monitoring ask.
    pub(crate) admin: Option<SocketAddr>,
    /// How it makes itself known on the local network.
    pub(crate) discovery: Discovery,
    /// For running calls, when the gateway ends.
    pub(crate) drain: Duration,
    audit: Audit,
    /// Where the keys of sessions are.
    key_file: Option<PathBuf>,
}

/// A door to open.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) url: DoorUrl,
    /// The directory behind it, by its place.
    pub(crate) bus: usize,
    pub(crate) front: FrontSettings,
    pub(crate) anonymous: Option<String>,
    /// Web pages of which origins may use it.
    pub(crate) origins: Vec<String>,
}

impl Plan {
    /// Of a file, and of flags that take the place of what it says; of the file's directories, if there are no `buses`.
    pub(crate) fn new(
        config: Option<&Config>,
        args: &GateArgs,
        mut buses: Vec<BusSettings>,
        listen: &[String],
    ) -> anyhow::Result<Self> {
        let rules = rules(config)?;
        if let Some(role) = args.anonymous_role.as_deref().filter(|role| !rules.policy.has_role(role)) {
            let known: Vec<_> = rules.policy.roles().collect();
            return Err(usage(format!(
                "there is no role {role:?}; --anonymous-role takes one of {}",
                known.join(", ")
            )));
        }
        let network = config.map(|config| config.network.clone()).unwrap_or_default();
        let shared = |configured: bool| args.upstream.map_or(configured, |upstream| upstream == Upstream::Shared);
        if buses.is_empty() {
            let configured = config.map(|config| config.directories.as_slice()).unwrap_or_default();
            buses = configured.iter().map(bus).collect::<anyhow::Result<_>>()?;
        }
        // A gateway that no file tells to do so registers nothing of its own at a robot.
        let presence = config.map(|config| &config.presence).filter(|presence| presence.enabled);
        for bus in &mut buses {
            bus.shared = shared(bus.shared);
            bus.presence = presence.map(|presence| presence.name.clone());
        }
        let listeners = listeners(config, args, &buses, listen, &rules, &network)?;
        let audit = config.map(|config| config.audit.clone()).unwrap_or_default();
        let admin = admin(config, args)?;
        Ok(Self {
            file: args.config.clone(),
            rules,
            buses,
            listeners,
            admin,
            discovery: config.map(|config| config.discovery.clone()).unwrap_or_default(),
            drain: Duration::from_secs(args.drain),
            audit,
            key_file: config.and_then(|config| config.session.key_file.clone()),
        })
    }

    /// Has sessions found again after a restart, if there is a file for that.
    pub(crate) fn use_key_file(&self, comebacks: &Comebacks) -> anyhow::Result<()> {
        let Some(file) = &self.key_file else { return Ok(()) };
        let keys = match SealingKeys::load(file)? {
            Some(keys) => keys,
            None => {
                let keys = SealingKeys::generate(SystemTime::now())?;
                keys.save(file).context("set `session.key_file` to a path that can be written, or remove it")?;
                keys
            }
        };
        comebacks.seal_with(keys, file.clone());
        Ok(())
    }

    /// Whether a door listens on all addresses of the machine.
    pub(crate) fn is_everywhere(&self) -> bool {
        self.listeners.iter().any(|listener| listener.url.host == "0.0.0.0")
    }

    /// Opens the audit log, if there is to be one.
    pub(crate) fn audit_log(&self) -> anyhow::Result<Option<AuditLog>> {
        let Some(folder) = &self.audit.folder else { return Ok(None) };
        let log = AuditLog::open(folder, self.audit.options());
        Ok(Some(log.with_context(|| format!("cannot open the audit log in {}", folder.display()))?))
    }
}

fn admin(config: Option<&Config>, args: &GateArgs) -> anyhow::Result<Option<SocketAddr>> {
    let address = args.admin.or_else(|| config.and_then(|config| config.admin.listen));
    if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
        return Err(usage(AdminError::NotLoopback(address).to_string()));
    }
    Ok(address)
}

/// Who may come in and do what.
fn rules(config: Option<&Config>) -> anyhow::Result<Rules> {
    match config {
        Some(config) => Ok(rules_of(config, Authenticator::new(config.auth.clone()))),
        None => {
            let policy = Policy::default();
            let nobody = AuthConfig::parse("", "", &policy).map_err(|error| usage(error.to_string()))?;
            let authenticator = Authenticator::new(nobody);
            Ok(Rules::new(policy, authenticator))
        }
    }
}

/// The rules of a file.
pub(super) fn rules_of(config: &Config, authenticator: Authenticator) -> Rules {
    let limits = &config.limits;
    let limits = Limits {
        connections_per_source: limits.connections_per_source.get() as usize,
        connections: limits.connections.get() as usize,
        unauthenticated_time: limits.unauthenticated_time,
        unauthenticated_bytes: u32::try_from(limits.unauthenticated_bytes.0).unwrap_or(u32::MAX),
        overflow: overflow(limits.overflow),
        calls_in_flight: limits.calls_in_flight.get() as usize,
        calls_per_second: limits.calls_per_second.map(std::num::NonZero::get),
        payload: u32::try_from(limits.payload.0).unwrap_or(u32::MAX),
        queue_per_session: limits.queue_per_session.as_usize(),
        replay: config.session.bounds(),
        queue_total: limits.queue_total.as_usize(),
    };
    let recorded = config.audit.clone();
    let arguments = Arc::new(move |service: &str, member: &str| recorded.records_arguments(service, member));
    let audit = AuditRules { overflow: config.audit.overflow.into(), arguments: Some(arguments) };
    let lease = |lease: &keyway_config::Lease| LeaseRule {
        service: lease.service.clone(),
        on_loss: lease.on_loss.clone().map(|path| (path.service, path.member)),
        idle: lease.idle,
    };
    let leases = config.leases.iter().map(lease).collect();
    let said = config.limits.clone();
    let events = Arc::new(move |service: &str, signal: &str| said.overflow_of(service, signal).map(overflow));
    Rules { policy: config.policy.clone(), authenticator, limits, audit, leases, events: Some(events) }
}

const fn overflow(rule: keyway_config::Overflow) -> Overflow {
    match rule {
        keyway_config::Overflow::Block => Overflow::Block,
        keyway_config::Overflow::DropOldest => Overflow::DropOldest,
        keyway_config::Overflow::Latest => Overflow::Latest,
        keyway_config::Overflow::Disconnect => Overflow::Disconnect,
    }
}

/// How to connect to a directory of the file.
pub(crate) fn session_of(directory: &Directory) -> anyhow::Result<SessionBuilder> {
    let builder = Session::builder();
    let builder = match (&directory.user, &directory.token) {
        (Some(user), Some(token)) => builder.credentials(user, token.0.expose()),
        _ => builder,
    };
    Ok(match directory_tls(directory)? {
        Some(tls) => builder.tls(tls),
        None => builder,
    })
}

fn bus(directory: &Directory) -> anyhow::Result<BusSettings> {
    Ok(BusSettings {
        name: directory.name.clone().unwrap_or_default(),
        url: directory.url.to_string(),
        session: session_of(directory)?,
        inside_listen: directory.inside_listen.as_ref().map(ToString::to_string),
        shared: directory.upstream == keyway_config::Upstream::Shared,
        presence: None,
    })
}

fn directory_tls(directory: &Directory) -> anyhow::Result<Option<TlsClient>> {
    let Some(trust) = directory.trust() else { return Ok(None) };
    let client = tls::client(&trust, directory.cert.as_deref(), directory.key.as_deref());
    Ok(Some(client.map_err(|error| usage(format!("directory {}: {error}", directory.url)))?))
}

impl DirectoryFlags {
    /// The directories that were named.
    pub(crate) fn buses(&self) -> anyhow::Result<Vec<BusSettings>> {
        let builder: SessionBuilder = self.tls.apply(Session::builder())?;
        let is_trusting = self.tls.client()?.is_some();
        let session = match (&self.user, &self.token) {
            (Some(user), Some(token)) => builder.credentials(user, token),
            _ => builder,
        };
        let bus = |text: &String| {
            let (name, url) = text.split_once('=').unwrap_or(("", text));
            let url = keyway_config::QiUrl::try_from(url.to_owned()).map_err(usage)?;
            if url.0.is_tls() && !is_trusting {
                return Err(usage(format!(
                    "whom to trust at {url}? Say --ca FILE, --pin SHA256 or --insecure-skip-verify"
                )));
            }
            let (name, session) = (name.to_owned(), session.clone());
            Ok(BusSettings { name, ..BusSettings::new(url.to_string(), session) })
        };
        self.directory.iter().map(bus).collect()
    }
}

fn listeners(
    config: Option<&Config>,
    args: &GateArgs,
    buses: &[BusSettings],
    urls: &[String],
    rules: &Rules,
    network: &Network,
) -> anyhow::Result<Vec<Listener>> {
    // Listeners that are named by flags show what those of the file show.
    let with_certificate = config.and_then(|config| config.listen.iter().find(|listen| listen.cert.is_some()));
    let from_flags = urls.iter().map(|url| {
        let url = DoorUrl::try_from(url.clone()).map_err(usage)?;
        if url.scheme == Scheme::Http && !url.is_loopback() {
            return Err(usage(format!("{url} would send tokens in clear text; use https, or listen on 127.0.0.1")));
        }
        let (directory, cors, anonymous) = (None, Vec::new(), None);
        let (cert, key, client_ca) = match (&args.server_cert, &with_certificate) {
            (None, Some(listen)) => (listen.cert.clone(), listen.key.clone(), listen.client_ca.clone()),
            (cert, _) => (cert.clone(), args.server_key.clone(), args.server_client_ca.clone()),
        };
        Ok(Listen { url, directory, cert, key, client_ca, cors, anonymous })
    });
    let mut listen: Vec<Listen> = from_flags.collect::<anyhow::Result<_>>()?;
    if listen.is_empty() {
        listen = config.map(|config| config.listen.clone()).unwrap_or_default();
    }
    if listen.is_empty() {
        return Err(usage(
            "there is nowhere to listen; name a URL (--listen), or a file that does (--config)".to_owned(),
        ));
    }
    let total = QueueBudget::new(rules.limits.queue_total);
    let listener = |listen: Listen| {
        let anonymous = args.anonymous_role.clone().or_else(|| listen.anonymous.as_ref().map(|role| role.role.clone()));
        if anonymous.is_none() && rules.authenticator.admits_nobody(listen.takes_certificates()) {
            let text = format!(
                "nobody could come in at {}: name users in a file (--config, `keyway init` writes one), or the role of everybody \
                 (--anonymous-role)",
                listen.url
            );
            return Err(usage(text));
        }
        let bus = bus_of(&listen, buses)?;
        let front = front(&listen, rules, network, &total)?;
        Ok(Listener { url: listen.url, bus, front, anonymous, origins: listen.cors })
    };
    listen.into_iter().map(listener).collect()
}

fn bus_of(listen: &Listen, buses: &[BusSettings]) -> anyhow::Result<usize> {
    match (&listen.directory, buses) {
        (_, []) => Err(usage("there is no directory to stand in front of; name it (--directory)".to_owned())),
        (None, [_]) => Ok(0),
        (None, [..]) if !listen.url.scheme.is_qi() => Ok(0),
        (None, _) => {
            let text =
                format!("{} leads to which directory? Say so in a file (--config): `directory = \"…\"`", listen.url);
            Err(usage(text))
        }
        (Some(name), _) => {
            let found = buses.iter().position(|bus| bus.name == *name);
            found.ok_or_else(|| usage(format!("{} leads to {name:?}, and there is no such directory", listen.url)))
        }
    }
}

fn front(listen: &Listen, rules: &Rules, network: &Network, total: &QueueBudget) -> anyhow::Result<FrontSettings> {
    let limits = &rules.limits;
    let mut front = FrontSettings {
        authentication_timeout: limits.unauthenticated_time,
        unauthenticated_per_source: limits.connections_per_source,
        unauthenticated_bytes: limits.unauthenticated_bytes,
        max_payload: limits.payload,
        socket: SocketOptions::from_environment().dead_after(network.dead_after),
        tls: server_tls(listen)?,
        quic_dead_after: network.dead_after,
        kept: Kept { time: limits.replay.age, events: limits.replay.events, bytes: limits.replay.bytes },
        ..FrontSettings::default()
    };
    front.queue.max_bytes = limits.queue_per_session;
    front.queue.total = Some(total.clone());
    Ok(front)
}

fn server_tls(listen: &Listen) -> anyhow::Result<Option<TlsServer>> {
    let Listen { url, cert, key, client_ca, .. } = listen;
    let server = tls::server(cert.as_deref(), key.as_deref(), client_ca.as_deref());
    let server = server.map_err(|error| usage(format!("{url}: {error}")))?;
    if url.scheme.is_tls() && server.is_none() {
        return Err(usage(format!("{url} needs a certificate and its key (--server-cert, --server-key)")));
    }
    Ok(server)
}

fn usage(text: String) -> anyhow::Error {
    Usage(text).into()
}
