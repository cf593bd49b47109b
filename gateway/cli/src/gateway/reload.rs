//! Reading the configuration again while the gateway serves (SIGHUP, `POST /reload`). Users, roles, rules and limits change at once
//! and for all sessions; a file with an error changes nothing.

use std::{future::Future, path::PathBuf};

use anyhow::Context;
use keyway_admin::{Applied, Problem, ReloadRequest};
use keyway_config::{Config, ConfigError};
use keyway_gateway::Gateway;
use tokio::sync::mpsc;

use super::{issuer::Following, plan::rules_of};

/// Reloads on demand.
#[derive(Debug)]
pub(crate) struct Reloads {
    file: PathBuf,
    config: Config,
    gateway: Gateway,
    following: Following,
    asking: Asking,
}

/// How somebody asks for a reload.
#[derive(Debug)]
pub(super) struct Asking {
    requests: mpsc::Receiver<ReloadRequest>,
    hangup: tokio::signal::unix::Signal,
}

impl Asking {
    /// And the other end of it. From now on SIGHUP no longer ends the process.
    pub(super) fn new() -> anyhow::Result<(mpsc::Sender<ReloadRequest>, Self)> {
        let hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
        // Whoever asks waits for the answer, and for its turn before that.
        let (asks, requests) = mpsc::channel(1);
        Ok((asks, Self { requests, hangup: hangup.context("cannot wait for SIGHUP")? }))
    }

    /// Somebody asks; by a signal if there is no request.
    async fn next(&mut self) -> Option<ReloadRequest> {
        tokio::select! {
            Some(()) = self.hangup.recv() => None,
            Some(request) = self.requests.recv() => Some(request),
            else => std::future::pending().await,
        }
    }
}

impl Reloads {
    pub(super) fn new(file: PathBuf, config: Config, gateway: Gateway, following: Following, asking: Asking) -> Self {
        Self { file, config, gateway, following, asking }
    }

    /// Reloads whenever it is asked to, until `end`.
    pub(super) async fn until(&mut self, end: impl Future<Output = ()>) {
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                request = self.asking.next() => {
                    let result = self.reload();
                    if let Some(request) = request {
                        request.answer(result.map_err(|error| problems(&error)));
                    }
                }
            }
        }
    }

    fn reload(&mut self) -> Result<Applied, ConfigError> {
        let config = Config::load(&self.file).inspect_err(|error| {
            self.gateway.metrics().reload_failed();
            tracing::error!("the configuration was not reloaded, the old one stays in force:\n{error}");
        })?;
        let restart_needed = restarts(&self.config, &config);
        if restart_needed {
            tracing::warn!(
                "listeners, directories, the audit log, [network], [admin], [discovery] and [telemetry] are changed by a restart only"
            );
        }
        let auth = self.following.keys_for(config.auth.clone());
        let authenticator = self.gateway.rules().authenticator.with_config(auth);
        self.gateway.reload(rules_of(&config, authenticator));
        self.config = config;
        tracing::info!(file = %self.file.display(), "the configuration was reloaded");
        Ok(Applied { restart_needed })
    }
}

fn problems(error: &ConfigError) -> Vec<Problem> {
    let problem = |problem: &keyway_config::Problem| Problem {
        place: problem.place.to_string(),
        code: problem.code.to_owned(),
        reason: problem.reason.clone(),
    };
    error.problems.iter().map(problem).collect()
}

/// Whether something is different that is used at the start only.
fn restarts(old: &Config, new: &Config) -> bool {
    let urls = |config: &Config| {
        let listen: Vec<_> = config.listen.iter().map(|listen| listen.url.to_string()).collect();
        let directories: Vec<_> = config.directories.iter().map(|directory| directory.url.to_string()).collect();
        (listen, directories)
    };
    urls(old) != urls(new)
        || old.network != new.network
        || old.audit.folder != new.audit.folder
        || old.admin != new.admin
        || old.discovery != new.discovery
        || old.telemetry != new.telemetry
}
