//! Services without their types: what they have is read from their metaobjects, values are made and shown at run time.
//!
//! `dynamic_call [URL]` shows every service of a directory and calls the directory's own. Without a URL it brings a
//! calculator to call.

mod stage;

use keyway::{MetaObject, Object, Property, Proxy, Result, Session, Signature, Value};
use stage::Stage;

/// Members below this id are those every object has.
const FIRST_OWN_MEMBER: u32 = 100;

#[tokio::main]
async fn main() -> Result<()> {
    let stage = Stage::open().await?;
    if let Some(directory) = &stage.own {
        directory.session().register("Calculator", calculator()).await?;
    }
    let session = Session::connect(&stage.url).await?;
    for service in session.services().await? {
        let name = service.name.to_string_lossy();
        println!("{name}");
        show(&session.service(&name).await?.metaobject());
    }

    let directory = session.service("ServiceDirectory").await?;
    let id = directory.call_dynamic("machineId", Vec::new()).await?;
    println!("machineId() = {id}, of type {}", id.peel().signature());
    if stage.own.is_some() {
        calculate(&session.service("Calculator").await?).await?;
    }
    Ok(())
}

fn show(metaobject: &MetaObject) {
    let own = |uid: &u32| *uid >= FIRST_OWN_MEMBER;
    for method in metaobject.methods.values().filter(|method| own(&method.uid)) {
        println!("  {} {}{}", method.return_signature, method.name, method.parameters_signature);
    }
    // A property's changes are a signal with the property's id.
    let is_signal = |uid: &u32| own(uid) && !metaobject.properties.contains_key(uid);
    for signal in metaobject.signals.values().filter(|signal| is_signal(&signal.uid)) {
        println!("  signal {}{}", signal.name, signal.signature);
    }
    for property in metaobject.properties.values() {
        println!("  property {} {}", property.signature, property.name);
    }
}

/// Calls with values that could come from a script or a file.
async fn calculate(calculator: &Proxy) -> Result<()> {
    let calls = [
        ("add", vec![Value::from(40), Value::from(2)]),
        ("add", vec![Value::from("for"), Value::from("ty")]),
        ("sum", vec![Value::from(vec![Value::from(1), Value::from(2.5)])]),
        ("divide", vec![Value::from(1), Value::from(0)]),
        ("subtract", vec![]),
    ];
    for (method, arguments) in calls {
        let shown = Value::tuple(arguments.clone());
        match calculator.call_dynamic(method, arguments).await {
            Ok(result) => println!("{method}{shown} = {result}"),
            Err(error) => println!("{method}{shown} failed: {}", error.to_string().lines().next().unwrap_or_default()),
        }
    }
    calculator.set("precision", 3).await?;
    println!("precision = {}", calculator.get::<Value>("precision").await?);
    Ok(())
}

/// An object with overloads, and a method whose types are data.
fn calculator() -> Object {
    let mut calculator = Object::builder();
    calculator
        .method("add", |(a, b): (i32, i32)| a + b)
        .method("add", |(a, b): (String, String)| a + &b)
        .method("divide", |(a, b): (i32, i32)| a.checked_div(b).ok_or("this cannot be divided"))
        .method_dynamic(
            "sum",
            Signature::tuple([Signature::list(Signature::dynamic())]),
            Signature::double(),
            |arguments| async move {
                let Value::Tuple(tuple) = &arguments else { return Ok(Value::from(0.0)) };
                let numbers = tuple.items.first().and_then(Value::as_list).unwrap_or_default();
                Ok(Value::from(numbers.iter().filter_map(Value::as_f64).sum::<f64>()))
            },
        )
        .property("precision", &Property::new(2));
    calculator.build()
}
