//! What peers get for bad input (spec 2.4, 5.2), as libqi has it: from a `keyway directory` in a process of its own, and from
//! a service hosted by the SDK. The conformance suite has the first frames that a directory sees; what is tested there is
//! tested here with the service only.

mod proxies;

use keyway::{Object, Property, Session, Signal};
use keyway_session::CapabilityMap;
use keyway_tests::{
    process::{Keyway, Running},
    raw::{AUTHENTICATE, Address, MACHINE_ID, Raw, capability, dynamic, nested_dynamic, payload, string, text_of},
};
use keyway_value::MessageId;
use keyway_wire::{Flags, Header, MessageKind};

const NOT_HANDLED: &str = "The call request could not be handled.";
const PAST_END: &str = "ISerialization error Status Read Past End";

/// Somebody to send bad input to.
struct Target {
    url: String,
    service: u32,
    /// A signal of it; the method 100 takes a string.
    signal: u32,
    /// Another session that must not notice.
    other: Session,
    _host: Option<Session>,
    directory: Running,
}

impl Target {
    async fn directory() -> Self {
        let directory = Keyway::directory(&[]);
        let other = Session::connect(&directory.url).await.unwrap();
        Self { url: directory.url.clone(), service: 1, signal: 106, other, _host: None, directory }
    }

    async fn service() -> Self {
        let directory = Keyway::directory(&[]);
        let host = Session::connect(&directory.url).await.unwrap();
        let mut builder = Object::builder();
        builder.method("echo", |(text,): (String,)| text);
        builder.signal("rung", &Signal::<(String,)>::new()).property("level", &Property::new(0_i32));
        let service = host.register("Target", builder).await.unwrap().0;
        let other = Session::connect(&directory.url).await.unwrap();
        Self { url: host.endpoints().remove(0), service, signal: 101, other, _host: Some(host), directory }
    }

    fn at(&self, action: u32) -> Address {
        (self.service, 1, action)
    }

    /// A method whose argument is a dynamic: reading a property.
    fn anything(&self) -> Address {
        self.at(5)
    }

    async fn open(&self) -> Raw {
        Raw::authenticated(&self.url).await
    }

    /// Others go on as before, and nothing panicked.
    async fn check_unharmed(mut self) {
        assert!(self.other.is_connected());
        self.other.services().await.unwrap();
        let mut raw = self.open().await;
        assert_eq!(raw.call(self.at(2), payload(&(0_u32,))).await.header.kind, MessageKind::Reply);
        let said = self.directory.end();
        assert!(!said.contains("panicked"), "{said}");
    }
}

/// The connection still works.
async fn works(raw: &mut Raw, target: &Target) {
    assert_eq!(raw.call(target.at(2), payload(&(0_u32,))).await.header.kind, MessageKind::Reply);
}

macro_rules! from_the_service {
    ($($(#[$doc:meta])* async fn $name:ident($target:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn from_a_service() {
                let $target = Target::service().await;
                $body
                $target.check_unharmed().await;
            }
        }
    )*};
}

macro_rules! from_both {
    ($($(#[$doc:meta])* async fn $name:ident($target:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn from_the_directory() {
                let $target = Target::directory().await;
                $body
                $target.check_unharmed().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn from_a_service() {
                let $target = Target::service().await;
                $body
                $target.check_unharmed().await;
            }
        }
    )*};
}

// === spec 2.4 ===

