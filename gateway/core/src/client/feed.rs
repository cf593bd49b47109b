//! One subscription inside, for however many clients outside.
//!
//! A feed keeps the last events of a signal. Subscribers read them from there at their own pace, so that nobody has a queue of
//! its own, and a slow reader costs nothing but what it misses.

use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    sync::{Arc, OnceLock, Weak, atomic::AtomicUsize},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use keyway::{
    Proxy,
    encoded::{Encoded, EncodedEvents},
};
use keyway_history::{Bounds, EventWindow, NotGivenOut, Replay};
use keyway_value::{
    ActionId, CodecError, Decoder, Encoder, Limits, MetaObject, ObjectLayout, ObjectReference, ServiceId, Signature,
    convert, transcode::Transcode,
};
use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    sync::{OnceCell, Semaphore, watch},
    task::AbortHandle,
};

use super::{ClientError, GatewayCode, reply::release_objects};

/// The feeds of a gateway, by bus, service and signal.
pub(crate) struct Feeds {
    open: Mutex<HashMap<Key, Arc<OnceCell<Weak<Feed>>>>>,
    /// What each keeps.
    bounds: Bounds,
}

type Key = (usize, ServiceId, ActionId);

/// The last events of a signal.
pub(super) struct Feed {
    pub(super) signature: Signature,
    layout: OnceLock<ObjectLayout>,
    window: Mutex<EventWindow>,
    bounds: Bounds,
    /// What was given out, for those who wait.
    progress: watch::Sender<Progress>,
    /// The last events as JSON, made once for all who want that; without those that hold objects, of which roles are shown differently
    /// much.
    texts: Mutex<VecDeque<(u64, Bytes)>>,
    /// Room for events that the one subscriber has not read; `None` where nobody is waited for.
    room: Option<Semaphore>,
    pub(super) readers: Arc<AtomicUsize>,
    pump: OnceLock<AbortHandle>,
}

/// How far a feed is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) last: u64,
    pub(super) is_over: bool,
}

impl Feeds {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { open: Mutex::default(), bounds }
    }

    pub(super) const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The feed of a signal, subscribed to inside if nobody had done so.
    pub(super) async fn feed(
        &self,
        key: Key,
        proxy: &Proxy,
        signal: ActionId,
        signature: &Signature,
    ) -> Result<Arc<Feed>, ClientError> {
        loop {
            let cell = self.cell(key);
            let mut opened = None;
            let open = async || {
                let feed = Feed::open(proxy, signal, signature, self.bounds, None).await?;
                let weak = Arc::downgrade(&feed);
                opened = Some(feed);
                Ok::<_, ClientError>(weak)
            };
            let feed = cell.get_or_try_init(open).await?.upgrade();
            match feed.filter(|feed| !feed.progress.borrow().is_over) {
                Some(feed) => return Ok(feed),
                // It ended meanwhile: the next one is opened.
                None => self.forget(key, &cell),
            }
        }
    }

    fn cell(&self, key: Key) -> Arc<OnceCell<Weak<Feed>>> {
        let mut feeds = self.open.lock();
        // Feeds that nobody reads any more are not remembered.
        feeds.retain(|_, cell| cell.get().is_none_or(|feed| feed.strong_count() > 0));
        feeds.entry(key).or_default().clone()
    }

    fn forget(&self, key: Key, cell: &Arc<OnceCell<Weak<Feed>>>) {
        let mut feeds = self.open.lock();
        if feeds.get(&key).is_some_and(|held| Arc::ptr_eq(held, cell)) {
            feeds.remove(&key);
        }
    }
}

impl Feed {
    /// Subscribes. With `room`, no more events than that are taken in before they are read.
    pub(super) async fn open(
        proxy: &Proxy,
        signal: ActionId,
        signature: &Signature,
        bounds: Bounds,
        room: Option<usize>,
    ) -> Result<Arc<Self>, ClientError> {
        let events = proxy.signal_encoded(signal).await?;
        // Numbers of another run are recognized: time has passed since.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = u64::try_from(since.as_micros()).unwrap_or_default();
        let feed = Arc::new(Self {
            signature: signature.clone(),
            layout: OnceLock::new(),
            window: Mutex::new(EventWindow::new(bounds, start)),
            bounds,
            progress: watch::Sender::new(Progress { last: start, is_over: false }),
            texts: Mutex::default(),
            room: room.map(Semaphore::new),
            readers: Arc::default(),
            pump: OnceLock::new(),
        });
        let pump = tokio::spawn(pump(Arc::downgrade(&feed), events)).abort_handle();
        // Set once, here.
        let _ = feed.pump.set(pump);
        Ok(feed)
    }

    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(super) fn last(&self) -> u64 {
        self.progress.borrow().last
    }

