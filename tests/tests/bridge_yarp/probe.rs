//! The service that YARP's programs use.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use keyway::{Error, Object, ObjectBuilder, Property, QiValue, Signal, Value};
use tokio::time::sleep;

/// A struct.
#[derive(Debug, Clone, QiValue)]
struct Point {
    x: i32,
    y: f64,
}

/// `YarpProbe`: its signals and properties are here to be emitted and looked at.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    pub(crate) tick: Signal<(i32,)>,
    pub(crate) alarm: Signal<(String, f64)>,
    pub(crate) gain: Property<f64>,
    pub(crate) mode: Property<String>,
    pub(crate) any: Property<Value>,
    /// How many calls of `slow` have begun.
    pub(crate) slow_calls: Arc<AtomicUsize>,
}

impl Probe {
    pub(crate) fn new() -> Self {
        let three = Value::from(vec![Value::from(3.0)]);
        Self {
            tick: Signal::new(),
            alarm: Signal::new(),
            gain: Property::new(2.5),
            mode: Property::new("idle".to_owned()),
            any: Property::new(Value::from(vec![1.into(), "two".into(), three])),
            slow_calls: Arc::default(),
        }
    }

    pub(crate) fn object(&self) -> ObjectBuilder {
        let (mut builder, slow_calls) = (Object::builder(), self.slow_calls.clone());
        builder
            .method("add", |(a, b): (i32, i32)| a.wrapping_add(b))
            .document("add", "Adds", &[("a", "one"), ("b", "the other")], "the sum")
            .method("echo", |(value,): (Value,)| value)
            .method("get_answer", |()| 42)
            .method("greet", |(name,): (String,)| format!("hello {name}"))
            .method("nothing", |()| ())
            .method("boom", |(why,): (String,)| Err::<(), _>(Error::remote(why)))
            .method_async("slow", move |(ms,): (i32,)| {
                slow_calls.fetch_add(1, Ordering::Relaxed);
                async move {
                    sleep(Duration::from_millis(ms.unsigned_abs().into())).await;
                    ms
                }
            })
            .method("vec", |(n,): (i32,)| (0..n).map(|i| f64::from(i) / 2.0).collect::<Vec<_>>())
            .method("table", |()| BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]))
            .method("pose", |()| (1.0, 2.0, 3.0))
            .method("blob", |(n,): (i32,)| (0..n).map(|i| i.to_le_bytes()[0]).collect::<Bytes>())
            .method("big", |()| 5_000_000_000_i64)
            .method("set", |(x,): (i32,)| x * 10)
            .method("do_it", |(_,): (String,)| ())
            .method("fire", |()| ())
            .method("start", |(a, b): (i32, f64)| f64::from(a) < b)
            .method("vals", |()| vec![1.5, 2.5])
            .method("pt", |(point,): (Point,)| point)
            .method("m", |()| BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]));
        let tick = self.tick.clone();
        builder.method("emit_tick", move |(n,): (i32,)| (0..n).for_each(|i| tick.emit(&(i,))));
        builder
            .signal("tick", &self.tick)
            .signal("alarm", &self.alarm)
            .property("gain", &self.gain)
            .property("mode", &self.mode)
            .property("any", &self.any);
        builder
    }
}