from_both! {
    async fn a_payload_above_the_limit_closes_the_connection_without_a_word(target) {
        for (mut raw, size) in [(Raw::connect(&target.url).await, (64 << 10) + 1), (target.open().await, (256 << 20) + 1)] {
            let frame = raw.frame(MessageKind::Call, target.at(2), Vec::new());
            raw.send_bytes(&Header { size, ..frame.header }.encode()).await;
            raw.expect_closed().await;
        }
    }

    async fn a_wrong_magic_in_the_middle_of_a_stream_closes_after_what_was_asked_before(target) {
        let mut raw = target.open().await;
        let call = raw.frame(MessageKind::Call, target.at(2), payload(&(0_u32,))).to_bytes();
        raw.send_bytes(&[&call[..], &[0; 100]].concat()).await;
        let answers = raw.closed().await;
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(answers[0].header.kind, MessageKind::Reply);
    }

    async fn a_version_above_0_does_not_matter_for_authenticate(target) {
        let mut raw = Raw::connect(&target.url).await;
        let mut frame = raw.frame(MessageKind::Call, AUTHENTICATE, CapabilityMap::libqi().encode());
        frame.header.version = 7;
        raw.send_bytes(&frame.to_bytes()).await;
        assert_eq!(raw.answer(frame.header.id).await.header.kind, MessageKind::Reply);
        works(&mut raw, &target).await;
    }

    async fn a_post_of_a_version_above_0_is_dropped(target) {
        let mut raw = target.open().await;
        let mut frame = raw.frame(MessageKind::Post, target.at(100), payload(&("x".to_owned(),)));
        frame.header.version = 1;
        raw.send_bytes(&frame.to_bytes()).await;
        raw.expect_silence().await;
    }

    async fn a_call_of_a_signal_or_of_what_is_no_member_has_no_method(target) {
        let mut raw = target.open().await;
        for action in [target.signal, 4, 9, 86, 99, 100_000, u32::MAX] {
            let answer = raw.call(target.at(action), string("x")).await;
            let expected = format!("No such method {{{}.1.{action}, id:{}}}", target.service, answer.header.id);
            assert_eq!(text_of(&answer), expected);
        }
    }

    async fn a_post_to_nobody_is_dropped(target) {
        let mut raw = target.open().await;
        for address in [(98_765, 1, 100), (target.service, 77, 100), target.at(9_999), (0, 1, 8), (u32::MAX, 0, 0)] {
            raw.send(MessageKind::Post, address, string("x")).await;
        }
        raw.expect_silence().await;
    }

    async fn answers_that_nobody_waits_for_are_dropped(target) {
        let mut raw = target.open().await;
        for kind in [MessageKind::Reply, MessageKind::Error, MessageKind::Canceled, MessageKind::Event] {
            for address in [target.at(2), target.anything(), (0, 0, 8), (98_765, 1, 100)] {
                raw.send(kind, address, b"\x01\0\0\0s".to_vec()).await;
            }
        }
        raw.expect_silence().await;
    }

    async fn a_cancel_of_nothing_is_dropped(target) {
        let mut raw = target.open().await;
        for bytes in [&[][..], &[1, 2], &[0xff; 4], &[0; 64]] {
            for address in [target.at(0), (98_765, 1, 0), (0, 0, 0)] {
                raw.send(MessageKind::Cancel, address, bytes.to_vec()).await;
            }
        }
        raw.expect_silence().await;
        works(&mut raw, &target).await;
    }

    async fn too_short_a_payload_is_an_error_and_a_dropped_post(target) {
        let mut raw = target.open().await;
        for bytes in [&[][..], &[5, 0], &[5, 0, 0, 0], &[5, 0, 0, 0, b'a'], &[0xff; 4]] {
            assert_eq!(raw.refused(target.at(100), bytes.to_vec()).await, PAST_END, "{bytes:?}");
            raw.send(MessageKind::Post, target.at(100), bytes.to_vec()).await;
            raw.expect_silence().await;
        }
        for action in [0, 1, 2, 5, 6, 8, 81, 85] {
            assert_eq!(raw.refused(target.at(action), Vec::new()).await, PAST_END, "action {action}");
        }
    }

    async fn an_invalid_signature_in_a_dynamic_is_an_error(target) {
        let mut raw = target.open().await;
        for signature in ["z", "[", "]", "[i", "(i", "{i}", "{iii}", "[ii]", "i)", "ii", "(i)<", "+", "*", "\u{0}", "名"] {
            assert_eq!(raw.refused(target.anything(), dynamic(signature, &[0; 64])).await, "Invalid signature", "{signature}");
        }
        let not_text = [&2_u32.to_le_bytes()[..], &[0xff, 0xfe]].concat();
        assert_eq!(raw.refused(target.anything(), not_text).await, "Invalid signature");
    }

    async fn a_dynamic_without_a_type_is_an_error(target) {
        let mut raw = target.open().await;
        assert_eq!(raw.refused(target.anything(), dynamic("", &[])).await, "NULL type");
        assert_eq!(raw.refused(target.anything(), dynamic("m", &dynamic("", &[]))).await, "NULL type");
    }

    async fn a_dynamic_of_a_type_without_values_is_an_error(target) {
        let mut raw = target.open().await;
        for signature in ["X", "~i"] {
            let expected = format!("Cannot find a type to deserialize signature {signature} within a dynamic value.");
            assert_eq!(raw.refused(target.anything(), dynamic(signature, &[0; 8])).await, expected);
            let nested = dynamic("m", &dynamic(signature, &[0; 8]));
            assert_eq!(raw.refused(target.anything(), nested).await, expected);
        }
    }

    async fn counts_larger_than_the_payload_are_errors(target) {
        let mut raw = target.open().await;
        for signature in ["s", "r", "[i]", "[s]", "[m]", "{sm}", "{ii}", "#i", "[[i]]", "[(is)]", "o"] {
            for count in [u32::MAX, 0x8000_0000, 1 << 20, 33] {
                let value = [&count.to_le_bytes()[..], &[0; 8]].concat();
                let text = raw.refused(target.anything(), dynamic(signature, &value)).await;
                assert_eq!(text, PAST_END, "{signature} with {count}");
            }
        }
    }

    async fn a_dynamic_nested_a_thousand_times_is_an_error(target) {
        let mut raw = target.open().await;
        let text = raw.refused(target.anything(), nested_dynamic(1_000)).await;
        assert!(text.contains("nests deeper"), "{text}");
    }

    async fn flags_that_promise_more_than_the_payload_holds_are_errors(target) {
        let mut raw = target.open().await;
        for flags in [Flags::DYNAMIC_PAYLOAD, Flags::RETURN_TYPE, Flags::DYNAMIC_PAYLOAD.with(Flags::RETURN_TYPE), Flags(255)] {
            for bytes in [Vec::new(), vec![0xff; 4], string("z"), dynamic("(s)", &string("x")[..3])] {
                let frame = raw.frame(MessageKind::Call, target.at(100), bytes.clone()).with_flags(flags);
                raw.send_bytes(&frame.to_bytes()).await;
                let answer = raw.answer(frame.header.id).await;
                assert_eq!(answer.header.kind, MessageKind::Error, "{flags:?} {bytes:?}");
                let frame = raw.frame(MessageKind::Post, target.at(target.signal), bytes).with_flags(flags);
                raw.send_bytes(&frame.to_bytes()).await;
                raw.expect_silence().await;
            }
        }
    }
}