    /// What came after an event.
    pub(super) fn since(&self, sequence: u64) -> Result<Replay, NotGivenOut> {
        self.window.lock().since(Instant::now(), sequence)
    }

    /// So many events were read.
    pub(super) fn read(&self, events: usize) {
        if let Some(room) = &self.room {
            room.add_permits(events);
        }
    }

    /// Its reader is gone; nobody is waited for any more.
    pub(super) fn stop_waiting(&self) {
        if let Some(room) = &self.room {
            room.close();
        }
    }

    /// An event as JSON: a list of the signal's parameters. Objects in it are named, and cannot be called; of each is told what
    /// `shown` leaves of it.
    pub(super) fn json(
        &self,
        sequence: u64,
        payload: &Bytes,
        shown: impl Fn(&Arc<MetaObject>) -> Arc<MetaObject>,
    ) -> Result<Bytes, ClientError> {
        if let Some((_, text)) = self.texts.lock().iter().find(|(number, _)| *number == sequence) {
            return Ok(text.clone());
        }
        let is_for_all = Cell::new(true);
        let describe = |reference: ObjectReference| {
            is_for_all.set(false);
            let metaobject = shown(&reference.metaobject);
            let methods = metaobject.methods.values().filter(|method| method.uid >= ActionId::FIRST_USER.0);
            let methods: Vec<_> =
                methods.map(|method| format!("{}::{}", method.name, method.parameters_signature)).collect();
            json!({ "uid": reference.uid.map(|uid| uid.to_string()), "methods": methods })
        };
        let layout = self.layout.get().copied().unwrap_or_default();
        let text = serde_json::to_vec(&Transcode::with(payload, &self.signature, layout).describing(&describe));
        let text = Bytes::from(text.map_err(|error| ClientError::new(GatewayCode::Unreadable, error.to_string()))?);
        if is_for_all.get() {
            let mut texts = self.texts.lock();
            texts.push_back((sequence, text.clone()));
            if texts.len() > TEXTS {
                texts.pop_front();
            }
        }
        Ok(text)
    }

    fn push(&self, event: &Encoded) -> Result<(), CodecError> {
        self.layout.get_or_init(|| event.layout());
        let payload = declared(event, &self.signature)?;
        release_objects(event);
        let last = self.window.lock().push(Instant::now(), payload);
        self.progress.send_modify(|progress| progress.last = last);
        Ok(())
    }

    /// The SDK had to drop events: their numbers are passed over.
    fn pass_over(&self, missed: u64) {
        let mut window = self.window.lock();
        *window = EventWindow::new(self.bounds, window.last() + missed);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(pump) = self.pump.get() {
            pump.abort();
        }
    }
}

async fn pump(feed: Weak<Feed>, mut events: EncodedEvents) {
    let mut missed = 0;
    while let Some(event) = events.next().await {
        let Some(feed) = feed.upgrade() else { return };
        if let Some(room) = &feed.room {
            // Closed when the reader is gone.
            let Ok(permit) = room.acquire().await else { return };
            permit.forget();
        }
        let now_missed = events.missed();
        if now_missed > missed {
            feed.pass_over(now_missed - missed);
            missed = now_missed;
        }
        if let Err(error) = feed.push(&event) {
            tracing::debug!(%error, "an event does not hold what its signal declares");
        }
    }
    if let Some(feed) = feed.upgrade() {
        feed.progress.send_modify(|progress| progress.is_over = true);
    }
}

/// The bytes of an event in the type that its signal declares.
fn declared(event: &Encoded, signature: &Signature) -> Result<Bytes, CodecError> {
    if event.signature() == signature {
        return Ok(event.bytes().clone());
    }
    let mut decoder = Decoder::with(event.bytes(), event.layout(), Limits::default(), None);
    let actual = decoder.read_signature()?;
    if actual == *signature {
        return Ok(event.bytes().slice(decoder.position()..));
    }
    let value = convert::convert(decoder.read_value(&actual)?, signature)?;
    let mut encoder = Encoder::with(event.layout(), None);
    encoder.write_value(&value)?;
    Ok(encoder.finish().into_bytes())
}

/// How long a feed goes on without readers, for one that comes back.
pub(super) const LINGER: Duration = Duration::from_secs(60);
/// Events that are kept as JSON.
const TEXTS: usize = 64;
