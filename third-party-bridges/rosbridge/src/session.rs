//! What one client says, and what is done about it.

use std::{collections::HashMap, sync::Arc, time::Instant};

use ciborium::Value as Cbor;
use keyway_bridge::{CallError, Peer};
use keyway_ros_types::Shape;
use serde_json::{Value as Json, json};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use crate::{
    call::{self, Answer},
    cbor,
    fragment::{Fragments, cut},
    graph::{Asked, Graph, now},
    message::{Reader, to_json},
    op::{self, CallService, Form, Level, Op, full_name},
    outbox::Outbox,
    subscription::Subscriptions,
};

/// A client. Everything that it has ends with this.
#[derive(Debug)]
pub(crate) struct Session {
    id: u64,
    graph: Arc<Graph>,
    peer: Arc<Peer>,
    outbox: Arc<Outbox>,
    level: Level,
    fragments: Fragments,
    subscriptions: Subscriptions,
    calls: JoinSet<()>,
    /// Names of topics that are advertised as latched.
    latched: HashMap<String, bool>,
    /// Calls that this client is to answer.
    asked: HashMap<String, oneshot::Sender<Result<Json, Json>>>,
    asks: mpsc::Sender<Asked>,
    next_call: u64,
}

impl Session {
    /// And where it is asked to serve.
    pub(crate) fn new(id: u64, graph: Arc<Graph>, peer: Peer, outbox: Arc<Outbox>) -> (Self, mpsc::Receiver<Asked>) {
        let (asks, asking) = mpsc::channel(MOST_ASKED);
        let session = Self {
            id,
            graph,
            peer: Arc::new(peer),
            outbox,
            level: Level::Error,
            fragments: Fragments::default(),
            subscriptions: Subscriptions::default(),
            calls: JoinSet::new(),
            latched: HashMap::new(),
            asked: HashMap::new(),
            asks,
            next_call: 0,
        };
        (session, asking)
    }

    /// A text frame has come.
    pub(crate) fn text(&mut self, text: &str) {
        match op::read_text(text) {
            Ok(message) => self.message(message, true),
            Err(error) => self.status(Level::Error, &error, None),
        }
    }

