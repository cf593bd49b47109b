//! B2 over QUIC: nothing before authentication, and afterwards what the policy allows and nothing else. The SDK would not send most of
//! this, so the frames are made here.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use keyway::{MetaObject, Object, Session, TlsClient};
use keyway_session::CapabilityMap;
use keyway_value::{ActionId, MessageId, ObjectId, ServiceId, Value};
use keyway_wire::{
    Flags, Frame, MessageKind, Url,
    native::{Control, Held, Hello, Proof, Resume, SecretText, VERSION},
};

use crate::{
    raw::{Address, Raw, payload, quic_front, text_of},
    stage::{Plan, Stage, soon, token_of},
};

const POLICY: &str = r#"
[[role]]
name = "guest"

[[rule]]
name = "guests speak"
role = "guest"
service = "ALTextToSpeech"
allow = ["say"]

[[rule]]
name = "no shouting"
role = "guest"
service = "ALTextToSpeech"
deny = ["shout"]

[[role]]
name = "maker"

[[rule]]
name = "makers make"
role = "maker"
service = "ALTextToSpeech"
allow = ["say", "child"]
"#;

const USERS: &[(&str, &str)] = &[("guest", "guest"), ("maker", "maker"), ("admin", "admin")];

/// A stage that is reached over QUIC, and where its members are.
struct Native {
    stage: Stage,
    pem: Vec<u8>,
    /// Of the speech and the motion.
    services: [(u32, Arc<MetaObject>); 2],
}

impl Native {
    async fn new(shared: bool) -> Self {
        let (pem, front) = quic_front();
        let plan =
            Plan { shared, policy: POLICY, users: USERS, front, listen: &["quic://127.0.0.1:0"], ..Plan::default() };
        let stage = Stage::new(plan).await;
        let mut motion = Object::builder();
        motion.method("moveTo", |(x,): (f32,)| x);
        let host = &stage.robot.session;
        let speech = host.register("ALTextToSpeech", stage.robot.object()).await.unwrap();
        let motion = host.register("ALMotion", motion).await.unwrap();
        let mut services = Vec::new();
        for (id, name) in [(speech, "ALTextToSpeech"), (motion, "ALMotion")] {
            services.push((id.0, host.service(name).await.unwrap().metaobject()));
        }
        // The gateway has heard of them.
        let (_session, _) = stage.robot_as("admin").await;
        soon("the services", _session.wait_for_service("ALMotion")).await.unwrap();
        Self { stage, pem, services: services.try_into().unwrap() }
    }

    fn url(&self) -> String {
        self.stage.door.urls().into_iter().find(|url| url.starts_with("quic")).unwrap()
    }

    fn speech(&self, name: &str) -> Address {
        address(&self.services[0], name)
    }

    fn motion(&self, name: &str) -> Address {
        address(&self.services[1], name)
    }

    /// A client that says whatever a test wants said.
    async fn raw(&self, user: &str) -> Raw {
        Raw::connect(&self.url(), &self.pem, user).await
    }

    /// An ordinary program.
    async fn program(&self, user: &str) -> Session {
        let builder = Session::builder().tls(TlsClient::ca_pem(&self.pem).unwrap()).credentials(user, token_of(user));
        soon("connecting", builder.connect(&self.url())).await.unwrap()
    }
}

