//! YARP ports as services (YARP-050 to YARP-052).

use std::time::Duration;

use keyway::{Session, Value};
use keyway_bridge_yarp::{Carrier, Import, Options};
use keyway_tests::eventually;
use tokio::{io::AsyncWriteExt, time::sleep};

use crate::stage::Stage;

pub(crate) fn import(options: &mut Options, change: impl FnOnce(&mut Import)) {
    let service = "YarpArm".to_owned();
    let mut import = Import { service, rpc: None, subscribe: None, publish: None, carrier: Carrier::Tcp };
    change(&mut import);
    options.imports.push(import);
}

/// A client of the directory, like any other.
pub(crate) async fn client(stage: &Stage) -> Session {
    Session::connect(&stage.directory.urls()[0]).await.unwrap()
}

pub(crate) async fn connected(arm: &keyway::Proxy, wanted: bool) {
    eventually(&format!("connected: {wanted}"), async {
        while arm.get::<bool>("connected").await.unwrap() != wanted {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_051_what_a_port_sends_becomes_a_signal() {
    let Some(stage) = Stage::with(|options| import(options, |import| import.subscribe = Some("/w:o".to_owned()))).await
    else {
        return;
    };
    let client = client(&stage).await;
    let arm = eventually("the import", client.wait_for_service("YarpArm")).await.unwrap();
    let mut data = arm.signal::<(Vec<Value>,)>("data").await.unwrap();
    let mut stamped = arm.signal::<(Vec<Value>, String)>("stamped").await.unwrap();
    for carrier_round in 0..2 {
        let mut command = stage.world.command("yarp");
        command.args(["write", "/w:o"]).stdin(std::process::Stdio::piped());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut writer = command.spawn().unwrap();
        connected(&arm, true).await;
        let mut input = writer.stdin.take().unwrap();
        input.write_all(b"1 \"a b\" (2 3)\n").await.unwrap();
        let (values,) = eventually("a bottle", data.next()).await.unwrap().unwrap();
        assert_eq!(Value::from(values).to_string(), "[1,\"a b\",[2,3]]", "round {carrier_round}");
        let (values, envelope) = eventually("a bottle", stamped.next()).await.unwrap().unwrap();
        assert_eq!((values.len(), envelope.as_str()), (3, ""));
        let last: Vec<Value> = arm.get("last").await.unwrap();
        assert_eq!(last.len(), 3);
        // It comes back, and so does the connection.
        writer.kill().await.unwrap();
        connected(&arm, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_written_to_a_port() {
    let Some(stage) = Stage::with(|options| import(options, |import| import.publish = Some("/t:i".to_owned()))).await
    else {
        return;
    };
    let client = client(&stage).await;
    let arm = eventually("the import", client.wait_for_service("YarpArm")).await.unwrap();
    // An integer and a string are an order to `yarp read`.
    let send = async || arm.call::<()>("send", (vec![Value::from(2.5), Value::from("a b")],)).await;
    let error = send().await.unwrap_err().to_string();
    assert!(error.starts_with("yarp peer unavailable"), "{error}");
    for _ in 0..2 {
        let mut reader = stage.world.reader(&["/t:i"]);
        connected(&arm, true).await;
        send().await.unwrap();
        assert_eq!(reader.line().await, "2.5 \"a b\"");
        reader.kill().await;
        connected(&arm, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bridge_shows_is_not_imported() {
    let wrong = Options {
        imports: vec![Import {
            service: "Loop".to_owned(),
            rpc: Some("/qi/YarpProbe/rpc:i".to_owned()),
            subscribe: None,
            publish: None,
            carrier: Carrier::Tcp,
        }],
        ..Options::default()
    };
    let refused = wrong.check().unwrap_err().to_string();
    assert!(refused.contains("ports of the bridge are not imported"), "{refused}");
}
