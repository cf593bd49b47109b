//! The service of the conformance suite's `conftest.py`, hosted by the SDK: the suite's clients are real libqi ones.
//!
//! `conformance_service URL NAME` registers it, and a single-threaded one as `NAME.ordered`; prints `ready NAME` and
//! runs until its standard input ends.

use std::{sync::Arc, time::Duration};

use keyway::{Error, Object, ObjectBuilder, Property, Proxy, Result, Session, Signal, Signature, Value};
use tokio::{
    io::AsyncReadExt,
    sync::{Mutex, oneshot},
};

/// Signatures of the typed echo methods, in the order of `TYPES` in the suite.
const TYPES: &[&str] = &[
    "b",
    "b",
    "c",
    "C",
    "w",
    "W",
    "i",
    "I",
    "l",
    "L",
    "f",
    "d",
    "s",
    "s",
    "[i]",
    "[i]",
    "[s]",
    "{si}",
    "{i[s]}",
    "(is)",
    "()",
    "+i",
    "+i",
    "[[i]]",
    "{s[(is)]}",
    "(b(cC)[w])",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(name)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: conformance_service URL NAME");
    };
    let session = Session::connect(&url).await?;
    session.listen("tcp://127.0.0.1:0").await?;
    session.register(&name, conformance()?).await?;
    session.register(&format!("{name}.ordered"), ordered()).await?;
    println!("ready {name}");
    let mut end = [0; 1];
    // Whatever arrives, an end or an error: the suite is done.
    let _ = tokio::io::stdin().read(&mut end).await;
    session.close().await;
    Ok(())
}

/// A call that waits until `finish` or `breakit`.
type Promise = Arc<Mutex<Option<oneshot::Sender<Result<Value>>>>>;

fn conformance() -> anyhow::Result<ObjectBuilder> {
    let mut builder = Object::builder();
    for (position, signature) in TYPES.iter().enumerate() {
        let signature = Signature::parse(signature)?;
        let parameters = Signature::tuple([signature.clone()]);
        builder.method_dynamic(&format!("t{position:02}"), parameters, signature, |arguments| async move {
            match arguments {
                Value::Tuple(mut tuple) if tuple.items.len() == 1 => Ok(tuple.items.remove(0)),
                other => Err(Error::remote(format!("expected one argument, got {other}"))),
            }
        });
    }
    plain_methods(&mut builder)?;
    promises(&mut builder);
    signals_and_properties(&mut builder);
    objects(&mut builder);
    Ok(builder)
}

fn plain_methods(builder: &mut ObjectBuilder) -> anyhow::Result<()> {
    let point = Signature::parse("(is)<Point,x,label>")?;
    let dynamic = Signature::dynamic;
    builder
        .method("echo", |(x,): (Value,)| x.unwrap_dynamic())
        .method("add", |(a, b): (i32, i32)| a.wrapping_add(b))
        .method("nothing", |()| ())
        .method_dynamic("point", Signature::tuple([point.clone()]), point, |arguments| async move { first(arguments) })
        .method("over", |(_,): (i32,)| "int".to_owned())
        .method("over", |(_,): (String,)| "str".to_owned())
        .method("over", |(_, _): (i32, i32)| "two".to_owned())
        .method_dynamic("varargs", dynamic(), dynamic(), |arguments| async move {
            match arguments.unwrap_dynamic() {
                Value::Tuple(tuple) => Ok(dynamics(tuple.items)),
                other => Ok(dynamics(vec![other])),
            }
        })
        .method("boom", |()| Err::<(), _>("ValueError: kaboom"))
        .method("_private", |()| "private".to_owned())
        .method_dynamic("bad_return", Signature::tuple([]), Signature::int32(), |_| async {
            Ok(Value::from("not an int"))
        })
        .method("size", |(text,): (Value,)| match text.unwrap_dynamic() {
            Value::String(text) => Ok(text.as_bytes().len() as i64),
            other => Err(format!("{other} has no size")),
        })
        .method("blob", |(n,): (u32,)| "x".repeat(n as usize))
        .method_blocking("sleep", |(seconds,): (f64,)| {
            std::thread::sleep(Duration::from_secs_f64(seconds));
            "slept".to_owned()
        });
    let posted = Arc::new(std::sync::Mutex::new(Vec::new()));
    let notes = posted.clone();
    builder
        .method("note", move |(x,): (Value,)| notes.lock().map(|mut notes| notes.push(x)).map_err(|e| e.to_string()));
    builder.method("notes", move |()| posted.lock().map(|notes| notes.clone()).map_err(|e| e.to_string()));
    Ok(())
}

