//! A bus whose directory and services come, go and come back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use keyway::{ActionId, Directory, Object, ObjectBuilder, Property, Session, Signal, Value};
use keyway_bridge::{Bus, CallError, Exposure, Limits, Mode, OptIn, Rules, Service};
use tokio::time::{sleep, timeout};

/// Waits for what has to happen sooner or later.
async fn eventually<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), future).await.expect("hangs")
}

fn rules(patterns: &[&str]) -> Rules {
    Rules { mode: Mode::Write, ..Rules::new(Exposure::parse(patterns.iter().copied()).unwrap()) }
}

fn bus(url: &str, rules: Rules) -> Bus {
    Bus::start(&OptIn::new(true, false).unwrap(), url, Session::builder(), rules)
}

/// The service, as soon as it is shown and there.
async fn shown(bus: &Bus, name: &str) -> Arc<Service> {
    let mut services = bus.services();
    eventually(services.wait_for(|all| all.contains_key(name))).await.unwrap();
    bus.find(name).unwrap()
}

async fn withdrawn(bus: &Bus, name: &str) {
    let mut services = bus.services();
    eventually(services.wait_for(|all| !all.contains_key(name))).await.unwrap();
}

#[derive(Default)]
struct Probe {
    tick: Signal<(i32,)>,
    gain: Property<f64>,
}

impl Probe {
    fn object(&self) -> ObjectBuilder {
        let mut builder = Object::builder();
        builder
            .method("add", |(a, b): (i32, i32)| a + b)
            .method("add", |(a, b): (String, String)| a + &b)
            .method("boom", |(why,): (String,)| Err::<(), _>(why))
            .method_async("slow", |()| async { sleep(Duration::from_secs(3600)).await })
            .method("itself", |()| Object::builder().build())
            .signal("tick", &self.tick)
            .property("gain", &self.gain);
        builder
    }
}

struct Stage {
    directory: Directory,
    url: String,
    host: Session,
    probe: Probe,
}

impl Stage {
    async fn new() -> Self {
        let directory = Directory::builder().start().await.unwrap();
        let url = directory.urls().remove(0);
        let host = Session::connect(&url).await.unwrap();
        let probe = Probe::default();
        host.register("Probe", probe.object()).await.unwrap();
        Self { directory, url, host, probe }
    }
}

#[tokio::test]
async fn only_what_is_named_is_shown_as_services_come_and_go() {
    let stage = Stage::new().await;
    let bus = bus(&stage.url, rules(&["Probe.add", "Late", "!Late.secret"]));
    let probe = shown(&bus, "Probe").await;
    assert_eq!(probe.members().methods.len(), 2, "{:?}", probe.members());
    assert!(probe.members().signals.is_empty() && probe.members().properties.is_empty());
    let mut late = Object::builder();
    late.method("secret", |()| 1).method("open", |()| 2);
    let id = stage.host.register("Late", late).await.unwrap();
    stage.host.register("Other", Object::builder()).await.unwrap();
    let late = shown(&bus, "Late").await;
    assert_eq!(late.members().methods.len(), 1);
    assert_eq!(late.method("secret"), Err(CallError::NotExposed));
    assert!(
        !bus.services().borrow().contains_key("Other") && !bus.services().borrow().contains_key("ServiceDirectory")
    );
    stage.host.unregister(id).await.unwrap();
    withdrawn(&bus, "Late").await;
    assert_eq!(bus.find("Late").unwrap_err(), CallError::NotExposed);
}

#[tokio::test]
async fn calls_have_results_or_errors_that_say_what_was_wrong() {
    let stage = Stage::new().await;
    let bus = bus(&stage.url, rules(&["Probe"]));
    let probe = shown(&bus, "Probe").await;
    let peer = bus.peer("test", "me", "nowhere");
    let call = async |name: &str, arguments: Vec<Value>| peer.call_named(&probe, name, arguments).await;
    assert_eq!(call("add", vec![2.into(), 3.into()]).await, Ok(5.into()));
    assert_eq!(call("add", vec!["a".into(), "b".into()]).await, Ok("ab".into()));
    // The types of the declared parameters, not of the arguments.
    assert_eq!(call("add::(ii)", vec![2_i64.into(), 3_u8.into()]).await, Ok(5.into()));
    assert_eq!(call("boom", vec!["it broke".into()]).await.unwrap_err().to_string(), "it broke");
    let long = call("boom", vec!["é".repeat(4000).into()]).await.unwrap_err().to_string();
    assert_eq!(long, "é".repeat(2048), "a long text is cut between letters");
    let add = probe.method("add::(ii)").unwrap();
    let error = peer.call(&probe, add, vec![2.into(), "x".into()]).await.unwrap_err();
    assert!(matches!(&error, CallError::BadArgument { name, .. } if name == "2"), "{error}");
    assert_eq!(peer.call(&probe, add, vec![]).await, Err(CallError::ArgumentCount { given: 0, wanted: 2 }));
    assert_eq!(call("nothing", vec![]).await, Err(CallError::NotExposed));
    let error = call("itself", vec![]).await.unwrap_err();
    assert!(error.to_string().contains("objects are not passed on"), "{error}");
    let gain = ActionId(probe.property("gain").unwrap().uid);
    assert_eq!(peer.set(&probe, gain, 3.into()).await, Ok(()));
    assert_eq!(peer.get(&probe, gain).await, Ok(3.0.into()));
    assert_eq!(stage.probe.gain.get(), 3.0);
}

