//! B8: attacks on a gateway in a process of its own, over tcp and tcps. A bystander calls and subscribes through it meanwhile, and
//! must not notice; the memory must not grow.

use std::{net::Ipv4Addr, time::Duration};

use bytes::Bytes;
use keyway::{CapabilityMap, Session, TlsClient};
use keyway_tests::{
    bystander::Bystander,
    eventually,
    gateway::{Gateway, token_of, user},
    process::{Keyway, Running},
    raw::{AUTHENTICATE, Raw, capability, dynamic, nested_dynamic, payload, string, text_of},
};
use keyway_value::Value;
use keyway_wire::{Flags, Frame, Header, MessageKind};
use rcgen::generate_simple_self_signed;
use tempfile::TempDir;

/// Where attacks come from.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const ROUNDS: usize = 200;
/// What the allocator may keep of memory that was given back.
const ALLOWED_KIB: u64 = 8 * 1024;
/// What the most connections of one source may take while they are there.
const HELD_KIB: u64 = 64 * 1024;

struct Stage {
    gateway: Gateway,
    bystander: Bystander,
    /// Its service, a method and a signal of it.
    service: u32,
    add: u32,
    signal: u32,
    before: u64,
    _directory: Running,
    _files: TempDir,
}

impl Stage {
    /// A gateway on tcp and tcps, with a bystander that comes by one of them.
    async fn new(scheme: &str, settings: &str) -> Self {
        let directory = Keyway::directory(&[]);
        let files = tempfile::tempdir().unwrap();
        let pair = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let path = |name: &str| files.path().join(name).display().to_string();
        std::fs::write(path("server.pem"), pair.cert.pem()).unwrap();
        std::fs::write(path("server.key"), pair.signing_key.serialize_pem()).unwrap();
        let rule = "role = \"guest\"\nservice = \"Bystander\"\nallow = [\"add\"]\nwhen = \"add: #0 <= 10\"\n";
        let users = [user("guest", "guest"), user("admin", "admin")].concat();
        let config = format!("[[role]]\nname = \"guest\"\n[[rule]]\nname = \"few\"\n{rule}{users}\n{settings}");
        let listen = ["--listen", "tcp://127.0.0.1:0", "--listen", "tcps://127.0.0.1:0"];
        let (certificate, key) = (path("server.pem"), path("server.key"));
        let tls = ["--server-cert", &certificate, "--server-key", &key];
        let gateway = Gateway::start(&directory.url, &config, &[&listen[..], &tls].concat());
        let builder = Session::builder().credentials("admin", token_of("admin"));
        let builder = builder.tls(TlsClient::ca_pem(pair.cert.pem().as_bytes()).unwrap());
        let bystander = Bystander::between(&directory.url, builder, url(&gateway, scheme)).await;
        let inside = Session::connect(&directory.url).await.unwrap();
        let service = inside.service_info("Bystander").await.unwrap().service_id.0;
        let metaobject = inside.service("Bystander").await.unwrap().metaobject();
        let add = metaobject.methods.values().find(|method| method.name == "add").unwrap().uid;
        let signal = metaobject.signals.values().find(|signal| signal.name == "rung").unwrap().uid;
        inside.close().await;
        let mut stage =
            Self { gateway, bystander, service, add, signal, before: 0, _directory: directory, _files: files };
        stage.bystander.is_unharmed().await;
        stage.before = stage.gateway.process.resident_kib();
        stage
    }

    fn url(&self, scheme: &str) -> &str {
        url(&self.gateway, scheme)
    }

    async fn guest(&self) -> Raw {
        Raw::authenticated_as(self.url("tcp"), "guest").await
    }

    fn grown_kib(&self) -> u64 {
        self.gateway.process.resident_kib().saturating_sub(self.before)
    }

    /// The bystander is well, what was taken is given back, and nothing panicked.
    async fn is_unharmed(&mut self) {
        self.bystander.is_unharmed().await;
        // Connections that have been closed are noticed when they are read.
        self.gateway.process.shrinks_to(self.before + ALLOWED_KIB).await;
        let said = self.gateway.process.said();
        assert!(!said.contains("panicked"), "{said}");
    }
}

fn url<'a>(gateway: &'a Gateway, scheme: &str) -> &'a str {
    let urls = &gateway.process.urls;
    urls.iter().find(|url| url.split(':').next() == Some(scheme)).unwrap_or_else(|| panic!("{scheme}: {urls:?}"))
}

