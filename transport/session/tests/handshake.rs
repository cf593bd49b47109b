//! Who is let in, and what everybody else is told (spec 5.2, 5.4, 5.6, 5.14, 14.3).

mod support;

use std::time::Duration;

use keyway_session::{
    AuthMap, AuthOutcome, CapabilityMap, ClientAuthenticator, ClientConfig, CloseReason, Credentials, Input,
    ServerAuthentication, ServerConfig, UNAUTHENTICATED_MAX_PAYLOAD, errors,
};
use keyway_value::{MessageId, Payload, Value};
use keyway_wire::{Flags, Frame, MessageKind};
use support::{Bob, End, authenticate, error_text, frame, map_of, words};

use MessageKind::{Call, Cancel, Canceled, Capability, Error, Event, Post, Reply, Unknown};

const MACHINE_ID: (u32, u32, u32) = (1, 1, 108);

#[test]
fn any_frame_to_the_connection_itself_opens_it_and_is_told_our_capabilities() {
    let first = [
        (Call, (0, 0, 4)),
        (Post, (0, 0, 3)),
        (Post, (0, 0, 8)),
        (Reply, (0, 0, 8)),
        (Event, (0, 0, 8)),
        (Error, (0, 0, 4)),
        (Cancel, (0, 0, 0)),
        (Canceled, (0, 0, 8)),
        (Unknown(9), (0, 0, 0)),
    ];
    for (kind, address) in first {
        let mut server = End::server(ServerConfig::default());
        let opened = server.feed(frame(kind, 5, address, Payload::new()));
        assert!(matches!(opened, Ok(Input::Opened)), "{kind:?} {address:?}: {opened:?}");
        let told = server.take_one();
        let address = (told.header.service.0, told.header.object.0, told.header.action.0);
        assert_eq!((told.header.kind, address), (Capability, (0, 0, 0)));
        assert_eq!(map_of(&told), CapabilityMap::libqi());
        assert!(matches!(server.feed(frame(Call, 6, MACHINE_ID, Payload::new())), Ok(Input::Call(_))));
    }
}

#[test]
fn a_capability_frame_is_remembered_and_lets_nobody_in() {
    let mut server = End::server(ServerConfig::default());
    let mut announced = CapabilityMap::empty();
    announced.set("MessageFlags", true).set("ObjectPtrUID", false);
    for address in [(0, 0, 0), (3, 1, 100)] {
        assert!(matches!(server.feed(frame(Capability, 1, address, announced.encode())), Ok(Input::None)));
    }
    assert!(server.take().is_empty() && !server.connection.is_open());
    server.feed(frame(Call, 2, MACHINE_ID, Payload::new())).unwrap();
    assert_eq!(error_text(&server.take_one()), errors::CALL_NOT_HANDLED);
    // The first value of a key wins (5.2).
    assert!(matches!(server.feed(authenticate(3, &CapabilityMap::libqi())), Ok(Input::Opened)));
    assert!(server.connection.shared().message_flags && !server.connection.shared().object_ptr_uid);
}

#[test]
fn calls_of_services_are_refused_and_all_else_is_dropped_before_authentication() {
    for config in [ServerConfig::default(), Bob::wanted(None)] {
        let mut server = End::server(config);
        // Neither is the authentication: it is a Call of action 8 of object 0 of service 0 (5.7).
        for (id, address) in [(1, MACHINE_ID), (2, (0, 1, 8)), (0, (3, 0, 8))] {
            assert!(matches!(server.feed(frame(Call, id, address, Payload::new())), Ok(Input::None)));
            let refused = server.take_one();
            assert_eq!((refused.header.id, error_text(&refused).as_str()), (MessageId(id), errors::CALL_NOT_HANDLED));
        }
        for kind in [Reply, Error, Post, Event, Cancel, Canceled, Unknown(0), Unknown(200)] {
            assert!(matches!(server.feed(frame(kind, 1, MACHINE_ID, Payload::new())), Ok(Input::None)), "{kind:?}");
        }
        assert!(server.take().is_empty() && !server.connection.is_open());
    }
}

#[test]
fn what_cannot_be_read_and_errors_nobody_asked_for_end_the_connection() {
    let bad = Payload::from(vec![255; 9]);
    for first in [
        frame(Call, 1, (0, 0, 8), bad.clone()),
        frame(Call, 1, (0, 0, 8), Payload::new()),
        frame(Capability, 1, (0, 0, 0), bad),
        frame(Error, 1, (0, 0, 8), Payload::new()),
    ] {
        let mut server = End::server(ServerConfig::default());
        let ended = server.feed(first.clone());
        assert!(matches!(ended, Err(CloseReason::Protocol(_))), "{first:?}: {ended:?}");
        // Whatever still arrives means nothing.
        assert!(matches!(server.feed(authenticate(2, &CapabilityMap::libqi())), Ok(Input::None)));
        assert!(server.take().is_empty() && !server.connection.is_open());
    }
}

