//! Nobody has said who they are.

use bytes::Bytes;
use keyway_tests::{
    gateway::token_of,
    libqi::Driven,
    raw::{AUTHENTICATE, MACHINE_ID, Raw, payload, string},
};
use keyway_wire::{Frame, MessageKind};

use crate::{Stage, UPSTREAMS};

/// All that a frame can be, and what has no meaning.
const KINDS: [MessageKind; 7] = [
    MessageKind::Call,
    MessageKind::Reply,
    MessageKind::Error,
    MessageKind::Post,
    MessageKind::Event,
    MessageKind::Capability,
    MessageKind::Cancel,
];

/// What is said to somebody who has not authenticated tells nothing of what is behind the gateway.
fn tells_nothing(frames: &[Frame]) {
    for frame in frames {
        assert!(!matches!(frame.header.kind, MessageKind::Reply | MessageKind::Event), "answered: {frame:?}");
        let bytes = frame.payload_bytes();
        for secret in ["ALTextToSpeech", "ALMotion", "say", "metaObject", "textDone", "volume", "registerService"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is told: {frame:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_answered_whatever_is_sent_to_whatever_service() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let (say, shout) = (stage.speech("say"), stage.motion("moveTo"));
        let arguments = payload(&("before",));
        for kind in KINDS {
            for (service, object) in [(1, 1), (say.0, 1), (shout.0, 1), (say.0, 2), (999, 1), (0, 1)] {
                let mut raw = Raw::connect(stage.gateway.url()).await;
                for action in [0, 2, 5, 6, 7, 80, 82, 85, 100, 101, say.2] {
                    raw.send(kind, (service, object, action), arguments.clone()).await;
                }
                raw.finish_sending().await;
                tells_nothing(&raw.closed().await);
            }
        }
        assert!(stage.done().await.is_empty(), "{:?}", stage.done().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_together_with_an_authentication_that_fails_is_not_answered() {
    for upstream in UPSTREAMS {
        let Some(mut stage) = Stage::new(upstream).await else { return };
        let mut raw = Raw::connect(stage.gateway.url()).await;
        let mut words = keyway::CapabilityMap::libqi();
        words.set("auth_user", "admin").set("auth_token", "wrong");
        let frames = [
            raw.frame(MessageKind::Call, AUTHENTICATE, words.encode()),
            raw.frame(MessageKind::Call, MACHINE_ID, Bytes::new()),
            raw.frame(MessageKind::Call, (1, 1, 101), Bytes::new()),
            raw.frame(MessageKind::Call, stage.speech("say"), payload(&("before",))),
            raw.frame(MessageKind::Post, stage.speech("say"), payload(&("before",))),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.to_bytes().to_vec()).collect();
        raw.send_bytes(&bytes).await;
        let said = raw.closed().await;
        tells_nothing(&said);
        assert!(said.iter().any(|frame| frame.header.kind == MessageKind::Error), "{said:?}");
        // The one who may is not held up, and what was sent before was not done.
        let mut admin = stage.raw("admin").await;
        let spoken: String = admin.call_typed(stage.speech("say"), &("after",)).await;
        assert_eq!((spoken.as_str(), stage.done().await), ("after", vec!["say after".to_owned()]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_nothing_or_half_of_it_stays_outside() {
    let Some(stage) = Stage::new(UPSTREAMS[0]).await else { return };
    let forms: [&[(&str, &str)]; 4] =
        [&[], &[("auth_user", "admin")], &[("auth_token", "")], &[("auth_user", ""), ("auth_token", "")]];
    for words in forms {
        let mut raw = Raw::connect(stage.gateway.url()).await;
        let mut map = keyway::CapabilityMap::libqi();
        for (name, value) in words {
            map.set(name, *value);
        }
        let refusal = raw.refused(AUTHENTICATE, map.encode()).await;
        assert!(refusal.contains("KW-A00"), "{words:?}: {refusal}");
        raw.send(MessageKind::Call, MACHINE_ID, string("x")).await;
        tells_nothing(&raw.closed().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libqi_with_a_wrong_token_does_not_connect() {
    let Some(stage) = Stage::new(UPSTREAMS[0]).await else { return };
    let mut client = Driven::start(&stage.python);
    let url = stage.gateway.url();
    for words in ["None, None", "'guest', 'wrong'", "'nobody', 'wrong'"] {
        let attempt = client.attempt(&format!("connect({url:?}, {words})")).await;
        assert!(attempt.is_err(), "{words}");
    }
    // As many failures are free: the right token is let in at once.
    let token = token_of("guest");
    client.run(&format!("connect({url:?}, 'guest', {token:?})")).await;
}
