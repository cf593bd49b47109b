//! Clients that leave, and take their services along.

use keyway::{Object, Session};

use crate::stage::{Plan, Stage, soon, until};

async fn lists(session: &Session, name: &str) -> bool {
    soon("the services", session.services()).await.unwrap().iter().any(|info| info.name == *name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_of_a_client_that_has_left_are_gone_for_others_before_the_directory_says_so() {
    let stage = Stage::new(Plan { users: &[("nao", "admin")], ..Plan::default() }).await;
    let (host, other) = (stage.client("nao").await, stage.client("nao").await);
    let mut builder = Object::builder();
    builder.method("twice", |(n,): (i32,)| 2 * n);
    host.register("Made", builder).await.unwrap();
    assert!(lists(&other, "Made").await);

    stage.valve.shut(true);
    host.close().await;
    until("the client has left", || stage.gateway.snapshot().sessions.values().sum::<usize>() == 1).await;
    assert!(!lists(&other, "Made").await);
    let error = soon("the answer", other.service("Made")).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("Cannot find service"), "{error}");

    // It hears of it later.
    let inside = Session::connect(&stage.directory.urls()[0]).await.unwrap();
    let leaving = async {
        while lists(&inside, "Made").await {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    soon("it leaves the directory", leaving).await;
    stage.valve.shut(false);
    assert!(!lists(&other, "Made").await);
}
