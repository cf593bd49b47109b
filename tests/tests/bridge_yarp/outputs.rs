//! Signals and properties (YARP-030 to YARP-038).

use std::time::Duration;

use keyway_tests::eventually;
use tokio::time::sleep;

use crate::stage::{R, Stage};

const TICK: &str = "/qi/YarpProbe/tick:o";

#[tokio::test(flavor = "multi_thread")]
async fn yarp_030_emissions_are_read_in_order() {
    let Some(stage) = Stage::start().await else { return };
    let mut reader = stage.world.reader(&["/x/r", TICK]);
    stage.tick_has_subscribers(1).await;
    assert_eq!(stage.rpc("emit_tick 3").await, "");
    assert_eq!(reader.take(3).await, ["0", "1", "2"]);
    stage.probe.tick.emit(&(7,));
    assert_eq!(reader.line().await, "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_031_every_carrier_replaces_the_one_before() {
    let Some(stage) = Stage::start().await else { return };
    let mut reader = stage.world.reader(&["/x/r"]);
    stage.world.wait_for_name("/x/r", true).await;
    for (number, carrier) in ["text_ack", "text", "fast_tcp", "tcp"].into_iter().enumerate() {
        let said = stage.world.yarp(&["connect", TICK, "/x/r", carrier]).await;
        assert!(said.contains("Success: Added connection from"), "{carrier}: {said}");
        stage.tick_has_subscribers(1).await;
        let number = i32::try_from(number).unwrap();
        // Were one of them doubled, it would come before the next.
        stage.probe.tick.emit(&(number,));
        stage.probe.tick.emit(&(100 + number,));
        assert_eq!(reader.take(2).await, [number.to_string(), (100 + number).to_string()], "{carrier}");
        let said = stage.world.yarp(&["ping", TICK]).await;
        assert_eq!(said.matches("There is an output connection").count(), 1, "{said}");
        assert!(said.contains(&format!("using {carrier}")), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_032_other_carriers_are_refused_and_connections_stay() {
    let Some(stage) = Stage::start().await else { return };
    let mut reader = stage.world.reader(&["/x/r", TICK]);
    stage.tick_has_subscribers(1).await;
    for carrier in ["udp", "mcast"] {
        let said = stage.world.yarp(&["connect", TICK, "/x/r", carrier]).await;
        assert!(said.contains(&format!("Failure: Cannot connect to {carrier}://x/r")), "{said}");
    }
    stage.probe.tick.emit(&(1,));
    assert_eq!(reader.line().await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_033_ports_for_calls_have_no_outputs() {
    let Some(stage) = Stage::start().await else { return };
    let _reader = stage.world.reader(&["/x/r"]);
    stage.world.wait_for_name("/x/r", true).await;
    let said = stage.world.yarp(&["connect", R, "/x/r"]).await;
    assert!(said.contains("Failure: Outputs not allowed"), "{said}");
    let said = stage.world.yarp(&["connect", TICK, "/x/nobody"]).await;
    assert!(said.contains("Failure"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_034_the_subscription_ends_with_the_last_reader() {
    let Some(stage) = Stage::start().await else { return };
    assert_eq!(stage.probe.tick.subscribers(), 0, "nobody reads yet");
    let _reader = stage.world.reader(&["/x/r", TICK]);
    stage.tick_has_subscribers(1).await;
    let said = stage.world.yarp(&["disconnect", TICK, "/x/r"]).await;
    assert!(said.contains("Success: Removed connection"), "{said}");
    let said = stage.world.yarp(&["ping", TICK]).await;
    assert!(said.contains("There are no outgoing connections"), "{said}");
    stage.tick_has_subscribers(0).await;
    let said = stage.world.yarp(&["disconnect", TICK, "/x/r"]).await;
    assert!(said.contains("Failure"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_035_a_reader_that_is_killed_disturbs_no_other() {
    let Some(stage) = Stage::start().await else { return };
    let mut dying = stage.world.reader(&["/x/dying", TICK]);
    let mut reader = stage.world.reader(&["/x/r", TICK]);
    stage.world.wait_until_said(&["ping", TICK], "to \"/x/dying\"").await;
    stage.world.wait_until_said(&["ping", TICK], "to \"/x/r\"").await;
    for first in (0..1000).step_by(20) {
        // No more than a port lets wait: nothing is to be dropped, however busy the machine is.
        let numbers = first..first + 20;
        numbers.clone().for_each(|number| stage.probe.tick.emit(&(number,)));
        if first == 0 {
            assert_eq!(dying.line().await, "0");
            dying.kill().await;
        }
        let wanted: Vec<_> = numbers.map(|number| number.to_string()).collect();
        assert_eq!(reader.take(20).await, wanted);
    }
    eventually("the dead one is forgotten", async {
        while stage.world.yarp(&["ping", TICK]).await.contains("/x/dying") {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_036_persistent_connections_are_made_when_the_reader_comes() {
    let Some(stage) = Stage::start().await else { return };
    let said = stage.world.yarp(&["connect", "--persist", TICK, "/late/r"]).await;
    assert!(!said.contains("Failure"), "{said}");
    let mut reader = stage.world.reader(&["/late/r"]);
    stage.tick_has_subscribers(1).await;
    stage.probe.tick.emit(&(5,));
    assert_eq!(reader.line().await, "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_037_envelopes_count_and_date() {
    let Some(stage) = Stage::start().await else { return };
    let mut reader = stage.world.reader(&["/e", "envelope"]);
    stage.world.wait_for_name("/e", true).await;
    let said = stage.world.yarp(&["connect", TICK, "/e"]).await;
    assert!(said.contains("Success"), "{said}");
    stage.tick_has_subscribers(1).await;
    let mut sequences = Vec::new();
    for number in 10..13 {
        stage.probe.tick.emit(&(number,));
        let envelope = reader.line().await;
        let [sequence, time] = envelope.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{envelope:?}") };
        sequences.push(sequence.parse::<u64>().unwrap());
        let time: f64 = time.parse().unwrap_or_else(|error| panic!("{envelope:?}: {error}"));
        assert!(time > 1.6e9, "{envelope}");
        assert_eq!(reader.line().await, number.to_string());
    }
    assert_eq!(sequences, [0, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_038_a_property_is_read_as_it_is_and_as_it_becomes() {
    let Some(stage) = Stage::start().await else { return };
    let mut reader = stage.world.reader(&["/g", "/qi/YarpProbe/gain:o"]);
    assert_eq!(reader.line().await, "2.5");
    assert_eq!(stage.rpc("set gain 7.0").await, "");
    assert_eq!(reader.line().await, "7.0");
    let mut second = stage.world.reader(&["/h", "/qi/YarpProbe/gain:o"]);
    assert_eq!(second.line().await, "7.0");
    stage.probe.gain.set(8.0).unwrap();
    assert_eq!((reader.line().await, second.line().await), ("8.0".to_owned(), "8.0".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_of_several_arguments_and_other_values_are_read() {
    let Some(stage) = Stage::start().await else { return };
    let mut alarm = stage.world.reader(&["/a", "/qi/YarpProbe/alarm:o"]);
    stage.world.wait_until_said(&["ping", "/qi/YarpProbe/alarm:o"], "to \"/a\"").await;
    eventually("a subscriber", async {
        while stage.probe.alarm.subscribers() == 0 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    stage.probe.alarm.emit(&("hot".to_owned(), 81.5));
    assert_eq!(alarm.line().await, "hot 81.5");
    let mut any = stage.world.reader(&["/b", "/qi/YarpProbe/any:o"]);
    assert_eq!(any.line().await, "(1 two (3.0))");
}
