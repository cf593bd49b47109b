//! The link to the directory, which comes back for ever.

use std::{collections::HashMap, sync::Arc, time::Duration};

use keyway::{Proxy, ServiceId, Session, SessionBuilder};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};

use crate::{Exposure, bus::Snapshot, roster::Roster, traffic::Traffic};

/// What the link is told and tells.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) url: String,
    pub(crate) builder: SessionBuilder,
    pub(crate) traffic: Arc<Traffic>,
    /// The session, while there is one.
    pub(crate) session: watch::Sender<Option<Session>>,
    /// Whether all services that are to be shown were seen once.
    pub(crate) settled: watch::Sender<bool>,
    /// The rules have changed.
    pub(crate) reloads: watch::Receiver<()>,
}

impl Link {
    /// Connects, follows the directory, and connects again when it is lost.
    pub(crate) async fn run(mut self, shown: watch::Sender<Snapshot>) {
        let mut roster = Roster::new(shown);
        let mut pause = FIRST_PAUSE;
        let mut said = String::new();
        loop {
            let connecting = self.builder.clone().connect(&self.url);
            match while_withdrawing(&mut roster, connecting).await {
                Ok(session) => {
                    tracing::info!(url = self.url, "connected to the directory");
                    pause = FIRST_PAUSE;
                    said.clear();
                    self.session.send_replace(Some(session.clone()));
                    self.serve(&session, &mut roster).await;
                    self.session.send_replace(None);
                    roster.clear();
                    tracing::warn!(url = self.url, "the directory is gone; trying again until it is back");
                    session.close().await;
                }
                Err(error) => {
                    let text = error.to_string();
                    // Once, not every few seconds.
                    if text != said {
                        tracing::warn!(url = self.url, %error, "no directory; trying again until there is one");
                        said = text;
                    }
                }
            }
            while_withdrawing(&mut roster, sleep(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Until the session is over.
    async fn serve(&mut self, session: &Session, roster: &mut Roster) {
        let Ok(Ok(mut events)) = timeout(PATIENCE, session.service_events()).await else { return };
        let mut describing = Describing::default();
        let mut checks = interval(CHECK);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_listed = false;
        loop {
            let rules = self.traffic.rules.load_full();
            describing.update(session, roster, &rules.exposure);
            if is_listed && describing.is_done() {
                self.settled.send_replace(true);
            }
            let withdrawal = roster.next_withdrawal();
            tokio::select! {
                event = events.next() => match event {
                    Some(event) if event.added => roster.add(&event.name, event.id),
                    Some(event) => roster.remove(&event.name, event.id),
                    None => return,
                },
                Some((name, id, proxy)) = describing.next() => roster.described(&name, id, &proxy, &rules.exposure),
                // Events do not tell everything: not what a gateway's policy lets be seen from now on, not what a restarted server
                // has, not which hosts have lost their connections.
                _ = checks.tick() => {
                    // Nothing else is looked at before it has answered, so what it says is not older than what is known.
                    let Ok(Ok(services)) = timeout(PATIENCE, session.services()).await else { return };
                    let named = services.iter().map(|info| (info.name.to_string_lossy().into_owned(), info.service_id));
                    roster.list(&named.collect::<Vec<_>>());
                    roster.check_connections();
                    is_listed = true;
                }
                Ok(()) = self.reloads.changed() => roster.judge_again(&self.traffic.rules.load().exposure),
                () = until(withdrawal) => roster.withdraw_due(Instant::now()),
                _ = session.disconnected() => return,
            }
        }
    }
}

/// Services that are asked what they are, each by a task of its own: one that does not answer holds up no other.
#[derive(Debug, Default)]
struct Describing {
    tasks: JoinSet<(String, ServiceId, Option<Proxy>)>,
    asked: HashMap<(String, ServiceId), AbortHandle>,
}

impl Describing {
    /// Asks those that are to be shown and not known, and no others.
    fn update(&mut self, session: &Session, roster: &Roster, exposure: &Exposure) {
        let unknown = roster.unknown(exposure);
        self.asked.retain(|asked, task| {
            let is_wanted = unknown.contains(asked);
            if !is_wanted {
                task.abort();
            }
            is_wanted
        });
        for (name, id) in unknown {
            self.asked
                .entry((name.clone(), id))
                .or_insert_with(|| self.tasks.spawn(describe(session.clone(), name, id)));
        }
    }

    fn is_done(&self) -> bool {
        self.asked.is_empty()
    }

    /// The next service that has described itself. Waits for ever if there is none.
    async fn next(&mut self) -> Option<(String, ServiceId, Proxy)> {
        loop {
            let Some(done) = self.tasks.join_next().await else { return std::future::pending().await };
            // An error is a task that was aborted.
            let Ok((name, id, proxy)) = done else { continue };
            self.asked.remove(&(name.clone(), id));
            // Without a proxy it is asked again by the next update.
            return proxy.map(|proxy| (name, id, proxy));
        }
    }
}

async fn describe(session: Session, name: String, id: ServiceId) -> (String, ServiceId, Option<Proxy>) {
    match timeout(PATIENCE, session.service(&name)).await {
        Ok(Ok(proxy)) => return (name, id, Some(proxy)),
        Ok(Err(error)) => tracing::warn!(service = name, %error, "not shown: it cannot be reached; tried again"),
        Err(_) => tracing::warn!(service = name, "not shown: it does not answer; tried again"),
    }
    sleep(LONGEST_PAUSE).await;
    (name, id, None)
}

/// Does something else while services that are gone are withdrawn in time.
async fn while_withdrawing<T>(roster: &mut Roster, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        let withdrawal = roster.next_withdrawal();
        tokio::select! {
            result = &mut work => return result,
            () = until(withdrawal) => roster.withdraw_due(Instant::now()),
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// For the directory, or a service's host, to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at all that is there.
const CHECK: Duration = Duration::from_secs(5);
