//! A role that may only `ALTextToSpeech.say`.

use std::process::Output;

use bytes::Bytes;
use keyway_tests::{
    eventually,
    process::Keyway,
    raw::{Address, Raw, payload, text_of},
};
use keyway_value::{ServiceInfo, Value};
use keyway_wire::{Flags, MessageKind};

use crate::{Stage, UPSTREAMS};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libqi_as_a_guest_can_say_and_sees_nothing_else() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let mut guest = stage.libqi("guest").await;
        assert_eq!(guest.run("names(outside)").await, serde_json::json!(["ServiceDirectory", "ALTextToSpeech"]));
        assert_eq!(guest.run("speech = outside.service('ALTextToSpeech')\ndo(speech.say, 'hello')").await, "hello");
        let missing = guest.run("refused(outside.service, 'ALMotion')").await;
        assert!(missing.as_str().is_some_and(|text| text.contains("Cannot find service 'ALMotion'")), "{missing}");
        let shown = "meta = speech.metaObject()\n[sorted(m['name'] for i, m in meta['methods'].items() if i >= 100), \
                     len(meta['signals']), len(meta['properties'])]";
        let shown = guest.run(shown).await;
        assert_eq!((&shown[0], &shown[2]), (&serde_json::json!(["say"]), &serde_json::json!(0)), "{shown}");
        // The host's own clients see all.
        assert_eq!(stage.robot.run("do(speaker.shout, 'x')").await, "x");
        assert_eq!(stage.done().await, ["say hello", "shout x"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_is_not_told_of_services_that_come_and_go_unseen() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let mut guest = stage.libqi("guest").await;
        guest
            .run(
                "told = []\ndirectory = outside.service('ServiceDirectory')\n\
                 links = [directory.serviceAdded.connect(lambda i, name: told.append('+' + name)),\n\
                 directory.serviceRemoved.connect(lambda i, name: told.append('-' + name))]",
            )
            .await;
        // The last to leave is one that the guest sees: then all the others have left.
        stage
            .robot
            .run(
                "ids = [robot.registerService(n, Motion()) for n in ['ALOne', 'ALTwo']]\n\
                 [robot.unregisterService(i) for i in ids + [speech_id]]",
            )
            .await;
        assert_eq!(guest.run("until(lambda: told) and told").await, serde_json::json!(["-ALTextToSpeech"]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_else_a_guest_calls_is_refused_by_code_and_rule_and_is_in_the_audit_log() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let mut guest = stage.raw("guest").await;
        let text = payload(&("x",));
        let (speech, motion) = (stage.speech("say").0, stage.motion("moveTo").0);
        let (signal, volume) = (stage.speech("textDone").2, stage.speech("volume").2);
        let of = |action| (speech, 1, action);
        let mut calls: Vec<(Address, Bytes, &str)> = vec![
            (stage.speech("shout"), text.clone(), "KW-P002"),
            (stage.speech("make"), Bytes::new(), "KW-P001"),
            (stage.speech("slow"), Bytes::new(), "KW-P001"),
            (stage.speech("textDone"), text.clone(), "KW-P"),
            (of(4711), Bytes::new(), "KW-P006"),
            // property, by name and by id
            (of(5), payload(&(Value::from("volume"),)), "KW-P001"),
            (of(5), payload(&(Value::UInt32(volume),)), "KW-P001"),
            (of(5), payload(&(Value::from("nothing"),)), "KW-P006"),
            (of(6), payload(&(Value::from("volume"), Value::Int32(9))), "KW-P001"),
            (of(6), payload(&(Value::UInt32(volume), Value::Int32(9))), "KW-P001"),
            // registerEvent and registerEventWithSignature
            (of(0), payload(&(speech, signal, 7_u64)), "KW-P001"),
            (of(0), payload(&(speech, volume, 7_u64)), "KW-P001"),
            (of(0), payload(&(speech, 86_u32, 7_u64)), "KW-P009"),
            (of(8), payload(&(speech, signal, 7_u64, "(m)")), "KW-P001"),
            (of(8), payload(&(speech, 86_u32, 7_u64, "(m)")), "KW-P009"),
            (stage.motion("moveTo"), payload(&(1.0_f32,)), "KW-P"),
            ((motion, 1, 2), payload(&(0_u32,)), "KW-P007"),
            ((motion, 1, 5), payload(&(Value::from("x"),)), "KW-P007"),
        ];
        calls.extend((80..=85).map(|action| (of(action), Bytes::new(), "KW-P009")));
        calls.extend((80..=85).map(|action| ((1, 1, action), Bytes::new(), "KW-P007")));
        calls.push(((1, 1, 0), payload(&(1_u32, 86_u32, 7_u64)), "KW-P007"));
        calls.push(((1, 1, 8), payload(&(1_u32, 86_u32, 7_u64, "(m)")), "KW-P007"));
        for (address, arguments, code) in &calls {
            let refusal = guest.refused(*address, arguments.clone()).await;
            assert!(refusal.contains(code) && refusal.contains("guest"), "{upstream}, {address:?}: {refusal}");
        }
        let refusal = guest.refused(stage.speech("shout"), text.clone()).await;
        assert!(refusal.contains("no shouting"), "{refusal}");
        let names: Vec<String> = guest.call_typed(of(7), &()).await;
        assert!(names.is_empty(), "{names:?}");
        assert_eq!(stage.done().await, Vec::<String>::new());
        assert_eq!(stage.robot.run("[heard, speech.volume.value()]").await, serde_json::json!([[], 30]));
        drop(guest);
        let records = audited(&mut stage, &["--identity", "guest", "--outcome", "refused"]);
        let about = |member: &str, code: &str| {
            records.iter().any(|record| record["member"] == member && record.to_string().contains(code))
        };
        assert!(about("shout", "KW-P002") && about("make", "KW-P001") && about("textDone", "KW-P001"), "{records:#?}");
        assert!(about("volume", "KW-P001") && about("moveTo", "KW-P"), "{records:#?}");
        let of_directory = records.iter().filter(|record| record["service"] == "ServiceDirectory").count();
        assert!(of_directory >= 8, "what was refused of service 1: {of_directory}");
        assert!(records.len() >= calls.len(), "{} records of {} refusals", records.len(), calls.len());
    }
}

/// Ends the gateway, verifies its log, and finds records in it.
fn audited(stage: &mut Stage, filter: &[&str]) -> Vec<serde_json::Value> {
    stage.gateway.process.stop();
    let folder = stage.gateway.folder().join("audit").display().to_string();
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let verified = Keyway::run(&["audit", "verify", &folder]);
    assert!(verified.status.success(), "{}", said(&verified));
    let found = Keyway::run(&[&["audit", "grep", "--json"], filter, &[&folder]].concat());
    assert!(found.status.success(), "{}", said(&found));
    String::from_utf8_lossy(&found.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_to_traces_in_other_types_is_refused_as_well() {
    for upstream in UPSTREAMS {
        let Some(stage) = Stage::new(upstream).await else { return };
        let mut guest = stage.raw("guest").await;
        for (service, code) in [(1, "KW-P007"), (stage.speech("say").0, "KW-P009")] {
            let arguments = Value::tuple(vec![Value::UInt32(service), Value::Int64(86), Value::Int64(7)]);
            let mut frame = guest.frame(MessageKind::Call, (service, 1, 0), payload(&arguments));
            frame.header.flags = Flags::DYNAMIC_PAYLOAD;
            guest.send_bytes(&frame.to_bytes()).await;
            let answer = guest.answer(frame.header.id).await;
            assert!(text_of(&answer).contains(code), "{service}: {}", text_of(&answer));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_of_a_guest_do_what_it_may_call_and_nothing_else() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let mut guest = stage.raw("guest").await;
        let speech = stage.speech("say").0;
        let posts = [
            (stage.speech("shout"), payload(&("no",))),
            (stage.speech("make"), Bytes::new()),
            (stage.speech("textDone"), payload(&("forged",))),
            (stage.speech("volume"), payload(&(9_i32,))),
            (stage.motion("moveTo"), payload(&(1.0_f32,))),
            ((speech, 1, 6), payload(&(Value::from("volume"), Value::Int32(9)))),
            ((speech, 1, 81), payload(&(true,))),
            ((1, 1, 85), payload(&(true,))),
            ((1, 1, 106), payload(&(99_u32, "Forged"))),
            ((1, 1, 103), payload(&(speech,))),
        ];
        for (address, arguments) in posts {
            guest.send(MessageKind::Post, address, arguments.clone()).await;
            guest.send(MessageKind::Event, address, arguments).await;
        }
        guest.send(MessageKind::Post, stage.speech("say"), payload(&("posted",))).await;
        let _: String = guest.call_typed(stage.speech("say"), &("called",)).await;
        // A post is answered by nobody, and may be overtaken at the host.
        let done = eventually("the post", async {
            loop {
                let done = stage.done().await;
                if done.len() >= 2 {
                    return done;
                }
            }
        });
        let mut done = done.await;
        done.sort();
        assert_eq!(done, ["say called", "say posted"]);
        let state = stage.robot.run("[heard, speech.volume.value(), 'ALTextToSpeech' in names(inside)]").await;
        assert_eq!(state, serde_json::json!([[], 30, true]));
        let mut admin = stage.raw("admin").await;
        let traced: bool = admin.call_typed((1, 1, 84), &()).await;
        assert!(!traced, "nobody has enabled traces");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_that_a_service_returns_are_refused_unless_a_rule_is_about_them() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let mut maker = stage.libqi("maker").await;
        maker.run("speech = outside.service('ALTextToSpeech')\nchild = do(speech.make)").await;
        // What libqi was sent with the object, in which nothing is shown of what is not allowed.
        let shown = "[m['name'] for part in ('methods', 'signals', 'properties') \
                     for i, m in child.metaObject()[part].items() if i >= 100]";
        assert_eq!(maker.run(shown).await, serde_json::json!([]));
        let mut raw = stage.raw("maker").await;
        let made = raw.call(stage.speech("make"), Bytes::new()).await;
        assert_eq!(made.header.kind, MessageKind::Reply, "{}", text_of(&made));
        let speech = stage.speech("say").0;
        for object in 2..40 {
            for (action, arguments) in [
                (100, Bytes::new()),
                (101, Bytes::new()),
                (102, Bytes::new()),
                (5, payload(&(Value::from("label"),))),
                (6, payload(&(Value::from("label"), Value::from("mine")))),
                (0, payload(&(object, 100_u32, 7_u64))),
            ] {
                raw.refused((speech, object, action), arguments.clone()).await;
                raw.send(MessageKind::Post, (speech, object, action), arguments).await;
            }
        }
        raw.expect_silence().await;
        assert!(!stage.done().await.contains(&"who".to_owned()), "{:?}", stage.done().await);
        // Those who may everything use what they were given.
        let mut admin = stage.libqi("admin").await;
        let who = admin.run("speech = outside.service('ALTextToSpeech')\nchild = do(speech.make)\ndo(child.who)").await;
        assert_eq!(who, "child");
        assert!(admin.run(shown).await.as_array().is_some_and(|shown| shown.contains(&serde_json::json!("who"))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ids_of_others_lead_a_guest_nowhere() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let mut admin = stage.raw("admin").await;
        admin.call(stage.speech("make"), Bytes::new()).await;
        let running = admin.send(MessageKind::Call, stage.speech("slow"), Bytes::new()).await;
        eventually("the call", async { while !stage.done().await.contains(&"slow".to_owned()) {} }).await;
        let mut guest = stage.raw("guest").await;
        let speech = stage.speech("say").0;
        // Cancels of calls of others, by all ids that they may have.
        for id in 0..64 {
            let slow = stage.speech("slow");
            let mut frame = guest.frame(MessageKind::Cancel, slow, payload(&(id,)));
            frame.header.id = keyway_value::MessageId(id);
            guest.send_bytes(&frame.to_bytes()).await;
        }
        for object in [2, 3, 4, 5, 1 << 31, (1 << 31) + 1, u32::MAX] {
            guest.refused((speech, object, 100), Bytes::new()).await;
            guest.refused((speech, object, 2), payload(&(object,))).await;
        }
        // terminate ends references of one's own only.
        let _ = guest.call((speech, 1, 3), payload(&(1_u32,))).await;
        let _ = guest.call((speech, 1, 3), payload(&(2_u32,))).await;
        let spoken: String = guest.call_typed(stage.speech("say"), &("still there",)).await;
        assert_eq!(spoken, "still there");
        stage.robot.run("speech.finish('done')").await;
        let answer = admin.answer(running).await;
        assert_eq!(answer.header.kind, MessageKind::Reply, "the call was cancelled: {}", text_of(&answer));
        assert_eq!(stage.robot.run("do(speaker.say, 'inside')").await, "inside");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_of_others_cannot_be_changed_and_none_can_be_added() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let speech = stage.speech("say").0;
        for role in ["guest", "admin"] {
            let mut raw = stage.raw(role).await;
            let info = known(&mut raw, "ALTextToSpeech").await;
            let unregistered = raw.refused((1, 1, 103), payload(&(speech,))).await;
            assert!(unregistered.contains("owned by another session"), "{role}: {unregistered}");
            let stolen = ServiceInfo { endpoints: vec!["tcp://192.0.2.1:1".to_owned()], ..info };
            let updated = raw.refused((1, 1, 105), payload(&(stolen,))).await;
            assert!(updated.contains("owned by another session"), "{role}: {updated}");
            raw.refused((1, 1, 104), payload(&(speech,))).await;
            raw.refused((1, 1, 103), payload(&(1_u32,))).await;
        }
        let mut guest = stage.libqi("guest").await;
        guest.run("outside.listen('tcp://127.0.0.1:0')\nclass Mine(object):\n    def x(self): pass").await;
        for name in ["Mine", "ALTextToSpeech", "ServiceDirectory"] {
            let refusal = guest.run(&format!("refused(outside.registerService, {name:?}, Mine())")).await;
            assert!(refusal.as_str().is_some_and(|text| text.contains("KW-P008")), "{name}: {refusal}");
        }
        assert_eq!(stage.robot.run("do(speaker.say, 'inside')").await, "inside");
        // The gateway's own service is there too, once it has been registered.
        let names = stage.robot.run("[name for name in names(inside) if name != 'Presence']").await;
        assert_eq!(names, serde_json::json!(["ServiceDirectory", "ALTextToSpeech", "ALMotion"]));
    }
}

async fn known(raw: &mut Raw, name: &str) -> ServiceInfo {
    raw.call_typed((1, 1, 100), &(name,)).await
}
