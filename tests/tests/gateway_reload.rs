//! B7: reloads, good and bad, while clients are at work.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use keyway::{Object, Proxy, Session, Signal};
use keyway_tests::{
    eventually,
    gateway::{Gateway, token_of, user},
    libqi::{Driven, peer_python},
    process::{Keyway, Running},
    raw::{Address, Raw, payload, text_of},
};
use keyway_wire::MessageKind;
use tokio::task::JoinHandle;

const UPSTREAMS: [&str; 2] = ["dedicated", "shared"];
const RELOADS: usize = 100;
/// Clients that call all the time.
const CLIENTS: usize = 8;

/// What a guest may do, and whether shouting is among it.
fn config(may_shout: bool) -> String {
    let shout = if may_shout { ", \"shout\"" } else { "" };
    let rule = format!("role = \"guest\"\nservice = \"Speech\"\nallow = [\"say\", \"subscribe:said\"{shout}]\n");
    format!("[[role]]\nname = \"guest\"\n\n[[rule]]\nname = \"guests speak\"\n{rule}{}", user("guest", "guest"))
}

/// Mistakes, each with its line and what is to be said of it.
fn mistakes() -> Vec<(String, usize, &'static str)> {
    let good = config(true);
    let line = |text: &str| good.lines().position(|line| line.starts_with(text)).map_or(0, |line| line + 1);
    let end = good.lines().count() + 1;
    vec![
        (good.replace("allow = [", "allow = "), line("allow"), "KW-"),
        (format!("{good}colour = \"red\"\n"), end, "colour"),
        (good.replace("role = \"guest\"\nservice", "role = \"gest\"\nservice"), line("role = "), "KW-P103"),
        (good.replace("\"say\"", "\"say:x:y\""), line("allow"), "KW-P105"),
        (good.replace("token_hash = \"", "token_hash = \"zz"), line("token_hash"), "KW-A103"),
        (format!("{good}\n[limits]\nconnections = 0\n"), end + 2, "KW-C101"),
        (format!("{good}\n[[lease]]\nservice = 5\n"), end + 2, "KW-C101"),
        (format!("{good}\n[[[["), end + 1, "KW-"),
        (String::from_utf8_lossy(&[0xEF, 0xBF, 0xBD, 0]).into_owned(), 1, "KW-C100"),
    ]
}

struct Stage {
    gateway: Gateway,
    shout: Address,
    _host: Session,
    _directory: Running,
    done: Arc<AtomicU64>,
    ending: Arc<AtomicBool>,
    working: Vec<JoinHandle<Result<(), String>>>,
}

