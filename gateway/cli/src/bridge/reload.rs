//! Reading the configuration again while bridges serve (SIGHUP). No peer is disconnected; a file with an error changes nothing.

use std::{future::Future, path::PathBuf};

use keyway_bridge::Bus;
use tokio::signal::unix::Signal;

use super::{
    front::Serving,
    plan::{Overrides, load},
};

/// Reloads on demand.
pub(super) struct Reloads {
    file: Option<PathBuf>,
    overrides: Overrides,
    hangup: Signal,
}

impl Reloads {
    pub(super) fn new(file: Option<PathBuf>, overrides: Overrides, hangup: Signal) -> Self {
        Self { file, overrides, hangup }
    }

    /// Reloads whenever it is asked to, until `end`.
    pub(super) async fn until(&mut self, end: impl Future<Output = ()>, bus: &Bus, serving: &[Box<dyn Serving>]) {
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                Some(()) = self.hangup.recv() => match self.reload(bus, serving) {
                    Ok(()) => tracing::info!("the configuration was reloaded"),
                    Err(error) => {
                        tracing::error!("the configuration was not reloaded, the old one stays in force:\n{error:#}");
                    }
                },
            }
        }
    }

    fn reload(&self, bus: &Bus, serving: &[Box<dyn Serving>]) -> anyhow::Result<()> {
        let Some(file) = &self.file else { anyhow::bail!("there is no file to read; start with --config") };
        let bridges = load(file)?.bridges;
        // Before anything is changed.
        let rules = self.overrides.rules(&bridges)?;
        let mut is_all = true;
        for front in serving {
            is_all &= front.reload(&bridges)?;
        }
        bus.reload(rules);
        if !is_all {
            tracing::warn!("addresses and names are changed by a restart only");
        }
        Ok(())
    }
}
