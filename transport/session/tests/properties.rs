//! What holds for all frames, in all orders, at all times (spec 5, 16).

mod support;

use std::time::Duration;

use bytes::Bytes;
use keyway_session::{
    AuthMap, AuthOutcome, CapabilityMap, ClientConfig, CloseReason, Credentials, Input, ObjectRequest,
    ServerAuthentication, ServerAuthenticator, ServerConfig,
};
use keyway_value::{ActionId, Decoder, Limits, ObjectLayout, Payload, Value};
use keyway_wire::{Flags, Frame, MessageKind};
use proptest::{collection::vec, prelude::*};
use support::{End, frame};

/// What happens to a connection.
#[derive(Debug, Clone)]
enum Event {
    Frame(Frame),
    Pass(Duration),
    Judge(AuthOutcome),
}

fn payload() -> impl Strategy<Value = Payload> {
    let entry = (
        prop::sample::select(KEYS.to_vec()),
        prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0_u32..5).prop_map(Value::from),
            "[a-z]{0,4}".prop_map(Value::from),
        ],
    );
    let map = vec(entry, 0..5).prop_map(|entries| {
        let mut map = CapabilityMap::empty();
        for (key, value) in entries {
            map.set(key, value);
        }
        map.encode()
    });
    prop_oneof![3 => map, 1 => Just(Payload::new()), 1 => vec(any::<u8>(), 0..40).prop_map(Payload::from)]
}

const KEYS: [&str; 8] = [
    "MessageFlags",
    "MetaObjectCache",
    "ObjectPtrUID",
    "Zorglub",
    "__qi_auth_state",
    "auth_user",
    "auth_token",
    "auth_remoteEndpoint",
];

/// Often to the connection itself, since there most can go wrong.
fn any_frame() -> impl Strategy<Value = Frame> {
    let address = prop_oneof![
        4 => Just((0, 0, 8)),
        1 => (0_u32..3, 0_u32..3, 0_u32..10),
        1 => any::<(u32, u32, u32)>(),
    ];
    let (kind, flags) = (prop_oneof![9 => 1_u8..9, 1 => any::<u8>()], prop_oneof![6 => Just(0), 1 => 0_u8..8]);
    let version = prop_oneof![9 => Just(0), 1 => any::<u16>()];
    (kind, any::<u32>(), address, payload(), flags, version).prop_map(|(kind, id, address, payload, flags, version)| {
        let mut frame = frame(MessageKind::from(kind), id, address, payload).with_flags(Flags(flags));
        frame.header.version = version;
        frame
    })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let words = || AuthMap::from([("word".to_owned(), Value::from("x"))]);
    let event = prop_oneof![
        8 => any_frame().prop_map(Event::Frame),
        1 => (0_u64..4000).prop_map(|time| Event::Pass(Duration::from_millis(time))),
        1 => prop_oneof![
            Just(AuthOutcome::Done(words())),
            Just(AuthOutcome::Continue(words())),
            Just(AuthOutcome::Failed { reason: "no".to_owned() }),
        ].prop_map(Event::Judge),
    ];
    vec(event, 0..30)
}

/// What one end made of the events.
#[derive(Debug, Default)]
struct Seen {
    inputs: Vec<Input>,
    ended: Option<CloseReason>,
    /// What happened after the end.
    after_end: usize,
    /// Whether it was open, after each event.
    open: Vec<bool>,
}

fn play(end: &mut End, events: &[Event]) -> Seen {
    let mut seen = Seen::default();
    for event in events {
        let happened = match event {
            Event::Frame(frame) => end.feed(frame.clone()).map(|input| vec![input]),
            Event::Pass(time) => end.pass(*time).map(|()| Vec::new()),
            Event::Judge(outcome) => end.judge(outcome.clone()),
        };
        match happened {
            Ok(inputs) => {
                let inputs = inputs.into_iter().filter(|input| !matches!(input, Input::None));
                let before = seen.inputs.len();
                seen.inputs.extend(inputs);
                if seen.ended.is_some() {
                    seen.after_end += seen.inputs.len() - before;
                }
            }
            Err(_) if seen.ended.is_some() => seen.after_end += 1,
            Err(reason) => {
                let _ = reason.to_string();
                seen.ended = Some(reason);
                end.sent.clear();
            }
        }
        if seen.ended.is_some() {
            seen.after_end += end.sent.len();
        }
        seen.open.push(end.connection.is_open());
    }
    seen
}

