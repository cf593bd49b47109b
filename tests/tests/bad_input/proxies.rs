//! Spec 2.4, towards a client's proxy.

use keyway::{Object, Session, Signal};
use keyway_session::CapabilityMap;
use keyway_tests::{
    process::{Keyway, Running},
    raw::{Raw, dynamic, payload, string},
};
use keyway_wire::{Frame, Header, MessageKind};

use crate::PAST_END;

/// A host that says what the test wants to a session that uses its service: its signal 100 and its method 101.
struct FakeHost {
    raw: Raw,
    service: u32,
    session: Session,
    _registered: Raw,
    _directory: Running,
}

impl FakeHost {
    async fn new() -> (Self, keyway::Proxy) {
        let directory = Keyway::directory(&[]);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let session = Session::connect(&directory.url).await.unwrap();
        let machine_id = session.machine_id().await.unwrap();
        let mut registered = Raw::authenticated(&directory.url).await;
        let info = keyway::ServiceInfo {
            name: "Fake".into(),
            machine_id: machine_id.as_str().into(),
            endpoints: vec![format!("tcp://{}", listener.local_addr().unwrap())],
            ..keyway::ServiceInfo::default()
        };
        let service: u32 = registered.call_typed((1, 1, 102), &(info,)).await;
        registered.call_typed::<()>((1, 1, 104), &(service,)).await;
        let mut builder = Object::builder();
        builder.signal("rung", &Signal::<(String,)>::new()).method("ask", |()| 0_i32);
        let metaobject = keyway::MetaObject::clone(&builder.build().metaobject());
        let host = async {
            let mut raw = Raw::over(listener.accept().await.unwrap().0);
            let asked = raw.read().await.unwrap();
            let mut words = CapabilityMap::libqi();
            words.set("__qi_auth_state", keyway::Value::UInt32(3));
            raw.send_bytes(&Frame::reply_to(&asked.header, words.encode()).to_bytes()).await;
            let asked = raw.read().await.unwrap();
            raw.send_bytes(&Frame::reply_to(&asked.header, payload(&metaobject).into()).to_bytes()).await;
            raw
        };
        let (proxy, raw) = tokio::join!(session.service("Fake"), host);
        (Self { raw, service, session, _registered: registered, _directory: directory }, proxy.unwrap())
    }

    async fn answer(&mut self, kind: MessageKind, bytes: Vec<u8>) {
        let asked = self.raw.read_kind(MessageKind::Call).await.unwrap();
        self.raw.send_bytes(&Frame { header: Header { kind, ..asked.header }, payload: bytes.into() }.to_bytes()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_proxy_did_not_ask_for_is_dropped() {
    let (mut host, proxy) = FakeHost::new().await;
    for kind in
        [MessageKind::Reply, MessageKind::Error, MessageKind::Canceled, MessageKind::Event, MessageKind::Unknown(77)]
    {
        for address in [(host.service, 1, 101), (host.service, 1, 100), (host.service, 9, 9), (98_765, 1, 1), (0, 0, 8)]
        {
            host.raw.send(kind, address, vec![0xff; 7]).await;
        }
    }
    let call = proxy.call::<i32>("ask", ());
    let (answer, ()) = tokio::join!(call, host.answer(MessageKind::Reply, 42_i32.to_le_bytes().to_vec()));
    assert_eq!(answer.unwrap(), 42, "the connection stays up");
    assert!(host.session.is_connected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_read_does_not_hide_the_next() {
    let (mut host, proxy) = FakeHost::new().await;
    let (rung, ()) = tokio::join!(proxy.signal::<(String,)>("rung"), host.answer(MessageKind::Reply, vec![0; 8]));
    let mut rung = rung.unwrap();
    host.raw.send(MessageKind::Event, (host.service, 1, 100), vec![0xff; 7]).await;
    host.raw.send(MessageKind::Event, (host.service, 1, 100), string("good")).await;
    assert!(rung.next().await.unwrap().is_err());
    assert_eq!(rung.next().await.unwrap().unwrap(), ("good".to_owned(),));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_without_a_text_fails_its_call_with_what_is_wrong_with_it() {
    let (mut host, proxy) = FakeHost::new().await;
    for (bytes, expected) in [
        (Vec::new(), PAST_END),
        (dynamic("z", &[]), "Invalid signature"),
        (dynamic("i", &[0; 4]), "Type mismatch"),
        (dynamic("s", &[9, 0, 0, 0, b'a']), PAST_END),
        (dynamic("s", &string("as it should be")), "as it should be"),
    ] {
        let (answer, ()) = tokio::join!(proxy.call::<i32>("ask", ()), host.answer(MessageKind::Error, bytes));
        assert_eq!(answer.unwrap_err().to_string(), expected);
    }
    let (answer, ()) = tokio::join!(proxy.call::<i32>("ask", ()), host.answer(MessageKind::Reply, vec![1]));
    assert_eq!(answer.unwrap_err().to_string(), PAST_END, "nor does a result that is none");
    let (answer, ()) = tokio::join!(proxy.call::<i32>("ask", ()), host.answer(MessageKind::Canceled, Vec::new()));
    assert!(matches!(answer, Err(keyway::Error::Canceled)));
}
