//! Rules, imports and folders of definitions, with `roslibpy`.

use std::{fs, process::Stdio};

use keyway::{Session, value::Value};
use keyway_bridge_rosbridge::{
    Options, RosOptions,
    rules::{Import, Imported},
};
use keyway_tests::{
    eventually,
    nao::Nao,
    process::{Keyway, Running},
};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::{
    cases_python::roslibpy,
    stage::{Stage, options, run},
};

fn imported(name: &str, kind: &str, member: &str) -> Imported {
    let (name, member) = (name.to_owned(), member.to_owned());
    Imported { name, kind: kind.parse().unwrap(), member, timeout: None }
}

#[tokio::test]
async fn topics_and_services_of_clients_are_imported_with_types_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("lab_msgs/msg")).unwrap();
    fs::write(folder.path().join("lab_msgs/msg/Word.msg"), "string text # what is said\nfloat32 weight\n").unwrap();
    let import = Import {
        service: "RosLab".to_owned(),
        subscribe: vec![imported("/chatter", "lab_msgs/Word", "heard")],
        publish: vec![imported("/answers", "lab_msgs/Word", "answer")],
        call: vec![imported("/switch", "std_srvs/SetBool", "set")],
    };
    let paths = vec![folder.path().to_owned()];
    let stage = Stage::with(Options {
        ros: RosOptions { definition_paths: paths, imports: vec![import], ..RosOptions::default() },
        ..options()
    })
    .await;
    let session = Session::connect(&stage.directory).await.unwrap();
    let lab = eventually("the import", session.wait_for_service("RosLab")).await.unwrap();
    let switch = async |on: bool| lab.call_dynamic("set", vec![on.into()]).await.map_err(|error| error.to_string());
    assert_eq!(switch(true).await.unwrap_err(), "ros service /switch not available");

    let Some(mut command) = roslibpy() else { return };
    let command = command.args(["lab", stage.url.trim_start_matches("ws://")]).kill_on_drop(true);
    let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut answers = BufReader::new(client.stdout.take().unwrap()).lines();
    let on = eventually("the switch", async {
        loop {
            match switch(true).await {
                Ok(on) => return on,
                Err(error) => assert!(error.contains("not available"), "{error}"),
            }
        }
    })
    .await;
    assert_eq!(on.to_string(), r#"{"success":true,"message":"on"}"#);
    assert!(switch(false).await.unwrap_err().contains("\"message\":\"on\""), "it fails with what the client says");

    let mut heard = lab.signal::<Value>("heard").await.unwrap();
    let mut says = client.stdin.take().unwrap();
    for number in 0..200 {
        says.write_all(format!("word {number}\n").as_bytes()).await.unwrap();
    }
    for number in 0..200 {
        let event = eventually("a word", heard.next()).await.unwrap().unwrap();
        assert_eq!(event.to_string(), format!("[{{\"text\":\"word {number}\",\"weight\":0.5}}]"));
    }
    let last: Value = lab.get("last_heard").await.unwrap();
    assert_eq!(last.field("text").and_then(Value::as_str), Some("word 199"));

    lab.call_dynamic("answer", vec!["yes".into(), 1.5_f32.into()]).await.unwrap();
    let answer = eventually("an answer", answers.next_line()).await.unwrap().unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&answer).unwrap(), json!({ "text": "yes", "weight": 1.5 }));

    client.kill().await.unwrap();
    eventually("the client's end", async {
        while switch(true).await != Err("ros service /switch not available".to_owned()) {}
    })
    .await;
}

#[tokio::test]
async fn a_topic_that_a_rule_or_import_has_keeps_its_type() {
    let import = Import {
        service: "RosLab".to_owned(),
        subscribe: vec![imported("/chatter", "std_msgs/String", "heard")],
        publish: vec![imported("/answers", "std_msgs/String", "answer")],
        call: Vec::new(),
    };
    let stage =
        Stage::with(Options { ros: RosOptions { imports: vec![import], ..RosOptions::default() }, ..options() }).await;
    let mut client = stage.client().await;
    let mut refused = async |topic: &str, kind: &str| {
        client.send(&json!({ "op": "advertise", "topic": topic, "type": kind })).await;
        client.next().await["msg"].as_str().unwrap_or_default().to_owned()
    };
    let said = refused("/chatter", "std_msgs/Int32").await;
    assert_eq!(said, "/chatter is of the type std_msgs/String, not std_msgs/Int32");
    assert_eq!(refused("/answers", "std_msgs/String").await, "/answers is published by the bridge");
    // What is to be said is known, so it may be said without a word before.
    let session = Session::connect(&stage.directory).await.unwrap();
    let lab = eventually("the import", session.wait_for_service("RosLab")).await.unwrap();
    let mut heard = lab.signal::<Value>("heard").await.unwrap();
    client.send(&json!({ "op": "publish", "topic": "/chatter", "msg": { "data": "hello" } })).await;
    let event = eventually("a word", heard.next()).await.unwrap().unwrap();
    assert_eq!(event.to_string(), r#"[{"data":"hello"}]"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_of_nao_serves_clients_of_rosbridge_too() {
    let directory = keyway::Directory::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
    let robot = Nao::register(&directory.urls()[0]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nao-rosbridge.toml");
    let profile = include_str!("../../../third-party-bridges/examples/nao-ros.toml").replace("ros1", "rosbridge");
    fs::write(&file, profile).unwrap();
    let mut command = std::process::Command::new(Keyway::program());
    command.args(["bridge", "rosbridge", "--insecure", "--listen", "127.0.0.1:0", "--directory", &directory.urls()[0]]);
    let mut bridge = Running::start(command.arg("--config").arg(&file));
    let Some(seen) = run(&bridge.url, roslibpy().as_mut(), "nao").await else { return };
    assert_eq!(seen["joints"]["name"], json!(["HeadYaw", "HeadPitch", "LShoulderPitch"]));
    assert_eq!(seen["joints"]["position"], json!([0.5, -0.25, 0.0]));
    assert_eq!(seen["joints"]["header"]["frame_id"], "base_link");
    assert_eq!(seen["image"], json!([320, 240, "rgb8", 4 * 320 * 240]), "three bytes are four letters");
    assert_eq!(seen["battery"], json!([0.75, null]));
    eventually("the stop", async {
        while robot.done().last().is_none_or(|done| done != "stopMove") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let done = robot.done();
    assert!(["say hello", "move 0.5 0 0"].iter().all(|wanted| done.iter().any(|done| done == wanted)), "{done:?}");
    bridge.stop();
    assert!(robot.users().is_empty(), "{:?}", robot.users());
}