from_the_service! {
    async fn a_wrong_magic_closes_the_connection_without_a_word(target) {
        for mut raw in [Raw::connect(&target.url).await, target.open().await] {
            raw.send_bytes(b"GET / HTTP/1.1\r\nHost: robot\r\n\r\n").await;
            raw.expect_closed().await;
        }
    }

    async fn a_version_above_0_is_refused(target) {
        let mut raw = target.open().await;
        for version in [1, 2, u16::MAX] {
            let mut frame = raw.frame(MessageKind::Call, target.at(2), payload(&(0_u32,)));
            frame.header.version = version;
            raw.send_bytes(&frame.to_bytes()).await;
            let expected =
                format!("Cannot negotiate QiMessaging connection: remote end doesn't support binary protocol v{version}");
            assert_eq!(text_of(&raw.answer(frame.header.id).await), expected);
        }
    }

    async fn a_call_to_nobody_or_before_authentication_is_not_handled(target) {
        assert_eq!(Raw::connect(&target.url).await.refused(target.at(2), payload(&(0_u32,))).await, NOT_HANDLED);
        let mut raw = target.open().await;
        for address in [(98_765, 1, 2), (target.service, 2, 2), (target.service, 0, 2), (1, 1, 101), (0, 1, 8)] {
            assert_eq!(raw.refused(address, payload(&(0_u32,))).await, NOT_HANDLED, "{address:?}");
        }
    }

    async fn frames_of_unknown_types_are_dropped(target) {
        let mut raw = target.open().await;
        for kind in [0, 9, 10, 127, 250, 255] {
            raw.send(MessageKind::Unknown(kind), target.at(2), payload(&(0_u32,))).await;
        }
        raw.expect_silence().await;
    }

    async fn capabilities_that_are_no_map_close_the_connection(target) {
        for mut raw in [Raw::connect(&target.url).await, target.open().await] {
            raw.send(MessageKind::Capability, (0, 0, 0), vec![0xff, 0xff]).await;
            raw.expect_closed().await;
        }
    }

    async fn any_id_of_a_call_is_repeated(target) {
        let mut raw = target.open().await;
        for id in [0, 0, 5, 5, u32::MAX] {
            let mut frame = raw.frame(MessageKind::Call, target.at(2), payload(&(0_u32,)));
            frame.header.id = MessageId(id);
            raw.send_bytes(&frame.to_bytes()).await;
            assert_eq!(raw.read().await.unwrap().header.id, MessageId(id));
        }
    }
}

