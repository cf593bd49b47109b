//! The door for everything that speaks HTTP: REST, server-sent events, WebSocket and OpenAPI (docs/http.md).
//!
//! What a request means ([`operation`]) and how JSON becomes arguments ([`arguments`]) is decided without I/O; the rest is a thin
//! adapter over hyper and axum, which asks a [`ClientSession`](keyway_gateway::client::ClientSession). Before a client has
//! shown who it is, it gets 401 and nothing else.

pub mod arguments;
mod description;
mod events;
mod handle;
mod identity;
mod message;
pub mod operation;
mod origins;
mod problem;
mod schema;
mod serve;
mod settings;
mod socket;

use std::{fmt, sync::Arc, time::Instant};

use keyway_gateway::Gateway;
use tokio::{sync::watch, task::AbortHandle};

pub use self::settings::{DoorSettings, OpenError};
use self::{handle::Shared, serve::Listening};

/// An open door. Dropping it closes its connections.
pub struct Door {
    urls: Vec<String>,
    tasks: Vec<AbortHandle>,
    /// Dropped with the door, which ends WebSockets.
    _open: watch::Sender<()>,
}

impl Door {
    /// Opens the listeners. Needs a tokio runtime.
    pub async fn open(gateway: &Gateway, settings: DoorSettings) -> Result<Self, OpenError> {
        let mut listeners = Vec::new();
        for url in &settings.urls {
            listeners.push(Listening::bind(url, &settings).await?);
        }
        let urls = listeners.iter().map(|listening| listening.url().to_owned()).collect();
        let (open, closed) = watch::channel(());
        let shared = Arc::new(Shared::new(gateway, settings, closed));
        let mut tasks: Vec<_> = listeners
            .into_iter()
            .map(|listening| tokio::spawn(listening.serve(shared.clone())).abort_handle())
            .collect();
        tasks.push(tokio::spawn(expire(shared)).abort_handle());
        Ok(Self { urls, tasks, _open: open })
    }

    /// Where it is reached, with the ports it got.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// Lets go of what clients have forgotten.
async fn expire(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(std::time::Duration::from_secs(30));
    loop {
        ticks.tick().await;
        shared.identities.expire(Instant::now());
    }
}
