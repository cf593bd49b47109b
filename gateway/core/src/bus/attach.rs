//! Following a directory for ever: it may come later than the gateway, and go and come back (spec 12.5).

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use keyway::Session;
use keyway_session::CloseReason;
use keyway_wire::Url;
use tokio::net::UdpSocket;

use super::Bus;
use crate::presence::Served;

impl Bus {
    /// Attaches, and attaches again whenever the directory is lost. Never ends.
    pub(crate) async fn attach(self: Arc<Self>) {
        let (name, url) = (&self.settings.name, &self.settings.url);
        let presence = self.settings.presence.as_ref().map(|_| self.presence.serve(&self.label));
        let mut said = false;
        loop {
            match self.settings.session.clone().connect(url).await {
                Ok(session) => {
                    tracing::info!(directory = %name, %url, "attached to the directory");
                    said = false;
                    if let Err(error) = self.follow(&session, presence.as_deref()).await {
                        tracing::warn!(directory = %name, %url, %error, "the directory does not list its services");
                    }
                    session.close().await;
                    self.lost();
                    tracing::warn!(directory = %name, %url, "the directory is lost; trying to reach it again");
                }
                Err(error) if !said => {
                    said = true;
                    tracing::warn!(directory = %name, %url, %error, "the directory is not reachable; trying on");
                }
                Err(error) => tracing::debug!(directory = %name, %url, %error, "the directory is still not reachable"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Until the directory is lost.
    async fn follow(&self, session: &Session, presence: Option<&Served>) -> keyway::Result<()> {
        // Subscribed before asking, so that nothing falls between.
        let mut events = session.service_events().await?;
        self.register_own(session, presence).await;
        for info in session.services().await? {
            self.change(|catalog| catalog.added(info));
        }
        self.attachments.fetch_add(1, Ordering::Relaxed);
        self.session.send_replace(Some(session.clone()));
        while let Some(event) = events.next().await {
            if !event.added {
                self.change(|catalog| catalog.removed(event.id));
            } else if self.catalog.lock().knows(event.id) {
                self.change(|catalog| catalog.ready(event.id));
            } else {
                match session.service_info(&event.name).await {
                    // Its name may belong to another one already; that one is announced for itself.
                    Ok(info) if info.service_id == event.id => self.change(|catalog| catalog.added(info)),
                    Ok(_) => {}
                    Err(error) => tracing::debug!(service = %event.name, %error, "a service left as it came"),
                }
            }
        }
        Ok(())
    }

    /// Nothing inside can be called any more.
    fn lost(&self) {
        self.session.send_replace(None);
        self.forget_own();
        let (ids, owners) = {
            let catalog = self.catalog.lock();
            (catalog.ids(), catalog.owners())
        };
        // A libqi host cannot be told to register again; it does so when it connects again (spec 12.2).
        for client in owners.into_iter().filter_map(|owner| self.client(owner)) {
            client.close(CloseReason::Local);
        }
        for id in ids {
            self.change(|catalog| catalog.removed(id));
        }
    }

    /// Opens a listener at which programs inside reach the services of clients outside.
    pub(super) async fn listen_inside(&self, session: &Session) -> keyway::Result<()> {
        let _one = self.listening.lock().await;
        if !session.endpoints().is_empty() {
            return Ok(());
        }
        let url = match &self.settings.inside_listen {
            Some(url) => url.clone(),
            None => format!("tcp://{}:0", self.own_address().await),
        };
        session.listen(&url).await.map(|_| ())
    }

    /// The address of this machine from which the directory is reached.
    async fn own_address(&self) -> IpAddr {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let url = Url::parse(&self.settings.url).with_connect_defaults();
        let (Some(host), Some(port)) = (url.host.as_deref(), url.port) else { return loopback };
        let found = async {
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            // Nothing is sent: this only asks the system for the way.
            socket.connect((host, port)).await?;
            socket.local_addr()
        };
        match found.await {
            Ok(address) => address.ip(),
            Err(error) => {
                tracing::warn!(%error, "cannot tell which address leads to the directory; programs on this machine only reach the services of clients");
                loopback
            }
        }
    }
}

/// Between attempts to reach the directory.
const RETRY: Duration = Duration::from_millis(500);
