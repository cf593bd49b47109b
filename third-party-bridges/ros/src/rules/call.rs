//! Topics that call methods.

use std::time::Duration;

use keyway_bridge::{
    Mode,
    keyway::{Signature, Value, value::Tuple},
};
use keyway_ros_types::{Registry, rules::CallRule};
use tokio::{
    sync::broadcast::{
        self,
        error::{RecvError, TryRecvError},
    },
    time::{Instant, sleep_until, timeout},
};

use super::caller::Caller;
use crate::{
    RosNode, RosTopic, StartError,
    ending::{Ending, Tasks},
    learning::Types,
};

pub(super) fn start<N: RosNode>(
    node: &N,
    registry: &Registry,
    rule: &CallRule,
    tasks: &mut Tasks,
) -> Result<(), StartError> {
    if node.bus().rules().mode == Mode::Read {
        node.warn(&format!("the rule of {} calls a method, and is not in force in read mode", rule.topic));
        return Ok(());
    }
    let mut ending = tasks.ending();
    match Types::of(node, registry, [(rule.topic.as_str(), &rule.message)]) {
        Ok(types) => {
            let (calling, messages) = listen(node, types.of_topic(&rule.topic), rule)?;
            tasks.spawn(calling.run(messages, ending));
        }
        Err(unknown) => {
            let (node, rule) = (node.clone(), rule.clone());
            tasks.spawn(async move {
                let types = tokio::select! {
                    types = unknown.learned() => types,
                    () = ending.told() => return,
                };
                match listen(&node, types.of_topic(&rule.topic), &rule) {
                    Ok((calling, messages)) => calling.run(messages, ending).await,
                    Err(error) => node.warn(&format!("the rule of {} is not in force: {error}", rule.topic)),
                }
            });
        }
    }
    Ok(())
}

fn listen<N: RosNode>(
    node: &N,
    registry: &Registry,
    rule: &CallRule,
) -> Result<(Calling<N>, broadcast::Receiver<Value>), StartError> {
    let topic = RosTopic::new(registry, &rule.topic, &rule.message)?;
    // Overflow rule: the oldest messages go. Of a rule with a rate, only the newest counts.
    let (sender, messages) = broadcast::channel(if rule.max_rate.is_some() { 1 } else { QUEUE });
    let condition = rule.when.clone();
    let sink = move |value: Value| {
        if condition.holds(&value) {
            // It is the rule that has ended, if nobody listens.
            let _ = sender.send(value);
        }
    };
    node.subscribe(&topic, Box::new(sink))?;
    Ok((Calling { caller: Caller::new(node, &rule.topic), rule: rule.clone(), is_moving: false }, messages))
}

struct Calling<N> {
    caller: Caller<N>,
    rule: CallRule,
    /// Whether there was a message, and no silence behind it.
    is_moving: bool,
}

impl<N: RosNode> Calling<N> {
    async fn run(mut self, mut messages: broadcast::Receiver<Value>, mut ending: Ending) {
        tokio::select! {
            () = self.follow(&mut messages) => {}
            () = ending.told() => {}
        }
        // Nobody will be there to tell that it is silent.
        if self.is_moving {
            self.stop().await;
        }
    }

    async fn follow(&mut self, messages: &mut broadcast::Receiver<Value>) {
        let pause = self.rule.max_rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
        let mut next = Instant::now();
        loop {
            let silence = self.rule.timeout.filter(|_| self.is_moving);
            let received = match silence {
                Some(limit) => timeout(limit, messages.recv()).await,
                None => Ok(messages.recv().await),
            };
            let mut message = match received {
                Ok(Ok(message)) => message,
                Ok(Err(RecvError::Lagged(_))) => continue,
                Ok(Err(RecvError::Closed)) => return,
                Err(_) => {
                    self.stop().await;
                    continue;
                }
            };
            sleep_until(next).await;
            next = Instant::now().max(next + pause);
            while self.rule.max_rate.is_some() {
                match messages.try_recv() {
                    Ok(newer) => message = newer,
                    Err(TryRecvError::Lagged(_)) => {}
                    Err(TryRecvError::Closed | TryRecvError::Empty) => break,
                }
            }
            let message = if self.rule.float_seconds { float_seconds(message) } else { message };
            self.is_moving = true;
            let done = self.caller.call(&self.rule.call, &message).await;
            self.caller.told(&self.rule.topic, done.err());
        }
    }

    async fn stop(&mut self) {
        self.is_moving = false;
        if let Some(stop) = &self.rule.on_timeout {
            let done = self.caller.call(stop, &Value::Void).await;
            self.caller.told(&self.rule.topic, done.err());
        }
    }
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
            Value::Tuple(Tuple { signature, items })
        }
        other => other,
    }
}

/// Messages that wait for a rule without a rate.
const QUEUE: usize = 16;
