//! Objects that pass to a client by way of a service: a role is shown of them what it may use, wherever in a payload they are.

use std::sync::Arc;

use keyway::{MetaObject, Object, ObjectBuilder, Property, Proxy, Session, Signal, TlsClient, Value};

use crate::{
    raw::quic_front,
    stage::{Plan, Stage, rules, soon, token_of},
};

const POLICY: &str = r#"
[[role]]
name = "parent"

[[rule]]
role = "parent"
service = "Nursery"
allow = ["*", "subscribe:*", "read:*", "write:*"]

[[rule]]
role = "parent"
service = "Nursery.object"
allow = ["who", "subscribe:fired"]

[[role]]
name = "other"

[[rule]]
role = "other"
service = "*"
allow = ["*", "subscribe:*", "read:*", "write:*", "register"]

[[rule]]
role = "other"
service = "*.object"
allow = ["who", "visit"]
"#;

const USERS: &[(&str, &str)] = &[("parent", "parent"), ("other", "other"), ("admin", "admin")];

/// What a child can do, and what a parent may know of that.
const WHOLE: &[&str] = &["fired", "label", "secret", "who"];
const SHOWN: &[&str] = &["fired", "who"];

fn child() -> Object {
    let mut builder = Object::builder();
    builder.method("who", |()| "child".to_owned());
    builder.method("secret", |()| 42);
    builder.signal("fired", &Signal::<(i32,)>::new());
    builder.property("label", &Property::new("x".to_owned()));
    builder.build()
}

/// An object as a dynamic value.
fn dynamic(object: &Object) -> Value {
    Value::from(object.clone())
}

/// A service that passes objects in every way there is.
fn nursery(born: &Signal<(Object,)>, seen: &Signal<(Value,)>) -> ObjectBuilder {
    let mut builder = Object::builder();
    builder.method("child", |()| child());
    builder.method("children", |()| vec![child(), child()]);
    builder.method("anything", |()| {
        let list = Value::list(keyway::Signature::dynamic(), vec![dynamic(&child()).into_dynamic()]);
        Value::tuple(vec![Value::from("before"), list, Value::from("behind")])
    });
    builder.method("nothing", |()| Value::from("nothing"));
    builder.method("same", |(object,): (Proxy,)| object);
    builder.method_async("take", |(host, what): (Proxy, i32)| async move {
        let (child, any) = (child(), Value::tuple(vec![dynamic(&child()), Value::from("behind")]));
        let taken = if what == 0 { host.call::<Value>("take", (child,)) } else { host.call("take_any", (any,)) };
        taken.await
    });
    // What a client's object returns is an object of the client again.
    builder.method_async("twice", |(host,): (Proxy,)| async move {
        let inner: Proxy = host.call("inner", ()).await?;
        inner.call::<Value>("take", (child(),)).await
    });
    builder.signal("born", born);
    builder.signal("seen", seen);
    builder.property("heir", &Property::new(child()));
    builder
}

/// A stage with that service, its signals, and the ways to reach it.
struct World {
    stage: Stage,
    born: Signal<(Object,)>,
    seen: Signal<(Value,)>,
    pem: Vec<u8>,
}

impl World {
    async fn new(shared: bool) -> Self {
        let (pem, front) = quic_front();
        let plan =
            Plan { shared, policy: POLICY, users: USERS, front, listen: &["quic://127.0.0.1:0"], ..Plan::default() };
        let stage = Stage::new(plan).await;
        let (born, seen) = (Signal::new(), Signal::new());
        stage.robot.session.register("Nursery", nursery(&born, &seen)).await.unwrap();
        Self { stage, born, seen, pem }
    }

    async fn client(&self, user: &str, scheme: &str) -> (Session, Proxy) {
        let url = self.stage.door.urls().into_iter().find(|url| url.starts_with(scheme)).unwrap();
        let builder = Session::builder().tls(TlsClient::ca_pem(&self.pem).unwrap()).credentials(user, token_of(user));
        let session = soon("connecting", builder.connect(&url)).await.unwrap();
        let service = soon("the service", session.wait_for_service("Nursery")).await.unwrap();
        (session, service)
    }
}

