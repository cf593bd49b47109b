//! Methods that are polled for topics.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use keyway_bridge::keyway::{Value, value::convert::convert};
use keyway_ros_types::{FieldShape, MessageShape, Registry, rules::PollRule};
use tokio::{
    task::AbortHandle,
    time::{MissedTickBehavior, interval},
};

use super::{
    caller::{Caller, RuleError},
    is_header,
};
use crate::{Output, RosNode, RosTopic, StartError};

pub(super) fn start<N: RosNode>(node: &N, registry: &Registry, rule: &PollRule) -> Result<AbortHandle, StartError> {
    let topic = RosTopic { is_sensor: rule.is_sensor, ..RosTopic::new(registry, &rule.topic, &rule.message)? };
    let output = node.publish(&topic)?;
    let caller = Caller::new(node, &rule.topic);
    Ok(tokio::spawn(poll(caller, rule.clone(), output, topic.message)).abort_handle())
}

async fn poll<N: RosNode>(mut caller: Caller<N>, rule: PollRule, output: N::Output, shape: Arc<MessageShape>) {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rule.rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut kept = BTreeMap::new();
    loop {
        ticks.tick().await;
        // Nobody is asked for what nobody listens to.
        if !output.is_heard() {
            continue;
        }
        let published = async {
            let values = caller.values(&rule, &mut kept).await?;
            let stamp = output.next_stamp();
            let mut items = Vec::with_capacity(shape.fields.len());
            for field in &shape.fields {
                items.push(match rule.fields.get(&field.name) {
                    Some(expression) => fitted(field, expression.evaluate(&values)?)?,
                    None if is_header(field) => stamp.header(&rule.frame_id),
                    None => field.shape.default_value(),
                });
            }
            output.publish(shape.value(items)).map_err(|error| RuleError::Message(error.to_string()))
        };
        let error = published.await.err();
        caller.told(&rule.topic, error);
    }
}

fn fitted(field: &FieldShape, value: Value) -> Result<Value, RuleError> {
    convert(value, &field.shape.signature()).map_err(|error| RuleError::Message(format!("{}: {error}", field.name)))
}
