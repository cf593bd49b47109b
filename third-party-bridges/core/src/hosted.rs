//! Services of another world on the bus.

use std::{fmt, time::Duration};

use keyway::{Error, Object, Session};
use tokio::{
    sync::{oneshot, watch},
    time::sleep,
};

/// A service that the bridge hosts. It leaves the bus when this is dropped.
pub struct Hosted {
    name: String,
    registered: watch::Receiver<bool>,
    _stop: oneshot::Sender<()>,
}

/// Somebody else has a service of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("service {name} is not registered: {reason}; give the import another name")]
pub struct NameTaken {
    /// The name.
    pub name: String,
    /// What the directory says.
    pub reason: String,
}

impl Hosted {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the directory has it now.
    pub fn is_registered(&self) -> bool {
        *self.registered.borrow()
    }
}

impl fmt::Debug for Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted").field("name", &self.name).field("is_registered", &self.is_registered()).finish()
    }
}

/// Registers for the first time, and sees to it that the service comes back after the directory was lost.
pub(crate) async fn register(
    name: &str,
    object: Object,
    mut sessions: watch::Receiver<Option<Session>>,
) -> Result<Hosted, NameTaken> {
    let (told, registered) = watch::channel(false);
    let (stop, stopped) = oneshot::channel();
    let hosting = Hosting { name: name.to_owned(), object, told };
    let session = loop {
        match hosting.attempt(&mut sessions).await {
            Ok(session) => break session,
            Err(Error::Remote(reason)) => return Err(NameTaken { name: name.to_owned(), reason }),
            // The link sees to what can be seen to.
            Err(_) => sleep(AGAIN).await,
        }
    };
    tokio::spawn(hosting.keep(session, sessions, stopped));
    Ok(Hosted { name: name.to_owned(), registered, _stop: stop })
}

struct Hosting {
    name: String,
    object: Object,
    told: watch::Sender<bool>,
}

/// A session that has the service, and the service's id there.
type Place = (Session, keyway::ServiceId);

impl Hosting {
    /// Registers at the directory that there is, as soon as there is one.
    async fn attempt(&self, sessions: &mut watch::Receiver<Option<Session>>) -> Result<Place, Error> {
        let session = match sessions.wait_for(Option::is_some).await.map(|session| session.clone()) {
            Ok(Some(session)) => session,
            // The bridge ends.
            _ => std::future::pending().await,
        };
        let id = session.register(&self.name, self.object.clone()).await?;
        self.told.send_replace(true);
        Ok((session, id))
    }

    async fn keep(
        self,
        mut place: Place,
        mut sessions: watch::Receiver<Option<Session>>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        loop {
            tokio::select! {
                _ = place.0.disconnected() => self.told.send_replace(false),
                _ = &mut stopped => {
                    // A service that is gone already is what is wanted.
                    let _ = place.0.unregister(place.1).await;
                    return;
                }
            };
            let mut said = false;
            place = loop {
                let attempt = tokio::select! {
                    attempt = self.attempt(&mut sessions) => attempt,
                    _ = &mut stopped => return,
                };
                match attempt {
                    Ok(place) => break place,
                    Err(error) => {
                        if !said {
                            tracing::error!(service = self.name, %error, "not registered again; tried until it is");
                            said = true;
                        }
                        sleep(AGAIN).await;
                    }
                }
            };
            tracing::info!(service = self.name, "registered again");
        }
    }
}

const AGAIN: Duration = Duration::from_secs(1);
