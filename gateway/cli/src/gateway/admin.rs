//! The admin listener: what it is told, and what it asks for.

use std::net::SocketAddr;

use keyway_admin::{Admin, AdminSettings, Phase, ReloadRequest};
use keyway_gateway::Gateway;
use tokio::sync::{mpsc, watch};

/// What the gateway is doing, and who is told so.
#[derive(Debug)]
pub(super) struct Told {
    phase: watch::Sender<Phase>,
    /// Closed with the last of it.
    _admin: Option<Admin>,
}

impl Told {
    /// Opens the listener before any door: a gateway that starts says so.
    pub(super) async fn open(
        listen: Option<SocketAddr>,
        gateway: &Gateway,
        reloads: Option<mpsc::Sender<ReloadRequest>>,
    ) -> anyhow::Result<Self> {
        let (phase, is) = watch::channel(Phase::Starting);
        let admin = match listen {
            Some(address) => {
                let admin =
                    Admin::open(address, AdminSettings { gateway: gateway.clone(), phase: is, reloads }).await?;
                tracing::info!(url = %format_args!("http://{}", admin.address()), "the admin listener is open");
                Some(admin)
            }
            None => None,
        };
        Ok(Self { phase, _admin: admin })
    }

    pub(super) fn is(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }
}
