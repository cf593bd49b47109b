//! Methods that are polled for topics.

use std::{collections::BTreeMap, time::Duration};

use keyway_bridge::keyway::{Signature, Value};
use keyway_ros_types::{Registry, rules::PollRule};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{
    caller::{Caller, RuleError},
    message::Form,
};
use crate::{
    Output, RosNode, RosTopic, StartError,
    ending::{Ending, Tasks},
};

pub(super) fn start<N: RosNode>(
    node: &N,
    registry: &Registry,
    rule: &PollRule,
    tasks: &mut Tasks,
) -> Result<(), StartError> {
    let topic = RosTopic { is_sensor: rule.is_sensor, ..RosTopic::new(registry, &rule.topic, &rule.message)? };
    let form = Form::new(&topic.message, &rule.fields, &rule.frame_id)?;
    let output = node.publish(&topic)?;
    let caller = Caller::new(node, &rule.topic);
    let polling = Polling::<N> { caller, rule: rule.clone(), form, output, kept: BTreeMap::new() };
    tasks.spawn(polling.run(tasks.ending()));
    Ok(())
}

struct Polling<N: RosNode> {
    caller: Caller<N>,
    rule: PollRule,
    form: Form,
    output: N::Output,
    /// What the sources returned that are called once.
    kept: BTreeMap<String, Value>,
}

impl<N: RosNode> Polling<N> {
    async fn run(mut self, mut ending: Ending) {
        tokio::select! {
            () = self.follow() => {}
            () = ending.told() => {}
        }
        self.give_back().await;
    }

    async fn follow(&mut self) {
        let mut ticks = interval(Duration::from_secs_f64(1.0 / self.rule.rate));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // Nobody is asked for what nobody listens to.
            if !self.output.is_heard() {
                self.give_back().await;
                continue;
            }
            let error = self.publish().await.err();
            let has_failed = error.is_some();
            self.caller.told(&self.rule.topic, error);
            if has_failed {
                // What was called once may be of a robot that has started again since.
                self.give_back().await;
                sleep(AGAIN).await;
            }
        }
    }

    async fn publish(&mut self) -> Result<(), RuleError> {
        let mut values = Vec::new();
        for (name, source) in self.rule.sources.iter() {
            let value = match self.kept.get(name) {
                Some(value) => value.clone(),
                None => {
                    let value = self.caller.poll(source, &named(values.clone())).await?;
                    if source.is_once {
                        self.kept.insert(name.clone(), value.clone());
                    }
                    value
                }
            };
            values.push((name.clone(), value));
        }
        let message = self.form.message(&named(values), self.output.next_stamp())?;
        self.output.publish(message).map_err(|error| RuleError::Message(error.to_string()))
    }

    /// Nothing is kept for nobody.
    async fn give_back(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        let kept = named(std::mem::take(&mut self.kept));
        if let Some(finally) = &self.rule.finally
            && let Err(error) = self.caller.poll(finally, &kept).await
        {
            tracing::debug!(topic = self.rule.topic, %error, "what a rule has taken is not given back");
        }
    }
}

/// What sources returned, for expressions.
fn named(values: impl IntoIterator<Item = (String, Value)>) -> Value {
    let entries = values.into_iter().map(|(name, value)| (Value::from(name.as_str()), value.into_dynamic()));
    Value::map(Signature::string(), Signature::dynamic(), entries.collect())
}

/// After a failure.
const AGAIN: Duration = Duration::from_secs(1);
