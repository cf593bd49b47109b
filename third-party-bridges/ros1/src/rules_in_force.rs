//! Rules: topics that call methods, and methods that are polled for topics (spec 7).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use keyway_bridge::{
    CallError, Mode, Peer, Service,
    keyway::{
        Signature, Value,
        value::convert::{convert, resolve_overload},
    },
};
use keyway_ros_types::{
    FieldShape, MessageShape, Registry, RegistryError, Shape, body,
    rules::{CallRule, ExpressionError, PollRule, Rule, Source},
};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use crate::{
    NAME,
    node::Node,
    publication::Publication,
    subscription::{Context, Subscribed, Subscription},
};

/// Why a rule did not do what it should.
#[derive(Debug, thiserror::Error)]
enum RuleError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    #[error("{0}")]
    Message(String),
}

/// Puts a rule in force; what is returned ends it.
pub(crate) fn start(node: &Arc<Node>, registry: &Registry, rule: Rule) -> Result<AbortHandle, RegistryError> {
    match rule {
        Rule::Call(rule) => start_call(node, registry, rule),
        Rule::Poll(rule) => start_poll(node, registry, rule),
    }
}

/// What a topic of this type is to a subscriber.
pub(crate) fn subscribed(
    registry: &Registry,
    name: &str,
    kind: &keyway_ros_types::TypeName,
) -> Result<Subscribed, RegistryError> {
    Ok(Subscribed {
        name: name.to_owned(),
        kind: kind.to_string(),
        md5: registry.message_md5(kind)?,
        shape: Shape::of_message(registry, kind)?,
    })
}

/// Who listens.
pub(crate) fn context(node: &Node) -> Context {
    Context { opt_in: node.opt_in.clone(), caller: node.name.clone(), api: node.api.clone() }
}

fn start_call(node: &Arc<Node>, registry: &Registry, rule: CallRule) -> Result<AbortHandle, RegistryError> {
    let topic = subscribed(registry, &rule.topic, &rule.message)?;
    if node.bus.rules().mode == Mode::Read {
        node.warn(&format!("the rule of {} calls a method, and is not in force in read mode", rule.topic));
        return Ok(tokio::spawn(async {}).abort_handle());
    }
    // Overflow rule: the newest message is kept.
    let (newest, messages) = watch::channel(Value::Void);
    let sink = move |value| {
        newest.send_replace(value);
    };
    let subscription = Subscription::new(topic, context(node), sink);
    node.change(|graph| graph.subscriptions.insert(rule.topic.clone(), subscription));
    let caller = Caller::new(node, &rule.topic);
    Ok(tokio::spawn(call_newest(caller, rule, messages)).abort_handle())
}

async fn call_newest(mut caller: Caller, rule: CallRule, mut messages: watch::Receiver<Value>) {
    let pause = rule.max_rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
    let mut next = Instant::now();
    let mut is_moving = false;
    loop {
        let message = match rule.timeout.filter(|_| is_moving) {
            Some(limit) => timeout(limit, messages.changed()).await,
            None => Ok(messages.changed().await),
        };
        match message {
            Ok(Ok(())) => {}
            // The subscription is gone.
            Ok(Err(_)) => return,
            Err(_) => {
                is_moving = false;
                if let Some(stop) = &rule.on_timeout {
                    let done = caller.call(stop, &Value::Void).await;
                    caller.told(&rule.topic, done.err());
                }
                continue;
            }
        }
        sleep_until(next).await;
        next = Instant::now().max(next + pause);
        let message = messages.borrow_and_update().clone();
        let message = if rule.float_seconds { float_seconds(message) } else { message };
        is_moving = true;
        let done = caller.call(&rule.call, &message).await;
        caller.told(&rule.topic, done.err());
    }
}

fn start_poll(node: &Arc<Node>, registry: &Registry, rule: PollRule) -> Result<AbortHandle, RegistryError> {
    let shape = MessageShape::of_definition(registry, registry.message(&rule.message)?)?;
    let publication = Publication::own(registry, &rule.topic, &rule.message, false, node.queue)?;
    node.change(|graph| graph.publications.insert(rule.topic.clone(), publication.clone()));
    let caller = Caller::new(node, &rule.topic);
    Ok(tokio::spawn(poll(caller, rule, publication, shape)).abort_handle())
}

