//! `keyway gateway`: a gateway in front of directories that run elsewhere.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use keyway::{Session, TlsServer, front::FrontSettings};
use keyway_auth::{AuthConfig, Authenticator};
use keyway_door_qi::{Door, DoorSettings};
use keyway_gateway::{AuditRules, BusSettings, Gateway, Limits, Rules};
use keyway_policy::Policy;

use crate::{exit::Usage, stop::Stop, tls::TlsArgs};

const EXAMPLES: &str = "Prints `ready URL…` on standard output when it accepts connections; SIGTERM and Ctrl-C end it.

Examples:
  keyway gateway --directory tcp://127.0.0.1:9559 --listen tcp://0.0.0.0:9560 --anonymous-role admin
  keyway gateway --directory tcps://robot:9503 --user nao --token SECRET --insecure-skip-verify \\
                 --listen tcps://0.0.0.0:9503 --server-cert cert.pem --server-key key.pem --anonymous-role admin";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GatewayArgs {
    /// A directory to stand in front of
    #[arg(long, value_name = "[NAME=]URL", required = true)]
    directory: Vec<String>,
    /// Where clients connect; port 0 takes a free one. May be given several times
    #[arg(long, value_name = "URL", required = true)]
    listen: Vec<String>,
    /// Let everybody in who connects, with this role (admin may do everything, none nothing)
    #[arg(long, value_name = "ROLE")]
    anonymous_role: Option<String>,
    /// Certificate chain (PEM) shown to clients, which listening on tcps and tcpsm needs
    #[arg(long, value_name = "FILE", requires = "server_key")]
    server_cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "server_cert")]
    server_key: Option<PathBuf>,
    /// Certificates (PEM) of clients, or of those who issue them, which listening on tcpsm needs
    #[arg(long, value_name = "FILE", requires = "server_cert")]
    client_ca: Option<PathBuf>,
    /// User to authenticate as at the directory
    #[arg(long, requires = "token")]
    user: Option<String>,
    /// Token of the user
    #[arg(long, env = "KEYWAY_TOKEN", hide_env_values = true, requires = "user")]
    token: Option<String>,
    #[command(flatten)]
    tls: TlsArgs,
    /// Whether each client has connections of its own to the service hosts, or all share one
    #[arg(long, value_enum, default_value_t = Upstream::Dedicated)]
    upstream: Upstream,
    /// Threads that serve connections [default: as many as processors]
    #[arg(long, value_name = "N")]
    network_threads: Option<usize>,
}

/// How the gateway reaches the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Upstream {
    Dedicated,
    Shared,
}

pub(crate) fn run(args: GatewayArgs) -> anyhow::Result<()> {
    let runtime = keyway_pipe::runtime::build(args.network_threads).context("cannot start the network threads")?;
    runtime.block_on(async {
        let mut stop = Stop::new()?;
        let rules = rules(args.anonymous_role.as_deref())?;
        let front = FrontSettings { tls: args.server_tls()?, ..FrontSettings::default() };
        let gateway = Gateway::start(rules, args.buses()?, None);
        let [bus] = gateway.buses() else {
            return Err(Usage("one --directory at a time is supported on the command line".to_owned()).into());
        };
        let door = Door::open(&gateway, bus, DoorSettings { urls: args.listen.clone(), front }).await?;
        println!("ready {}", door.urls().join(" "));
        io::stdout().flush()?;
        stop.requested().await;
        drop(door);
        Ok(())
    })
}

fn rules(anonymous_role: Option<&str>) -> anyhow::Result<Rules> {
    let policy = Policy::default();
    let Some(role) = anonymous_role else {
        let text = "nobody could come in: name the role of everybody (--anonymous-role), or users in a file (--config)";
        return Err(Usage(text.to_owned()).into());
    };
    let text = format!("anonymous = {{ role = {role:?} }}\n");
    let auth = AuthConfig::parse("--anonymous-role", &text, &policy).map_err(|error| Usage(error.to_string()))?;
    let authenticator = Authenticator::new(auth);
    Ok(Rules { policy, authenticator, limits: Limits::default(), audit: AuditRules::default() })
}

impl GatewayArgs {
    fn buses(&self) -> anyhow::Result<Vec<BusSettings>> {
        let session = || {
            let builder = self.tls.apply(Session::builder())?;
            Ok::<_, anyhow::Error>(match (&self.user, &self.token) {
                (Some(user), Some(token)) => builder.credentials(user, token),
                _ => builder,
            })
        };
        let bus = |text: &String| {
            let (name, url) = match text.split_once('=') {
                Some((name, url)) => (name, url),
                None => ("", text.as_str()),
            };
            Ok(BusSettings {
                name: name.to_owned(),
                url: url.to_owned(),
                session: session()?,
                inside_listen: None,
                shared: self.upstream == Upstream::Shared,
            })
        };
        self.directory.iter().map(bus).collect()
    }

    fn server_tls(&self) -> anyhow::Result<Option<TlsServer>> {
        let (Some(cert), Some(key)) = (&self.server_cert, &self.server_key) else { return Ok(None) };
        let server = TlsServer::from_files(cert, key).and_then(|server| match &self.client_ca {
            Some(file) => server.client_ca_file(file),
            None => Ok(server),
        });
        Ok(Some(server.map_err(|error| Usage(error.to_string()))?))
    }
}
