//! The door for libqi programs: QiMessaging on `tcp`, `tcps` and `tcpsm` (spec 5, 11, 12); and for native clients, who send the same
//! messages over `quic` (docs/native-protocol.md).
//!
//! To a libqi client the gateway is a service directory that hosts all services itself. Who it is comes in the entries
//! `auth_user` and `auth_token` of its first message (spec 5.4). If it says neither, its certificate tells, where the configuration
//! gives certificates roles.

mod warden;
mod words;

use std::{fmt, sync::Arc};

use keyway::front::{Client, Front, FrontSettings, Guard, Warden};
use keyway_gateway::{Bus, Gateway, Relay};
use keyway_wire::Url;
use tokio::task::AbortHandle;

use self::warden::Guarding;

/// How the door listens.
#[derive(Debug, Clone)]
pub struct DoorSettings {
    /// Where; port 0 is a free one.
    pub urls: Vec<String>,
    /// Of the listeners.
    pub front: FrontSettings,
    /// The role of clients that show nothing, where it is another than the one of the whole gateway.
    pub anonymous: Option<String>,
}

/// An open door to one bus. Dropping it closes its connections.
pub struct Door {
    fronts: Vec<Front>,
    following: Vec<AbortHandle>,
}

impl Door {
    /// Opens the listeners. The bus is told where clients reach it.
    pub async fn open(gateway: &Gateway, bus: &Arc<Bus>, settings: DoorSettings) -> keyway::Result<Self> {
        let guard = Arc::new(Admission {
            gateway: gateway.clone(),
            bus: bus.clone(),
            anonymous: settings.anonymous.as_deref().map(Into::into),
        });
        let mut fronts = Vec::new();
        for url in &settings.urls {
            fronts.push(Front::listen(url, settings.front.clone(), guard.clone()).await?);
        }
        let changes: Vec<_> = fronts.iter().map(Front::changes).collect();
        let addresses = Arc::new(bus.add_door());
        let show = move || {
            let mut all: Vec<_> = changes.iter().flat_map(|changes| changes.borrow().clone()).collect();
            // Who speaks the native protocol is on its one connection already, and libqi knows nothing of it.
            all.retain(|url| !Url::parse(url).is_quic());
            addresses.set(all);
        };
        show();
        let follow = |mut changes: tokio::sync::watch::Receiver<Vec<String>>| {
            let show = show.clone();
            let follow = async move {
                while changes.changed().await.is_ok() {
                    show();
                }
            };
            tokio::spawn(follow).abort_handle()
        };
        let following = fronts.iter().map(Front::changes).map(follow).collect();
        Ok(Self { fronts, following })
    }

    /// Lets nobody in any more. Those who are in stay.
    pub fn stop_accepting(&self) {
        for front in &self.fronts {
            front.stop_accepting();
        }
    }

    /// Where it is reached, with the ports it got.
    pub fn urls(&self) -> Vec<String> {
        self.fronts.iter().flat_map(Front::endpoints).collect()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        for task in &self.following {
            task.abort();
        }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("urls", &self.urls()).finish()
    }
}

/// Lets clients in.
struct Admission {
    gateway: Gateway,
    bus: Arc<Bus>,
    anonymous: Option<Arc<str>>,
}

impl Guard for Admission {
    fn admit(&self, client: &Client) -> Option<Box<dyn Warden>> {
        let permit = self.gateway.connections().admit(client.address());
        if permit.is_none() {
            tracing::debug!(client = %client.address(), "refused: too many connections, from there or in all");
        }
        let relay = Relay::new(&self.gateway, &self.bus, client);
        Some(Box::new(Guarding::new(&self.gateway, relay, client, self.anonymous.clone(), permit?)))
    }

    fn authenticates(&self) -> bool {
        self.gateway.open_to_anybody(self.anonymous.as_deref()).is_none()
    }

    fn session_of(&self, key: &[u8]) -> Option<[u8; 16]> {
        self.gateway.comebacks().session_of(key)
    }
}