#[tokio::test]
async fn a_bridge_in_read_mode_changes_nothing() {
    let stage = Stage::new().await;
    let bus = bus(&stage.url, Rules { mode: Mode::Read, ..rules(&["Probe"]) });
    let probe = shown(&bus, "Probe").await;
    let peer = bus.peer("test", "me", "nowhere");
    let gain = ActionId(probe.property("gain").unwrap().uid);
    let tick = ActionId(probe.signals().next().unwrap().uid);
    assert_eq!(peer.call_named(&probe, "add", vec![1.into(), 2.into()]).await, Err(CallError::ReadOnly));
    assert_eq!(peer.set(&probe, gain, 1.0.into()).await, Err(CallError::ReadOnly));
    assert_eq!(peer.emit(&probe, tick, vec![1.into()]).await, Err(CallError::ReadOnly));
    assert_eq!(CallError::ReadOnly.to_string(), "read-only bridge");
    assert_eq!(peer.get(&probe, gain).await, Ok(0.0.into()));
    let mut listener = probe.listen(gain).unwrap();
    assert_eq!(eventually(listener.next()).await.unwrap().value, 0.0.into());
    // A reload opens it for peers that are connected.
    bus.reload(rules(&["Probe"]));
    assert_eq!(peer.set(&probe, gain, 1.0.into()).await, Ok(()));
}

#[tokio::test]
async fn calls_end_when_they_take_too_long_are_too_many_or_the_service_leaves() {
    let stage = Stage::new().await;
    let limits = Limits { calls_per_peer: 1, call_timeout: Duration::from_millis(50), ..Limits::default() };
    let bus = bus(&stage.url, Rules { limits, ..rules(&["Probe"]) });
    let probe = shown(&bus, "Probe").await;
    let peer = bus.peer("test", "me", "nowhere");
    let error = eventually(peer.call_named(&probe, "slow", vec![])).await.unwrap_err();
    assert_eq!(error.to_string(), "timeout after 50ms");
    bus.reload(Rules { limits: Limits { calls_per_peer: 1, ..Limits::default() }, ..rules(&["Probe"]) });
    let (slow, _) = tokio::join!(eventually(peer.call_named(&probe, "slow", vec![])), async {
        // The other call is first: `join!` polls in order, and this one comes back to it.
        tokio::task::yield_now().await;
        assert_eq!(peer.call_named(&probe, "add", vec![1.into(), 2.into()]).await, Err(CallError::Busy));
        assert_eq!(
            bus.peer("test", "other", "").call_named(&probe, "add", vec![1.into(), 2.into()]).await,
            Ok(3.into())
        );
        stage.host.close().await;
    });
    assert_eq!(slow.unwrap_err().to_string(), "service Probe is gone");
    assert_eq!(peer.call_named(&probe, "add", vec![1.into(), 2.into()]).await, Err(CallError::Gone("Probe".into())));
}

