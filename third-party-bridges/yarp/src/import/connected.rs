//! A port of ours that is to be connected with another one.

use std::{future::Future, time::Duration};

use tokio::time::sleep;

use super::Status;
use crate::port::{Port, Way};

/// Connects a port with `peer`, and again whenever they have lost each other; `part` of the status says whether they are.
/// `connect` tries it once.
pub(super) async fn keep_connected<F: Future<Output = ()>>(
    port: &Port,
    (way, peer): (Way, &str),
    (status, part): (&Status, &'static str),
    connect: impl Fn() -> F,
) {
    let mut changes = port.links().changes();
    let mut backoff = Backoff::new();
    loop {
        changes.mark_unchanged();
        let is_connected = || port.links().find(way, peer).is_some();
        status.set(part, is_connected());
        if is_connected() {
            backoff = Backoff::new();
            // It ends with the port, which is ours.
            let _ = changes.changed().await;
            continue;
        }
        connect().await;
        if !is_connected() {
            tokio::select! {
                () = sleep(backoff.next()) => {}
                _ = changes.changed() => {}
            }
        }
    }
}

/// How long is waited before a port is looked for again, longer each time.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_secs(1);
    const LAST: Duration = Duration::from_secs(10);

    pub(super) const fn new() -> Self {
        Self(Self::FIRST)
    }

    pub(super) fn next(&mut self) -> Duration {
        let delay = self.0;
        self.0 = (delay * 2).min(Self::LAST);
        delay
    }
}