impl Stage {
    async fn new(upstream: &str) -> Self {
        let directory = Keyway::directory(&[]);
        let host = Session::connect(&directory.url).await.unwrap();
        let said = Signal::<(String,)>::new();
        let mut builder = Object::builder();
        builder.signal("said", &said);
        builder.method("shout", |(text,): (String,)| text);
        builder.method("say", move |(text,): (String,)| {
            said.emit(&(text.clone(),));
            text
        });
        let id = host.register("Speech", builder).await.unwrap();
        let metaobject = host.service("Speech").await.unwrap().metaobject();
        let shout = metaobject.methods.values().find(|method| method.name == "shout").unwrap().uid;
        let gateway = Gateway::start(&directory.url, &config(false), &["--upstream", upstream, "--log", "info"]);
        let mut stage = Self {
            gateway,
            shout: (id.0, 1, shout),
            _host: host,
            _directory: directory,
            done: Arc::default(),
            ending: Arc::default(),
            working: Vec::new(),
        };
        for _ in 0..CLIENTS {
            let (session, speech) = stage.guest().await;
            let (done, ending) = (stage.done.clone(), stage.ending.clone());
            stage.working.push(tokio::spawn(async move {
                let mut said = speech.signal::<(String,)>("said").await.map_err(|error| error.to_string())?;
                let own = session.url().unwrap_or_default();
                while !ending.load(Ordering::Relaxed) {
                    let text = speech.call::<String>("say", (own.clone(),)).await.map_err(|error| error.to_string())?;
                    let event = said.next().await.ok_or("the subscription has ended")?;
                    if text != own || event.is_err() {
                        return Err(format!("{text}, {event:?}"));
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }));
        }
        stage
    }

    async fn guest(&self) -> (Session, Proxy) {
        let builder = Session::builder().credentials("guest", token_of("guest"));
        let session = builder.connect(self.gateway.url()).await.unwrap();
        let speech = eventually("the service", session.wait_for_service("Speech")).await.unwrap();
        (session, speech)
    }

    /// Writes a file, has the gateway read it, and gives what it says of that.
    async fn reload(&self, config: &str) -> String {
        let process = &self.gateway.process;
        let before = process.said().len();
        self.gateway.configure(config);
        process.signal("HUP");
        let said = async {
            loop {
                let said = process.said()[before..].to_owned();
                // The last line may be half of what it is going to be.
                if said.ends_with('\n') && (said.contains("was reloaded") || said.contains("was not reloaded")) {
                    return said;
                }
                tokio::task::yield_now().await;
            }
        };
        eventually("the reload", said).await
    }

    /// Everybody goes on, and has gone on since the last time.
    async fn goes_on(&self) {
        let until = self.done.load(Ordering::Relaxed) + CLIENTS as u64;
        let calls = async {
            while self.done.load(Ordering::Relaxed) < until {
                assert!(self.working.iter().all(|client| !client.is_finished()), "a client has ended");
                tokio::task::yield_now().await;
            }
        };
        eventually("a call", calls).await;
    }

    async fn end(self) {
        self.ending.store(true, Ordering::Relaxed);
        for client in self.working {
            assert_eq!(eventually("the end of a client", client).await.unwrap(), Ok(()));
        }
        let said = self.gateway.process.said();
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_reloads_lose_no_session_and_rules_take_effect_in_open_ones() {
    for upstream in UPSTREAMS {
        let stage = Stage::new(upstream).await;
        // A proxy knows the members that it was told of when it was made; what is sent raw is up to the gateway.
        let mut raw = Raw::authenticated_as(stage.gateway.url(), "guest").await;
        let file = stage.gateway.file().display().to_string();
        let mistakes = mistakes();
        let mut may_shout = false;
        for number in 0..RELOADS {
            let said = if number % 2 == 0 {
                may_shout = !may_shout;
                stage.reload(&config(may_shout)).await
            } else {
                let (bad, line, reason) = &mistakes[number / 2 % mistakes.len()];
                let said = stage.reload(bad).await;
                let place = format!("{file}:{line}:");
                assert!(said.contains(&place) && said.contains(reason), "{place} {reason} is expected: {said}");
                said
            };
            assert_eq!(said.contains("was not reloaded"), number % 2 == 1, "{said}");
            let answer = raw.call(stage.shout, payload(&("hey",))).await;
            let text = text_of(&answer);
            match answer.header.kind {
                MessageKind::Reply => assert!(may_shout, "{upstream}, {number}: the old rules are in force"),
                _ => assert!(!may_shout && text.contains("KW-P001"), "{upstream}, {number}: {text}"),
            }
            stage.goes_on().await;
        }
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libqi_sees_and_loses_services_by_a_reload_without_connecting_again() {
    let Some(python) = peer_python() else { return };
    for upstream in UPSTREAMS {
        let stage = Stage::new(upstream).await;
        let mut client = Driven::start(&python);
        let (url, token) = (stage.gateway.url(), token_of("guest"));
        client
            .run(&format!("session = connect({url:?}, 'guest', {token:?})\nspeech = session.service('Speech')"))
            .await;
        assert_eq!(client.run("do(speech.say, 'x')").await, "x");
        let nothing = format!("[[role]]\nname = \"guest\"\n{}", user("guest", "guest"));
        // The others would be refused.
        stage.ending.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            stage.reload(&nothing).await;
            assert_eq!(client.run("names(session)").await, serde_json::json!(["ServiceDirectory"]));
            let refusal = client.run("refused(speech.say, 'x')").await;
            assert!(refusal.as_str().is_some_and(|text| text.contains("KW-P0")), "{upstream}: {refusal}");
            stage.reload(&config(false)).await;
            assert_eq!(client.run("do(speech.say, 'x')").await, "x");
            assert_eq!(
                client.run("[session.isConnected()] + names(session)[1:]").await,
                serde_json::json!([true, "Speech"])
            );
        }
    }
}