/// Whether the layer above saw nothing but requests for a judgement before the connection was open.
fn nothing_passed_before_opening(seen: &Seen) -> bool {
    let early = seen.inputs.iter().take_while(|input| !matches!(input, Input::Opened));
    early.into_iter().all(|input| matches!(input, Input::Authenticate(_)))
}

struct Never;

impl ServerAuthenticator for Never {
    fn step(&mut self, said: &AuthMap) -> AuthOutcome {
        if said.contains_key("user") {
            return AuthOutcome::Continue(said.clone());
        }
        AuthOutcome::Failed { reason: "never".to_owned() }
    }
}

fn server(authentication: ServerAuthentication, delay: u64) -> End {
    let failure_delay = Duration::from_millis(delay);
    End::server(ServerConfig { authentication, failure_delay, ..ServerConfig::default() })
}

proptest! {
    #[test]
    fn any_frames_at_any_time_leave_a_server_sane(events in events(), deferred in any::<bool>(), delay in 0_u64..300) {
        let authentication =
            if deferred { ServerAuthentication::Deferred { version: (1, 0) } } else { ServerAuthentication::None };
        let mut end = server(authentication, delay);
        let seen = play(&mut end, &events);
        prop_assert!(nothing_passed_before_opening(&seen), "{:?}", seen);
        prop_assert_eq!(seen.after_end, 0, "what ended stays silent: {:?}", seen);
        let opened = seen.inputs.iter().filter(|input| matches!(input, Input::Opened)).count();
        prop_assert!(opened <= 1);
        prop_assert!(!end.connection.is_open() || opened == 1);
        prop_assert!(end.connection.is_open() || end.connection.max_payload() <= 64 << 10);
    }

    #[test]
    fn any_frames_at_any_time_leave_a_client_sane(
        events in events(),
        credentials in any::<bool>(),
        require_authentication in any::<bool>(),
    ) {
        let mut config = ClientConfig { require_authentication, ..ClientConfig::default() };
        if credentials {
            config.authenticator = Some(Box::new(Credentials::new("bob", "pw")));
        }
        let mut end = End::client(config);
        let asked = end.take_one();
        prop_assert_eq!(asked.header.kind, MessageKind::Call);
        let seen = play(&mut end, &events);
        prop_assert!(nothing_passed_before_opening(&seen), "{:?}", seen);
        prop_assert_eq!(seen.after_end, 0, "what ended stays silent: {:?}", seen);
    }

    #[test]
    fn nothing_opens_a_server_that_is_never_convinced(events in events(), delay in 0_u64..300) {
        let mut end = server(ServerAuthentication::Provider(Box::new(Never)), delay);
        let seen = play(&mut end, &events);
        prop_assert!(seen.inputs.is_empty(), "{:?}", seen.inputs);
        prop_assert!(!seen.open.contains(&true));
    }

    #[test]
    fn only_a_judgement_opens_a_server_that_waits_for_one(mut events in events()) {
        events.retain(|event| !matches!(event, Event::Judge(AuthOutcome::Done(_))));
        let mut end = server(ServerAuthentication::Deferred { version: (1, 0) }, 0);
        let seen = play(&mut end, &events);
        prop_assert!(seen.inputs.iter().all(|input| matches!(input, Input::Authenticate(_))), "{:?}", seen.inputs);
        prop_assert!(!seen.open.contains(&true));
    }

    #[test]
    fn whoever_does_not_get_in_is_let_go_in_the_end(events in events(), delay in 0_u64..300) {
        let mut end = server(ServerAuthentication::Provider(Box::new(Never)), delay);
        let seen = play(&mut end, &events);
        let late = end.pass(Duration::from_secs(10));
        prop_assert!(seen.ended.is_some() || late.is_err());
        prop_assert!(end.connection.poll_timeout().is_none());
    }

    #[test]
    fn any_payload_is_a_request_or_refused(payload in payload(), action in prop_oneof![0_u32..10, 80_u32..90]) {
        let bytes = payload.into_bytes();
        for uid in [false, true] {
            let layout = ObjectLayout { uid, metaobject_cache: false };
            let mut decoder = Decoder::with(&bytes, layout, Limits::default(), None);
            let _ = ObjectRequest::read(ActionId(action), &mut decoder);
        }
    }

    #[test]
    fn any_bytes_are_a_map_of_capabilities_or_refused(bytes in vec(any::<u8>(), 0..60)) {
        if let Ok(map) = CapabilityMap::decode(&Bytes::from(bytes)) {
            prop_assert_eq!(CapabilityMap::decode(&map.encode().into_bytes()).unwrap().iter().count(), map.iter().count());
        }
    }
}
