//! The service that the acceptance cases of the bridges to ROS name (spec ros.md 10.2).

use std::time::Duration;

use keyway::{Object, Property, QiValue, Session, Signal, value::Value};

/// `RosProbe`, registered; it leaves with the session.
#[derive(Debug)]
pub struct RosProbe {
    /// The session that hosts it.
    pub session: Session,
    /// Its property `gain`.
    pub gain: Property<f64>,
    /// Its signal `tick`.
    pub tick: Signal<(i32,)>,
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
    /// Registers it at a directory.
    ///
    /// # Panics
    ///
    /// When that does not work.
    pub async fn register(url: &str) -> Self {
        let session = Session::connect(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        let (gain, mode) = (Property::new(2.5), Property::new("idle".to_owned()));
        let (tick, alarm) = (Signal::<(i32,)>::new(), Signal::<Alarm>::new());
        let mut probe = Object::builder();
        probe
            .method("add", |(a, b): (i32, i32)| a.wrapping_add(b))
            .document("add", "", &[("a", ""), ("b", "")], "")
            .method("greet", |(who,): (String,)| format!("hello {who}"))
            .document("greet", "", &[("who", "")], "")
            .method("get_answer", |(): ()| 42)
            .method("nothing", |(): ()| ())
            .method("boom", |(why,): (String,)| Err::<(), _>(why))
            .document("boom", "", &[("why", "")], "")
            .method("vec", |(n,): (i32,)| (0..n).map(|number| f64::from(number) / 2.0).collect::<Vec<_>>())
            .document("vec", "", &[("n", "")], "")
            .method("blob", |(n,): (i32,)| {
                let bytes: Vec<u8> = (0..n).map(|number| u8::try_from(number % 256).unwrap_or_default()).collect();
                bytes::Bytes::from(bytes)
            })
            .document("blob", "", &[("n", "")], "")
            .method("table", |(): ()| std::collections::BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]))
            .method("pose", |(): ()| Pose { x: 1.0, y: 2.0, theta: 3.0 })
            .method("echo", |(value,): (Value,)| value)
            .document("echo", "", &[("value", "")], "")
            .method_async("slow", |(ms,): (i32,)| async move {
                tokio::time::sleep(Duration::from_millis(ms.unsigned_abs().into())).await;
                ms
            })
            .document("slow", "", &[("ms", "")], "")
            .method("enable", |(on,): (bool,)| on)
            .document("enable", "", &[("on", "")], "")
            .method("status", |(): ()| "ready".to_owned());
        let ticking = tick.clone();
        probe.method("emit_tick", move |(n,): (i32,)| (0..n).for_each(|number| ticking.emit(&(number,))));
        probe.document("emit_tick", "", &[("n", "")], "");
        let alarming = alarm.clone();
        probe.method("emit_alarm", move |(code, text): (i32, String)| alarming.emit(&Alarm { code, text }));
        probe.document("emit_alarm", "", &[("code", ""), ("text", "")], "");
        probe.signal("tick", &tick).signal("alarm", &alarm).property("gain", &gain).property("mode", &mode);
        session.register("RosProbe", probe).await.unwrap_or_else(|error| panic!("RosProbe: {error}"));
        Self { session, gain, tick }
    }
}
