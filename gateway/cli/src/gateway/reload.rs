//! Reading the configuration again while the gateway serves (SIGHUP). Users, roles, rules and limits change at once and for all
//! sessions; a file with an error changes nothing.

use std::{future::Future, path::PathBuf};

use anyhow::Context;
use keyway_config::Config;
use keyway_gateway::Gateway;

use super::plan::rules_of;

/// Reloads on demand.
#[derive(Debug)]
pub(crate) struct Reloads {
    file: PathBuf,
    config: Config,
    gateway: Gateway,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl Reloads {
    pub(super) fn new(file: PathBuf, config: Config, gateway: Gateway) -> anyhow::Result<Self> {
        #[cfg(unix)]
        let hangup =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).context("cannot wait for SIGHUP")?;
        Ok(Self {
            file,
            config,
            gateway,
            #[cfg(unix)]
            hangup,
        })
    }

    /// Reloads whenever it is asked to, until `end`.
    pub(super) async fn until(&mut self, end: impl Future<Output = ()>) {
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                () = self.asked() => self.reload(),
            }
        }
    }

    async fn asked(&mut self) {
        #[cfg(unix)]
        if self.hangup.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }

    fn reload(&mut self) {
        let config = match Config::load(&self.file) {
            Ok(config) => config,
            Err(error) => {
                tracing::error!("the configuration was not reloaded, the old one stays in force:\n{error}");
                return;
            }
        };
        if restarts(&self.config, &config) {
            tracing::warn!("listeners, directories, the audit log and [network] are changed by a restart only");
        }
        let authenticator = self.gateway.rules().authenticator.with_config(config.auth.clone());
        self.gateway.reload(rules_of(&config, authenticator));
        self.config = config;
        tracing::info!(file = %self.file.display(), "the configuration was reloaded");
    }
}

/// Whether something is different that is used at the start only.
fn restarts(old: &Config, new: &Config) -> bool {
    let urls = |config: &Config| {
        let listen: Vec<_> = config.listen.iter().map(|listen| listen.url.to_string()).collect();
        let directories: Vec<_> = config.directories.iter().map(|directory| directory.url.to_string()).collect();
        (listen, directories)
    };
    urls(old) != urls(new) || old.network != new.network || old.audit.folder != new.audit.folder
}