#[test]
fn any_map_lets_in_where_nobody_asks_for_more() {
    let mut odd = CapabilityMap::empty();
    odd.set("Zorglub", "yes").set("MessageFlags", 1_i32).set("auth_user", "nobody");
    for (map, flags) in [(CapabilityMap::empty(), false), (odd, true)] {
        let mut server = End::server(ServerConfig::default());
        assert!(matches!(server.feed(authenticate(77, &map)), Ok(Input::Opened)));
        let reply = server.take_one();
        assert_eq!((reply.header.kind, reply.header.id), (Reply, MessageId(77)));
        assert_eq!(map_of(&reply).get("__qi_auth_state"), Some(&Value::UInt32(3)));
        assert_eq!(server.connection.shared().message_flags, flags);
    }
}

#[test]
fn the_map_may_come_in_a_dynamic_and_with_another_version() {
    let map = CapabilityMap::libqi();
    let mut payload = b"\x04\0\0\0{sm}".to_vec();
    payload.extend_from_slice(&map.encode().into_bytes());
    let mut first = frame(Call, 1, (0, 0, 8), payload.into()).with_flags(Flags::DYNAMIC_PAYLOAD);
    first.header.version = 7;
    let mut server = End::server(ServerConfig::default());
    assert!(matches!(server.feed(first), Ok(Input::Opened)));
    assert!(server.connection.shared().object_ptr_uid);
}

#[test]
fn repeated_authentication_is_answered_with_the_state_alone() {
    let mut server = End::server(ServerConfig::default());
    server.feed(authenticate(1, &CapabilityMap::libqi())).unwrap();
    let _ = server.take_one();
    for id in [2, 2, 0] {
        assert!(matches!(server.feed(authenticate(id, &CapabilityMap::libqi())), Ok(Input::None)));
        let reply = server.take_one();
        assert_eq!((reply.header.kind, reply.header.id), (Reply, MessageId(id)));
        assert_eq!(map_of(&reply).iter().count(), 1);
        assert_eq!(map_of(&reply).get("__qi_auth_state"), Some(&Value::UInt32(3)));
    }
}

#[test]
fn an_enforcing_server_says_what_it_expected_and_closes() {
    for (kind, name, action) in [(Call, "Call", 4), (Post, "Post", 8), (Reply, "Reply", 8)] {
        let mut server = End::server(Bob::wanted(None));
        let refused = server.feed(frame(kind, 9, (0, 0, action), Payload::new())).unwrap_err();
        let expected = format!(
            "Expected authentication (service #0, type #Call, action #8), received service #0, type #{name}, action #{action}"
        );
        assert_eq!(refused.to_string(), expected);
        assert_eq!(error_text(&server.take_one()), expected);
    }
}