fn address((service, metaobject): &(u32, Arc<MetaObject>), name: &str) -> Address {
    let methods = metaobject.methods.values().map(|method| (method.uid, &method.name));
    let signals = metaobject.signals.values().map(|signal| (signal.uid, &signal.name));
    let found = methods.chain(signals).find(|(_, known)| *known == name);
    (*service, 1, found.unwrap_or_else(|| panic!("there is no {name}")).0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_authentication_nothing_is_answered_and_nothing_told() {
    let native = Native::new(false).await;
    let url = Url::parse(&native.url());
    let address = format!("127.0.0.1:{}", url.port.unwrap()).parse().unwrap();
    let mut roots = rustls::RootCertStore::empty();
    let certificate = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice;
    roots.add(certificate(&native.pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider);
    let tls = tls.with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    let mut tls = tls.with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![b"keyway/1".to_vec()];
    let tls = Arc::new(quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap());
    let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();

    let capabilities = CapabilityMap::libqi().encode().into_bytes();
    let hello = Control::Hello(Hello { version: VERSION, capabilities, resumes: true });
    let invented = Control::Resume(Resume { key: vec![7; 100].into(), held: Held::default() });
    let come_back = [hello.clone(), invented];
    let wrong = Proof::User { user: "admin".to_owned(), token: SecretText::new("wrong".to_owned()) };
    let openings: [&[Control]; 5] = [
        &come_back,
        &[],
        std::slice::from_ref(&hello),
        &[hello.clone(), Control::Authenticate(Proof::Nothing)],
        &[hello.clone(), Control::Authenticate(wrong)],
    ];
    for opening in openings {
        let connecting = endpoint.connect_with(quinn::ClientConfig::new(tls.clone()), address, "127.0.0.1").unwrap();
        let connection = soon("connecting", connecting).await.unwrap();
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        let mut said = BytesMut::new();
        for control in opening {
            control.encode_into(&mut said).unwrap();
        }
        // Frames at a place where no frame belongs: the server lets nobody open another stream before Welcome.
        for address in [(1, 1, 108), (1, 1, 101), native.speech("say"), (native.speech("say").0, 1, 2)] {
            let (service, object, action) = (ServiceId(address.0), ObjectId(address.1), ActionId(address.2));
            let frame = Frame::call(MessageId(7), service, object, action, payload(&("before",)).into());
            said.extend_from_slice(&frame.to_bytes());
        }
        // It may have been closed already.
        let _ = send.write_all(&said).await;
        let _ = send.finish();
        assert!(futures_util::FutureExt::now_or_never(connection.open_uni()).is_none(), "no stream before Welcome");
        let told = async {
            tokio::select! {
                Ok(_) = connection.accept_uni() => panic!("the server opens a stream"),
                told = receive.read_to_end(1 << 20) => told.unwrap_or_default(),
            }
        };
        let told = soon("the end", told).await;
        for secret in ["ALTextToSpeech", "ALMotion", "say", "metaObject", "registerService", "machine"] {
            assert!(!told.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} is told");
        }
        soon("the end", connection.closed()).await;
    }
    assert!(native.stage.robot.done().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_over_quic_can_say_and_nothing_else() {
    for shared in [false, true] {
        let native = Native::new(shared).await;
        let program = native.program("guest").await;
        let names: Vec<_> = program.services().await.unwrap().iter().map(|info| info.name.to_string()).collect();
        assert_eq!(names, ["ServiceDirectory", "ALTextToSpeech"]);
        let speech = soon("the service", program.service("ALTextToSpeech")).await.unwrap();
        let metaobject = speech.metaobject();
        let shown = metaobject.methods.values().filter(|method| method.uid >= 100).map(|method| &*method.name);
        assert_eq!(shown.collect::<Vec<_>>(), ["say"]);
        assert!(metaobject.properties.is_empty() && !metaobject.signals.values().any(|signal| signal.uid >= 100));
        let missing = program.service("ALMotion").await.unwrap_err().to_string();
        assert!(missing.contains("Cannot find service 'ALMotion'"), "{missing}");

        let mut guest = native.raw("guest").await;
        let (speech, motion) = (native.speech("say").0, native.motion("moveTo").0);
        let (signal, volume) = (native.speech("said").2, native.speech("volume").2);
        let text = payload(&("x",));
        let of = |action| (speech, 1, action);
        let mut calls: Vec<(Address, Bytes, &str)> = vec![
            (native.speech("shout"), text.clone(), "KW-P002"),
            (native.speech("child"), Bytes::new(), "KW-P001"),
            (native.speech("slow"), Bytes::new(), "KW-P001"),
            (native.speech("said"), text.clone(), "KW-P"),
            (of(4711), Bytes::new(), "KW-P006"),
            // property and setProperty, by name and by id
            (of(5), payload(&(Value::from("volume"),)), "KW-P001"),
            (of(5), payload(&(Value::UInt32(volume),)), "KW-P001"),
            (of(6), payload(&(Value::from("volume"), Value::Int32(9))), "KW-P001"),
            (of(6), payload(&(Value::UInt32(volume), Value::Int32(9))), "KW-P001"),
            // registerEvent and registerEventWithSignature, for signals, properties and traces
            (of(0), payload(&(speech, signal, 7_u64)), "KW-P001"),
            (of(0), payload(&(speech, volume, 7_u64)), "KW-P001"),
            (of(0), payload(&(speech, 86_u32, 7_u64)), "KW-P009"),
            (of(8), payload(&(speech, signal, 7_u64, "(m)")), "KW-P001"),
            (of(8), payload(&(speech, 86_u32, 7_u64, "(m)")), "KW-P009"),
            (native.motion("moveTo"), payload(&(1.0_f32,)), "KW-P007"),
            ((motion, 1, 2), payload(&(0_u32,)), "KW-P007"),
            ((motion, 1, 5), payload(&(Value::from("x"),)), "KW-P007"),
            ((1, 1, 0), payload(&(1_u32, 86_u32, 7_u64)), "KW-P007"),
        ];
        calls.extend(
            (80..=85)
                .flat_map(|action| [(of(action), "KW-P009"), ((1, 1, action), "KW-P007")])
                .map(|(address, code)| (address, Bytes::new(), code)),
        );
        for (address, arguments, code) in &calls {
            let refusal = guest.refused(*address, arguments.clone()).await;
            assert!(refusal.contains(code) && refusal.contains("guest"), "{shared}, {address:?}: {refusal}");
        }
        // The same in other types.
        let traces = Value::tuple(vec![Value::UInt32(speech), Value::Int64(86), Value::Int64(7)]);
        let id = guest.send_with(MessageKind::Call, of(0), payload(&traces), Flags::DYNAMIC_PAYLOAD);
        let answer = guest.answer(id).await;
        assert!(text_of(&answer).contains("KW-P009"), "{shared}: {}", text_of(&answer));
        let names: Vec<String> = guest.call(of(7), &()).await;
        assert!(names.is_empty(), "{names:?}");

        let posts = [
            (native.speech("shout"), text.clone()),
            (native.speech("child"), Bytes::new()),
            (native.speech("said"), payload(&("forged",))),
            (native.motion("moveTo"), payload(&(1.0_f32,))),
            (of(6), payload(&(Value::from("volume"), Value::Int32(9)))),
            (of(81), payload(&(true,))),
            ((1, 1, 103), payload(&(speech,))),
            ((1, 1, 106), payload(&(99_u32, "Forged"))),
        ];
        let inside = native.stage.robot.session.service("ALTextToSpeech").await.unwrap();
        let mut said = inside.signal::<(String,)>("said").await.unwrap();
        for (address, arguments) in posts {
            guest.send(MessageKind::Post, address, arguments.clone());
            guest.send(MessageKind::Event, address, arguments);
        }
        // terminate ends references of one's own, and a service is none.
        let id = guest.send(MessageKind::Call, of(3), payload(&(1_u32,)));
        guest.answer(id).await;
        let spoken: String = guest.call(native.speech("say"), &("hello",)).await;
        assert_eq!((spoken.as_str(), native.stage.robot.done()), ("hello", vec!["say hello".to_owned()]), "{shared}");
        assert!(guest.aside.is_empty(), "{:?}", guest.aside);
        assert!(futures_util::FutureExt::now_or_never(said.next()).is_none(), "{shared}: an event was forged");
        let mut admin = native.raw("admin").await;
        let kept: Value = admin.call(of(5), &(Value::from("volume"),)).await;
        assert_eq!(kept.unwrap_dynamic(), Value::Int32(30));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_that_a_service_returns_and_ids_of_others_lead_nowhere_over_quic() {
    for shared in [false, true] {
        let native = Native::new(shared).await;
        let speech = native.speech("say").0;
        let mut maker = native.raw("maker").await;
        let id = maker.send(MessageKind::Call, native.speech("child"), Bytes::new());
        assert_eq!(maker.answer(id).await.header.kind, MessageKind::Reply);
        let mut guest = native.raw("guest").await;
        for object in (2..20).chain([1 << 31, u32::MAX]) {
            for (action, arguments) in [
                (100, Bytes::new()),
                (101, Bytes::new()),
                (5, payload(&(Value::from("label"),))),
                (6, payload(&(Value::from("label"), Value::from("mine")))),
                (0, payload(&(object, 102_u32, 7_u64))),
            ] {
                maker.refused((speech, object, action), arguments.clone()).await;
                guest.refused((speech, object, action), arguments.clone()).await;
                maker.send(MessageKind::Post, (speech, object, action), arguments);
            }
        }
        let _: String = maker.call(native.speech("say"), &("end",)).await;
        assert_eq!(native.stage.robot.done(), ["child", "say end"], "{shared}");
    }
}