// === spec 5.2 ===

from_both! {
    async fn a_first_frame_of_the_connections_own_lets_a_client_from_before_authentication_in(target) {
        for (kind, action) in [(MessageKind::Reply, 8), (MessageKind::Event, 1), (MessageKind::Post, 8), (MessageKind::Call, 0)] {
            let mut raw = Raw::connect(&target.url).await;
            raw.send(kind, (0, 0, action), Vec::new()).await;
            let frame = raw.read().await.unwrap();
            let header = frame.header;
            assert_eq!((header.kind, header.service.0, header.object.0, header.action.0), (MessageKind::Capability, 0, 0, 0));
            assert!(CapabilityMap::decode(frame.payload_bytes()).unwrap().has("ClientServerSocket"), "{kind:?}");
            works(&mut raw, &target).await;
        }
    }

    async fn an_authenticate_that_cannot_be_read_or_is_an_error_closes_the_connection(target) {
        let unreadable =
            [Vec::new(), vec![1, 0], vec![0xff; 4], capability("x", &dynamic("z", &[])), capability("x", &dynamic("", &[]))];
        for bytes in unreadable {
            let mut raw = Raw::connect(&target.url).await;
            raw.send(MessageKind::Call, AUTHENTICATE, bytes).await;
            raw.expect_closed().await;
        }
        let mut raw = Raw::connect(&target.url).await;
        raw.send(MessageKind::Error, AUTHENTICATE, dynamic("s", &string("no"))).await;
        raw.expect_closed().await;
    }

    async fn capabilities_of_any_address_are_taken_and_let_nobody_in(target) {
        let mut raw = Raw::connect(&target.url).await;
        for address in [(5, 6, 7), target.at(2), (u32::MAX, u32::MAX, u32::MAX)] {
            raw.send(MessageKind::Capability, address, CapabilityMap::libqi().encode()).await;
        }
        assert_eq!(raw.refused(target.at(2), payload(&(0_u32,))).await, NOT_HANDLED);
        raw.authenticate().await;
        works(&mut raw, &target).await;
    }

    async fn what_is_for_others_before_authentication_changes_nothing(target) {
        let mut raw = Raw::connect(&target.url).await;
        raw.send(MessageKind::Post, target.at(100), string("x")).await;
        raw.send(MessageKind::Event, target.at(100), string("x")).await;
        raw.send(MessageKind::Cancel, target.at(0), 1_u32.to_le_bytes().to_vec()).await;
        assert_eq!(raw.refused(MACHINE_ID, Vec::new()).await, NOT_HANDLED);
        raw.authenticate().await;
        works(&mut raw, &target).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_value_of_a_capability_counts() {
    let target = Target::directory().await;
    let mut raw = Raw::connect(&target.url).await;
    let no = capability("RelativeEndpointURI", &dynamic("b", &[0]));
    raw.send(MessageKind::Capability, (0, 0, 0), no).await;
    raw.authenticate().await;
    let services: Vec<keyway::ServiceInfo> = raw.call_typed((1, 1, 101), &()).await;
    assert!(services.iter().flat_map(|info| &info.endpoints).all(|endpoint| endpoint.starts_with("tcp://")));
    target.check_unharmed().await;
}
