//! A client: finds services, waits for one, calls it, listens to it, and cancels what takes too long.
//!
//! `client [URL]` uses the `Robot` of the example `robot`, or that of `keyway up --demo`. Without a URL it brings a stand-in for the robot.

mod stage;

use std::time::Duration;

use keyway::{Error, IntoObject, Object, Result, Session, Signal, SignalStream};
use stage::Stage;

/// What this client needs of a robot; the robot may have more.
#[keyway::proxy(rename_all = "camelCase")]
trait RobotApi {
    async fn say(&self, text: &str) -> Result<()>;
    #[qi(signal)]
    async fn said(&self) -> Result<SignalStream<(String,)>>;
    /// Without `async` it gives the call itself, which can be canceled.
    fn walk_to(&self, x: f64, y: f64) -> keyway::Call<(f64, f64)>;
}

#[tokio::main]
async fn main() -> Result<()> {
    let stage = Stage::open().await?;
    if let Some(directory) = &stage.own {
        let session = directory.session();
        tokio::spawn(async move {
            // Late on purpose: the client waits for it.
            tokio::time::sleep(Duration::from_millis(100)).await;
            session.register("Robot", stand_in()).await
        });
    }

    let session = Session::connect(&stage.url).await?;
    for service in session.services().await? {
        println!("found {}, service {}", service.name, service.service_id);
    }
    println!("waiting for Robot");
    let robot = RobotApiProxy::from(session.wait_for_service("Robot").await?);

    let mut said = robot.said().await?;
    robot.say("hello from the client").await?;
    if let Some(event) = said.next().await {
        println!("it said \"{}\"", event?.0);
    }

    // Numbers convert to what the service declares, and its struct to the tuple that is wanted.
    let mut walk = robot.walk_to(3.0, 4.0);
    match tokio::time::timeout(Duration::from_millis(50), &mut walk).await {
        Ok(arrived) => println!("it is at {:?}", arrived?),
        Err(_) => {
            walk.cancel();
            match walk.await {
                Err(Error::Canceled) => println!("it walked too long and was stopped"),
                other => println!("it could not be stopped: {other:?}"),
            }
        }
    }
    session.close().await;
    Ok(())
}

/// A robot made member by member.
fn stand_in() -> Object {
    let said = Signal::<(String,)>::new();
    let mut robot = Object::builder();
    robot.signal("said", &said);
    robot.method("say", move |(text,): (String,)| said.emit(&(text,)));
    robot.method_async("walkTo", |target: (f64, f64)| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        target
    });
    robot.into_object()
}
