//! Opening the doors of a gateway.

use keyway_config::Scheme;
use keyway_door_http::{Door as HttpDoor, DoorSettings as HttpSettings};
use keyway_door_qi::{Door as QiDoor, DoorSettings as QiSettings};
use keyway_gateway::Gateway;

use super::plan::{Listener, Plan};
use crate::exit::Usage;

/// Open doors. Dropping them closes every connection.
#[derive(Debug)]
pub(crate) struct Doors {
    qi: Vec<QiDoor>,
    http: Vec<HttpDoor>,
    urls: Vec<String>,
}

impl Doors {
    pub(super) async fn open(gateway: &Gateway, plan: &Plan) -> anyhow::Result<Self> {
        let mut doors = Self { qi: Vec::new(), http: Vec::new(), urls: Vec::new() };
        for listener in &plan.listeners {
            doors.open_one(gateway, listener).await?;
        }
        Ok(doors)
    }

    /// Lets nobody in any more. Those who are in stay.
    pub(super) fn stop_accepting(&self) {
        for door in &self.qi {
            door.stop_accepting();
        }
    }

    async fn open_one(&mut self, gateway: &Gateway, listener: &Listener) -> anyhow::Result<()> {
        let Listener { url, bus, front, anonymous, origins } = listener.clone();
        match url.scheme {
            Scheme::Tcp | Scheme::Tcps | Scheme::Tcpsm | Scheme::Quic => {
                let bus = &gateway.buses()[bus];
                let settings = QiSettings { urls: vec![url.to_string()], front, anonymous };
                let door = QiDoor::open(gateway, bus, settings).await?;
                self.urls.extend(door.urls());
                self.qi.push(door);
            }
            Scheme::Http | Scheme::Https => {
                let settings = HttpSettings {
                    urls: vec![url.to_string()],
                    tls: front.tls,
                    origins,
                    anonymous,
                    socket: front.socket,
                    ..HttpSettings::default()
                };
                let door = HttpDoor::open(gateway, settings).await.map_err(|error| Usage(error.to_string()))?;
                self.urls.extend(door.urls().iter().cloned());
                self.http.push(door);
            }
        }
        Ok(())
    }

    pub(super) fn urls(&self) -> Vec<String> {
        self.urls.clone()
    }
}
