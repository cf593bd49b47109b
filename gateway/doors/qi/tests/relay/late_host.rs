//! Hosts that say of a service that it is ready before they serve it, as libqi does: its server takes the object in a moment later.

use std::time::Duration;

use keyway::{Object, Session};

use crate::{
    lone_host::LoneHost,
    stage::{Plan, Stage, soon},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_service_that_is_ready_before_it_can_be_called_is_callable_from_both_sides_when_it_can() {
    for shared in [false, true] {
        let stage = Stage::new(Plan { users: &[("nao", "admin")], shared, ..Plan::default() }).await;
        let host = stage.client("nao").await;
        let mut builder = Object::builder();
        builder.method("twice", |(n,): (i32,)| 2 * n);
        let object = builder.build();
        let id = soon("the id", host.reserve("Late", Some(object.uid()))).await.unwrap();
        let take_in = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            host.offer(id, "Late", object.clone());
        };
        let (announced, ()) = tokio::join!(soon("the announcement", host.announce(id)), take_in);
        announced.unwrap();

        let inside = Session::connect(&stage.directory.urls()[0]).await.unwrap();
        for caller in [inside, stage.client("nao").await] {
            let late = soon("the service", caller.wait_for_service("Late")).await.unwrap();
            assert_eq!(soon("the answer", late.call::<i32>("twice", (21,))).await.unwrap(), 42, "shared: {shared}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_inside_that_is_ready_before_it_can_be_called_is_callable_from_outside_when_it_can() {
    for shared in [false, true] {
        let stage = Stage::new(Plan { users: &[("nao", "admin")], shared, ..Plan::default() }).await;
        let client = stage.client("nao").await;
        let mut builder = Object::builder();
        builder.method("twice", |(n,): (i32,)| 2 * n);
        let host = LoneHost::register(&stage.directory, "Late", builder.build()).await;
        host.be_late(true);
        let take_in = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            host.be_late(false);
        };
        let (late, ()) = tokio::join!(soon("the service", client.wait_for_service("Late")), take_in);
        assert_eq!(
            soon("the answer", late.unwrap().call::<i32>("twice", (21,))).await.unwrap(),
            42,
            "shared: {shared}"
        );
    }
}
