//! The demo robot: walks in a plane, talks, has a camera and an arm.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use keyway::{IntoObject, Property, Proxy, Session, Signal};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

/// Image of the camera, as robots send them: width, height, layers, pixels.
type Image = (i32, i32, i32, Bytes);

struct Robot {
    said: Signal<(String,)>,
    image: Signal<(Image,)>,
    /// Metres ahead of where it was switched on, and to the left.
    position: Property<(f64, f64)>,
    battery: Property<i32>,
    volume: Property<i32>,
    arm: Proxy,
    /// One walk at a time: a new one waits for the one before.
    legs: Mutex<()>,
}

struct Arm {
    angle: Property<f64>,
}

pub(super) async fn start(session: &Session, life: &mut JoinSet<()>) -> anyhow::Result<()> {
    let robot = Arc::new(Robot::new());
    session.register("Robot", robot.clone()).await?;
    life.spawn(async move { robot.live().await });
    Ok(())
}

#[keyway::service(
    description = "A robot to try Keyway on",
    rename_all = "camelCase",
    signals(said, image),
    properties(volume, position(read_only), battery(read_only))
)]
impl Robot {
    /// Says a text: emits the signal said.
    fn say(
        &self,
        /// What to say.
        text: String,
    ) {
        self.said.emit(&(text,));
    }

    /// Walks at half a metre a second and says where it is then. Can be canceled.
    async fn walk_to(
        &self,
        /// Metres ahead of where it was switched on.
        x: f64,
        /// Metres to the left.
        y: f64,
    ) -> Result<(f64, f64), String> {
        if !(x.abs() <= FENCE && y.abs() <= FENCE) {
            return Err(format!("the demo robot stays within {FENCE} m of where it was switched on"));
        }
        let _legs = self.legs.lock().await;
        loop {
            let here = self.position.get();
            let (ahead, left) = (x - here.0, y - here.1);
            let distance = ahead.hypot(left);
            let part = STEP / distance;
            let there = if distance <= STEP { (x, y) } else { (here.0 + ahead * part, here.1 + left * part) };
            self.position.set(there).map_err(|error| error.to_string())?;
            if there == (x, y) {
                return Ok(there);
            }
            sleep(PERIOD).await;
        }
    }

    /// The arm, an object of its own with a method bend and a property angle.
    fn arm(&self) -> Proxy {
        self.arm.clone()
    }

    #[qi(skip)]
    fn new() -> Self {
        let volume = Property::new(50);
        volume.on_set(|new| match new {
            0..=100 => Ok(()),
            _ => Err(format!("volume goes from 0 to 100, not to {new}")),
        });
        Self {
            said: Signal::new(),
            image: Signal::new(),
            position: Property::new((0.0, 0.0)),
            battery: Property::new(100),
            volume,
            arm: Arm { angle: Property::new(0.0) }.into_object().proxy(),
            legs: Mutex::new(()),
        }
    }

    /// Takes pictures while somebody looks, and gets tired.
    #[qi(skip)]
    async fn live(&self) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for tick in 0_u32.. {
            ticks.tick().await;
            if self.image.subscribers() > 0 {
                self.image.emit(&(picture(tick),));
            }
            if tick % 50 == 49 {
                // A robot in the demo is never empty.
                let left = self.battery.get();
                self.battery.set(if left > 5 { left - 1 } else { 100 }).ok();
            }
        }
    }
}

#[keyway::service(description = "The demo robot's arm", properties(angle(read_only)))]
impl Arm {
    /// Bends the elbow.
    fn bend(
        &self,
        /// 0 is straight.
        degrees: f64,
    ) -> Result<(), String> {
        if !(0.0..=120.0).contains(&degrees) {
            return Err(format!("the arm bends from 0 to 120 degrees, not to {degrees}"));
        }
        self.angle.set(degrees).map_err(|error| error.to_string())
    }
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
