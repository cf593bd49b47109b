//! A client's subscription.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use keyway_history::audit::Kind;
use keyway_value::{ActionId, Signature};
use tokio::sync::watch;

use crate::{access::Access, pauses::Pauses};

use super::{
    ClientError, ClientSession, Counted, GatewayCode, Target,
    feed::{Feed, LINGER, Progress},
    operation::Asked,
    target::Place,
};

/// What becomes of events for a reader that does not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// They wait inside, up to the bounds there. Needs a subscription of its own.
    Block,
    /// The subscription ends.
    Disconnect,
    /// The oldest go, and a gap is reported.
    #[default]
    DropOldest,
    /// Only the last is of interest.
    Latest,
}

/// What a subscription brings.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// An event.
    Event(Event),
    /// Events that are lost.
    Gap(Missed),
}

/// An event.
#[derive(Clone)]
pub struct Event {
    /// Its number; those of a signal go up by one.
    pub sequence: u64,
    /// The signal's parameters, encoded.
    pub payload: Bytes,
    feed: Arc<Feed>,
    /// What it is of, as its subscriber may use it.
    target: Target,
}

/// Lost events, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// The first that is missing, by the numbers of the subscriber.
    pub from: u64,
    /// The last that is missing; `None` where nobody knows, since the gateway or the service has begun anew, or the connection
    /// between them was lost.
    pub to: Option<u64>,
}

/// Events of a signal from now on, or from an earlier event. Dropping it ends it.
pub struct Subscription {
    session: ClientSession,
    target: Target,
    signal: ActionId,
    feed: Arc<Feed>,
    progress: watch::Receiver<Progress>,
    rule: Overflow,
    /// The last event that was taken out of the feed.
    cursor: u64,
    ready: VecDeque<Delivery>,
    skipped: u64,
    epoch: u64,
    pauses: Pauses,
    /// Whether its end is in the audit log.
    is_recorded: bool,
    _counted: Counted,
    _reader: Counted,
}

impl ClientSession {
    /// Subscribes to a signal, or to the changes of a property. Without a `rule`, that of the gateway for this signal holds. `since` is the number of the last event that the client has seen.
    pub async fn subscribe(
        &self,
        target: &Target,
        signal: ActionId,
        rule: Option<Overflow>,
        since: Option<u64>,
    ) -> Result<Subscription, ClientError> {
        let too_many =
            || ClientError::new(GatewayCode::TooManySubscriptions, "this session has too many subscriptions");
        let counted = Counted::up_to(MAX_SUBSCRIPTIONS, &self.shared.subscriptions).ok_or_else(too_many)?;
        let declared = target.access.metaobject.signals.get(&signal.0);
        let signature = &declared.ok_or_else(|| target.unknown(&signal.to_string()))?.signature;
        let epoch = target.bus.epoch();
        let usual = || target.access.overflow(signal).unwrap_or(target.bus.rules().rules.limits.overflow);
        let rule = rule.unwrap_or_else(usual);
        let asked = Asked { kind: Kind::Subscribe, member: signal, arguments: (&Bytes::new(), None) };
        let permit = self.admit(target, target.access.rules.subscribe(signal), &asked)?;
        let opened = self.open(target, signal, signature, rule).await;
        permit.finish(opened.is_ok());
        let feed = opened?;
        let (progress, last) = (feed.progress(), feed.last());
        let mut subscription = Subscription {
            session: self.clone(),
            target: target.clone(),
            signal,
            feed: feed.clone(),
            _reader: Counted::up_to(usize::MAX, &feed.readers).ok_or_else(too_many)?,
            progress,
            rule,
            cursor: last,
            ready: VecDeque::new(),
            skipped: 0,
            epoch,
            pauses: Pauses::default(),
            is_recorded: false,
            _counted: counted,
        };
        if let Some(seen) = since {
            match feed.since(seen) {
                Ok(_) => subscription.cursor = seen,
                Err(_) => {
                    subscription.ready.push_back(Delivery::Gap(Missed { from: seen.saturating_add(1), to: None }))
                }
            }
        }
        Ok(subscription)
    }

