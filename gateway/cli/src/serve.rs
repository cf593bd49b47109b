//! What every listening command does: say that it is ready, and end when told to.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use keyway::{Directory, DirectoryBuilder};

use crate::{exit::Usage, stop::Stop, tls};

/// Where a directory listens.
#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// Where to listen; port 0 takes a free one. May be given several times
    #[arg(
        long,
        value_name = "URL",
        env = "QI_LISTEN_URL",
        value_delimiter = ';',
        default_value = "tcp://127.0.0.1:9559"
    )]
    listen: Vec<String>,
    /// Certificate chain (PEM), which listening on tcps and tcpsm needs
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Certificates (PEM) of clients, or of those who issue them, which listening on tcpsm needs
    #[arg(long, value_name = "FILE", requires = "cert")]
    client_ca: Option<PathBuf>,
}

/// What a directory allows.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Let any session change any service, as libqi does. Not where strangers may connect
    #[arg(long)]
    permissive: bool,
    /// Threads that serve connections [default: as many as processors]
    #[arg(long, value_name = "N")]
    pub(crate) network_threads: Option<usize>,
    /// Seconds a connection may stay without authenticating
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    authentication_timeout: f64,
    /// Connections one address may hold that have not authenticated
    #[arg(long, value_name = "N", default_value_t = 1024)]
    max_unauthenticated: usize,
    /// Largest payload accepted, in bytes
    #[arg(long, value_name = "BYTES", env = "QI_MAX_MESSAGE_PAYLOAD", default_value_t = 256 << 20)]
    max_payload: u32,
    /// Bytes that may wait for a slow reader before its connection is closed
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    queue_bytes: usize,
}

impl ListenArgs {
    /// Runs a directory until SIGTERM or Ctrl-C; `then` runs once it listens.
    pub(crate) fn run<F, T>(self, serve: &ServeArgs, then: F) -> anyhow::Result<()>
    where
        F: AsyncFnOnce(&Directory) -> anyhow::Result<T>,
    {
        let runtime = keyway_pipe::runtime::build(serve.network_threads).context("cannot start the network threads")?;
        runtime.block_on(async {
            // Asked for before `ready` is printed: who reads it may send the signal at once.
            let mut stop = Stop::new()?;
            let directory = self.builder(serve)?.start().await?;
            let kept = then(&directory).await?;
            println!("ready {}", directory.urls().join(" "));
            io::stdout().flush()?;
            stop.requested().await;
            tracing::info!("ending");
            drop(kept);
            close(directory).await;
            Ok(())
        })
    }

    fn builder(self, serve: &ServeArgs) -> anyhow::Result<DirectoryBuilder> {
        let tls = tls::server(self.cert.as_deref(), self.key.as_deref(), self.client_ca.as_deref())
            .map_err(|error| Usage(error.to_string()))?;
        let mut builder = serve.builder(self.listen)?;
        if let Some(tls) = tls {
            builder = builder.tls(tls);
        }
        Ok(builder)
    }
}

impl ServeArgs {
    /// A directory that allows this, and listens there.
    pub(crate) fn builder(&self, listen: Vec<String>) -> anyhow::Result<DirectoryBuilder> {
        let timeout = Duration::try_from_secs_f64(self.authentication_timeout)
            .context("--authentication-timeout is a number of seconds, such as 10")?;
        let builder = Directory::builder()
            .permissive(self.permissive)
            .authentication_timeout(timeout)
            .unauthenticated_per_source(self.max_unauthenticated)
            .max_payload(self.max_payload)
            .queue_bytes(self.queue_bytes);
        Ok(listen.into_iter().fold(builder, DirectoryBuilder::listen))
    }
}

/// Closing is quick; a peer that takes its time does not hold up the end.
pub(crate) async fn close(directory: Directory) {
    let _ = tokio::time::timeout(CLOSING, directory.close()).await;
}

const CLOSING: Duration = Duration::from_millis(1500);
