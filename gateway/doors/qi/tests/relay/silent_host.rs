//! Service hosts that take connections and say nothing on them.

use std::time::Duration;

use keyway::{Object, Session};

use crate::{
    lone_host::LoneHost,
    stage::{Plan, Stage, soon},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_to_a_host_that_never_answers_the_handshake_fail_and_the_next_one_dials_anew() {
    let inside = Session::builder().connect_timeout(Duration::from_secs(2));
    let stage = Stage::new(Plan { users: &[("nao", "admin")], inside, ..Plan::default() }).await;
    let mut builder = Object::builder();
    builder.method("twice", |(n,): (i32,)| 2 * n);
    let host = LoneHost::register(&stage.directory, "Mute", builder.build()).await;

    // The gateway asks for the members over a connection of its own, and the client for them over its leg.
    let client = stage.client("nao").await;
    let mute = soon("the service", client.wait_for_service("Mute")).await.unwrap();
    assert_eq!(soon("the answer", mute.call::<i32>("twice", (21,))).await.unwrap(), 42);

    host.be_silent(true);
    let other = stage.client("nao").await;
    let Err(error) = soon("the refusal", other.service("Mute")).await else { panic!("the host was silent") };
    let text = error.to_string();
    assert!(text.contains("KW-G005") && text.contains("said nothing for 2 s"), "{text}");
    assert_eq!(stage.gateway.snapshot().traffic.in_flight, 0);

    host.be_silent(false);
    let mute = soon("the service", other.service("Mute")).await.unwrap();
    assert_eq!(soon("the answer", mute.call::<i32>("twice", (4,))).await.unwrap(), 8);
}