    async fn open(
        &self,
        target: &Target,
        signal: ActionId,
        signature: &Signature,
        rule: Overflow,
    ) -> Result<Arc<Feed>, ClientError> {
        let (proxy, bounds) = (target.proxy().await?, self.gateway.feeds().bounds());
        match (&target.place, rule) {
            (Place::Service(service), Overflow::Disconnect | Overflow::DropOldest | Overflow::Latest) => {
                let key = (Arc::as_ptr(&target.bus).addr(), service.id, signal);
                self.gateway.feeds().feed(key, &proxy, signal, signature).await
            }
            (_, rule) => {
                let room = (rule == Overflow::Block).then_some(BATCH);
                Feed::open(&proxy, signal, signature, bounds, room).await
            }
        }
    }
}

impl Subscription {
    /// What comes next; `None` when there will be no more, because the service is gone. It may be dropped at any time: nothing is
    /// lost by that.
    pub async fn next(&mut self) -> Option<Result<Delivery, ClientError>> {
        loop {
            if self.target.bus.epoch() != self.epoch
                && let Err(ended) = self.look_again().await
            {
                return ended.map(Err);
            }
            if let Some(delivery) = self.ready.pop_front() {
                if let Delivery::Event(_) = &delivery {
                    self.feed.read(1);
                }
                return Some(Ok(delivery));
            }
            // Looked at once: what comes after this look wakes the wait below.
            let progress = *self.progress.borrow_and_update();
            if let Err(error) = self.fill(progress.last) {
                return Some(Err(error));
            }
            if !self.ready.is_empty() {
                continue;
            }
            if progress.is_over {
                if let Err(ended) = self.open_again().await {
                    return ended.map(Err);
                }
                continue;
            }
            // A service that leaves, and rules that change, are noticed although nothing is emitted.
            let _ = tokio::time::timeout(LOOK_AGAIN, self.progress.changed()).await;
        }
    }

    /// How many events were passed over, by gaps and because only the last is of interest.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The types of the signal's parameters, as a tuple.
    pub fn signature(&self) -> &Signature {
        &self.feed.signature
    }

    /// Takes events out of the feed.
    fn fill(&mut self, last: u64) -> Result<(), ClientError> {
        let feed = self.feed.clone();
        if last == self.cursor {
            return Ok(());
        }
        let (mut events, gap) = match feed.since(self.cursor) {
            Ok(replay) => (replay.events, replay.gap.map(|gap| gap.to)),
            // Events were lost inside, and numbers were passed over for them.
            Err(lost) => (feed.since(lost.from).map(|replay| replay.events).unwrap_or_default(), Some(lost.from)),
        };
        if self.rule == Overflow::Latest {
            let newest = events.pop();
            let lost = gap.unwrap_or(self.cursor);
            let seen = newest.as_ref().map_or(lost, |event| event.sequence);
            self.skip((seen - self.cursor).saturating_sub(newest.iter().len() as u64));
            self.cursor = seen;
            self.ready.extend(newest.map(|event| Delivery::Event(Event::new(event, &feed, &self.target))));
            return Ok(());
        }
        if let Some(to) = gap {
            self.skip(to - self.cursor);
            if self.rule == Overflow::Disconnect {
                return Err(ClientError::new(GatewayCode::TooSlow, "events came faster than they were read"));
            }
            self.ready.push_back(Delivery::Gap(Missed { from: self.cursor + 1, to: Some(to) }));
            self.cursor = to;
        }
        // What is not taken yet stays in the window, which is shared and bounded.
        events.truncate(BATCH);
        if let Some(event) = events.last() {
            self.cursor = event.sequence;
        }
        self.ready.extend(events.into_iter().map(|event| Delivery::Event(Event::new(event, &feed, &self.target))));
        Ok(())
    }

    fn skip(&mut self, events: u64) {
        self.skipped += events;
        self.session.gateway.metrics().dropped(events);
    }

