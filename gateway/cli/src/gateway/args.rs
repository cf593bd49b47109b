//! Flags of a gateway.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};

use crate::tls::TlsArgs;

/// What a gateway is told on the command line; what is said here takes the place of what the file says.
#[derive(Debug, Args)]
pub(crate) struct GateArgs {
    /// Configuration (keyway.toml); `keyway init` writes one. SIGHUP reads it again
    #[arg(long, value_name = "FILE", env = "KEYWAY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Let everybody in who shows nothing, with this role (admin may do everything, none nothing)
    #[arg(long, value_name = "ROLE")]
    pub(crate) anonymous_role: Option<String>,
    /// Certificate chain (PEM) shown to clients, which listening on tcps, tcpsm, quic and https needs
    #[arg(long, value_name = "FILE", requires = "server_key")]
    pub(crate) server_cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "server_cert")]
    pub(crate) server_key: Option<PathBuf>,
    /// Certificates (PEM) of clients, or of those who issue them, which listening on tcpsm needs
    #[arg(long, value_name = "FILE", requires = "server_cert")]
    pub(crate) server_client_ca: Option<PathBuf>,
    /// Where /metrics, /healthz, /readyz and /reload are answered: an address of loopback; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) admin: Option<SocketAddr>,
    /// How long running calls may take to finish after SIGTERM, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub(crate) drain: u64,
    /// Connections to the service hosts: for each client its own, or one for all
    #[arg(long, value_enum)]
    pub(crate) upstream: Option<Upstream>,
}

/// A directory to stand in front of, and who the gateway is to it.
#[derive(Debug, Args)]
pub(crate) struct DirectoryFlags {
    /// A directory to stand in front of. It may come later, go, and come back
    #[arg(long, value_name = "[NAME=]URL")]
    pub(crate) directory: Vec<String>,
    /// User to authenticate as at the directory
    #[arg(long, requires = "token")]
    pub(crate) user: Option<String>,
    /// Token of the user
    #[arg(long, env = "KEYWAY_TOKEN", hide_env_values = true, requires = "user")]
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

/// How the gateway reaches the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Upstream {
    /// A connection for each client and host: frames pass unchanged
    Dedicated,
    /// One connection to each host, and one subscription for each signal
    Shared,
}
