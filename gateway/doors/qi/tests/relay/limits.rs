//! What a session may take: it is the same for services inside, for those that this process serves, and for service 1.

use std::{sync::Arc, time::Duration};

use keyway::{Object, Session};
use keyway_gateway::LeaseRule;

use crate::stage::{Plan, Stage, soon, until};

const USERS: &[(&str, &str)] = &[("nao", "admin"), ("pepper", "admin"), ("romeo", "seldom")];

const POLICY: &str = r#"
[[role]]
name = "seldom"

[[rule]]
name = "seldom"
role = "seldom"
service = "*"
allow = ["say"]
rate = "1/h"

[[role]]
name = "parent"

[[rule]]
role = "parent"
service = "Robot"
allow = ["child"]
objects = "allow"
"#;

fn plan(shared: bool) -> Plan<'static> {
    Plan { shared, users: USERS, policy: POLICY, ..Plan::default() }
}

/// A call of service 1.
async fn machine_id(session: &Session) -> Result<(), String> {
    soon("the machine's id", session.machine_id()).await.map(drop).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_service_1_count_for_the_pace_and_refusals_are_recorded() {
    let stage = Stage::with(plan(false), |rules| rules.limits.calls_per_second = Some(5)).await;
    let client = stage.client("nao").await;
    let mut refused = Vec::new();
    for _ in 0..50 {
        refused.extend(machine_id(&client).await.err());
    }
    assert!(!refused.is_empty(), "fifty calls in a moment");
    assert!(refused.iter().all(|text| text.contains("KW-G002")), "{refused:?}");
    let records = stage.records("call", "KW-G002").await;
    assert_eq!(records.len(), refused.len());
    assert_eq!((records[0].service.as_str(), records[0].member.as_str()), ("ServiceDirectory", "machineId"));
    assert_eq!(stage.gateway.snapshot().refused["KW-G002"], refused.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_waits_counts_for_the_pace_once() {
    let plan = Plan { users: &[("mother", "parent")], policy: POLICY, ..Plan::default() };
    // As many as this client sends in all: the SDK sends six until it has a service.
    let stage = Stage::with(plan, |rules| rules.limits.calls_per_second = Some(8)).await;
    let session = stage.client("mother").await;
    let robot = soon("the service", session.service("Robot")).await.unwrap();
    let child: Object = soon("the child", robot.call("child", ())).await.unwrap();
    // What may be done with the child has to be found out first.
    assert_eq!(soon("who", child.proxy().call::<String>("who", ())).await.unwrap(), "child");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_under_way_are_limited_wherever_they_are_served_and_recorded_when_they_are_answered() {
    for shared in [false, true] {
        let stage = Stage::with(plan(shared), |rules| rules.limits.calls_in_flight = 2).await;
        let (session, robot) = stage.robot_as("nao").await;
        let running = [robot.call::<()>("slow", ()), robot.call::<()>("slow", ())];
        until("both run", || stage.gateway.snapshot().traffic.in_flight == 2).await;
        let refused = soon("the refusal", robot.call::<String>("say", ("x",))).await.unwrap_err().to_string();
        assert!(refused.contains("KW-G001"), "{shared}: {refused}");
        let refused = machine_id(&session).await.unwrap_err();
        assert!(refused.contains("KW-G001"), "{shared}: {refused}");
        assert_eq!(stage.records("call", "KW-G001").await.len(), 2);
        assert!(stage.audited().iter().all(|record| record.member != "slow"), "{shared}: they have no outcome yet");

        tokio::time::sleep(Duration::from_millis(20)).await;
        stage.robot.release.add_permits(2);
        for call in running {
            soon("the answer", call).await.unwrap();
        }
        assert_eq!(stage.gateway.snapshot().traffic.in_flight, 0);
        machine_id(&session).await.unwrap();
        let broken = soon("the error", robot.call::<()>("break", ())).await.unwrap_err().to_string();
        assert!(broken.contains("it broke"), "{shared}: {broken}");
        let records = stage.records("call", "ok").await;
        let slow: Vec<_> = records.iter().filter(|record| record.member == "slow").collect();
        assert_eq!(slow.len(), 2);
        assert!(slow.iter().all(|record| record.duration_us >= 20_000), "{shared}: {slow:?}");
        let broken = stage.records("call", "error").await;
        assert!(broken.iter().any(|record| record.member == "break"), "{shared}: {broken:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_ends_waits_for_calls_that_it_serves_itself_and_begins_none_of_service_1() {
    for shared in [false, true] {
        let stage = Arc::new(Stage::new(plan(shared)).await);
        let (session, robot) = stage.robot_as("nao").await;
        let running = robot.call::<()>("slow", ());
        until("it runs", || stage.gateway.snapshot().traffic.in_flight == 1).await;
        let draining = tokio::spawn({
            let gateway = stage.gateway.clone();
            async move { gateway.drain().await }
        });
        until("it ends", || stage.gateway.is_draining()).await;
        let refused = machine_id(&session).await.unwrap_err();
        assert!(refused.contains("KW-O001"), "{shared}: {refused}");
        assert!(!draining.is_finished(), "{shared}: a call runs");
        stage.robot.release.add_permits(1);
        soon("the answer", running).await.unwrap();
        soon("the end", draining).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_too_often_does_not_get_the_lease_of_the_service() {
    for shared in [false, true] {
        let lease = LeaseRule { service: "Robot".to_owned(), on_loss: None, idle: Duration::from_secs(3600) };
        let stage = Stage::with(plan(shared), |rules| rules.leases = vec![lease]).await;
        let mut builder = Object::builder();
        builder.method("say", |(text,): (String,)| text);
        stage.robot.session.register("Other", builder).await.unwrap();

        let (romeo, robot) = stage.robot_as("romeo").await;
        let other = soon("the service", romeo.wait_for_service("Other")).await.unwrap();
        let _: String = soon("the first", other.call("say", ("x",))).await.unwrap();
        let refused = soon("the second", robot.call::<String>("say", ("x",))).await.unwrap_err().to_string();
        assert!(refused.contains("KW-P005"), "{shared}: {refused}");

        let (_session, robot) = stage.robot_as("nao").await;
        let _: String = soon("the lease", robot.call("say", ("x",))).await.unwrap();
        let (_session, robot) = stage.robot_as("pepper").await;
        let refused = soon("the refusal", robot.call::<String>("say", ("x",))).await.unwrap_err().to_string();
        assert!(refused.contains("KW-L001: Robot is leased to nao"), "{shared}: {refused}");
    }
}
