//! The service `RosProbe` (ROS spec 10.2).

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use keyway::{Object, Property, QiValue, Session, Signal, Value};

use crate::eventually;

/// A service with a member for each kind of type, registered; it leaves with the session.
#[derive(Debug)]
pub struct RosProbe {
    /// The session that hosts it.
    pub session: Session,
    /// `tick(i)`
    pub tick: Signal<(i32,)>,
    /// `series([d])`
    pub series: Signal<(Vec<f64>,)>,
    /// `gain:d`
    pub gain: Property<f64>,
    slow: Arc<AtomicUsize>,
}

/// What `pose` returns.
#[derive(Debug, Clone, QiValue)]
struct Pose {
    x: f64,
    y: f64,
    theta: f64,
}

/// What `alarm` says.
#[derive(Debug, Clone, QiValue)]
struct Alarm {
    code: i32,
    text: String,
}

impl RosProbe {
    /// Registers it at a directory, under a name.
    ///
    /// # Panics
    ///
    /// When that does not work.
    pub async fn register(url: &str, name: &str) -> Self {
        let session = Session::connect(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        let (tick, alarm, series) = (Signal::new(), Signal::new(), Signal::new());
        let (gain, mode) = (Property::new(2.5), Property::new("idle".to_owned()));
        let (ticking, alarming) = (tick.clone(), alarm.clone());
        let slow = Arc::<AtomicUsize>::default();
        let begun = slow.clone();
        let mut object = Object::builder();
        object
            .method("add", |(a, b): (i32, i32)| a.wrapping_add(b))
            .document("add", "", &[("a", ""), ("b", "")], "")
            .method("greet", |(who,): (String,)| format!("hello {who}"))
            .document("greet", "", &[("who", "")], "")
            .method("get_answer", |()| 42)
            .method("nothing", |()| ())
            .method("boom", |(why,): (String,)| Err::<(), _>(why))
            .document("boom", "", &[("why", "")], "")
            .method("vec", |(n,): (i32,)| (0..n).map(|at| f64::from(at) / 2.0).collect::<Vec<_>>())
            .document("vec", "", &[("n", "")], "")
            .method("blob", |(n,): (i32,)| (0..n).map(|at| at.to_le_bytes()[0]).collect::<Bytes>())
            .document("blob", "", &[("n", "")], "")
            .method("table", |()| std::collections::BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]))
            .method("pose", |()| Pose { x: 1.0, y: 2.0, theta: 3.0 })
            .method("echo", |(value,): (Value,)| value)
            .document("echo", "", &[("value", "")], "")
            .method_async("slow", move |(ms,): (i32,)| {
                begun.fetch_add(1, Relaxed);
                async move {
                    tokio::time::sleep(Duration::from_millis(u64::try_from(ms).unwrap_or(0))).await;
                    ms
                }
            })
            .document("slow", "", &[("ms", "")], "")
            .method("enable", |(on,): (bool,)| on)
            .document("enable", "", &[("on", "")], "")
            .method("status", |()| "ready".to_owned())
            .method("emit_tick", move |(n,): (i32,)| (0..n).for_each(|at| ticking.emit(&(at,))))
            .document("emit_tick", "", &[("n", "")], "")
            .method("emit_alarm", move |(code, text): (i32, String)| alarming.emit(&Alarm { code, text }))
            .document("emit_alarm", "", &[("code", ""), ("text", "")], "")
            .signal("tick", &tick)
            .signal("alarm", &alarm)
            .signal("series", &series)
            .property("gain", &gain)
            .property("mode", &mode);
        session.register(name, object).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { session, tick, series, gain, slow }
    }

    /// Waits until somebody has called `slow`.
    ///
    /// # Panics
    ///
    /// When nobody does.
    pub async fn slow_has_begun(&self) {
        eventually("a call of slow", async {
            while self.slow.load(Relaxed) == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}
