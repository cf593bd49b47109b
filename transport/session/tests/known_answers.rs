//! Conversations of libqi, with one end replaced by ours (spec 5.1, 5.2, 5.4).

mod support;

use keyway_session::{AuthMap, CapabilityMap, ClientAuthenticator, ClientConfig, Credentials, Input, ServerConfig};
use keyway_value::MessageId;
use keyway_wire::{Frame, Header, MessageKind};
use proptest::prelude::*;
use support::{Bob, Captured, End, captured, decoded, map_of, words};

/// What the layer above gets of a conversation, as the kind and the number of each message.
type Passed = Vec<(MessageKind, MessageId)>;

#[test]
fn a_libqi_client_is_let_in_with_the_bytes_of_a_libqi_directory() {
    for (file, connection) in [("01-connect", 0), ("03-host-connect", 1)] {
        let passed = replay_to_server(ServerConfig::default(), &captured(file, connection));
        // metaObject, registerEvent twice, machineId.
        assert_eq!(passed.len(), 4, "{file}");
        assert!(passed.iter().all(|(kind, _)| *kind == MessageKind::Call), "{file}");
    }
}

#[test]
fn a_libqi_directory_is_entered_with_the_bytes_of_a_libqi_client() {
    for (file, connection) in [("01-connect", 0), ("03-host-connect", 1)] {
        let conversation = captured(file, connection);
        let mut client = End::client(ClientConfig::default());
        let asked = client.take_one();
        assert_eq!(with_id(asked, conversation[0].frame.header.id).to_bytes(), conversation[0].bytes, "{file}");
        let mut answers = conversation.iter().filter(|captured| !captured.from_client);
        let opened = client.feed(answers.next().unwrap().frame.clone());
        assert!(matches!(opened, Ok(Input::Opened)), "{file}: {opened:?}");
        assert!(client.connection.shared().object_ptr_uid && client.connection.shared().message_flags);
        assert!(!client.connection.shared().metaobject_cache);
        for captured in answers {
            let passed = client.feed(captured.frame.clone());
            assert!(matches!(&passed, Ok(Input::Answer(frame)) if *frame == captured.frame), "{file}: {passed:?}");
        }
        assert!(client.sent.is_empty());
    }
}

#[test]
fn a_cancel_and_its_answer_name_the_call() {
    let conversation = captured("12-cancel", 0);
    let mut server = opened_server();
    let call = server.feed(conversation[0].frame.clone());
    assert!(matches!(call, Ok(Input::Call(frame)) if frame == conversation[0].frame));
    match server.feed(conversation[1].frame.clone()) {
        Ok(Input::Cancel { call, frame }) => {
            let (service, object) = (frame.header.service, frame.header.object);
            let header = conversation[0].frame.header;
            assert_eq!((service, object, call), (header.service, header.object, header.id));
        }
        other => panic!("{other:?}"),
    }
    let header = &conversation[0].frame.header;
    assert_eq!(Frame::canceled_to(header).to_bytes(), conversation[2].bytes);
    let cancel = Frame::cancel(conversation[1].frame.header.id, header.service, header.object, header.id);
    assert_eq!(cancel.to_bytes(), conversation[1].bytes);
}

#[test]
fn protocol_errors_are_answered_with_the_bytes_of_libqi() {
    let conversation = captured("15-protocol-errors", 2);
    let passed = replay_to_server(ServerConfig::default(), &conversation);
    // The call before authentication and the one of version 1 are answered here; the rest is for the layer above.
    assert_eq!(passed, [3, 4, 5, 6, 7].map(|id| (MessageKind::Call, MessageId(id))));
}

#[test]
fn a_libqi_client_proves_who_it_is() {
    assert_eq!(replay_to_server(Bob::wanted(None), &captured("17-authentication", 0)).len(), 1);
}

#[test]
fn a_wrong_token_and_no_token_are_refused_with_the_bytes_of_libqi() {
    for connection in [1, 2] {
        let conversation = captured("17-authentication", connection);
        assert_eq!(replay_to_server(Bob::wanted(None), &conversation), []);
    }
}

#[test]
fn a_dialogue_of_two_steps_goes_as_with_libqi() {
    let passed = replay_to_server(Bob::wanted(Some("c1")), &captured("17-authentication", 3));
    assert_eq!(passed, [(MessageKind::Call, MessageId(4))]);
}

#[test]
fn our_client_proves_who_it_is_to_libqi() {
    let conversation = captured("17-authentication", 0);
    let authenticator: Box<dyn ClientAuthenticator> = Box::new(Credentials::new("bob", "pw"));
    let mut client = End::client(ClientConfig { authenticator: Some(authenticator), ..ClientConfig::default() });
    assert_same_map(&client.take_one(), &conversation[0].frame);
    assert!(matches!(client.feed(conversation[1].frame.clone()), Ok(Input::Opened)));
}

#[test]
fn our_client_is_told_why_libqi_refused_it() {
    let conversation = captured("17-authentication", 1);
    let authenticator: Box<dyn ClientAuthenticator> = Box::new(Credentials::new("bob", "x"));
    let mut client = End::client(ClientConfig { authenticator: Some(authenticator), ..ClientConfig::default() });
    assert_same_map(&client.take_one(), &conversation[0].frame);
    let refused = client.feed(conversation[1].frame.clone()).unwrap_err();
    assert_eq!(refused.to_string(), "Authentication failed: bad credentials [1.2]");
}

