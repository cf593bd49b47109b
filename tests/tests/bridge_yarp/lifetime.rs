//! What comes, goes and comes back (YARP-040 to YARP-043).

use std::{sync::atomic::Ordering, time::Duration};

use keyway::Session;
use keyway_tests::{eventually, yarp::World};
use tokio::time::sleep;

use crate::stage::{R, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn yarp_040_a_cleaning_removes_no_port_of_the_bridge() {
    let Some(stage) = Stage::start().await else { return };
    let before = stage.world.names("/qi").await;
    stage.world.yarp(&["clean", "--timeout", "1"]).await;
    assert_eq!(stage.world.names("/qi").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_042_ports_come_back_with_the_name_server() {
    let Some(mut stage) = Stage::start().await else { return };
    let before = stage.world.names("/qi").await;
    stage.world.stop_server().await;
    stage.world.start_server().await;
    eventually("all ports are back", async {
        while stage.world.names("/qi").await != before {
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    assert_eq!(stage.rpc("add 1 2").await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_registered_as_soon_as_there_is_a_name_server() {
    let Some(world) = World::without_server() else { return };
    let mut stage = Stage::in_world(world, |_| ()).await;
    stage.world.start_server().await;
    stage.world.wait_for_name(R, true).await;
    assert_eq!(stage.rpc("add 1 2").await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_043_a_name_that_is_alive_is_left_alone() {
    let Some(world) = World::start().await else { return };
    let mut foreign = world.reader(&[R]);
    world.wait_for_name(R, true).await;
    let stage = Stage::in_world(world, |_| ()).await;
    let names = stage.world.names("/qi/YarpProbe").await;
    assert_eq!(names.len(), 6, "{names:?}");
    // It is still the other's.
    stage.world.run(&["write", "/w", R], "mine\n").await;
    assert_eq!(foreign.line().await, "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_whose_owner_is_dead_is_taken_over() {
    let Some(world) = World::start().await else { return };
    let mut foreign = world.reader(&[R]);
    world.wait_for_name(R, true).await;
    foreign.kill().await;
    assert!(world.names(R).await.len() == 1, "name servers forget nothing");
    let stage = Stage::in_world(world, |_| ()).await;
    assert_eq!(stage.rpc("add 1 2").await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_come_and_go_with_their_service() {
    let Some(stage) = Stage::start().await else { return };
    let call = stage.rpc("slow 60000");
    let leave = async {
        eventually("the call runs", async {
            while stage.probe.slow_calls.load(Ordering::Relaxed) == 0 {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        stage.host.close().await;
    };
    let (response, ()) = tokio::join!(call, leave);
    assert_eq!(response, "[fail] \"service gone\"");
    stage.world.wait_for_name(R, false).await;
    assert_eq!(stage.world.names("/qi").await.len(), 2);
    let host = Session::connect(&stage.directory.urls()[0]).await.unwrap();
    host.register("YarpProbe", stage.probe.object()).await.unwrap();
    stage.world.wait_for_name(R, true).await;
    assert_eq!(stage.rpc("add 1 2").await, "3");
}
