//! One subscription on the bus for all who listen to a signal or property.

use std::{
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use keyway::{
    ActionId, Proxy, Signature,
    encoded::{Encoded, EncodedEvents},
    value::Value,
};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::{
    call::{payload, read},
    listener::{Event, Listener, Queue},
};

/// Dropped with its last listener, and the subscription with it.
#[derive(Debug)]
pub(crate) struct Feed {
    state: Mutex<State>,
    task: Mutex<Option<AbortHandle>>,
}

#[derive(Debug, Default)]
struct State {
    listeners: Vec<Weak<Queue>>,
    /// Of a property: its value.
    last: Option<Arc<Event>>,
    is_closed: bool,
}

/// What is listened to.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// For the log.
    pub(crate) name: String,
    pub(crate) action: ActionId,
    pub(crate) signature: Signature,
    pub(crate) is_property: bool,
}

impl Feed {
    /// Subscribes as soon as there is a proxy, and again whenever there is another one.
    pub(crate) fn start(source: Source, link: watch::Receiver<Option<Proxy>>) -> Arc<Self> {
        let feed = Arc::new(Self { state: Mutex::default(), task: Mutex::default() });
        let task = tokio::spawn(follow(Arc::downgrade(&feed), source, link));
        *feed.task.lock() = Some(task.abort_handle());
        feed
    }

    /// Of a property, the value that is known comes first, and no change is missed behind it.
    pub(crate) fn listen(self: &Arc<Self>) -> Listener {
        let queue = Arc::new(Queue::default());
        let mut state = self.state.lock();
        if let Some(last) = &state.last {
            queue.push(last.clone());
        }
        if state.is_closed {
            queue.close();
        }
        state.listeners.retain(|listener| listener.strong_count() > 0);
        state.listeners.push(Arc::downgrade(&queue));
        Listener { queue, _feed: self.clone() }
    }

    /// No more events will come.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        for queue in state.listeners.iter().filter_map(Weak::upgrade) {
            queue.close();
        }
    }

    fn push(&self, event: Event, is_property: bool) {
        let event = Arc::new(event);
        let mut state = self.state.lock();
        if is_property {
            state.last = Some(event.clone());
        }
        for queue in state.listeners.iter().filter_map(Weak::upgrade) {
            queue.push(event.clone());
        }
    }

    fn is_last(&self, value: &Value) -> bool {
        self.state.lock().last.as_ref().is_some_and(|last| last.value == *value)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut() {
            task.abort();
        }
    }
}

async fn follow(feed: Weak<Feed>, source: Source, mut link: watch::Receiver<Option<Proxy>>) {
    loop {
        let Ok(proxy) = link.wait_for(Option::is_some).await.map(|proxy| proxy.clone()) else { return };
        let Some(proxy) = proxy else { continue };
        link.mark_unchanged();
        let listening = async {
            if let Err(error) = listen(&feed, &source, &proxy).await {
                tracing::debug!(source = source.name, %error, "not listened to; tried again");
            }
            // The service's host is gone, or refuses.
            sleep(AGAIN).await;
        };
        tokio::select! {
            () = listening => {}
            _ = link.changed() => {}
        }
    }
}

/// Passes events on until there are no more.
async fn listen(feed: &Weak<Feed>, source: &Source, proxy: &Proxy) -> keyway::Result<()> {
    let mut events = timeout(PATIENCE, proxy.signal_encoded(source.action)).await.map_err(|_| late())??;
    if source.is_property {
        first(feed, source, proxy, &mut events).await?;
    }
    while let Some(event) = events.next().await {
        pass_on(feed, source, &event);
    }
    Ok(())
}

/// The value that the property has. Changes that came before the answer are told instead: the last of them is what it has.
async fn first(feed: &Weak<Feed>, source: &Source, proxy: &Proxy, events: &mut EncodedEvents) -> keyway::Result<()> {
    let id = payload(&Value::tuple(vec![Value::from(source.action.0).into_dynamic()]))?;
    let get = proxy.call_encoded(ActionId::PROPERTY, &id, &Signature::dynamic());
    let value = timeout(PATIENCE, get).await.map_err(|_| late())??;
    let earlier = tokio::select! {
        biased;
        event = events.next() => event,
        () = std::future::ready(()) => None,
    };
    if let Some(event) = earlier {
        pass_on(feed, source, &event);
        return Ok(());
    }
    match read(&value, &source.signature) {
        Ok(read) => {
            let Some(feed) = feed.upgrade() else { return Ok(()) };
            // Known already from before the connection was lost.
            if !feed.is_last(&read) {
                let bytes = value.bytes().len();
                feed.push(Event { value: read, received: SystemTime::now(), bytes }, true);
            }
        }
        Err(error) => tracing::debug!(source = source.name, %error, "a value that is not of its type is left out"),
    }
    Ok(())
}

fn pass_on(feed: &Weak<Feed>, source: &Source, event: &Encoded) {
    let Some(feed) = feed.upgrade() else { return };
    let value = if source.is_property {
        // Its change signal has the one value as its argument.
        read(event, &Signature::tuple([source.signature.clone()])).map(|value| match value {
            Value::Tuple(tuple) => tuple.items.into_iter().next().unwrap_or_default(),
            other => other,
        })
    } else {
        read(event, &source.signature)
    };
    match value {
        Ok(value) => {
            feed.push(Event { value, received: SystemTime::now(), bytes: event.bytes().len() }, source.is_property);
        }
        Err(error) => tracing::debug!(source = source.name, %error, "an event that is not of its type is left out"),
    }
}

fn late() -> keyway::Error {
    keyway::Error::Timeout { what: "subscribing".to_owned(), limit: PATIENCE }
}

/// For a service's host to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts.
const AGAIN: Duration = Duration::from_secs(1);
