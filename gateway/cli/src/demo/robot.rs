//! The demo robot: walks in a plane, talks, has a camera and an arm.

use std::{sync::Arc, time::Duration};

use keyway::{Object, Property, Proxy, Session, Signal};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

/// Image of the camera, as robots send them: width, height, layers, pixels.
type Image = (i32, i32, i32, bytes::Bytes);

pub(super) async fn start(session: &Session, life: &mut JoinSet<()>) -> anyhow::Result<()> {
    let said = Signal::<(String,)>::new();
    let image = Signal::<(Image,)>::new();
    let position = Property::new((0.0_f64, 0.0_f64));
    let battery = Property::new(100_i32);
    let volume = Property::new(50_i32);
    volume.on_set(|new| match new {
        0..=100 => Ok(()),
        _ => Err(format!("volume goes from 0 to 100, not to {new}")),
    });

    let mut robot = Object::builder();
    robot.description("A robot to try Keyway on").signal("said", &said).signal("image", &image);
    robot.property("volume", &volume).read_only_property("position", &position);
    robot.read_only_property("battery", &battery);
    robot.method("say", move |(text,): (String,)| said.emit(&(text,)));
    robot.document("say", "Says a text: emits the signal said.", &[("text", "what to say")], "");

    // One walk at a time: a new one waits for the one before. Canceling the call stops it.
    let (legs, walked) = (Arc::new(Mutex::new(())), position.clone());
    robot.method_async("walkTo", move |(x, y): (f64, f64)| walk(legs.clone(), walked.clone(), (x, y)));
    robot.document(
        "walkTo",
        "Walks at half a metre a second and says where it is then. Can be canceled.",
        &[("x", "metres ahead of where it was switched on"), ("y", "metres to the left")],
        "the position",
    );
    let arm = arm().proxy();
    robot.method("arm", move |()| -> Proxy { arm.clone() });
    robot.document("arm", "The arm, an object of its own.", &[], "object with a method bend and a property angle");
    session.register("Robot", robot).await?;

    life.spawn(async move {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for tick in 0_u32.. {
            ticks.tick().await;
            if image.subscribers() > 0 {
                image.emit(&(picture(tick),));
            }
            if tick % 50 == 49 {
                // A robot in the demo is never empty.
                let left = battery.get();
                battery.set(if left > 5 { left - 1 } else { 100 }).ok();
            }
        }
    });
    Ok(())
}

async fn walk(legs: Arc<Mutex<()>>, position: Property<(f64, f64)>, goal: (f64, f64)) -> Result<(f64, f64), String> {
    if !(goal.0.abs() <= FENCE && goal.1.abs() <= FENCE) {
        return Err(format!("the demo robot stays within {FENCE} m of where it was switched on"));
    }
    let _legs = legs.lock().await;
    loop {
        let here = position.get();
        let way = (goal.0 - here.0, goal.1 - here.1);
        let distance = way.0.hypot(way.1);
        let part = (STEP / distance).min(1.0);
        let there = if distance <= STEP { goal } else { (here.0 + way.0 * part, here.1 + way.1 * part) };
        position.set(there).map_err(|error| error.to_string())?;
        if there == goal {
            return Ok(goal);
        }
        sleep(PERIOD).await;
    }
}

fn arm() -> Object {
    let angle = Property::new(0.0_f64);
    let mut arm = Object::builder();
    arm.description("The demo robot's arm").read_only_property("angle", &angle);
    arm.method("bend", move |(degrees,): (f64,)| {
        if !(0.0..=120.0).contains(&degrees) {
            return Err(format!("the arm bends from 0 to 120 degrees, not to {degrees}"));
        }
        angle.set(degrees).map_err(|error| error.to_string())
    });
    arm.document("bend", "Bends the elbow.", &[("degrees", "0 is straight")], "");
    arm.build()
}

/// A bar that moves through a grey field.
fn picture(tick: u32) -> Image {
    let bar = tick as usize % WIDTH;
    let pixels: Vec<u8> = (0..WIDTH * HEIGHT).map(|pixel| if pixel % WIDTH == bar { 255 } else { 64 }).collect();
    (WIDTH as i32, HEIGHT as i32, 1, pixels.into())
}

/// Between two pictures, and two steps.
const PERIOD: Duration = Duration::from_millis(200);
/// Metres a step: half a metre a second.
const STEP: f64 = 0.1;
/// Metres.
const FENCE: f64 = 5.0;
const WIDTH: usize = 80;
const HEIGHT: usize = 60;