#[test]
fn where_the_client_speaks_from_is_not_for_it_to_say() {
    let config = ServerConfig { remote_endpoint: "tcp://10.0.0.9:5".to_owned(), ..deferred(Duration::from_secs(10)) };
    let mut server = End::server(config);
    let mut map = CapabilityMap::libqi();
    map.set("auth_remoteEndpoint", "tcp://127.0.0.1:1").set("auth_user", "bob");
    match server.feed(authenticate(1, &map)) {
        Ok(Input::Authenticate(request)) => {
            assert_eq!(request.data, words(&[("remoteEndpoint", "tcp://10.0.0.9:5"), ("user", "bob")]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_behind_an_authentication_wait_for_the_judgement() {
    let mut server = End::server(deferred(Duration::from_secs(10)));
    assert!(matches!(server.feed(authenticate(1, &CapabilityMap::libqi())), Ok(Input::Authenticate(_))));
    for id in 2..5 {
        assert!(matches!(server.feed(frame(Call, id, MACHINE_ID, Payload::new())), Ok(Input::None)));
    }
    assert!(server.take().is_empty());
    let inputs = server.judge(AuthOutcome::Done(AuthMap::new())).unwrap();
    assert_eq!(server.take_one().header.kind, Reply);
    assert!(matches!(inputs[..], [Input::Opened, Input::Call(_), Input::Call(_), Input::Call(_)]), "{inputs:?}");
}

#[test]
fn calls_behind_a_refused_authentication_are_never_seen() {
    let mut server = End::server(deferred(Duration::from_secs(10)));
    server.feed(authenticate(1, &CapabilityMap::libqi())).unwrap();
    server.feed(frame(Call, 2, MACHINE_ID, Payload::new())).unwrap();
    let inputs = server.judge(AuthOutcome::Failed { reason: "no".to_owned() });
    assert!(matches!(inputs, Ok(inputs) if inputs.is_empty()));
    // It hears of it later, and only of that.
    assert!(server.take().is_empty());
    let refused = server.pass(Duration::from_millis(100)).unwrap_err();
    assert_eq!(refused.to_string(), "Authentication failed: no [3.4]");
    assert_eq!(error_text(&server.take_one()), "Authentication failed: no [3.4]");
}

#[test]
fn what_is_sent_behind_an_authentication_is_kept_up_to_a_limit() {
    let mut server = End::server(deferred(Duration::from_secs(10)));
    server.feed(authenticate(1, &CapabilityMap::libqi())).unwrap();
    let large = || frame(Post, 2, MACHINE_ID, vec![0; UNAUTHENTICATED_MAX_PAYLOAD as usize / 2].into());
    assert!(matches!(server.feed(large()), Ok(Input::None)));
    assert!(matches!(server.feed(large()), Err(CloseReason::TooManyAttempts)));
}

#[test]
fn a_server_says_how_much_may_come_before_a_client_is_let_in() {
    let config = ServerConfig { unauthenticated_bytes: 4 << 10, ..deferred(Duration::from_secs(10)) };
    let mut server = End::server(config);
    assert_eq!(server.connection.max_payload(), 4 << 10);
    // Small frames count as one large one does, whatever becomes of them.
    let mut small = (2..1000).map(|id| frame(Call, id, MACHINE_ID, vec![0; 64].into()));
    let closed = small.find_map(|frame| server.feed(frame).err());
    assert!(matches!(closed, Some(CloseReason::TooManyAttempts)), "{closed:?}");
}

#[test]
fn a_refusal_is_kept_back_and_nothing_helps_meanwhile() {
    let config = ServerConfig { failure_delay: Duration::from_millis(300), ..Bob::wanted(None) };
    let mut server = End::server(config);
    server.feed(authenticate(8, &CapabilityMap::libqi())).unwrap();
    server.pass(Duration::from_millis(299)).unwrap();
    let mut right = CapabilityMap::libqi();
    right.set("auth_user", "bob").set("auth_token", "pw");
    assert!(matches!(server.feed(authenticate(9, &right)), Ok(Input::None)));
    assert!(server.take().is_empty());
    assert!(matches!(server.pass(Duration::from_millis(1)), Err(CloseReason::Refused(_))));
    assert_eq!(server.take_one().header.id, MessageId(8));
}

#[test]
fn a_client_that_does_not_prove_itself_in_time_is_let_go() {
    for config in [ServerConfig::default(), Bob::wanted(Some("c1"))] {
        let mut server = End::server(config);
        assert_eq!(server.connection.poll_timeout(), Some(server.now + Duration::from_secs(10)));
        server.pass(Duration::from_millis(9_999)).unwrap();
        server.feed(frame(Call, 1, MACHINE_ID, Payload::new())).unwrap();
        assert!(matches!(server.pass(Duration::from_millis(1)), Err(CloseReason::AuthenticationTimeout)));
        assert!(server.connection.poll_timeout().is_none());
    }
}

#[test]
fn steps_of_a_dialogue_do_not_put_off_its_end() {
    let mut server = End::server(Bob::wanted(Some("c1")));
    server.pass(Duration::from_secs(9)).unwrap();
    assert!(matches!(server.feed(authenticate(1, &CapabilityMap::libqi())), Ok(Input::None)));
    assert!(matches!(server.pass(Duration::from_secs(1)), Err(CloseReason::AuthenticationTimeout)));
}

#[test]
fn a_judgement_that_takes_too_long_comes_too_late() {
    let mut server = End::server(deferred(Duration::from_secs(2)));
    server.feed(authenticate(1, &CapabilityMap::libqi())).unwrap();
    assert!(matches!(server.pass(Duration::from_secs(2)), Err(CloseReason::AuthenticationTimeout)));
    assert!(matches!(server.judge(AuthOutcome::Done(AuthMap::new())), Ok(inputs) if inputs.is_empty()));
    assert!(server.take().is_empty() && !server.connection.is_open());
}

#[test]
fn an_open_connection_waits_for_nothing() {
    let mut server = End::server(ServerConfig::default());
    server.feed(authenticate(1, &CapabilityMap::libqi())).unwrap();
    assert!(server.connection.poll_timeout().is_none());
    server.pass(Duration::from_secs(100_000)).unwrap();
    assert!(server.connection.is_open());
}

#[test]
fn a_dialogue_without_end_is_ended_by_both_sides() {
    let mut server = End::server(ServerConfig { max_attempts: 3, ..deferred(Duration::from_secs(10)) });
    for id in 0..3 {
        server.feed(authenticate(id, &CapabilityMap::libqi())).unwrap();
        server.judge(AuthOutcome::Continue(AuthMap::new())).unwrap();
    }
    assert!(matches!(server.feed(authenticate(3, &CapabilityMap::libqi())), Err(CloseReason::TooManyAttempts)));

    let mut client = End::client(ClientConfig { authenticator: Some(Box::new(Tireless)), ..ClientConfig::default() });
    let steps = (0..100).take_while(|_| client.feed(state_reply(&Value::UInt32(2))).is_ok()).count();
    assert!((1..50).contains(&steps), "{steps}");
}

#[test]
fn a_client_reads_the_state_from_any_integer_and_refuses_all_else() {
    for done in [Value::Int32(3), Value::UInt32(3), Value::Int64(3), Value::UInt8(3)] {
        let mut client = End::client(ClientConfig::default());
        // The number of the answer does not matter (5.3).
        assert!(matches!(client.feed(state_reply(&done)), Ok(Input::Opened)), "{done:?}");
    }
    for odd in [Value::UInt32(0), Value::UInt32(4), Value::Int32(-1), Value::from("3"), Value::Void] {
        let refused = End::client(ClientConfig::default()).feed(state_reply(&odd)).unwrap_err();
        assert_eq!(refused.to_string(), "Invalid authentication state token.", "{odd:?}");
    }
    let empty = frame(Reply, 1, (0, 0, 8), CapabilityMap::libqi().encode());
    assert!(matches!(End::client(ClientConfig::default()).feed(empty), Err(CloseReason::InvalidAuthenticationState)));
}

#[test]
fn a_client_that_was_refused_by_a_state_does_not_ask_again() {
    let mut client = End::client(ClientConfig::default());
    let _ = client.take_one();
    assert!(matches!(client.feed(state_reply(&Value::UInt32(1))), Err(CloseReason::Refused(_))));
    assert!(client.take().is_empty());
}

#[test]
fn a_client_without_credentials_does_not_go_on_with_a_dialogue() {
    let refused = End::client(ClientConfig::default()).feed(state_reply(&Value::UInt32(2))).unwrap_err();
    assert!(matches!(refused, CloseReason::Refused(_)));
}

#[test]
fn a_client_goes_on_with_servers_from_before_authentication() {
    // One that announces itself, and then says that it knows no such call (14.3).
    let mut client = End::client(ClientConfig::default());
    let asked = client.take_one();
    let announced = Frame::capability(MessageId(1), CapabilityMap::libqi().encode());
    assert!(matches!(client.feed(announced), Ok(Input::Opened)));
    assert_eq!(client.take_one().header.kind, Capability);
    assert!(matches!(client.feed(Frame::error_to(&asked.header, "what?")), Ok(Input::Answer(_))));
    assert!(client.connection.is_open() && client.connection.shared().object_ptr_uid);
}

#[test]
fn a_client_that_wants_authentication_does_not_do_without() {
    for required in [
        ClientConfig { require_authentication: true, ..ClientConfig::default() },
        ClientConfig { authenticator: Some(Box::new(Credentials::new("bob", "pw"))), ..ClientConfig::default() },
    ] {
        let mut client = End::client(required);
        let asked = client.take_one();
        let announced = Frame::capability(MessageId(1), CapabilityMap::libqi().encode());
        assert!(matches!(client.feed(announced), Ok(Input::None)));
        assert!(client.take().is_empty());
        assert!(matches!(client.feed(Frame::error_to(&asked.header, "what?")), Err(CloseReason::Refused(_))));
    }
}

#[test]
fn a_client_refuses_calls_until_it_is_let_in() {
    let mut client = End::client(ClientConfig::default());
    let _ = client.take_one();
    assert!(matches!(client.feed(frame(Call, 3, (2, 1, 100), Payload::new())), Ok(Input::None)));
    assert_eq!(error_text(&client.take_one()), errors::CALL_NOT_HANDLED);
    assert!(client.connection.poll_timeout().is_none());
}

#[test]
fn payloads_may_be_large_only_once_the_connection_is_open() {
    let mut server = End::server(ServerConfig::default());
    assert_eq!(server.connection.max_payload(), 64 << 10);
    server.feed(authenticate(1, &CapabilityMap::libqi())).unwrap();
    assert_eq!(server.connection.max_payload(), 256 << 20);
}

/// Always has something to say.
struct Tireless;

impl ClientAuthenticator for Tireless {
    fn initial(&mut self) -> AuthMap {
        AuthMap::new()
    }

    fn next(&mut self, _asked: AuthMap) -> Result<AuthMap, String> {
        Ok(AuthMap::new())
    }
}

fn deferred(authentication_timeout: Duration) -> ServerConfig {
    let authentication = ServerAuthentication::Deferred { version: (3, 4) };
    ServerConfig { authentication, authentication_timeout, ..ServerConfig::default() }
}

fn state_reply(state: &Value) -> Frame {
    let mut map = CapabilityMap::libqi();
    map.set("__qi_auth_state", state.clone());
    frame(Reply, 99, (0, 0, 8), map.encode())
}
