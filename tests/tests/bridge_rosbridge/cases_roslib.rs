//! Cases with `roslib`, on Node.

use std::time::Duration;

use keyway_tests::{eventually, libqi::script};
use serde_json::{Value, json};
use tokio::{process::Command, time::sleep};

use crate::stage::{Stage, peer};

/// The script with the cases.
fn roslib() -> Option<Command> {
    let folder = peer("KEYWAY_PEER_ROSLIB")?;
    let mut command = Command::new("node");
    // Modules are looked for beside the script, so it says itself where they are.
    command.arg(script("roslib_cases.mjs")).env("KEYWAY_PEER_ROSLIB", folder);
    Some(command)
}

/// Emits as long as the case runs.
async fn while_emitting(stage: &Stage, case: &str, every: Duration, mut emit: impl FnMut(i32)) -> Option<Value> {
    let mut command = roslib();
    let running = stage.run(command.as_mut(), case);
    let emitting = async {
        for at in 0.. {
            emit(at);
            sleep(every).await;
        }
    };
    tokio::select! {
        found = running => found,
        () = emitting => unreachable!("it has no end"),
    }
}

#[tokio::test]
async fn ros_052_signals_properties_and_calls_reach_a_client_in_javascript() {
    let stage = Stage::start().await;
    let tick = stage.probe.tick.clone();
    let Some(found) = while_emitting(&stage, "everything", Duration::from_millis(20), |at| tick.emit(&(at,))).await
    else {
        return;
    };
    let ticks: Vec<_> = found["ticks"].as_array().unwrap().iter().map(|tick| tick.as_i64().unwrap()).collect();
    assert!(ticks.len() == 3 && ticks.windows(2).all(|pair| pair[1] == pair[0] + 1), "{found:#}");
    assert_eq!(found["gain"], 2.5);
    assert_eq!(found["add"]["value"], 5);
    assert_eq!(found["boom"], "it broke");
    let has = |list: &str, name: &str| found[list].as_array().unwrap().iter().any(|known| known == name);
    assert!(has("topics", "/qi/RosProbe/tick") && has("services", "/qi/RosProbe/add") && has("nodes", "/qi_bridge"));
    assert!(found["raw"].as_str().unwrap().contains("float64 data"), "{found:#}");
    assert_eq!((&found["param"], &found["unset"]), (&json!(["RosProbe"]), &Value::Null));
    assert_eq!(found["errors"], json!([]));
}

#[tokio::test]
async fn ros_053_lists_of_numbers_come_as_typed_arrays_and_messages_as_bodies_of_ros_1() {
    let stage = Stage::start().await;
    let series = stage.probe.series.clone();
    let emit = |_| series.emit(&(vec![0.0, 0.5, 1.0],));
    let Some(found) = while_emitting(&stage, "cbor", Duration::from_millis(20), emit).await else { return };
    assert_eq!(found["typed"], "Float64Array");
    let numbers: Vec<_> = found["numbers"].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect();
    assert_eq!(numbers, [0.0, 0.5, 1.0]);
    // Behind the header with its empty frame: the count, and three doubles.
    let body = "03000000".to_owned() + "0000000000000000" + "000000000000e03f" + "000000000000f03f";
    let raw = found["raw"].as_str().unwrap();
    assert!(raw.ends_with(&body) && raw.len() == body.len() + 32, "{raw}");
}

#[tokio::test]
async fn ros_055_a_throttled_subscription_gets_a_few_messages_and_the_newest() {
    let stage = Stage::start().await;
    let tick = stage.probe.tick.clone();
    let mut command = roslib();
    let emitting = async {
        eventually("the subscription", async {
            while tick.subscribers() == 0 {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        for at in 0..300 {
            pace.tick().await;
            tick.emit(&(at,));
        }
    };
    let running = async {
        let found = stage.run(command.as_mut(), "throttled").await;
        // Without the client nobody subscribes.
        if found.is_none() { Err(()) } else { Ok(found) }
    };
    let emitting = async {
        emitting.await;
        Ok::<_, ()>(())
    };
    let Ok((found, ())) = tokio::try_join!(running, emitting) else { return };
    let ticks: Vec<_> = found.as_ref().unwrap().as_array().unwrap().iter().map(|tick| tick.as_i64().unwrap()).collect();
    assert!((13..=17).contains(&ticks.len()), "{ticks:?}");
    assert_eq!(ticks.last(), Some(&299), "{ticks:?}");
}
