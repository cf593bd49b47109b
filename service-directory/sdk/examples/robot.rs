//! A robot that speaks and walks: methods, signals and a property of a plain Rust type.
//!
//! `robot [URL]` hosts the service `Robot` until Ctrl-C. Without a URL it tries itself out at a directory of its own.

mod stage;

use std::{sync::Arc, time::Duration};

use keyway::{CallContext, Property, QiValue, Result, Session, Signal, SignalStream};
use stage::Stage;

/// Where the robot is.
#[derive(QiValue, Debug, Clone, Copy, Default, PartialEq)]
struct Position {
    x: f32,
    y: f32,
}

/// How it walks.
#[derive(QiValue, Debug, Clone, Copy, Default, PartialEq)]
enum Gait {
    #[default]
    Careful,
    Quick,
}

#[derive(Default)]
struct Robot {
    said: Signal<(String,)>,
    position: Property<Position>,
    gait: Property<Gait>,
    volume: Property<i32>,
}

/// A robot that speaks and walks.
#[keyway::service(signals(said), properties(position(read_only), gait, volume), rename_all = "camelCase")]
impl Robot {
    fn new() -> Self {
        let robot = Self { volume: Property::new(50), ..Self::default() };
        robot.volume.on_set(|volume| match volume {
            0..=100 => Ok(()),
            _ => Err("the volume is between 0 and 100".into()),
        });
        robot
    }

    /// Says something aloud and tells everyone who listens.
    fn say(
        &self,
        /// What to say.
        text: String,
        #[qi(context)] caller: &CallContext,
    ) -> Result<(), String> {
        if text.is_empty() {
            return Err("nothing to say".into());
        }
        println!("robot: \"{text}\", as {} wants, at volume {}", caller.peer(), self.volume.get());
        self.said.emit(&(text,));
        Ok(())
    }

    /// Walks to a place and answers once it is there.
    async fn walk_to(&self, x: f32, y: f32) -> Position {
        let pause = match self.gait.get() {
            Gait::Careful => Duration::from_millis(50),
            Gait::Quick => Duration::from_millis(10),
        };
        let start = self.position.get();
        for step in 1..=4_u8 {
            tokio::time::sleep(pause).await;
            let part = f32::from(step) / 4.0;
            let now = Position { x: start.x + (x - start.x) * part, y: start.y + (y - start.y) * part };
            // Without a validator there is nothing that could refuse it.
            let _ = self.position.set(now);
        }
        self.position.get()
    }
}

/// The same from the other side.
#[keyway::proxy(rename_all = "camelCase")]
trait RobotApi {
    async fn say(&self, text: &str) -> Result<()>;
    async fn walk_to(&self, x: f32, y: f32) -> Result<Position>;
    #[qi(signal)]
    async fn said(&self) -> Result<SignalStream<(String,)>>;
    #[qi(signal, name = "position")]
    async fn position_changes(&self) -> Result<SignalStream<(Position,)>>;
    #[qi(property)]
    async fn set_gait(&self, gait: Gait) -> Result<()>;
    #[qi(property)]
    async fn set_volume(&self, volume: i32) -> Result<()>;
}

#[tokio::main]
async fn main() -> Result<()> {
    let stage = Stage::open().await?;
    let session = Session::connect(&stage.url).await?;
    let robot = Arc::new(Robot::new());
    let id = session.register("Robot", robot.clone()).await?;
    println!("Robot is service {id} at {}", stage.url);
    if stage.own.is_some() {
        return try_out(&stage.url).await;
    }
    tokio::select! {
        _ = tokio::signal::ctrl_c() => println!("going home"),
        reason = session.disconnected() => println!("the directory is gone: {reason}"),
    }
    session.close().await;
    Ok(())
}

/// Uses the robot as another program would.
async fn try_out(url: &str) -> Result<()> {
    let session = Session::connect(url).await?;
    let robot = RobotApiProxy::from(session.service("Robot").await?);

    let mut said = robot.said().await?;
    robot.set_volume(70).await?;
    robot.say("hello").await?;
    if let Some(event) = said.next().await {
        println!("client: heard \"{}\"", event?.0);
    }

    for failed in [robot.set_volume(200).await, robot.say("").await] {
        if let Err(error) = failed {
            println!("client: refused, {error}");
        }
    }

    let mut position = robot.position_changes().await?;
    let arrived = robot.walk_to(2.0, 1.0).await?;
    robot.set_gait(Gait::Quick).await?;
    let back = robot.walk_to(0.0, 0.0).await?;
    for _ in 0..8 {
        if let Some(event) = position.next().await {
            let (Position { x, y },) = event?;
            println!("client: it is at {x:.1}, {y:.1}");
        }
    }
    println!("client: it went to {}, {} and is back at {}, {}", arrived.x, arrived.y, back.x, back.y);
    Ok(())
}
