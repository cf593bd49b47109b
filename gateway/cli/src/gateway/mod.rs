//! Running a gateway: from a file and flags to open doors, and reloads.

mod admin;
mod args;
mod doors;
mod issuer;
mod plan;
mod reload;
mod supervisor;

use std::{
    io::{self, Write},
    time::Duration,
};

use keyway_admin::Phase;
use keyway_config::{Config, Discovery};
use keyway_gateway::Gateway;
use keyway_history::audit::AuditLog;

use self::{
    admin::Told,
    doors::Doors,
    issuer::Following,
    reload::{Asking, Reloads},
};
pub(crate) use self::{
    args::{DirectoryFlags, GateArgs},
    plan::{Plan, session_of},
};
use crate::{discovery::Advert, stop::Stop};

/// A gateway that serves.
#[derive(Debug)]
pub(crate) struct Running {
    /// Taken back before the doors close.
    advert: Option<Advert>,
    doors: Doors,
    told: Told,
    reloads: Option<Reloads>,
    /// Behind the doors: what they do last is recorded, too.
    gateway: Gateway,
    /// For running calls at the end.
    drain: Duration,
    audit: Option<AuditLog>,
}

impl Running {
    /// Opens everything. `config` is the file that can be reloaded.
    pub(crate) async fn start(plan: Plan, config: Option<&Config>) -> anyhow::Result<Self> {
        let audit = plan.audit_log()?;
        let mut following = Following::default();
        let mut rules = plan.rules.clone();
        if let Some(config) = config {
            rules.authenticator = rules.authenticator.with_config(following.keys_for(config.auth.clone()));
        }
        let gateway = Gateway::start(rules, plan.buses.clone(), audit.as_ref().map(AuditLog::recorder));
        plan.use_key_file(gateway.comebacks())?;
        let (asks, asking) = Asking::new()?;
        let (asks, reloads) = match (&plan.file, config) {
            (Some(file), Some(config)) => {
                (Some(asks), Some(Reloads::new(file.clone(), config.clone(), gateway.clone(), following, asking)))
            }
            _ => (None, None),
        };
        let told = Told::open(plan.admin, &gateway, asks).await?;
        // A directory that is there is known before the first client comes; one that is not may come later.
        let attached = async {
            for bus in gateway.buses() {
                bus.attached().await;
            }
        };
        let _ = tokio::time::timeout(ATTACHING, attached).await;
        let doors = Doors::open(&gateway, &plan).await?;
        let Discovery { mdns, name } = &plan.discovery;
        let start = || Advert::start(name.as_deref(), &doors.urls(), plan.is_everywhere());
        let advert = mdns.then(start).transpose()?;
        told.is(Phase::Serving);
        Ok(Self { advert, doors, told, reloads, gateway, drain: plan.drain, audit })
    }

    /// Where clients reach it.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.doors.urls()
    }

    /// Says that it is ready, and serves until told to stop.
    pub(crate) async fn serve(mut self, also: &[String], stop: &mut Stop) -> anyhow::Result<()> {
        let urls = [also, &self.urls()].concat();
        let watchdog = supervisor::ready();
        match &mut self.reloads {
            Some(reloads) => ready(&urls, reloads.until(stop.requested())).await?,
            None => ready(&urls, stop.requested()).await?,
        }
        tracing::info!("ending");
        supervisor::stopping();
        self.told.is(Phase::Draining);
        if let Some(advert) = self.advert.take() {
            advert.end().await;
        }
        self.doors.stop_accepting();
        tokio::select! {
            () = self.gateway.drain() => {}
            () = tokio::time::sleep(self.drain) => tracing::warn!("calls are still running; they are cut off"),
            () = stop.requested() => {}
        }
        drop(self.doors);
        // What the sessions do as they end is recorded as well.
        tokio::time::sleep(ENDING).await;
        self.gateway.settled().await;
        drop(watchdog);
        if let Some(audit) = self.audit {
            audit.close()?;
        }
        Ok(())
    }
}

/// Says that everything listens, and waits for the end.
pub(crate) async fn ready(urls: &[String], end: impl Future<Output = ()>) -> anyhow::Result<()> {
    println!("ready {}", urls.join(" "));
    io::stdout().flush()?;
    end.await;
    Ok(())
}

/// How long the doors wait for directories.
const ATTACHING: Duration = Duration::from_secs(1);
/// For what is on its way when the doors close.
const ENDING: Duration = Duration::from_millis(50);