    /// A binary frame has come.
    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        match cbor::read(bytes) {
            Ok(message) => self.message(message, true),
            Err(error) => self.status(Level::Error, &error, None),
        }
    }

    /// Another client, or somebody who calls through it, wants something of this one.
    pub(crate) fn ask(&mut self, asked: Asked) {
        // Who does not wait any more is not waited for.
        self.asked.retain(|_, answer| !answer.is_closed());
        if self.asked.len() >= MOST_ASKED {
            // Not answered: the caller hears that it is busy.
            let _ = asked.answer.send(Err(CallError::Busy.to_string().into()));
            return;
        }
        self.next_call += 1;
        let id = format!("call_service:{}:{}", asked.service, self.next_call);
        let call = json!({ "op": "call_service", "id": id, "service": asked.service, "args": asked.args });
        self.asked.insert(id, asked.answer);
        self.outbox.answer(call.to_string());
    }

    fn message(&mut self, message: Json, may_be_cut: bool) {
        let op::Message { id, op } = op::read(message);
        let result = match op {
            Ok(Op::Fragment(fragment)) if may_be_cut => match self.fragments.add(Instant::now(), fragment) {
                Ok(None) => Ok(()),
                Ok(Some(text)) => match op::read_text(&text) {
                    Ok(message) => return self.message(message, false),
                    Err(error) => Err(error),
                },
                Err(error) => Err(error.to_string()),
            },
            Ok(Op::Fragment(_)) => Err("fragments of fragments are not joined".to_owned()),
            Ok(op) => self.act(op, id.clone()),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            self.status(Level::Error, &error, id);
        }
    }

    fn act(&mut self, op: Op, id: Option<Json>) -> Result<(), String> {
        match op {
            Op::Advertise { topic, kind, latch } => {
                let topic = full_name(&topic);
                self.graph.advertise(self.id, &topic, &kind)?;
                self.latched.insert(topic, latch);
            }
            Op::Unadvertise { topic } => {
                let topic = full_name(&topic);
                self.latched.remove(&topic);
                self.graph.unadvertise(self.id, &topic);
            }
            Op::Publish { topic, message, latch } => self.publish(&topic, &message, latch, id)?,
            Op::Subscribe(subscribe) => {
                let known = self.graph.topics().into_iter().find(|(name, _)| *name == full_name(&subscribe.topic));
                if let (Some((name, kind)), Some(wanted)) = (known, &subscribe.kind)
                    && wanted != "*"
                    && wanted.parse().ok().as_ref() != Some(&kind)
                {
                    return Err(format!("{name} is of the type {kind}, not {wanted}"));
                }
                self.subscriptions.add(&self.graph, &self.outbox, id, subscribe)?;
            }
            Op::Unsubscribe { topic } => self.subscriptions.remove(&topic, id.as_ref()),
            Op::CallService(call) => self.call(call, id),
            Op::AdvertiseService { service, kind } => {
                self.graph.serve(self.id, &full_name(&service), &kind, self.asks.clone())?;
            }
            Op::UnadvertiseService { service } => {
                let service = full_name(&service);
                self.graph.unserve(self.id, &service);
                self.asked.retain(|call, _| !call.starts_with(&format!("call_service:{service}:")));
            }
            Op::ServiceResponse { call, is_success, values } => match self.asked.remove(&call) {
                // Who has asked may be gone.
                Some(answer) => drop(answer.send(if is_success { Ok(values) } else { Err(values) })),
                None => return Err(format!("nobody waits for an answer to {call:?}")),
            },
            Op::SetLevel(level) => self.level = level,
            Op::Auth => {
                let text = "nobody is asked who they are: the bridge has no authentication";
                self.status(Level::Info, text, id);
            }
            // Taken before.
            Op::Fragment(_) => {}
        }
        Ok(())
    }

    fn publish(&mut self, topic: &str, message: &Json, latch: bool, id: Option<Json>) -> Result<(), String> {
        let topic = full_name(topic);
        let shape = match self.graph.advertised(self.id, &topic) {
            Some(shape) => shape,
            None => {
                // Without an advertisement its type is that of those who publish already.
                let kind = self.graph.kind_of_client_topic(&topic);
                let kind = kind.ok_or_else(|| format!("{topic} was not advertised, and its type is not known"))?;
                self.graph.advertise(self.id, &topic, &kind.to_string())?;
                self.latched.insert(topic.clone(), latch);
                self.graph.advertised(self.id, &topic).ok_or_else(|| format!("{topic} is gone"))?
            }
        };
        let Shape::Message(kind) = &shape else { return Ok(()) };
        let mut reader = Reader::new(now());
        let value = reader.message(kind, message).map_err(|error| error.to_string())?;
        if !reader.missing().is_empty() {
            let text = format!("fields that are missing are zero: {}", reader.missing().join(", "));
            self.status(Level::Warning, &text, id);
        }
        let latch = latch || self.latched.get(&topic).copied().unwrap_or(false);
        self.graph.publish(&topic, value, latch);
        Ok(())
    }

    /// Answered when it is done, while others go on.
    fn call(&mut self, call: CallService, id: Option<Json>) {
        while self.calls.try_join_next().is_some() {}
        let (graph, peer, outbox) = (self.graph.clone(), self.peer.clone(), self.outbox.clone());
        let limit = graph.bus.rules().limits.calls_per_peer;
        if self.calls.len() >= limit {
            let busy = Err(CallError::Busy.to_string().into());
            return respond(&graph, &outbox, &call, id, busy);
        }
        self.calls.spawn(async move {
            let mut call = call;
            let args = std::mem::take(&mut call.args);
            let result = call::call(&graph, &peer, &call.service, args, call.timeout).await;
            respond(&graph, &outbox, &call, id, result);
        });
    }

    fn status(&self, level: Level, text: &str, id: Option<Json>) {
        if level < self.level {
            return;
        }
        let mut status = json!({ "op": "status", "level": level.as_str(), "msg": text });
        if let Some(id) = id {
            status["id"] = id;
        }
        self.outbox.answer(status.to_string());
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.graph.forget(self.id);
        self.outbox.close();
    }
}

fn respond(graph: &Graph, outbox: &Outbox, call: &CallService, id: Option<Json>, result: Result<Answer, Json>) {
    let is_success = result.is_ok();
    let flavour = graph.options.load().flavour;
    if let (Form::Cbor | Form::CborRaw, Ok(answer)) = (call.form, &result) {
        let values = match answer {
            Answer::Typed(shape, value) => cbor::to_cbor(shape, value, flavour),
            Answer::Json(values) => Cbor::serialized(values).unwrap_or(Cbor::Null),
        };
        let mut fields = vec![
            ("op".into(), "service_response".into()),
            ("service".into(), call.service.as_str().into()),
            ("values".into(), values),
            ("result".into(), true.into()),
        ];
        if let Some(id) = id {
            fields.push(("id".into(), Cbor::serialized(&id).unwrap_or(Cbor::Null)));
        }
        return outbox.answer(cbor::encode(&Cbor::Map(fields)));
    }
    let values = match result {
        Ok(Answer::Typed(shape, value)) => to_json(&shape, &value, flavour),
        Ok(Answer::Json(values)) => values,
        Err(text) => text,
    };
    let mut response =
        json!({ "op": "service_response", "service": call.service, "values": values, "result": is_success });
    let piece = format!("{}:{}", call.service, id.as_ref().map(ToString::to_string).unwrap_or_default());
    if let Some(id) = id {
        response["id"] = id;
    }
    for piece in cut(response.to_string(), call.fragment_size, &piece) {
        outbox.answer(piece);
    }
}

/// Calls that a client has not answered.
const MOST_ASKED: usize = 32;
