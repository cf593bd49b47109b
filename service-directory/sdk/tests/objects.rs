//! Methods, signals, properties and objects as values (spec 6, 8–10), Rust to Rust over TCP.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use keyway::{CallContext, Directory, Error, Object, ObjectBuilder, Property, Proxy, Session, Signal, Value};

/// A service at its own directory, and a proxy of it over the network.
async fn stage(builder: ObjectBuilder) -> (Directory, Session, Proxy) {
    let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
    let url = directory.urls().remove(0);
    let host = Session::connect(&url).await.unwrap();
    host.register("Service", builder).await.unwrap();
    let client = Session::connect(&url).await.unwrap();
    let proxy = client.service("Service").await.unwrap();
    (directory, host, proxy)
}

#[tokio::test]
async fn arguments_and_results_convert() {
    let mut builder = Object::builder();
    builder.method("half", |(x,): (f64,)| x / 2.0);
    builder.method("is", |(x,): (bool,)| x);
    let (_directory, _host, proxy) = stage(builder).await;
    assert_eq!(proxy.call::<f64>("half", (3_i32,)).await.unwrap(), 1.5);
    assert_eq!(proxy.call::<i32>("half", (8,)).await.unwrap(), 4);
    assert!(proxy.call::<String>("half", (8,)).await.is_err());
    assert!(proxy.call::<f64>("half", ("text".to_owned(),)).await.is_err());
    assert_eq!(proxy.call::<i32>("is", (true,)).await.unwrap(), 1);
}

#[tokio::test]
async fn errors_panics_and_unknown_members_are_answers() {
    let mut builder = Object::builder();
    builder.method("fail", |()| Err::<(), _>("no such luck"));
    builder.method("panic", |()| -> i32 { panic!("on purpose") });
    let (_directory, _host, proxy) = stage(builder).await;
    assert_eq!(proxy.call::<()>("fail", ()).await.unwrap_err().to_string(), "no such luck");
    assert!(proxy.call::<i32>("panic", ()).await.unwrap_err().to_string().contains("panicked"));
    assert!(proxy.call::<i32>("missing", ()).await.unwrap_err().to_string().starts_with("Can't find method: missing"));
    // The connection survived all that.
    assert_eq!(proxy.call::<()>("fail", ()).await.unwrap_err().to_string(), "no such luck");
}