#[tokio::test]
async fn all_who_listen_share_one_subscription_that_ends_with_the_last() {
    let stage = Stage::new().await;
    let bus = bus(&stage.url, rules(&["Probe"]));
    let probe = shown(&bus, "Probe").await;
    let tick = ActionId(probe.signals().next().unwrap().uid);
    let subscribers = async |wanted: usize| {
        while stage.probe.tick.subscribers() != wanted {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert_eq!(stage.probe.tick.subscribers(), 0, "nobody listens yet");
    let (mut one, mut other) = (probe.listen(tick).unwrap(), probe.listen(tick).unwrap());
    eventually(subscribers(1)).await;
    stage.probe.tick.emit(&(7,));
    for listener in [&mut one, &mut other] {
        assert_eq!(eventually(listener.next()).await.unwrap().value, Value::tuple(vec![7.into()]));
    }
    drop(one);
    stage.probe.tick.emit(&(8,));
    assert_eq!(eventually(other.next()).await.unwrap().value, Value::tuple(vec![8.into()]));
    drop(other);
    eventually(subscribers(0)).await;
    assert_eq!(probe.listen(ActionId(4242)).unwrap_err(), CallError::NotExposed);
}

#[tokio::test]
async fn a_property_is_heard_with_its_value_first_and_then_with_each_change() {
    let stage = Stage::new().await;
    stage.probe.gain.set(2.5).unwrap();
    let bus = bus(&stage.url, rules(&["Probe"]));
    let probe = shown(&bus, "Probe").await;
    let gain = ActionId(probe.property("gain").unwrap().uid);
    let mut first = probe.listen(gain).unwrap();
    assert_eq!(eventually(first.next()).await.unwrap().value, 2.5.into());
    stage.probe.gain.set(3.5).unwrap();
    assert_eq!(eventually(first.next()).await.unwrap().value, 3.5.into());
    let mut second = probe.listen(gain).unwrap();
    assert_eq!(eventually(second.next()).await.unwrap().value, 3.5.into(), "the last value known");
}

#[tokio::test]
async fn who_listens_goes_on_listening_when_the_same_service_is_back_at_once() {
    let stage = Stage::new().await;
    let bus = bus(&stage.url, rules(&["Probe"]));
    let probe = shown(&bus, "Probe").await;
    let gain = ActionId(probe.property("gain").unwrap().uid);
    let mut listener = probe.listen(gain).unwrap();
    assert_eq!(eventually(listener.next()).await.unwrap().value, 0.0.into());
    stage.host.close().await;
    let host = Session::connect(&stage.url).await.unwrap();
    stage.probe.gain.set(9.0).unwrap();
    host.register("Probe", stage.probe.object()).await.unwrap();
    assert_eq!(eventually(listener.next()).await.unwrap().value, 9.0.into());
    assert!(Arc::ptr_eq(&probe, &bus.find("Probe").unwrap()));
    // With other members it is another service, and listening ends.
    host.close().await;
    let host = Session::connect(&stage.url).await.unwrap();
    let mut other = Object::builder();
    other.method("add", |(a, b): (i32, i32)| a + b);
    host.register("Probe", other).await.unwrap();
    assert_eq!(eventually(listener.next()).await, None);
    assert!(!Arc::ptr_eq(&probe, &shown(&bus, "Probe").await));
}

#[tokio::test]
async fn a_directory_that_is_lost_is_found_again() {
    let stage = Stage::new().await;
    let url = stage.url.clone();
    let bus = bus(&url, rules(&["Probe", "Imported"]));
    shown(&bus, "Probe").await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let mut imported = Object::builder();
    imported.method("hello", move |()| counted.fetch_add(1, Ordering::Relaxed) as u32);
    let hosted = bus.register("Imported", imported.build()).await.unwrap();
    assert!(hosted.is_registered());
    shown(&bus, "Imported").await;
    stage.host.close().await;
    stage.directory.close().await;
    withdrawn(&bus, "Probe").await;
    assert!(!bus.is_connected());
    let directory = eventually(async {
        loop {
            match Directory::builder().listen(&url).start().await {
                Ok(directory) => return directory,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await;
    let host = Session::connect(&url).await.unwrap();
    host.register("Probe", stage.probe.object()).await.unwrap();
    let probe = shown(&bus, "Probe").await;
    let peer = bus.peer("test", "me", "nowhere");
    assert_eq!(peer.call_named(&probe, "add", vec![1.into(), 2.into()]).await, Ok(3.into()));
    // What the bridge hosts is there again, too.
    let imported = eventually(host.wait_for_service("Imported")).await.unwrap();
    assert_eq!(imported.call::<u32>("hello", ()).await.unwrap(), 0);
    drop(hosted);
    eventually(async {
        while host.service_info("Imported").await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    bus.close().await;
    directory.close().await;
}

#[tokio::test]
async fn a_name_that_is_taken_stays_with_whom_it_belongs_to() {
    let stage = Stage::new().await;
    let bus = bus(&stage.url, rules(&["Probe"]));
    let error = eventually(bus.register("Probe", Object::builder().build())).await.unwrap_err();
    assert_eq!(error.name, "Probe");
    let probe = stage.host.service("Probe").await.unwrap();
    assert_eq!(probe.call::<i32>("add", (1, 2)).await.unwrap(), 3);
}

#[tokio::test]
async fn a_reload_shows_and_hides_services_without_losing_the_others() {
    let stage = Stage::new().await;
    stage.host.register("Other", Object::builder()).await.unwrap();
    let bus = bus(&stage.url, rules(&["Probe"]));
    let probe = shown(&bus, "Probe").await;
    let gain = ActionId(probe.property("gain").unwrap().uid);
    let mut listener = probe.listen(gain).unwrap();
    assert_eq!(eventually(listener.next()).await.unwrap().value, 0.0.into());
    bus.reload(rules(&["Probe", "Other"]));
    shown(&bus, "Other").await;
    assert!(Arc::ptr_eq(&probe, &bus.find("Probe").unwrap()));
    stage.probe.gain.set(1.0).unwrap();
    assert_eq!(eventually(listener.next()).await.unwrap().value, 1.0.into());
    bus.reload(rules(&["Other"]));
    withdrawn(&bus, "Probe").await;
    assert_eq!(eventually(listener.next()).await, None);
    let peer = bus.peer("test", "me", "nowhere");
    let refused = peer.call_named(&probe, "add", vec![1.into(), 2.into()]).await;
    assert_eq!(refused, Err(CallError::Gone("Probe".into())));
}
