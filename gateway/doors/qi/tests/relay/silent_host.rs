//! Service hosts that take connections and say nothing on them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use keyway::{
    CapabilityMap, Object, Session,
    front::{
        AuthMap, AuthOutcome, AuthRequest, Client, CloseReason, Front, FrontSettings, Guard, Input, Local, Verdict,
        Warden,
    },
};
use keyway_value::ServiceInfo;

use crate::stage::{Plan, Stage, soon};

/// A host that lets nobody in while it is silent.
struct Host {
    is_silent: Arc<AtomicBool>,
    object: Object,
}

struct Connection {
    is_silent: Arc<AtomicBool>,
    object: Object,
}

impl Guard for Host {
    fn admit(&self, _client: &Client) -> Option<Box<dyn Warden>> {
        Some(Box::new(Connection { is_silent: self.is_silent.clone(), object: self.object.clone() }))
    }

    fn authenticates(&self) -> bool {
        true
    }
}

impl Warden for Connection {
    fn judge(&mut self, _request: AuthRequest, verdict: Verdict) {
        if !self.is_silent.load(Ordering::SeqCst) {
            verdict.give(AuthOutcome::Done(AuthMap::new()));
        }
    }

    fn opened(&mut self, _capabilities: &CapabilityMap) {}

    fn on_message(&mut self, _now: Instant, input: Input) -> Result<Option<Local>, CloseReason> {
        Ok(Some(Local { input, object: Some(self.object.clone()), answered: None }))
    }

    fn closed(&mut self, _reason: &CloseReason) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_to_a_host_that_never_answers_the_handshake_fail_and_the_next_one_dials_anew() {
    let inside = Session::builder().connect_timeout(Duration::from_secs(2));
    let stage = Stage::new(Plan { users: &[("nao", "admin")], inside, ..Plan::default() }).await;
    let is_silent = Arc::new(AtomicBool::new(false));
    let mut builder = Object::builder();
    builder.method("twice", |(n,): (i32,)| 2 * n);
    let guard = Arc::new(Host { is_silent: is_silent.clone(), object: builder.build() });
    // The host itself has all the time of the world.
    let settings = FrontSettings { authentication_timeout: Duration::from_secs(3600), ..FrontSettings::default() };
    let host = Front::listen("tcp://127.0.0.1:0", settings, guard).await.unwrap();

    let registering = Session::connect(&stage.directory.urls()[0]).await.unwrap();
    let directory = registering.service("ServiceDirectory").await.unwrap();
    let info = ServiceInfo {
        name: "Mute".into(),
        endpoints: host.endpoints(),
        session_id: "a session of its own".into(),
        machine_id: keyway::machine_id().into(),
        ..ServiceInfo::default()
    };
    let id: u32 = directory.call("registerService", (info,)).await.unwrap();
    let () = directory.call("serviceReady", (id,)).await.unwrap();

    // The gateway asks for the members over a connection of its own, and the client for them over its leg.
    let client = stage.client("nao").await;
    let mute = soon("the service", client.wait_for_service("Mute")).await.unwrap();
    assert_eq!(soon("the answer", mute.call::<i32>("twice", (21,))).await.unwrap(), 42);

    is_silent.store(true, Ordering::SeqCst);
    let other = stage.client("nao").await;
    let Err(error) = soon("the refusal", other.service("Mute")).await else { panic!("the host was silent") };
    let text = error.to_string();
    assert!(text.contains("KW-G005") && text.contains("said nothing for 2 s"), "{text}");
    assert_eq!(stage.gateway.snapshot().traffic.in_flight, 0);

    is_silent.store(false, Ordering::SeqCst);
    let mute = soon("the service", other.service("Mute")).await.unwrap();
    assert_eq!(soon("the answer", mute.call::<i32>("twice", (4,))).await.unwrap(), 8);
}