    /// Subscribes anew after the connection to the service's host was lost, for as long as the service is there. An error is the
    /// reason to give for the end, if there is one.
    async fn open_again(&mut self) -> Result<(), Option<ClientError>> {
        if let Place::Object(_) = &self.target.place {
            // It was passed over the connection, and is gone with it.
            return Err(None);
        }
        loop {
            // The first one lets a host that has ended take its services along.
            tokio::time::sleep(self.pauses.next(Instant::now())).await;
            self.look_again().await?;
            let signature = self.feed.signature.clone();
            let feed = match self.session.open(&self.target, self.signal, &signature, self.rule).await {
                Ok(feed) => feed,
                Err(error) => {
                    tracing::debug!(service = %self.target.access.service, %error, "a subscription is not made again yet");
                    continue;
                }
            };
            let Some(reader) = Counted::up_to(usize::MAX, &feed.readers) else { return Err(None) };
            let missed = Missed { from: self.cursor + 1, to: None };
            (self.cursor, self.progress, self._reader) = (feed.last(), feed.progress(), reader);
            self.feed = feed;
            if self.rule != Overflow::Latest {
                self.ready.push_back(Delivery::Gap(missed));
            }
            return Ok(());
        }
    }

    /// Whether it may go on; an error is the reason to give, if there is one.
    async fn look_again(&mut self) -> Result<(), Option<ClientError>> {
        let epoch = self.target.bus.epoch();
        if self.session.is_over() {
            return Err(Some(self.ended_by(ClientError::revoked())));
        }
        if let Place::Service(service) = &self.target.place {
            if !self.target.bus.has(service) {
                return Err(None);
            }
            let role = &self.session.member.role;
            let access = self.target.bus.access(service, role).await.map_err(|error| Some(error.into()))?;
            self.target.access = access;
        } else {
            let (rules, access) = (self.target.bus.rules(), &self.target.access);
            let again = Access::of_object(&rules, &access.role, &access.service, access.metaobject.clone());
            self.target.access = Arc::new(again);
        }
        if let keyway_policy::Decision::Deny(refusal) = self.target.access.rules.subscribe(self.signal) {
            let error = refusal.into();
            return Err(Some(self.ended_by(error)));
        }
        self.epoch = epoch;
        Ok(())
    }

    /// The gateway ends it, and the audit log says why.
    fn ended_by(&mut self, error: ClientError) -> ClientError {
        let access = &self.target.access;
        if let Some(journal) = self.session.gateway.journal(&self.session.member) {
            journal.refused(Kind::Unsubscribe, &access.service, access.member(self.signal), error.code());
        }
        self.is_recorded = true;
        error
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if !self.is_recorded
            && let Some(mut journal) = self.session.gateway.journal(&self.session.member)
        {
            let (access, now) = (&self.target.access, Instant::now());
            let entry = journal.begin(now, Kind::Unsubscribe, access, self.signal);
            // Ending is never refused.
            if let Ok(entry) = entry {
                entry.finish(now, true);
            }
        }
        self.feed.stop_waiting();
        // A reader that lost its connection finds what it missed when it comes back.
        let is_last = self.feed.readers.load(Ordering::Acquire) == 1;
        if is_last
            && self.rule != Overflow::Block
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let feed = self.feed.clone();
            runtime.spawn(async move {
                tokio::time::sleep(LINGER).await;
                drop(feed);
            });
        }
    }
}

impl Event {
    fn new(event: keyway_history::Event, feed: &Arc<Feed>, target: &Target) -> Self {
        Self { sequence: event.sequence, payload: event.payload, feed: feed.clone(), target: target.clone() }
    }

    /// The signal's parameters as a JSON list. It is made once, for all subscribers, unless there are objects in it.
    pub fn json(&self) -> Result<Bytes, ClientError> {
        let Target { bus, access, .. } = &self.target;
        self.feed.json(self.sequence, &self.payload, |metaobject| access.shown_object(&bus.rules(), metaobject))
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("sequence", &self.sequence).field("payload", &self.payload).finish()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("target", &self.target)
            .field("signal", &self.signal)
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

/// Subscriptions of one session.
const MAX_SUBSCRIPTIONS: usize = 1024;
/// Events that are taken out of a feed at a time.
const BATCH: usize = 64;
/// How often a subscription on which nothing happens looks whether it may go on.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
