//! Reloads that take something away: sessions and subscriptions end, and nobody else notices.

use keyway::SignalStream;
use keyway_auth::{Secret, Source, token};
use keyway_gateway::{
    Departure, Gateway, Judged, Member, Origin, Rules, Shown,
    client::{ClientSession, Delivery, Overflow},
};

use crate::stage::{Plan, Stage, rules, rules_with, soon, token_of, until};

/// What listeners may do, and that the other roles are there.
fn policy(allowed: &str) -> String {
    format!(
        "[[role]]\nname = \"listener\"\n[[rule]]\nrole = \"listener\"\nservice = \"Robot\"\nallow = [{allowed}]\n\
         [[role]]\nname = \"other\"\n"
    )
}

const MAY_HEAR: &str = "\"say\", \"subscribe:said\"";
const MAY_SAY: &str = "\"say\"";
const USERS: &[(&str, &str)] = &[("ear", "listener"), ("nao", "admin")];

/// Rules under which `ear` is nobody, somebody else, or has another token.
fn without_ear() -> [Rules; 3] {
    let changed = &[("ear", "other"), ("nao", "admin")];
    let hash = token::hash(&Secret::new("another token".to_owned()));
    let replaced = format!("[[user]]\nname = \"ear\"\nrole = \"listener\"\ntoken_hash = \"{hash}\"\n");
    let policy = policy(MAY_HEAR);
    [rules(&policy, &USERS[1..]), rules(&policy, changed), rules_with(&policy, &USERS[1..], &replaced)]
}

async fn stage(shared: bool) -> Stage {
    let policy = policy(MAY_HEAR);
    Stage::new(Plan { shared, policy: &policy, users: USERS, ..Plan::default() }).await
}

fn departed(gateway: &Gateway, why: Departure) -> u64 {
    gateway.snapshot().departures.into_iter().filter(|(departure, _)| *departure == why).map(|(_, count)| count).sum()
}