/// The names of what an object says it has, without what every object has.
fn names(metaobject: &MetaObject) -> Vec<&str> {
    let methods = metaobject.methods.values().map(|method| (method.uid, &*method.name));
    let signals = metaobject.signals.values().map(|signal| (signal.uid, &*signal.name));
    let properties = metaobject.properties.values().map(|property| (property.uid, &*property.name));
    let all = methods.chain(signals).chain(properties).filter(|(id, _)| *id >= 100);
    let mut names: Vec<_> = all.map(|(_, name)| name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn of(object: &Proxy) -> Vec<String> {
    names(&object.metaobject()).into_iter().map(str::to_owned).collect()
}

/// All objects in a value.
fn objects(value: &Value, found: &mut Vec<Arc<MetaObject>>) {
    match value {
        Value::Object(object) => found.push(object.reference.metaobject.clone()),
        Value::Dynamic(inner) => objects(inner, found),
        Value::Tuple(tuple) => tuple.items.iter().for_each(|item| objects(item, found)),
        Value::List(list) => list.items.iter().for_each(|item| objects(item, found)),
        _ => {}
    }
}

/// What the objects of a value say they have; `count` of them.
fn within(value: &Value, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    objects(value, &mut found);
    assert_eq!(found.len(), count, "{value:?}");
    let all: Vec<_> = found.iter().map(|metaobject| names(metaobject)).collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    all[0].iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_in_answers_events_and_properties_show_what_a_role_may_use() {
    for (shared, scheme) in [(false, "tcp"), (true, "tcp"), (false, "quic"), (true, "quic")] {
        let world = World::new(shared).await;
        for (user, expected) in [("parent", SHOWN), ("admin", WHOLE)] {
            let (_session, nursery) = world.client(user, scheme).await;
            let what = format!("{user}, {scheme}, {shared}");
            let child: Proxy = soon("a child", nursery.call("child", ())).await.unwrap();
            assert_eq!(of(&child), expected, "{what}");
            // It is of use, and can be let go of.
            assert_eq!(soon("who", child.call::<String>("who", ())).await.unwrap(), "child");
            assert!(
                child.metaobject().methods.contains_key(&3),
                "{what}: its host would never hear that it is let go of"
            );
            for child in soon("children", nursery.call::<Vec<Proxy>>("children", ())).await.unwrap() {
                assert_eq!(of(&child), expected, "{what}");
            }
            let anything: Value = soon("anything", nursery.call("anything", ())).await.unwrap();
            assert_eq!(within(&anything, 1), expected, "{what}");
            let text = format!("{anything:?}");
            assert!(text.contains("before") && text.contains("behind"), "{text}");
            let nothing: Value = soon("nothing", nursery.call("nothing", ())).await.unwrap();
            assert_eq!(nothing.unwrap_dynamic(), Value::from("nothing"));
            // An answer in a type that the client asks for.
            let heir: Proxy = soon("the heir", nursery.get("heir")).await.unwrap();
            assert_eq!(of(&heir), expected, "{what}");

            let mut born = soon("subscribing", nursery.signal::<(Proxy,)>("born")).await.unwrap();
            let mut seen = soon("subscribing", nursery.signal::<(Value,)>("seen")).await.unwrap();
            let mut changed = soon("subscribing", nursery.signal::<(Proxy,)>("heir")).await.unwrap();
            world.born.emit(&(self::child(),));
            world.seen.emit(&(Value::tuple(vec![dynamic(&self::child()), Value::Int32(5)]),));
            let (child,) = soon("the event", born.next()).await.unwrap().unwrap();
            assert_eq!(of(&child), expected, "{what}");
            assert_eq!(soon("who", child.call::<String>("who", ())).await.unwrap(), "child");
            let (value,) = soon("the event", seen.next()).await.unwrap().unwrap();
            assert_eq!(within(&value, 1), expected, "{what}");
            soon("setting", nursery.set("heir", self::child())).await.unwrap();
            let (heir,) = soon("the event", changed.next()).await.unwrap().unwrap();
            assert!(of(&heir).contains(&"who".to_owned()), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_that_are_passed_to_an_object_of_the_client_show_what_its_role_may_use() {
    for (shared, scheme) in [(false, "tcp"), (true, "tcp"), (false, "quic"), (true, "quic")] {
        let world = World::new(shared).await;
        for (user, expected) in [("parent", SHOWN), ("admin", WHOLE)] {
            let what = format!("{user}, {scheme}, {shared}");
            let (_session, nursery) = world.client(user, scheme).await;
            let mine = || {
                let mut builder = Object::builder();
                builder.method("take", |(object,): (Proxy,)| Value::from(of(&object).join(" ")));
                builder.method("take_any", |(value,): (Value,)| Value::from(within(&value, 1).join(" ")));
                builder
            };
            let mut outer = mine();
            outer.method("inner", move |()| mine().build());
            let outer = outer.build();
            for (how, arguments) in [("take an object", 0), ("take anything", 1)] {
                let seen: Value = soon(how, nursery.call("take", (outer.clone(), arguments))).await.unwrap();
                assert_eq!(seen.unwrap_dynamic(), Value::from(expected.join(" ")), "{what}: {how}");
            }
            let seen: Value = soon("twice", nursery.call("twice", (outer.clone(),))).await.unwrap();
            assert_eq!(seen.unwrap_dynamic(), Value::from(expected.join(" ")), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_that_come_by_way_of_another_client_show_what_a_role_may_use() {
    for shared in [false, true] {
        let world = World::new(shared).await;
        let (host, _) = world.client("other", "tcp").await;
        let mut yard = Object::builder();
        yard.method("child", |()| child());
        let shows = |(object,): (Proxy,)| of(&object).join(" ");
        yard.method("look", shows);
        soon("registering", host.register("Yard", yard)).await.unwrap();
        let (guest, _) = world.client("other", "quic").await;
        let yard = soon("the yard", guest.wait_for_service("Yard")).await.unwrap();
        let child: Proxy = soon("the child", yard.call("child", ())).await.unwrap();
        assert_eq!(of(&child), ["who"], "{shared}");
        // What callers pass to its service, the client may use, and so it sees it.
        let seen: String = soon("looking", yard.call("look", (self::child(),))).await.unwrap();
        assert_eq!(seen, WHOLE.join(" "), "{shared}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_reload_objects_show_what_the_new_rules_allow() {
    for shared in [false, true] {
        let world = World::new(shared).await;
        let (_session, nursery) = world.client("parent", "tcp").await;
        let mut born = soon("subscribing", nursery.signal::<(Proxy,)>("born")).await.unwrap();
        for (allowed, expected) in [("\"who\", \"secret\"", &["secret", "who"][..]), ("\"who\"", &["who"])] {
            let other = POLICY.replace("\"who\", \"subscribe:fired\"", allowed);
            world.stage.gateway.reload(rules(&other, USERS));
            // Whatever the session does next is by the new rules.
            let child: Proxy = soon("a child", nursery.call("child", ())).await.unwrap();
            assert_eq!(of(&child), expected, "{shared}");
            world.born.emit(&(self::child(),));
            let (child,) = soon("the event", born.next()).await.unwrap().unwrap();
            assert_eq!(of(&child), expected, "{shared}");
        }
    }
}
