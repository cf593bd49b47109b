//! A service that is shown.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
};

use keyway::{
    ActionId, MetaObject, Proxy,
    value::{MetaMethod, MetaProperty, MetaSignal},
};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    CallError, Listener,
    feed::{Feed, Source},
};

/// A service that is shown, with those of its members that are.
///
/// It stays the same object while the service is back within a second with the same members: who listens goes on listening. A
/// service that comes back later, or is another one then, is a new object.
pub struct Service {
    name: String,
    members: MetaObject,
    /// Where it is; nowhere while its host is gone.
    link: watch::Sender<Option<Proxy>>,
    feeds: Mutex<Feeds>,
}

#[derive(Default)]
struct Feeds {
    open: HashMap<ActionId, Weak<Feed>>,
    is_closed: bool,
}

impl Service {
    pub(crate) fn new(name: &str, members: MetaObject, proxy: Proxy) -> Self {
        Self { name: name.to_owned(), members, link: watch::Sender::new(Some(proxy)), feeds: Mutex::default() }
    }

    /// Its name on the bus.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The members that are shown. As everywhere in QiMessaging, a property has a signal of the same id, which tells of its changes;
    /// [`signals`](Self::signals) leaves those out.
    pub const fn members(&self) -> &MetaObject {
        &self.members
    }

    /// The signals that are not properties.
    pub fn signals(&self) -> impl Iterator<Item = &MetaSignal> {
        self.members.signals.values().filter(|signal| !self.members.properties.contains_key(&signal.uid))
    }

    /// A signal by its name.
    pub fn signal(&self, name: &str) -> Result<&MetaSignal, CallError> {
        self.members.signal_by_name(name).ok_or(CallError::NotExposed)
    }

    /// A method by its name, or by its full name (`add::(ii)`) where several have it.
    pub fn method(&self, name: &str) -> Result<&MetaMethod, CallError> {
        self.members.method_by_name(name).ok_or(CallError::NotExposed)
    }

    /// A property by its name.
    pub fn property(&self, name: &str) -> Result<&MetaProperty, CallError> {
        self.members.property_by_name(name).ok_or(CallError::NotExposed)
    }

    /// Whether its host is there.
    pub fn is_connected(&self) -> bool {
        self.link.borrow().is_some()
    }

    /// Whether the connection to its host is up. That of a service that [`Bus::named`](crate::Bus::named) gave does not come back.
    pub fn is_reached(&self) -> bool {
        self.link.borrow().as_ref().is_some_and(Proxy::is_connected)
    }

    /// Listens to a signal or property, by its id. All who listen share one subscription on the bus, which ends with the last.
    pub fn listen(&self, action: ActionId) -> Result<Listener, CallError> {
        let source = self.source(action)?;
        let mut feeds = self.feeds.lock();
        let known = feeds.open.get(&action).and_then(Weak::upgrade);
        let feed = known.unwrap_or_else(|| {
            let feed = Feed::start(source, self.link.subscribe());
            feeds.open.insert(action, Arc::downgrade(&feed));
            feed
        });
        if feeds.is_closed {
            feed.close();
        }
        drop(feeds);
        Ok(feed.listen())
    }

    fn source(&self, action: ActionId) -> Result<Source, CallError> {
        let property = self.members.properties.get(&action.0);
        let signal = self.members.signals.get(&action.0);
        let (name, signature) = match (property, signal) {
            (Some(property), _) => (&property.name, &property.signature),
            (None, Some(signal)) => (&signal.name, &signal.signature),
            (None, None) => return Err(CallError::NotExposed),
        };
        let name = format!("{}.{name}", self.name);
        Ok(Source { name, action, signature: signature.clone(), is_property: property.is_some() })
    }

    pub(crate) fn link(&self) -> watch::Receiver<Option<Proxy>> {
        self.link.subscribe()
    }

    /// It is there again, or gone for now.
    pub(crate) fn relink(&self, proxy: Option<Proxy>) {
        self.link.send_replace(proxy);
    }

    /// It is gone for good: calls fail, and nothing is listened to any more.
    pub(crate) fn withdraw(&self) {
        self.relink(None);
        let mut feeds = self.feeds.lock();
        feeds.is_closed = true;
        for feed in feeds.open.values().filter_map(Weak::upgrade) {
            feed.close();
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name).field("is_connected", &self.is_connected()).finish()
    }
}
