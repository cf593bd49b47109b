//! A client's subscription of one topic.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Instant, SystemTime},
};

use ciborium::Value as Cbor;
use keyway_bridge::Event;
use keyway_ros_types::{Shape, Stamp, Topic, body};
use keyway_value::Value;
use serde_json::{Value as Json, json};
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    task::AbortHandle,
    time::sleep_until,
};

use crate::{
    cbor,
    fragment::cut,
    graph::{Graph, Source},
    message::{Flavour, to_json},
    op::{Form, Subscribe, full_name},
    outbox::Outbox,
    pace::{Pace, Wish},
    png,
};

/// The subscriptions of a client, one for each topic however often it subscribes.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    by_topic: HashMap<String, Subscribed>,
}

#[derive(Debug)]
struct Subscribed {
    /// By the ids of the client.
    wishes: Vec<(Option<Json>, Subscribe)>,
    /// What they come to.
    together: watch::Sender<Together>,
    task: AbortHandle,
}

#[derive(Debug, Clone, PartialEq)]
struct Together {
    subscribe: Subscribe,
    /// Counts those who want the last message of a latched topic at once.
    comers: u64,
}

impl Subscriptions {
    pub(crate) fn add(
        &mut self,
        graph: &Arc<Graph>,
        outbox: &Arc<Outbox>,
        id: Option<Json>,
        subscribe: Subscribe,
    ) -> Result<(), String> {
        let topic = full_name(&subscribe.topic);
        let count: usize = self.by_topic.values().map(|subscribed| subscribed.wishes.len()).sum();
        if count >= MOST {
            return Err(format!("a client has at most {MOST} subscriptions"));
        }
        if let Some(subscribed) = self.by_topic.get_mut(&topic) {
            subscribed.wishes.retain(|(other, _)| id.is_none() || *other != id);
            subscribed.wishes.push((id, subscribe));
            subscribed.merge(1);
            return Ok(());
        }
        let together = Together { subscribe: subscribe.clone(), comers: 0 };
        let (together, wishes) = watch::channel(together);
        let task = tokio::spawn(run(graph.clone(), outbox.clone(), topic.clone(), wishes)).abort_handle();
        self.by_topic.insert(topic, Subscribed { wishes: vec![(id, subscribe)], together, task });
        Ok(())
    }

    /// With an id only the subscription of that id, if there is one; without, all of the topic.
    pub(crate) fn remove(&mut self, topic: &str, id: Option<&Json>) {
        let topic = full_name(topic);
        let Some(subscribed) = self.by_topic.get_mut(&topic) else { return };
        match id {
            Some(id) => subscribed.wishes.retain(|(other, _)| other.as_ref() != Some(id)),
            None => subscribed.wishes.clear(),
        }
        if subscribed.wishes.is_empty() {
            self.by_topic.remove(&topic);
        } else {
            subscribed.merge(0);
        }
    }
}