async fn poll(mut caller: Caller, rule: PollRule, publication: Arc<Publication>, shape: MessageShape) {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rule.rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let shape = Arc::new(shape);
    let whole = Shape::Message(shape.clone());
    let mut kept = BTreeMap::new();
    loop {
        ticks.tick().await;
        // Nobody is asked for what nobody listens to.
        if publication.callers().is_empty() {
            continue;
        }
        let body = async {
            let values = caller.values(&rule, &mut kept).await?;
            let stamp = publication.next_stamp(std::time::SystemTime::now());
            let mut items = Vec::with_capacity(shape.fields.len());
            for field in &shape.fields {
                items.push(match rule.fields.get(&field.name) {
                    Some(expression) => fitted(field, expression.evaluate(&values)?)?,
                    None if is_header(field) => stamp.header(&rule.frame_id),
                    None => field.shape.default_value(),
                });
            }
            body::encode(&whole, &shape.value(items)).map_err(|error| RuleError::Message(error.to_string()))
        };
        match body.await {
            Ok(body) => {
                publication.publish(&body);
                caller.told(&rule.topic, None);
            }
            Err(error) => caller.told(&rule.topic, Some(error)),
        }
    }
}

/// Whether a field is the header that the bridge fills in.
pub(crate) fn is_header(field: &FieldShape) -> bool {
    matches!(&field.shape, Shape::Message(message) if message.name.to_string() == "std_msgs/Header")
}

fn fitted(field: &FieldShape, value: Value) -> Result<Value, RuleError> {
    convert(value, &field.shape.signature()).map_err(|error| RuleError::Message(format!("{}: {error}", field.name)))
}

/// Times and durations as numbers of seconds.
fn float_seconds(value: Value) -> Value {
    match value {
        Value::Tuple(tuple) if matches!(tuple.signature.struct_name(), Some("Time" | "Duration")) => {
            match &tuple.items[..] {
                [seconds, nanoseconds] => {
                    let number = |value: &Value| value.as_f64().unwrap_or_default();
                    Value::Double(number(seconds) + number(nanoseconds) / 1e9)
                }
                _ => Value::Tuple(tuple),
            }
        }
        Value::Tuple(tuple) => {
            let names = tuple.signature.field_names().unwrap_or_default().into_iter().map(str::to_owned);
            let names: Vec<String> = names.collect();
            let name = tuple.signature.struct_name().unwrap_or_default().to_owned();
            let items: Vec<Value> = tuple.items.into_iter().map(float_seconds).collect();
            let fields: Vec<&str> = names.iter().map(String::as_str).collect();
            let signature = Signature::named_tuple(&name, &fields, items.iter().map(Value::signature));
            Value::Tuple(keyway_bridge::keyway::value::Tuple { signature, items })
        }
        other => other,
    }
}

/// Calls the services that a rule names.
struct Caller {
    node: Arc<Node>,
    peer: Peer,
    services: BTreeMap<String, Arc<Service>>,
    has_failed: bool,
}

impl Caller {
    fn new(node: &Arc<Node>, topic: &str) -> Self {
        let peer = node.bus.peer(NAME, "rule", topic);
        Self { node: node.clone(), peer, services: BTreeMap::new(), has_failed: false }
    }

    async fn call(&mut self, source: &Source, root: &Value) -> Result<Value, RuleError> {
        let arguments = source.evaluate(root)?;
        self.invoke(source, arguments, true).await
    }

    async fn invoke(&mut self, source: &Source, arguments: Vec<Value>, is_write: bool) -> Result<Value, RuleError> {
        let service = match self.services.get(&source.service) {
            Some(service) => service.clone(),
            None => {
                let service = self.node.bus.named(&source.service).await?;
                self.services.insert(source.service.clone(), service.clone());
                service
            }
        };
        let method = resolve_overload(service.members(), &source.method, &arguments);
        let method = method.map_err(|error| RuleError::Message(error.to_string()))?;
        let result = match is_write {
            true => self.peer.call(&service, method, arguments).await,
            false => self.peer.poll(&service, method, arguments).await,
        };
        if let Err(CallError::Gone(_)) = &result {
            // It may be another one next time.
            self.services.remove(&source.service);
        }
        Ok(result?)
    }

    /// What the sources return, by their names.
    async fn values(&mut self, rule: &PollRule, kept: &mut BTreeMap<String, Value>) -> Result<Value, RuleError> {
        let mut values = Vec::with_capacity(rule.sources.len());
        for (name, source) in &rule.sources {
            let value = match kept.get(name) {
                Some(value) => value.clone(),
                None => {
                    let arguments = source.evaluate(&Value::Void)?;
                    let value = self.invoke(source, arguments, false).await?;
                    if source.is_once {
                        kept.insert(name.clone(), value.clone());
                    }
                    value
                }
            };
            values.push((Value::from(name.as_str()), value.into_dynamic()));
        }
        Ok(Value::map(Signature::string(), Signature::dynamic(), values))
    }

    /// The first failure of several is told.
    fn told(&mut self, topic: &str, error: Option<RuleError>) {
        match error {
            Some(error) if !self.has_failed => {
                self.node.warn(&format!("the rule of {topic} fails, and is tried on: {error}"));
                self.has_failed = true;
            }
            Some(_) => {}
            None => self.has_failed = false,
        }
    }
}
