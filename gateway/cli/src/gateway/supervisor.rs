//! Telling systemd what the gateway is doing. Where nobody supervises, nothing happens.

use sd_notify::NotifyState;
use tokio::task::AbortHandle;

/// Says again and again that the process does not hang; dropping it ends that.
#[derive(Debug)]
pub(super) struct Watchdog(AbortHandle);

/// Clients are served. From now on the watchdog is told, if there is one.
pub(super) fn ready() -> Option<Watchdog> {
    say(&NotifyState::Ready);
    let period = sd_notify::watchdog_enabled()? / 2;
    let tell = async move {
        loop {
            say(&NotifyState::Watchdog);
            tokio::time::sleep(period).await;
        }
    };
    Some(Watchdog(tokio::spawn(tell).abort_handle()))
}

/// The gateway ends.
pub(super) fn stopping() {
    say(&NotifyState::Stopping);
}

fn say(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(%error, %state, "systemd cannot be told");
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.abort();
    }
}
