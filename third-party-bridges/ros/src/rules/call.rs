//! Topics that call methods.

use std::time::Duration;

use keyway_bridge::{
    Mode,
    keyway::{Signature, Value, value::Tuple},
};
use keyway_ros_types::{Registry, rules::CallRule};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep_until, timeout},
};

use super::caller::Caller;
use crate::{RosNode, RosTopic, StartError};

pub(super) fn start<N: RosNode>(
    node: &N,
    registry: &Registry,
    rule: &CallRule,
) -> Result<Option<AbortHandle>, StartError> {
    let topic = RosTopic::new(registry, &rule.topic, &rule.message)?;
    if node.bus().rules().mode == Mode::Read {
        node.warn(&format!("the rule of {} calls a method, and is not in force in read mode", rule.topic));
        return Ok(None);
    }
    // Overflow rule: the newest message is kept.
    let (newest, messages) = watch::channel(Value::Void);
    let sink = move |value| {
        newest.send_replace(value);
    };
    node.subscribe(&topic, Box::new(sink))?;
    let caller = Caller::new(node, &rule.topic);
    Ok(Some(tokio::spawn(call_newest(caller, rule.clone(), messages)).abort_handle()))
}

async fn call_newest<N: RosNode>(mut caller: Caller<N>, rule: CallRule, mut messages: watch::Receiver<Value>) {
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
