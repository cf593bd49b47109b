//! The admin listener of a gateway: what supervisors and monitoring ask, on loopback only.
//!
//! | request | answer |
//! |---|---|
//! | `GET /metrics` | everything that is counted, in the text format of Prometheus |
//! | `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200 when clients are served, else 503; JSON says what is missing |
//! | `POST /reload` | reads the configuration again, as SIGHUP does; JSON says what is wrong with it |
//!
//! Nobody has to say who he is: whoever is on the machine may ask. Requests that a web page could have caused are refused.

mod answers;
mod guard;
mod metrics;
mod readiness;
mod reload;

use std::{fmt, io, net::SocketAddr};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use keyway_gateway::Gateway;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::AbortHandle,
};

pub use self::{
    readiness::Phase,
    reload::{Applied, Problem, ReloadRequest},
};

/// What the listener tells of.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// What is counted, and which directories are attached.
    pub gateway: Gateway,
    /// What the gateway is doing.
    pub phase: watch::Receiver<Phase>,
    /// Who reloads; `None` if there is nothing that could be read again.
    pub reloads: Option<mpsc::Sender<ReloadRequest>>,
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The address is none of loopback.
    #[error("{0} is no loopback address; metrics are for this machine: listen on 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for /metrics; is the port taken?")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// An open admin listener. Dropping it closes it.
pub struct Admin {
    address: SocketAddr,
    serving: AbortHandle,
}

impl Admin {
    /// Listens; port 0 is a free one.
    pub async fn open(address: SocketAddr, settings: AdminSettings) -> Result<Self, AdminError> {
        if !address.ip().is_loopback() {
            return Err(AdminError::NotLoopback(address));
        }
        let failed = |source| AdminError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router = Router::new()
            .route("/metrics", get(answers::metrics))
            .route("/healthz", get(answers::healthz))
            .route("/readyz", get(answers::readyz))
            .route("/reload", post(answers::reload))
            .layer(middleware::from_fn(guard::refuse_web_pages))
            .with_state(settings);
        // Ends with an error only where accepting does, which axum survives.
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { address, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("address", &self.address).finish_non_exhaustive()
    }
}