impl Subscribed {
    /// The most frequent of the wishes counts, and the form of the last.
    fn merge(&self, comers: u64) {
        let throttle = self.wishes.iter().map(|(_, wish)| wish.wish.throttle).min().unwrap_or_default();
        let queue_length = self.wishes.iter().map(|(_, wish)| wish.wish.queue_length).max().unwrap_or_default();
        let Some((_, last)) = self.wishes.last() else { return };
        let subscribe = Subscribe { wish: Wish { throttle, queue_length }, ..last.clone() };
        self.together.send_modify(|together| {
            *together = Together { subscribe, comers: together.comers + comers };
        });
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A message of a topic, before it is written.
#[derive(Debug, Clone)]
struct Sample {
    value: Value,
    received: SystemTime,
}

/// Passes messages on, for as long as somebody subscribes; waits for topics that are not there.
async fn run(graph: Arc<Graph>, outbox: Arc<Outbox>, topic: String, mut wishes: watch::Receiver<Together>) {
    let mut changes = graph.changes();
    loop {
        changes.mark_unchanged();
        if let Some(source) = graph.source(&topic) {
            let mut passing = Passing::new(&graph, &outbox, &wishes);
            match source {
                Source::Bus(topic, service) => {
                    if let Ok(mut listener) = service.listen(topic.action) {
                        let mut seq = 0;
                        passing.is_latched = topic.is_latched;
                        loop {
                            let next = async { listener.next().await.map(|event| sample(&topic, &event, &mut seq)) };
                            if !passing.step(&topic.shape, next, &mut wishes).await {
                                break;
                            }
                        }
                    }
                }
                Source::Clients { shape, latched, mut events } => {
                    passing.is_latched = latched.is_some();
                    let of = |value: Arc<Value>| Sample { value: (*value).clone(), received: SystemTime::now() };
                    if let Some(value) = latched {
                        passing.pace.push(of(value));
                    }
                    loop {
                        let next = async {
                            loop {
                                match events.recv().await {
                                    Ok(value) => return Some(of(value)),
                                    Err(RecvError::Lagged(_)) => {}
                                    Err(RecvError::Closed) => return None,
                                }
                            }
                        };
                        if !passing.step(&shape, next, &mut wishes).await {
                            break;
                        }
                    }
                }
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

fn sample(topic: &Topic, event: &Event, seq: &mut u32) -> Sample {
    let stamp = Stamp::at(*seq, event.received);
    *seq = seq.wrapping_add(1);
    Sample { value: topic.message(event.value.clone(), stamp), received: event.received }
}

struct Passing<'r> {
    outbox: &'r Outbox,
    flavour: Flavour,
    png: bool,
    pace: Pace<Sample>,
    is_latched: bool,
    last: Option<Sample>,
    comers: u64,
    fragments: u64,
}

impl<'r> Passing<'r> {
    fn new(graph: &Graph, outbox: &'r Outbox, wishes: &watch::Receiver<Together>) -> Self {
        let options = graph.options.load();
        let together = wishes.borrow();
        Self {
            outbox,
            flavour: options.flavour,
            png: options.png,
            pace: Pace::new(together.subscribe.wish),
            is_latched: false,
            last: None,
            comers: together.comers,
            fragments: 0,
        }
    }

    /// Waits for one thing and acts; false when the topic has ended.
    async fn step(
        &mut self,
        shape: &Shape,
        next: impl Future<Output = Option<Sample>>,
        wishes: &mut watch::Receiver<Together>,
    ) -> bool {
        while let Some(sample) = self.pace.pop(Instant::now()) {
            self.send(shape, &sample, &wishes.borrow().subscribe);
            self.last = self.is_latched.then_some(sample);
        }
        let due = self.pace.next();
        let due = async {
            match due {
                Some(due) => sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            sample = next => match sample {
                Some(sample) => self.pace.push(sample),
                None => return false,
            },
            () = due => {}
            Ok(()) = wishes.changed() => {
                let together = wishes.borrow().clone();
                self.pace.set(together.subscribe.wish);
                if together.comers != self.comers {
                    self.comers = together.comers;
                    if let Some(last) = self.last.take() {
                        self.send(shape, &last, &together.subscribe);
                        self.last = Some(last);
                    }
                }
            }
        }
        true
    }

    fn send(&mut self, shape: &Shape, sample: &Sample, subscribe: &Subscribe) {
        let binary = |message: Cbor| {
            let fields = vec![
                ("op".into(), "publish".into()),
                ("topic".into(), subscribe.topic.as_str().into()),
                ("msg".into(), message),
            ];
            cbor::encode(&Cbor::Map(fields))
        };
        match subscribe.form {
            Form::Cbor => self.outbox.event(binary(cbor::to_cbor(shape, &sample.value, self.flavour))),
            Form::CborRaw => match body::encode(shape, &sample.value) {
                Ok(bytes) => {
                    let stamp = Stamp::at(0, sample.received);
                    let raw = vec![
                        ("secs".into(), stamp.sec.into()),
                        ("nsecs".into(), stamp.nsec.into()),
                        ("bytes".into(), Cbor::Bytes(bytes.to_vec())),
                    ];
                    self.outbox.event(binary(Cbor::Map(raw)));
                }
                Err(error) => tracing::debug!(topic = subscribe.topic, %error, "a message is left out"),
            },
            Form::Json | Form::Png => {
                let message = to_json(shape, &sample.value, self.flavour);
                let text = json!({ "op": "publish", "topic": subscribe.topic, "msg": message }).to_string();
                let picture = (subscribe.form == Form::Png && self.png).then(|| png::encode(&text)).flatten();
                if let Some(data) = picture {
                    self.outbox.event(json!({ "op": "png", "data": data }).to_string());
                    return;
                }
                self.fragments += 1;
                for piece in cut(text, subscribe.fragment_size, &format!("{}:{}", subscribe.topic, self.fragments)) {
                    self.outbox.event(piece);
                }
            }
        }
    }
}

/// Of one client.
const MOST: usize = 512;
