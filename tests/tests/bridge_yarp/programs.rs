//! Programs made with YARP's own library: how fast calls are, and clients of `yarpidl_thrift` (YARP-050, 052, 061 to 063). The
//! Python binding of the specification is the same library, behind a Python that few have.

use std::process::Stdio;

use keyway::Value;
use keyway_bridge_yarp::Carrier;
use keyway_tests::{eventually, yarp::Reader};

use crate::{
    imports::{client, connected, import},
    stage::{R, Stage},
};

/// What the program writes.
async fn run(stage: &Stage, arguments: &[&str]) -> String {
    let mut command = stage.world.probe(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let output = eventually("the program", command.output()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?} ended with {}: {text}", output.status);
    // YARP's own remarks are there, too.
    text.lines().filter(|line| !line.contains("|yarp.")).map(|line| format!("{line}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_050_a_port_that_answers_becomes_a_service() {
    let Some(stage) = Stage::with(|options| {
        import(options, |import| import.rpc = Some("/thr/server".to_owned()));
    })
    .await
    else {
        return;
    };
    let mut server = Reader::start(stage.world.probe(&["serve", "/thr/server"]));
    assert_eq!(server.line().await, "ready");
    let client = client(&stage).await;
    let arm = eventually("the import", client.wait_for_service("YarpArm")).await.unwrap();
    connected(&arm, true).await;
    let none: Vec<Value> = Vec::new();
    let answer: Vec<Value> = arm.call("call", ("get answer".to_owned(), none.clone())).await.unwrap();
    assert_eq!(answer, [Value::from(42)]);
    let line: String = arm.call("rpc", ("pt 3 4.0".to_owned(),)).await.unwrap();
    assert_eq!(line, "3 4.0");
    let arguments = vec![Value::from(1), Value::from(2.0)];
    let less: Vec<Value> = arm.call("call", ("start".to_owned(), arguments)).await.unwrap();
    // What its servers say for true; words become text.
    assert_eq!(less, [Value::from("ok")]);
    let error = arm.call::<String>("rpc", ("(1".to_owned(),)).await.unwrap_err().to_string();
    assert!(error.starts_with("malformed"), "{error}");
    // The server is one of YARP's, and says what it says.
    let refused = arm.call::<Vec<Value>>("call", ("nonsense".to_owned(), none)).await;
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_052_a_port_that_dies_is_found_again() {
    let Some(stage) = Stage::with(|options| {
        import(options, |import| {
            import.rpc = Some("/thr/server".to_owned());
            import.carrier = Carrier::FastTcp;
        });
    })
    .await
    else {
        return;
    };
    let client = client(&stage).await;
    let arm = eventually("the import", client.wait_for_service("YarpArm")).await.unwrap();
    let call = async || arm.call::<Vec<Value>>("call", ("get answer".to_owned(), Vec::<Value>::new())).await;
    for _ in 0..2 {
        let mut server = Reader::start(stage.world.probe(&["serve", "/thr/server"]));
        assert_eq!(server.line().await, "ready");
        connected(&arm, true).await;
        assert_eq!(call().await.unwrap(), [Value::from(42)]);
        server.kill().await;
        connected(&arm, false).await;
        let error = call().await.unwrap_err().to_string();
        assert!(error.starts_with("yarp peer unavailable"), "{error}");
    }
    // Whoever calls finds a server that is back, without waiting for the next attempt.
    let mut server = Reader::start(stage.world.probe(&["serve", "/thr/server"]));
    assert_eq!(server.line().await, "ready");
    assert_eq!(call().await.unwrap(), [Value::from(42)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_061_calls_one_after_the_other_are_answered_without_delay() {
    let Some(stage) = Stage::start().await else { return };
    let times = run(&stage, &["latency", R, "2000"]).await;
    let times: Vec<u64> = times.split_whitespace().map(|time| time.parse().unwrap()).collect();
    println!("p50 and p99 in microseconds: {times:?}");
    // Acknowledgements that wait for each other take 40 ms; what a busy machine takes is no matter here, and measured elsewhere.
    assert!(times[0] < 20_000, "{times:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_062_slow_calls_do_not_hold_up_others() {
    let Some(stage) = Stage::start().await else { return };
    let time: u64 = run(&stage, &["parallel", R]).await.trim().parse().unwrap();
    println!("{time} microseconds");
    // The slow ones take 800 ms more.
    assert!(time < 500_000, "{time}");
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_063_clients_of_yarpidl_thrift_get_what_they_expect() {
    let Some(stage) = Stage::start().await else { return };
    let expected =
        "get_answer 42\ndo_it\nfire\nstart 1 0\nvals 1.5 2.5\npt 3 4.5\nm a=1 b=2\necho Zoé and \"others\"\n";
    assert_eq!(run(&stage, &["thrift", R]).await, expected);
}