#[tokio::test]
async fn cancelling_and_dropping_a_call_stop_the_method() {
    struct Guard(Arc<AtomicBool>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let stopped = Arc::new(AtomicBool::new(false));
    let started = Signal::<(i32,)>::new();
    let mut builder = Object::builder();
    builder.signal("started", &started);
    let flag = stopped.clone();
    builder.method_async("wait", move |()| {
        let guard = Guard(flag.clone());
        started.emit(&(1,));
        async move {
            std::future::pending::<()>().await;
            drop(guard);
        }
    });
    let (_directory, _host, proxy) = stage(builder).await;
    let mut starts = proxy.signal::<(i32,)>("started").await.unwrap();
    let mut call = proxy.call::<()>("wait", ());
    starts.next().await.unwrap().unwrap();
    call.cancel();
    assert!(matches!(call.await, Err(Error::Canceled)));
    assert!(stopped.swap(false, Ordering::SeqCst));

    let call = proxy.call::<()>("wait", ());
    starts.next().await.unwrap().unwrap();
    drop(call);
    while !stopped.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_slow_method_does_not_hold_up_others() {
    let mut builder = Object::builder();
    builder.method_async("never", |()| std::future::pending::<()>());
    builder.method("quick", |()| 1);
    let (_directory, _host, proxy) = stage(builder).await;
    let never = proxy.call::<()>("never", ());
    assert_eq!(proxy.call::<i32>("quick", ()).await.unwrap(), 1);
    drop(never);
}

#[tokio::test]
async fn events_arrive_in_order_and_stop_with_the_stream() {
    let count = Signal::<(i32,)>::new();
    let mut builder = Object::builder();
    builder.signal("count", &count);
    let emitter = count.clone();
    builder.method("emit", move |(n,): (i32,)| (0..n).for_each(|i| emitter.emit(&(i,))));
    let (_directory, _host, proxy) = stage(builder).await;
    let mut first = proxy.signal::<(i32,)>("count").await.unwrap();
    let mut second = proxy.signal::<(i64,)>("count").await.unwrap();
    // Two listeners of one proxy share one remote subscription (6.10).
    assert_eq!(count.subscribers(), 1);
    proxy.call::<()>("emit", (300,)).await.unwrap();
    for i in 0..300 {
        assert_eq!(first.next().await.unwrap().unwrap(), (i,));
        assert_eq!(second.next().await.unwrap().unwrap(), (i64::from(i),));
    }
    drop(first);
    proxy.call::<()>("emit", (1,)).await.unwrap();
    assert_eq!(second.next().await.unwrap().unwrap(), (0,));
    drop(second);
    proxy.call::<()>("emit", (1,)).await.unwrap();
    assert_eq!(count.subscribers(), 0);
}

#[tokio::test]
async fn posts_run_methods_and_emit_signals() {
    let told = Signal::<(String,)>::new();
    let mut builder = Object::builder();
    builder.signal("told", &told);
    builder.method("tell", move |(text,): (String,)| told.emit(&(text,)));
    let (_directory, _host, proxy) = stage(builder).await;
    let mut told = proxy.signal::<(String,)>("told").await.unwrap();
    proxy.post("tell", ("method".to_owned(),)).unwrap();
    proxy.post("told", ("signal".to_owned(),)).unwrap();
    assert_eq!(told.next().await.unwrap().unwrap().0, "method");
    assert_eq!(told.next().await.unwrap().unwrap().0, "signal");
}

#[tokio::test]
async fn properties_notify_on_every_set_and_refuse_what_they_must() {
    let level = Property::new(1_i32);
    level.on_set(|new| if *new >= 0 { Ok(()) } else { Err("must not be negative".into()) });
    let fixed = Property::new("fixed".to_owned());
    let mut builder = Object::builder();
    builder.property("level", &level).read_only_property("fixed", &fixed);
    let (_directory, _host, proxy) = stage(builder).await;
    let mut changes = proxy.signal::<(i32,)>("level").await.unwrap();
    proxy.set("level", 5).await.unwrap();
    proxy.set("level", 5).await.unwrap();
    level.set(6).unwrap();
    for expected in [5, 5, 6] {
        assert_eq!(changes.next().await.unwrap().unwrap(), (expected,));
    }
    assert_eq!(proxy.get::<i32>("level").await.unwrap(), 6);
    assert_eq!(proxy.set("level", -1).await.unwrap_err().to_string(), "must not be negative");
    assert_eq!(proxy.set("level", "x".to_owned()).await.unwrap_err().to_string(), "Failed converting Ss to i");
    proxy.set("level", 3.7_f64).await.unwrap();
    assert_eq!(level.get(), 3);
    assert_eq!(proxy.get::<String>("fixed").await.unwrap(), "fixed");
    assert!(proxy.set("fixed", "x".to_owned()).await.is_err());
    // setProperty called as a method by name (QI-034).
    let (name, value) = (Value::from("level"), Value::from(9_i32));
    proxy.call::<()>("setProperty", (name, value)).await.unwrap();
    assert_eq!(level.get(), 9);
}

#[tokio::test]
async fn returned_objects_live_until_their_last_proxy_goes() {
    let gone = Arc::new(AtomicBool::new(false));
    struct Guard(Arc<AtomicBool>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let flag = gone.clone();
    let mut builder = Object::builder();
    builder.method("make", move |()| {
        let guard = Guard(flag.clone());
        let mut made = Object::builder();
        made.method("ping", move |()| {
            let _ = &guard;
            "pong".to_owned()
        });
        made.build()
    });
    let (_directory, _host, proxy) = stage(builder).await;
    let made = proxy.call::<Proxy>("make", ()).await.unwrap();
    let other = made.clone();
    drop(made);
    assert_eq!(other.call::<String>("ping", ()).await.unwrap(), "pong");
    assert!(!gone.load(Ordering::SeqCst));
    drop(other);
    while !gone.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn objects_passed_as_arguments_are_called_back_over_the_same_connection() {
    let mut builder = Object::builder();
    builder.method_async("apply", |(object, x): (Proxy, i32)| async move { object.call::<i32>("twice", (x,)).await });
    builder.method("same", |(object,): (Proxy,)| object);
    let (_directory, _host, proxy) = stage(builder).await;
    let mut mine = Object::builder();
    mine.method("twice", |(x,): (i32,)| 2 * x);
    let mine = mine.build();
    assert_eq!(proxy.call::<i32>("apply", (mine.clone(), 21)).await.unwrap(), 42);
    // There and back again: another object on the way, the same identity (10.1).
    let back = proxy.call::<Proxy>("same", (mine.clone(),)).await.unwrap();
    assert_eq!(back.uid(), Some(mine.uid()));
    assert_eq!(back.call::<i32>("twice", (4,)).await.unwrap(), 8);
    // A chain of proxies.
    let mut chain = back;
    for _ in 0..5 {
        chain = proxy.call::<Proxy>("same", (chain,)).await.unwrap();
    }
    assert_eq!(chain.call::<i32>("twice", (5,)).await.unwrap(), 10);
}

#[tokio::test]
async fn objects_travel_in_events_lists_and_properties() {
    let handed = Signal::<(Object,)>::new();
    let mut builder = Object::builder();
    builder.signal("handed", &handed);
    builder.method("hand", move |()| handed.emit(&(named("event"),)));
    builder.method("many", |(n,): (i32,)| (0..n).map(|i| named(&i.to_string())).collect::<Vec<_>>());
    let current = Property::new(named("property"));
    builder.property("current", &current);
    let (_directory, _host, proxy) = stage(builder).await;
    let mut handed = proxy.signal::<(Proxy,)>("handed").await.unwrap();
    proxy.call::<()>("hand", ()).await.unwrap();
    let (object,) = handed.next().await.unwrap().unwrap();
    assert_eq!(object.call::<String>("name", ()).await.unwrap(), "event");
    for (i, object) in proxy.call::<Vec<Proxy>>("many", (4,)).await.unwrap().into_iter().enumerate() {
        assert_eq!(object.call::<String>("name", ()).await.unwrap(), i.to_string());
    }
    let object = proxy.get::<Proxy>("current").await.unwrap();
    assert_eq!(object.call::<String>("name", ()).await.unwrap(), "property");
}

fn named(name: &str) -> Object {
    let name = name.to_owned();
    let mut builder = Object::builder();
    builder.method("name", move |()| name.clone());
    builder.build()
}

#[tokio::test]
async fn stats_and_traces_tell_what_was_called() {
    let mut builder = Object::builder();
    builder.method("add", |(a, b): (i32, i32)| a + b);
    let (_directory, _host, proxy) = stage(builder).await;
    proxy.call::<()>("enableStats", (true,)).await.unwrap();
    proxy.call::<i32>("add", (1, 2)).await.unwrap();
    assert!(proxy.call::<bool>("isStatsEnabled", ()).await.unwrap());
    let stats = proxy.call::<std::collections::BTreeMap<u32, keyway::MethodStatistics>>("stats", ()).await.unwrap();
    assert_eq!(stats[&100].count, 1);
    proxy.call::<()>("clearStats", ()).await.unwrap();
    proxy.call::<()>("enableStats", (false,)).await.unwrap();

    let mut trace = proxy.signal::<(keyway::EventTrace,)>("traceObject").await.unwrap();
    proxy.call::<i32>("add", (1, 2)).await.unwrap();
    let (call,) = trace.next().await.unwrap().unwrap();
    let (result,) = trace.next().await.unwrap().unwrap();
    assert_eq!((call.kind, result.kind), (keyway::TraceKind::Call, keyway::TraceKind::Result));
    assert_eq!(call.id, result.id);
    assert_eq!(call.arguments.to_string(), "[1,2]");
    assert_eq!(result.arguments.to_string(), "3");
}

#[tokio::test]
async fn a_method_knows_who_calls() {
    let mut builder = Object::builder();
    builder.method_with_context("who", |context: &CallContext, ()| context.peer());
    let (_directory, _host, proxy) = stage(builder).await;
    assert!(proxy.call::<String>("who", ()).await.unwrap().contains("127.0.0.1"));
}
