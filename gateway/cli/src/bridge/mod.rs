//! Running bridges: from a file and flags to fronts that serve, and reloads.

mod args;
mod front;
mod fronts;
mod plan;
mod reload;
mod ros1;
mod ros2;
mod ros_rules;

use std::{future::Future, time::Duration};

use anyhow::Context;
use keyway_bridge::Bus;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use self::{
    args::{BridgeArgs, FrontCommand},
    plan::Plan,
    ros1::{Ros1Command, gen_msgs},
};
use self::{front::Serving, reload::Reloads};
use crate::{gateway::ready, stop::Stop};

/// Runs the bridges of a plan until the process is told to stop.
pub(crate) async fn run(plan: Plan) -> anyhow::Result<()> {
    // Asked for before `ready` is printed: who reads it may send the signal at once.
    let mut stop = Stop::new()?;
    let hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    let bus = Bus::start(&plan.opt_in, &plan.url, plan.session, plan.rules);
    // What is there is known before the first peer comes; a directory that is not there may come later.
    let _ = tokio::time::timeout(ATTACHING, bus.settled()).await;
    let mut serving: Vec<Box<dyn Serving>> = Vec::new();
    for front in plan.fronts {
        match front.start(&plan.opt_in, &bus).await {
            Ok(front) => serving.push(front),
            Err(error) => {
                end(serving, &bus).await;
                return Err(error);
            }
        }
    }
    let urls: Vec<_> = serving.iter().flat_map(|front| front.listening()).collect();
    warn(&urls, &bus);
    let mut reloads = Reloads::new(plan.file, plan.overrides, hangup);
    ready(&urls, reloads.until(stop.requested(), &bus, &serving)).await?;
    tracing::info!("ending");
    tokio::select! {
        () = end(serving, &bus) => {}
        () = stop.requested() => {}
    }
    Ok(())
}

/// Fronts say goodbye to their worlds first, all at once.
async fn end(serving: Vec<Box<dyn Serving>>, bus: &Bus) {
    let mut ending = tokio::task::JoinSet::new();
    for front in serving {
        ending.spawn(front.stop());
    }
    if tokio::time::timeout(ENDING, ending.join_all()).await.is_err() {
        tracing::warn!("a bridge took too long to say goodbye");
    }
    let _ = tokio::time::timeout(ENDING, bus.close()).await;
}

/// Nobody is to overlook what is open.
fn warn(urls: &[String], bus: &Bus) {
    let rules = bus.rules();
    let shown: Vec<_> = bus.services().borrow().keys().cloned().collect();
    let shown = if shown.is_empty() { "none yet".to_owned() } else { shown.join(", ") };
    let patterns: Vec<_> = rules.exposure.patterns().collect();
    let may = match rules.mode {
        keyway_bridge::Mode::Read => "read",
        keyway_bridge::Mode::Write => "read, call and change",
    };
    tracing::warn!(
        "insecure bridge: whoever reaches {} may {may} these services without authentication: {shown} (of {})",
        urls.join(", "),
        patterns.join(", ")
    );
}

/// How long fronts wait for the directory.
const ATTACHING: Duration = Duration::from_secs(2);
/// For fronts to say goodbye.
const ENDING: Duration = Duration::from_secs(3);

/// A future that is sent to another thread.
type Boxed<'f, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'f>>;
