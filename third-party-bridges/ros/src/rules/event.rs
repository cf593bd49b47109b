//! Topics of what signals tell.

use std::time::Duration;

use keyway_bridge::keyway::{ActionId, Signature, Value};
use keyway_ros_types::{Registry, rules::EventRule};
use tokio::time::{interval, sleep};

use super::{
    caller::{Caller, RuleError},
    message::Form,
};
use crate::{Output, RosNode, RosTopic, StartError, ending::Tasks};

pub(super) fn start<N: RosNode>(
    node: &N,
    registry: &Registry,
    rule: &EventRule,
    tasks: &mut Tasks,
) -> Result<(), StartError> {
    let topic = RosTopic { is_sensor: rule.is_sensor, ..RosTopic::new(registry, &rule.topic, &rule.message)? };
    let form = Form::new(&topic.message, &rule.fields, &rule.frame_id)?;
    let output = node.publish(&topic)?;
    let (mut caller, rule, mut ending) = (Caller::new(node, &rule.topic), rule.clone(), tasks.ending());
    let telling = async move {
        loop {
            let error = tell(&mut caller, &rule, &form, &output).await;
            caller.told(&rule.topic, Some(error));
            sleep(AGAIN).await;
        }
    };
    tasks.spawn(async move {
        tokio::select! {
            () = telling => {}
            () = ending.told() => {}
        }
    });
    Ok(())
}

/// Passes events on for as long as there are any; says why there are no more.
async fn tell<N: RosNode>(caller: &mut Caller<N>, rule: &EventRule, form: &Form, output: &N::Output) -> RuleError {
    let passing = async {
        let emitter = caller.emitter(&rule.signal.emitter).await?;
        let mut events = emitter.listen(ActionId(emitter.signal(&rule.signal.signal)?.uid))?;
        let mut checks = interval(AGAIN);
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = checks.tick() => match emitter.is_reached() {
                    true => continue,
                    false => None,
                },
            };
            let gone = || RuleError::Message(format!("{} is gone", emitter.name()));
            let event = event.ok_or_else(gone)?;
            if output.is_heard() {
                let values = vec![(Value::from("args"), event.value.clone().into_dynamic())];
                let values = Value::map(Signature::string(), Signature::dynamic(), values);
                let told = form
                    .message(&values, output.next_stamp())
                    .and_then(|message| output.publish(message).map_err(|error| RuleError::Message(error.to_string())));
                caller.told(&rule.topic, told.err());
            }
        }
    };
    let ended: Result<std::convert::Infallible, RuleError> = passing.await;
    match ended {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

const AGAIN: Duration = Duration::from_secs(1);