/// The beginning of TLS, of which nothing follows: a record that announces 512 bytes, and one of them.
const HALF_A_HELLO: [u8; 6] = [0x16, 3, 1, 2, 0, 1];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_half_open_handshakes() {
    for scheme in ["tcp", "tcps"] {
        let mut stage = Stage::new(scheme, "").await;
        let mut begun = CapabilityMap::libqi().encode().into_bytes();
        begun.truncate(7);
        let mut held = Vec::new();
        for number in 0..2000 {
            let mut raw = Raw::connect_from(ELSEWHERE, stage.url(scheme)).await;
            match number % 3 {
                0 => {}
                1 => raw.send_bytes(&HALF_A_HELLO).await,
                _ => {
                    let frame = raw.frame(MessageKind::Call, AUTHENTICATE, begun.clone()).to_bytes();
                    raw.send_bytes(&frame[..30]).await;
                }
            }
            held.push(raw);
        }
        stage.bystander.is_unharmed().await;
        assert!(stage.grown_kib() < HELD_KIB, "{} KiB are held", stage.grown_kib());
        drop(held);
        stage.is_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_drip_until_the_time_is_up() {
    for scheme in ["tcp", "tcps"] {
        let mut stage = Stage::new(scheme, "[limits]\nunauthenticated_time = \"1s\"\n").await;
        let (mut dripping, is_plain) = (Vec::new(), scheme == "tcp");
        for _ in 0..ROUNDS {
            let mut raw = Raw::connect_from(ELSEWHERE, stage.url(scheme)).await;
            dripping.push(tokio::spawn(async move {
                let hello = raw.frame(MessageKind::Call, AUTHENTICATE, CapabilityMap::libqi().encode()).to_bytes();
                let bytes = [&HALF_A_HELLO[..], &[0; 400]].concat();
                for byte in if is_plain { &hello[..] } else { &bytes } {
                    raw.send_bytes(&[*byte]).await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                raw.closed().await
            }));
        }
        stage.bystander.is_unharmed().await;
        for drip in dripping {
            let said = eventually("the end of a drip", drip).await.unwrap();
            assert!(said.iter().all(|frame| frame.header.kind != MessageKind::Reply), "{said:?}");
        }
        stage.is_unharmed().await;
    }
}

/// A header that announces more than follows.
fn lie(raw: &mut Raw, (service, object, action): (u32, u32, u32), size: u32) -> Vec<u8> {
    let mut frame: Frame = raw.frame(MessageKind::Call, (service, object, action), vec![0; 64]);
    frame.header.size = size;
    let mut bytes = frame.to_bytes().to_vec();
    bytes[8..12].copy_from_slice(&size.to_le_bytes());
    assert_eq!(bytes.len(), Header::SIZE + 64);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_and_values_that_announce_more_than_there_is() {
    let mut stage = Stage::new("tcp", "[limits]\npayload = \"1MiB\"\n").await;
    let add = (stage.service, 1, stage.add);
    for _ in 0..ROUNDS {
        for size in [u32::MAX, 1 << 31, (1 << 20) + 1] {
            let mut stranger = Raw::connect(stage.url("tcp")).await;
            let bytes = lie(&mut stranger, AUTHENTICATE, size);
            stranger.send_bytes(&bytes).await;
            let said = stranger.closed().await;
            assert!(said.iter().all(|frame| frame.header.kind == MessageKind::Error), "{said:?}");
        }
        let mut guest = stage.guest().await;
        let bytes = lie(&mut guest, add, u32::MAX);
        guest.send_bytes(&bytes).await;
        guest.closed().await;
        for lies in [
            [&u32::MAX.to_le_bytes()[..], b"k"].concat(),
            capability("auth_user", &dynamic("s", &u32::MAX.to_le_bytes())),
            capability("auth_user", &dynamic("[s]", &u32::MAX.to_le_bytes())),
            capability("auth_user", &dynamic("[()]", &u32::MAX.to_le_bytes())),
            capability("auth_user", &dynamic("r", &u64::MAX.to_le_bytes())),
        ] {
            let mut stranger = Raw::connect(stage.url("tcp")).await;
            stranger.send(MessageKind::Call, AUTHENTICATE, lies).await;
            let said = stranger.closed().await;
            assert!(said.iter().all(|frame| frame.header.kind == MessageKind::Error), "{said:?}");
        }
        // Arguments that a rule has to look at.
        let mut guest = stage.guest().await;
        for lies in [dynamic("[()]", &u32::MAX.to_le_bytes()), dynamic("s", &u64::MAX.to_le_bytes())] {
            for action in [5, 6, 100, 101] {
                let mut frame = guest.frame(MessageKind::Call, (stage.service, 1, action), lies.clone());
                frame.header.flags = Flags::DYNAMIC_PAYLOAD;
                guest.send_bytes(&frame.to_bytes()).await;
                assert_eq!(guest.answer(frame.header.id).await.header.kind, MessageKind::Error);
            }
        }
    }
    stage.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_within_values() {
    let mut stage = Stage::new("tcp", "").await;
    let deep = nested_dynamic(100_000);
    for _ in 0..ROUNDS / 4 {
        let mut stranger = Raw::connect(stage.url("tcp")).await;
        let words = capability("auth_user", &nested_dynamic(10_000));
        stranger.send(MessageKind::Call, AUTHENTICATE, words).await;
        let said = stranger.closed().await;
        assert!(said.iter().all(|frame| frame.header.kind == MessageKind::Error), "{said:?}");
        let mut guest = stage.guest().await;
        for action in [5, 6, 100, 101] {
            let mut frame = guest.frame(MessageKind::Call, (stage.service, 1, action), deep.clone());
            frame.header.flags = Flags::DYNAMIC_PAYLOAD;
            guest.send_bytes(&frame.to_bytes()).await;
            assert_eq!(guest.answer(frame.header.id).await.header.kind, MessageKind::Error);
        }
        let brackets = string(&"[".repeat(5000));
        guest.refused((stage.service, 1, 5), brackets).await;
    }
    stage.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_nothing_has_answers_that_nobody_waits_for_and_forged_events() {
    let mut stage = Stage::new("tcp", "").await;
    let (service, signal) = (stage.service, stage.signal);
    for _ in 0..ROUNDS {
        let mut guest = stage.guest().await;
        for kind in [MessageKind::Reply, MessageKind::Error, MessageKind::Canceled, MessageKind::Cancel] {
            for id in 0..8 {
                let mut frame = guest.frame(kind, (service, 1, 100), payload(&(Value::from("forged"),)));
                frame.header.id = keyway_value::MessageId(id);
                guest.send_bytes(&frame.to_bytes()).await;
            }
        }
        for kind in [MessageKind::Event, MessageKind::Post] {
            for (service, object) in [(service, 1), (service, 2), (service, 1 << 31), (1, 1), (0, 0), (u32::MAX, 1)] {
                for action in [signal, 106, 107, 86, u32::MAX] {
                    guest.send(kind, (service, object, action), payload(&(4711_u32,))).await;
                }
            }
        }
        // Nothing of this has an answer.
        guest.expect_silence().await;
        for address in [(u32::MAX, 1, 100), (service, u32::MAX, 100), (service, 0, 100), (service, 1, u32::MAX)] {
            guest.refused(address, Bytes::new()).await;
        }
        let sum: i32 = guest.call_typed((service, 1, stage.add), &(4, 5)).await;
        assert_eq!(sum, 9);
    }
    // It hears its own event next, and no other.
    stage.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_wrong_tokens_of_one_source_lock_it_out_and_nobody_else() {
    let mut stage = Stage::new("tcp", "").await;
    // A refusal takes its time: many at once.
    let guessing: Vec<_> = (0..50)
        .map(|_| {
            let url = stage.url("tcp").to_owned();
            tokio::spawn(async move {
                let mut refusals = Vec::new();
                for number in 0..20 {
                    let mut raw = Raw::connect_from(ELSEWHERE, &url).await;
                    // For the user of the bystander, too.
                    let answer = raw.show(["guest", "admin", "nobody"][number % 3], "wrong").await;
                    assert_eq!(answer.header.kind, MessageKind::Error);
                    refusals.push(text_of(&answer));
                }
                refusals
            })
        })
        .collect();
    let mut refusals = Vec::new();
    for guesses in guessing {
        refusals.extend(guesses.await.unwrap());
    }
    let of = |code: &str| refusals.iter().filter(|refusal| refusal.contains(code)).count();
    let (wrong, locked_out, busy) = (of("KW-A001"), of("KW-A002"), of("KW-A007"));
    assert!(wrong >= 3 && wrong + locked_out + busy == 1000, "{wrong}, {locked_out}, {busy}: {:?}", &refusals[..5]);
    // Eight at a time, until the first have failed: how many are too many at once meanwhile is the machine's affair.
    assert!(wrong <= 20, "{wrong} were verified, {locked_out} locked out, {busy} were too many at once");
    // The right token does not help from there.
    let mut raw = Raw::connect_from(ELSEWHERE, stage.url("tcp")).await;
    let refusal = text_of(&raw.show("admin", &token_of("admin")).await);
    assert!(refusal.contains("KW-A002"), "{refusal}");
    // From elsewhere it does, as the bystander's newcomers find.
    stage.is_unharmed().await;
}
