//! How rules end: they put in order what they have begun.

use std::time::Duration;

use tokio::{
    sync::watch,
    task::{AbortHandle, JoinHandle},
    time::timeout,
};

/// Tasks that are told to end, and may take a moment for it. Those that are not told end at once, when this is dropped.
#[derive(Debug)]
pub(crate) struct Tasks {
    ending: watch::Sender<bool>,
    running: Vec<JoinHandle<()>>,
}

/// Tells a task that it is to end.
#[derive(Debug, Clone)]
pub(crate) struct Ending(watch::Receiver<bool>);

impl Ending {
    /// When it is to end.
    pub(crate) async fn told(&mut self) {
        // Tasks whose owner is gone are aborted.
        let _ = self.0.wait_for(|ending| *ending).await;
    }
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self { ending: watch::Sender::new(false), running: Vec::new() }
    }

    pub(crate) fn ending(&self) -> Ending {
        Ending(self.ending.subscribe())
    }

    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.push(tokio::spawn(task));
    }

    /// Ends them all within the time.
    pub(crate) async fn end(&mut self, limit: Duration) {
        self.ending.send_replace(true);
        let ended = async {
            for task in &mut self.running {
                // One that has panicked has ended, too.
                let _ = task.await;
            }
        };
        if timeout(limit, ended).await.is_err() {
            tracing::warn!("a rule did not end in time");
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.running.iter().map(JoinHandle::abort_handle).for_each(|task: AbortHandle| task.abort());
    }
}
