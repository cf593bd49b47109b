//! Limits of arguments and rates, over the wire.

use keyway_tests::raw::{payload, text_of};
use keyway_value::Value;
use keyway_wire::{Flags, MessageKind};

use crate::{Stage, UPSTREAMS};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_beyond_a_rule_are_refused_from_libqi() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let mut limited = stage.libqi("limited").await;
        limited.run("motion = outside.service('ALMotion')\ndo(motion.setStiffnesses, 'Head', 0.5)").await;
        let refusal = limited.run("refused(motion.setStiffnesses, 'Head', 0.6)").await;
        let text = refusal.as_str().unwrap_or_default();
        assert!(text.contains("KW-P003") && text.contains("gentle"), "{text}");
        // Other types than the declared ones are judged by their values.
        limited.run("do(motion.setStiffnesses, 'Head', 0)").await;
        limited.run("refused(motion.setStiffnesses, 'Head', 1)").await;
        assert_eq!(stage.done().await, ["stiff 0.50", "stiff 0.00"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_form_of_the_arguments_gets_around_a_rule() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let mut raw = stage.raw("limited").await;
        let stiff = stage.motion("setStiffnesses");
        let dynamic = Value::tuple(vec![Value::from("Head"), Value::Double(0.9)]);
        let nested = Value::tuple(vec![Value::from("Head"), Value::from("0.9")]);
        for (flags, arguments) in [
            (Flags::default(), payload(&("Head", 0.9_f32))),
            (Flags::default(), payload(&("Head", f32::NAN))),
            (Flags::default(), payload(&("Head", f32::INFINITY))),
            // Too short, and more than there should be.
            (Flags::default(), payload(&("Head",))),
            (Flags::DYNAMIC_PAYLOAD, payload(&dynamic)),
            (Flags::DYNAMIC_PAYLOAD, payload(&nested)),
            (Flags::DYNAMIC_PAYLOAD, payload(&Value::from(0.1_f32))),
        ] {
            for kind in [MessageKind::Post, MessageKind::Call] {
                let mut frame = raw.frame(kind, stiff, arguments.clone());
                frame.header.flags = flags;
                raw.send_bytes(&frame.to_bytes()).await;
                if kind == MessageKind::Call {
                    let answer = raw.answer(frame.header.id).await;
                    assert!(text_of(&answer).contains("KW-P00"), "{upstream}: {arguments:?}: {}", text_of(&answer));
                }
            }
        }
        raw.expect_silence().await;
        assert!(stage.done().await.is_empty(), "{:?}", stage.done().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_properties_are_limited_too() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let mut raw = stage.raw("limited").await;
        let (service, object, volume) = stage.speech("volume");
        let write = (service, object, 6);
        let _: () = raw.call_typed(write, &(Value::from("volume"), Value::Int32(50))).await;
        for key in [Value::from("volume"), Value::UInt32(volume)] {
            for value in [Value::Int32(51), Value::Double(99.0), Value::Int64(1 << 40)] {
                let refusal = raw.refused(write, payload(&(key.clone(), value))).await;
                assert!(refusal.contains("KW-P00") && refusal.contains("quiet"), "{refusal}");
            }
        }
        let read: Value = raw.call_typed((service, object, 5), &(Value::from("volume"),)).await;
        assert_eq!(read.peel(), &Value::Int32(50));
        assert_eq!(stage.robot.run("speech.volume.value()").await, 50);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_client_may_call_as_often_as_the_rule_says() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        for _ in 0..2 {
            let mut client = stage.raw("limited").await;
            for number in 0..3 {
                let _: String = client.call_typed(stage.speech("say"), &(format!("{number}"),)).await;
            }
            for kind in [MessageKind::Post, MessageKind::Call] {
                let id = client.send(kind, stage.speech("say"), payload(&("too much",))).await;
                if kind == MessageKind::Call {
                    let refusal = text_of(&client.answer(id).await);
                    assert!(refusal.contains("KW-P005") && refusal.contains("now and then"), "{refusal}");
                }
            }
        }
        // Those with another rule are not counted.
        let mut guest = stage.raw("guest").await;
        for _ in 0..10 {
            let _: String = guest.call_typed(stage.speech("say"), &("guest",)).await;
        }
        let done = stage.done().await;
        assert_eq!((done.len(), done.iter().filter(|done| *done == "say too much").count()), (16, 0), "{done:?}");
    }
}