#[test]
fn our_client_answers_the_challenge_of_libqi_without_repeating_capabilities() {
    /// Says who it is when asked, and remembers the question.
    struct Asked;

    impl ClientAuthenticator for Asked {
        fn initial(&mut self) -> AuthMap {
            words(&[("user", "bob"), ("token", "pw")])
        }

        fn next(&mut self, asked: AuthMap) -> Result<AuthMap, String> {
            assert_eq!(asked, words(&[("challenge", "c1")]));
            Ok(self.initial())
        }
    }

    let conversation = captured("17-authentication", 3);
    let authenticator: Box<dyn ClientAuthenticator> = Box::new(Asked);
    let mut client = End::client(ClientConfig { authenticator: Some(authenticator), ..ClientConfig::default() });
    assert_same_map(&client.take_one(), &conversation[0].frame);
    assert!(matches!(client.feed(conversation[1].frame.clone()), Ok(Input::None)));
    assert_same_map(&client.take_one(), &conversation[4].frame);
    assert!(matches!(client.feed(conversation[5].frame.clone()), Ok(Input::Opened)));
}

proptest! {
    #[test]
    fn first_frames_cut_and_joined_anywhere_get_the_same_answers(
        (file, connection) in prop::sample::select(vec![
            ("01-connect", 0), ("15-protocol-errors", 2), ("17-authentication", 0), ("17-authentication", 3),
        ]),
        cuts in prop::collection::vec(1_usize..300, 1..20),
    ) {
        let conversation = captured(file, connection);
        let config = || match (file, connection) {
            ("17-authentication", 0) => Bob::wanted(None),
            ("17-authentication", 3) => Bob::wanted(Some("c1")),
            _ => ServerConfig::default(),
        };
        let stream: Vec<u8> =
            conversation.iter().filter(|sent| sent.from_client).flat_map(|sent| sent.bytes.to_vec()).collect();
        let (mut pieces, mut rest) = (Vec::new(), &stream[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, later) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = later;
        }
        let mut server = End::server(config());
        let mut passed = Vec::new();
        for frame in decoded(pieces) {
            passed.extend(passed_up(&server.feed(frame).unwrap()));
        }
        prop_assert_eq!(passed, replay_to_server(config(), &conversation));
        let answered: Vec<_> = server.take().into_iter().map(|frame| with_id(frame, MessageId(0)).to_bytes()).collect();
        let expected: Vec<_> = replies(config(), &conversation);
        prop_assert_eq!(answered, expected);
    }
}

/// Feeds what the client of a conversation sent to a server of ours. What that answers itself must be, byte for byte, what
/// libqi answered; the rest is returned, since the layer above answers it.
fn replay_to_server(config: ServerConfig, conversation: &[Captured]) -> Passed {
    let mut server = End::server(config);
    let mut passed = Vec::new();
    for asked in conversation.iter().filter(|captured| captured.from_client) {
        let ended = match server.feed(asked.frame.clone()) {
            Ok(input) => {
                let up = passed_up(&input);
                assert_ne!(
                    up.is_some(),
                    !server.sent.is_empty(),
                    "answered by nobody, or twice: {:?}",
                    asked.frame.header
                );
                passed.extend(up);
                false
            }
            Err(_) => true,
        };
        for answer in server.take() {
            let same = conversation.iter().filter(|captured| !captured.from_client);
            let mut same = same.filter(|captured| is_answer(&captured.frame.header, &answer.header));
            let captured = same.next().unwrap_or_else(|| panic!("libqi did not answer {answer:?}"));
            // Numbers of our own count for this process, so they are never those of the capture.
            assert_eq!(with_id(answer, captured.frame.header.id).to_bytes(), captured.bytes);
        }
        assert_eq!(ended, !server.connection.is_open() && is_last(asked, conversation), "{:?}", asked.frame.header);
    }
    passed
}

/// The answers to a conversation whose frames arrive one by one, without their numbers.
fn replies(config: ServerConfig, conversation: &[Captured]) -> Vec<bytes::Bytes> {
    let mut server = End::server(config);
    for asked in conversation.iter().filter(|captured| captured.from_client) {
        server.feed(asked.frame.clone()).unwrap();
    }
    server.take().into_iter().map(|frame| with_id(frame, MessageId(0)).to_bytes()).collect()
}

/// Whether a captured frame is the one that answers the same as ours does.
fn is_answer(captured: &Header, ours: &Header) -> bool {
    let address = |header: &Header| (header.kind, header.service, header.object, header.action);
    address(captured) == address(ours) && (captured.id == ours.id || captured.kind == MessageKind::Capability)
}

fn is_last(captured: &Captured, conversation: &[Captured]) -> bool {
    let last = conversation.iter().rfind(|captured| captured.from_client).unwrap();
    captured.bytes == last.bytes
}

fn passed_up(input: &Input) -> Option<(MessageKind, MessageId)> {
    match input {
        Input::Call(frame) | Input::Post(frame) | Input::Answer(frame) | Input::Event(frame) => {
            Some((frame.header.kind, frame.header.id))
        }
        _ => None,
    }
}

fn opened_server() -> End {
    let mut server = End::server(ServerConfig::default());
    let opened = server.feed(support::authenticate(1, &CapabilityMap::libqi()));
    assert!(matches!(opened, Ok(Input::Opened)));
    let _ = server.take_one();
    server
}

fn with_id(mut frame: Frame, id: MessageId) -> Frame {
    frame.header.id = id;
    frame
}

/// The credentials may be in another order than a capture has them in.
fn assert_same_map(ours: &Frame, captured: &Frame) {
    assert_eq!(map_of(ours), map_of(captured));
    assert_eq!(Header { id: captured.header.id, ..ours.header }, captured.header);
}