async fn heard(stage: &Stage, events: &mut SignalStream<(String,)>, text: &str) {
    stage.robot.said.emit(&(text.to_owned(),));
    assert_eq!(soon("the event", events.next()).await.unwrap().unwrap().0, text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_is_removed_or_has_another_role_or_token_is_disconnected_and_others_are_not() {
    for without in without_ear() {
        let stage = stage(false).await;
        let (nao, _) = stage.robot_as("nao").await;
        let (ear, robot) = stage.robot_as("ear").await;
        stage.gateway.reload(rules(&policy(MAY_HEAR), USERS));
        let _: String = soon("the answer", robot.call("say", ("still here",))).await.unwrap();
        stage.gateway.reload(without);
        soon("the end", ear.disconnected()).await;
        until("it is noted", || departed(&stage.gateway, Departure::Revoked) == 1).await;
        let ended = stage.records("logout", "KW-O002").await;
        assert_eq!((ended.len(), ended[0].identity.as_str()), (1, "ear"));
        soon("the other", nao.machine_id()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_ends_when_its_role_may_not_hear_the_signal_any_more() {
    for shared in [false, true] {
        let stage = stage(shared).await;
        let (_nao, all) = stage.robot_as("nao").await;
        let mut unlimited = all.signal::<(String,)>("said").await.unwrap();
        let (_ear, robot) = stage.robot_as("ear").await;
        let mut events = robot.signal::<(String,)>("said").await.unwrap();
        heard(&stage, &mut events, "before").await;
        stage.gateway.reload(rules(&policy(MAY_SAY), USERS));
        let ended = stage.records("unsubscribe", "refused").await;
        assert_eq!((ended.len(), ended[0].member.as_str(), ended[0].code.as_str()), (1, "said", "KW-P001"), "{shared}");
        stage.robot.said.emit(&("secret".to_owned(),));
        // Events and answers come by the same way, so that nothing is on it any more.
        let _: String = soon("the answer", robot.call("say", ("x",))).await.unwrap();
        assert!(futures_util::FutureExt::now_or_never(events.next()).is_none(), "{shared}: it still hears");
        assert_eq!(soon("the event", unlimited.next()).await.unwrap().unwrap().0, "before");
        assert_eq!(soon("the event", unlimited.next()).await.unwrap().unwrap().0, "secret", "{shared}: others hear on");
        drop(events);

        stage.gateway.reload(rules(&policy(MAY_HEAR), USERS));
        let (_ear, robot) = stage.robot_as("ear").await;
        let mut events = robot.signal::<(String,)>("said").await.unwrap();
        heard(&stage, &mut events, "after").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_subscription_was_ended_may_have_it_again_when_the_rules_say_so() {
    for shared in [false, true] {
        let stage = stage(shared).await;
        let (_ear, robot) = stage.robot_as("ear").await;
        let mut events = robot.signal::<(String,)>("said").await.unwrap();
        heard(&stage, &mut events, "before").await;
        stage.gateway.reload(rules(&policy(MAY_SAY), USERS));
        stage.records("unsubscribe", "KW-P001").await;
        stage.robot.said.emit(&("secret".to_owned(),));
        let _: String = soon("the answer", robot.call("say", ("x",))).await.unwrap();
        stage.gateway.reload(rules(&policy(MAY_HEAR), USERS));
        drop(events);
        // On the connection that was cut off before.
        let mut events = soon("subscribing", robot.signal::<(String,)>("said")).await.unwrap();
        heard(&stage, &mut events, "after").await;
    }
}

/// A session by name of somebody who shows something.
async fn by_name(gateway: &Gateway, shown: Shown) -> ClientSession {
    let origin = Origin { door: "test", session: String::new(), address: "here".to_owned(), source: Source::Local };
    match gateway.authenticate(&origin, shown).await {
        Judged::Accepted { identity, role, footing } => {
            let member = Member::new("test", "1".to_owned(), &identity.name, &role, "here".to_owned());
            gateway.session(member.standing_on(footing))
        }
        Judged::Refused { reason, .. } => panic!("{reason}"),
    }
}

fn ear() -> Shown {
    Shown::Named { user: "ear".to_owned(), secret: Secret::new(token_of("ear")) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_by_name_end_with_their_user_and_their_subscriptions_with_the_right_to_hear() {
    for without in without_ear() {
        let stage = stage(false).await;
        let session = by_name(&stage.gateway, ear()).await;
        let robot = soon("the service", session.service("Robot")).await.unwrap();
        let said = keyway_value::ActionId(robot.signal("said").unwrap().uid);
        let mut events = session.subscribe(&robot, said, Some(Overflow::DropOldest), None).await.unwrap();
        stage.robot.said.emit(&("before".to_owned(),));
        assert!(matches!(soon("the event", events.next()).await, Some(Ok(Delivery::Event(_)))));
        stage.gateway.reload(rules(&policy(MAY_SAY), USERS));
        stage.robot.said.emit(&("secret".to_owned(),));
        let Some(Err(ended)) = soon("the end", events.next()).await else { panic!("it goes on") };
        assert_eq!(ended.code(), "KW-P001");
        drop(events);
        let ends: Vec<_> = stage.audited().into_iter().filter(|record| record.kind == "unsubscribe").collect();
        assert_eq!((ends.len(), ends[0].code.as_str()), (1, "KW-P001"));
        assert!(!session.is_over());

        stage.gateway.reload(rules(&policy(MAY_HEAR), USERS));
        let robot = soon("the service", session.service("Robot")).await.unwrap();
        let mut events = session.subscribe(&robot, said, Some(Overflow::DropOldest), None).await.unwrap();
        stage.gateway.reload(without);
        assert!(session.is_over());
        let Some(Err(ended)) = soon("the end", events.next()).await else { panic!("it goes on") };
        assert_eq!(ended.code(), "KW-O002");
        assert_eq!(soon("the refusal", session.service("Robot")).await.unwrap_err().code(), "KW-O002");
        assert_eq!(session.get(&robot, said).await.unwrap_err().code(), "KW-O002");
        assert_eq!(departed(&stage.gateway, Departure::Revoked), 1);
        assert_eq!(stage.records("logout", "KW-O002").await[0].identity, "ear");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_for_which_rules_give_another_role_ends_the_session() {
    let stage = stage(false).await;
    let certificate = |role: &str| format!("[[certificate]]\nsubject = \"CN=ear*\"\nrole = \"{role}\"\n");
    let with = |role: &str| rules_with(&policy(MAY_HEAR), USERS, &certificate(role));
    stage.gateway.reload(with("listener"));
    let shown = || Shown::Certificate { subject: "CN=ear 1".to_owned(), sans: Vec::new() };
    let session = by_name(&stage.gateway, shown()).await;
    stage.gateway.reload(with("listener"));
    assert!(!session.is_over());
    stage.gateway.reload(with("other"));
    assert!(session.is_over());
    assert_eq!(&*by_name(&stage.gateway, shown()).await.member().role, "other");
}
