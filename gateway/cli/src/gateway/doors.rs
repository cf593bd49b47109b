//! Opening the doors of a gateway.

use keyway_config::Scheme;
use keyway_door_qi::{Door as QiDoor, DoorSettings as QiSettings};
use keyway_gateway::Gateway;

use super::plan::{Listener, Plan};
use crate::exit::Usage;

/// Open doors. Dropping them closes every connection.
#[derive(Debug)]
pub(crate) struct Doors {
    qi: Vec<QiDoor>,
    urls: Vec<String>,
}

impl Doors {
    pub(super) async fn open(gateway: &Gateway, plan: &Plan) -> anyhow::Result<Self> {
        let mut doors = Self { qi: Vec::new(), urls: Vec::new() };
        for listener in &plan.listeners {
            doors.open_one(gateway, listener).await?;
        }
        Ok(doors)
    }

    async fn open_one(&mut self, gateway: &Gateway, listener: &Listener) -> anyhow::Result<()> {
        let Listener { url, bus, front, anonymous } = listener.clone();
        match url.scheme {
            Scheme::Tcp | Scheme::Tcps | Scheme::Tcpsm | Scheme::Quic => {
                let bus = &gateway.buses()[bus];
                let settings = QiSettings { urls: vec![url.to_string()], front, anonymous };
                let door = QiDoor::open(gateway, bus, settings).await?;
                self.urls.extend(door.urls());
                self.qi.push(door);
            }
            Scheme::Http | Scheme::Https => {
                return Err(Usage(format!("there is no door for {url} yet; use tcp, tcps, tcpsm or quic")).into());
            }
        }
        Ok(())
    }

    pub(super) fn urls(&self) -> Vec<String> {
        self.urls.clone()
    }
}
