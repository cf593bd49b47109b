//! What sessions leave in the audit log beside their calls.

use keyway::{Object, Session};
use keyway_gateway::Member;

use crate::stage::{Plan, Stage, soon, token_of, until};

const POLICY: &str = r#"
[[role]]
name = "maker"

[[rule]]
name = "makers make"
role = "maker"
service = "Made*"
allow = ["register", "say"]
"#;

fn made() -> keyway::ObjectBuilder {
    let mut builder = Object::builder();
    builder.method("say", |(text,): (String,)| text);
    builder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_come_go_and_are_refused_are_recorded() {
    let stage = Stage::new(Plan { users: &[("nao", "admin")], ..Plan::default() }).await;
    let impostor = Session::builder().credentials("nao", token_of("somebody else"));
    soon("the refusal", impostor.connect(&stage.door.urls()[0])).await.unwrap_err();
    let refused = stage.records("login", "refused").await;
    let [refused] = refused.as_slice() else { panic!("{refused:?}") };
    assert_eq!((refused.identity.as_str(), refused.code.as_str(), refused.role.as_str()), ("nao", "KW-A001", ""));
    assert!(refused.source.starts_with("tcp://127.0.0.1:") && refused.door == "qi", "{refused:?}");

    let client = stage.client("nao").await;
    let came = stage.records("login", "ok").await;
    assert_eq!((came.len(), came[0].identity.as_str(), came[0].role.as_str()), (1, "nao", "admin"));
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    client.close().await;
    let went = stage.records("logout", "ok").await;
    assert_eq!((went.len(), &went[0].session), (1, &came[0].session));
    assert!(went[0].duration_us >= 10_000, "{went:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_by_name_are_recorded_as_well() {
    let stage = Stage::new(Plan::default()).await;
    let member = Member::new("test", "7".to_owned(), "nao", "admin", "here".to_owned());
    let session = stage.gateway.session(member);
    assert_eq!(stage.records("login", "ok").await[0].door, "test");
    drop(session);
    assert_eq!(stage.records("logout", "ok").await[0].session, "7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_are_registered_refused_and_taken_back_are_recorded() {
    let stage = Stage::new(Plan { policy: POLICY, users: &[("geppetto", "maker")], ..Plan::default() }).await;
    let client = stage.client("geppetto").await;
    let first = soon("registering", client.register("MadeOne", made())).await.unwrap();
    soon("registering", client.register("MadeTwo", made())).await.unwrap();
    let taken = soon("the refusal", client.register("MadeOne", made())).await.unwrap_err().to_string();
    assert!(!taken.contains("KW-"), "{taken}");
    let refused = soon("the refusal", client.register("Robot2", made())).await.unwrap_err().to_string();
    assert!(refused.contains("KW-P008"), "{refused}");

    let names = |records: &[keyway_history::audit::Entry]| {
        records.iter().map(|record| format!("{} {}", record.service, record.identity)).collect::<Vec<_>>()
    };
    assert_eq!(names(&stage.records("register", "ok").await), ["MadeOne geppetto", "MadeTwo geppetto"]);
    assert_eq!(names(&stage.records("register", "error").await), ["MadeOne geppetto"]);
    assert_eq!(names(&stage.records("register", "KW-P008").await), ["Robot2 geppetto"]);

    soon("taking it back", client.unregister(first)).await.unwrap();
    assert_eq!(names(&stage.records("unregister", "ok").await), ["MadeOne geppetto"]);
    client.close().await;
    until("the other has left with its host", || {
        let gone = |record: &keyway_history::audit::Entry| record.kind == "unregister" && record.service == "MadeTwo";
        stage.audited().iter().any(gone)
    })
    .await;
}