fn promises(builder: &mut ObjectBuilder) {
    let promise = Promise::default();
    let slow = promise.clone();
    builder.method_async("slow", move |()| {
        let slow = slow.clone();
        async move {
            let (finish, finished) = oneshot::channel();
            *slow.lock().await = Some(finish);
            finished.await.unwrap_or(Err(Error::Canceled))
        }
    });
    let finish = promise.clone();
    builder.method_async("finish", move |(value,): (Value,)| settle(finish.clone(), Ok(value)));
    builder.method_async("breakit", move |(text,): (String,)| settle(promise.clone(), Err(Error::remote(text))));
}

async fn settle(promise: Promise, outcome: Result<Value>) -> Result<(), String> {
    let waiting = promise.lock().await.take().ok_or("nobody waits")?;
    waiting.send(outcome).map_err(|_| "nobody waits any more".to_owned())
}

fn signals_and_properties(builder: &mut ObjectBuilder) {
    let changed = Signal::<(i32, String)>::new();
    let anything = Signal::<Value>::new();
    let handed = Signal::<(Object,)>::new();
    let level = Property::new(0_i32);
    let loose = Property::new(Value::Void);
    builder
        .signal("changed", &changed)
        .signal("anything", &anything)
        .signal("handed", &handed)
        .property("level", &level)
        .property("loose", &loose);
    let one = changed.clone();
    builder.method("emit", move |(i, text): (i32, String)| one.emit(&(i, text)));
    builder.method("emit_many", move |(n,): (i32,)| (0..n).for_each(|i| changed.emit(&(i, String::new()))));
    builder.method("hand", move |()| handed.emit(&(child("handed".into()),)));
    // Not in the suite's service: how the suite sets the property from the service's side.
    builder.method("set_level_here", move |(value,): (i32,)| level.set(value));
}

fn objects(builder: &mut ObjectBuilder) {
    let kept = Arc::new(Mutex::new(Vec::<Proxy>::new()));
    builder.method("make", |()| Value::from(child("child".into())));
    builder.method("make_many", |(n,): (i32,)| dynamics((0..n).map(|i| Value::from(child(i.to_string()))).collect()));
    builder.method_async("struct_obj", |(object,): (Proxy,)| async move { object.call::<String>("who", ()).await });
    let list = kept.clone();
    builder.method_async("keep", move |(object,): (Value,)| {
        let list = list.clone();
        async move {
            let object = match object.unwrap_dynamic() {
                Value::Object(object) => Proxy::try_from(&object).map_err(|e| e.to_string())?,
                other => return Err(format!("{other} is not an object")),
            };
            let mut list = list.lock().await;
            list.push(object);
            Ok(Value::from(list.len() as i64))
        }
    });
    let list = kept.clone();
    builder.method_async("call_kept", move |(x,): (Value,)| {
        let list = list.clone();
        async move {
            let last = list.lock().await.last().cloned().ok_or_else(|| Error::remote("nothing is kept"))?;
            last.call_dynamic("twice", vec![x.unwrap_dynamic()]).await
        }
    });
    let list = kept.clone();
    builder.method_async("give_back", move |()| {
        let list = list.clone();
        async move { list.lock().await.last().cloned().map(Value::from).ok_or("nothing is kept") }
    });
    builder.method_async("drop", move |()| {
        let list = kept.clone();
        async move {
            list.lock().await.clear();
            Value::Void
        }
    });
}

fn child(tag: String) -> Object {
    let fired = Signal::<(i32,)>::new();
    let label = Property::new(String::new());
    let mut builder = Object::builder();
    let (who, made) = (tag.clone(), tag);
    builder
        .method("who", move |()| Value::from(who.as_str()))
        .method("make", move |()| Value::from(child(format!("{made}+"))))
        .signal("fired", &fired)
        .property("label", &label);
    builder.method("fire", move |(i,): (i32,)| fired.emit(&(i,)));
    builder.build()
}

fn ordered() -> ObjectBuilder {
    let changed = Signal::<(i32, String)>::new();
    let mut builder = Object::builder();
    builder.signal("changed", &changed);
    builder.method("emit_many", move |(n,): (i32,)| (0..n).for_each(|i| changed.emit(&(i, String::new()))));
    builder
}

fn first(arguments: Value) -> Result<Value> {
    match arguments {
        Value::Tuple(mut tuple) if !tuple.items.is_empty() => Ok(tuple.items.swap_remove(0)),
        other => Err(Error::remote(format!("expected arguments, got {other}"))),
    }
}

/// A list of dynamics, as Python's lists are.
fn dynamics(items: Vec<Value>) -> Value {
    Value::from(items.into_iter().map(|item| Value::Dynamic(Box::new(item.unwrap_dynamic()))).collect::<Vec<_>>())
}
