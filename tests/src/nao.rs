//! A robot with the services of a NAO, as far as the profile `nao-ros.toml` uses them, and with NAOqi's signatures.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use keyway::{Object, Session, Signal, value::Value};
use parking_lot::Mutex;

/// The robot, registered; it leaves with the session.
#[derive(Debug)]
pub struct Nao {
    state: Arc<Mutex<State>>,
    memory: Arc<Mutex<Events>>,
    /// The session that hosts it.
    pub session: Session,
}

/// Of `ALMemory`, by name; those that somebody asked for.
type Events = BTreeMap<String, Signal<(Value,)>>;

#[derive(Debug, Default)]
struct State {
    /// What was done, in order: `move 0.1 0 0`, `stopMove`, `setAngles ["HeadYaw"] [0.5] 0.1`, `say hello`.
    done: Vec<String>,
    /// Who has the sonars measure, and who has which camera.
    users: BTreeSet<String>,
}

impl Nao {
    /// Registers its services at a directory.
    ///
    /// # Panics
    ///
    /// When that does not work.
    pub async fn register(url: &str) -> Self {
        let session = Session::connect(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        let state = Arc::new(Mutex::new(State::default()));
        let memory = Arc::new(Mutex::new(Events::new()));
        let services = [
            ("ALMotion", motion(&state)),
            ("ALTextToSpeech", speech(&state)),
            ("ALMemory", remembering(&state, &memory)),
            ("ALVideoDevice", video(&state)),
            ("ALBattery", battery()),
            ("ALSonar", sonar(&state)),
        ];
        for (name, service) in services {
            session.register(name, service).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        Self { state, memory, session }
    }

    /// What was done, in order: `move 0.1 0 0`, `stopMove`, `setAngles ["HeadYaw"] [0.5] 0.1`, `say hello`.
    pub fn done(&self) -> Vec<String> {
        self.state.lock().done.clone()
    }

    /// Who has the sonars measure, and who has which camera.
    pub fn users(&self) -> Vec<String> {
        self.state.lock().users.iter().cloned().collect()
    }

    /// How many listen to an event of `ALMemory`.
    pub fn listeners(&self, event: &str) -> usize {
        self.memory.lock().get(event).map_or(0, Signal::subscribers)
    }

    /// Raises an event of `ALMemory`.
    pub fn raise(&self, event: &str, value: impl Into<Value>) {
        if let Some(signal) = self.memory.lock().get(event) {
            signal.emit(&(value.into(),));
        }
    }
}

fn motion(state: &Arc<Mutex<State>>) -> Object {
    let (moved, stopped) = (state.clone(), state.clone());
    let (set, changed) = (state.clone(), state.clone());
    let mut motion = Object::builder();
    motion
        .method("move", move |(x, y, theta): (f32, f32, f32)| moved.lock().done.push(format!("move {x} {y} {theta}")))
        .method("move", |(_, _, _, _): (f32, f32, f32, Value)| Err::<(), _>("the foot configuration is not known"))
        .method("stopMove", move |(): ()| stopped.lock().done.push("stopMove".to_owned()))
        .method("setAngles", move |(names, angles, speed): (Value, Value, f32)| {
            set.lock().done.push(format!("setAngles {names} {angles} {speed}"));
        })
        .method("changeAngles", move |(names, angles, speed): (Value, Value, f32)| {
            changed.lock().done.push(format!("changeAngles {names} {angles} {speed}"));
        })
        .method("getBodyNames", |(_,): (String,)| JOINTS.map(str::to_owned).to_vec())
        .method("getAngles", |(_, _): (Value, bool)| vec![0.5_f32, -0.25, 0.0]);
    motion.build()
}

fn speech(state: &Arc<Mutex<State>>) -> Object {
    let said = state.clone();
    let mut speech = Object::builder();
    speech
        .method_async("say", move |(text,): (String,)| {
            let said = said.clone();
            async move {
                // Speaking takes a while, and messages come meanwhile.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                said.lock().done.push(format!("say {text}"));
            }
        })
        .method("getLanguage", |(): ()| "English".to_owned());
    speech.build()
}

fn remembering(state: &Arc<Mutex<State>>, memory: &Arc<Mutex<Events>>) -> Object {
    let (state, memory) = (state.clone(), memory.clone());
    let mut remembering = Object::builder();
    remembering
        .method("getData", move |(key,): (String,)| {
            let measuring = state.lock().users.iter().any(|user| user.starts_with("sonar "));
            match key.strip_prefix("Device/SubDeviceList/").unwrap_or_default() {
                "Battery/Charge/Sensor/Value" => Ok(Value::from(0.75_f32)),
                "Battery/Current/Sensor/Value" => Ok(Value::from(-1.5_f32)),
                "Battery/Temperature/Sensor/Value" => Ok(Value::from(31.0_f32)),
                "US/Left/Sensor/Value" if measuring => Ok(Value::from(0.5_f32)),
                "US/Right/Sensor/Value" if measuring => Ok(Value::from(1.5_f32)),
                "InertialSensor/GyroscopeX/Sensor/Value" => Ok(Value::from(0.125_f32)),
                "InertialSensor/AccelerometerZ/Sensor/Value" => Ok(Value::from(-9.75_f32)),
                key if key.starts_with("InertialSensor/") => Ok(Value::from(0.0_f32)),
                // As of long ago.
                "US/Left/Sensor/Value" | "US/Right/Sensor/Value" => Ok(Value::from(0.0_f32)),
                _ => Err(format!("ALMemory::getData data {key} not found")),
            }
        })
        .method("subscriber", move |(event,): (String,)| {
            let mut subscriber = Object::builder();
            subscriber.signal("signal", memory.lock().entry(event).or_default());
            subscriber.build()
        });
    remembering.build()
}

fn video(state: &Arc<Mutex<State>>) -> Object {
    let (subscribed, left) = (state.clone(), state.clone());
    let asked = state.clone();
    let mut video = Object::builder();
    video
        .method("subscribeCamera", move |(name, camera, size, colours, rate): (String, i32, i32, i32, i32)| {
            if (size, colours, rate) != (1, 11, 10) {
                return Err("only 320x240 in RGB, 10 times a second");
            }
            // NAOqi numbers the subscribers of a name.
            let handle = format!("{name}_{camera}");
            subscribed.lock().users.insert(handle.clone());
            Ok(handle)
        })
        .method("getImageRemote", move |(handle,): (String,)| {
            if !asked.lock().users.contains(&handle) {
                // What NAOqi says of a handle that it does not know.
                return Value::Void;
            }
            let pixels: Vec<u8> = (0..WIDTH * HEIGHT).flat_map(|pixel| [pixel.to_le_bytes()[0], 0, 255]).collect();
            let numbers = [WIDTH, HEIGHT, 3, 11, 1_700_000_000, 500_000];
            let mut image: Vec<Value> = numbers.map(|number| Value::from(number).into_dynamic()).to_vec();
            image.push(Value::Raw(pixels.into()).into_dynamic());
            Value::from(image)
        })
        .method("unsubscribe", move |(handle,): (String,)| left.lock().users.remove(&handle));
    video.build()
}

fn battery() -> Object {
    let mut battery = Object::builder();
    battery.method("getBatteryCharge", |(): ()| 75);
    battery.build()
}

fn sonar(state: &Arc<Mutex<State>>) -> Object {
    let (subscribed, left) = (state.clone(), state.clone());
    let mut sonar = Object::builder();
    sonar
        .method("subscribe", move |(name,): (String,)| {
            subscribed.lock().users.insert(format!("sonar {name}"));
        })
        .method("subscribe", |(_, _, _): (String, i32, f32)| Err::<(), _>("not with a period"))
        .method("unsubscribe", move |(name,): (String,)| {
            left.lock().users.remove(&format!("sonar {name}"));
        });
    sonar.build()
}

/// Of all its joints.
const JOINTS: [&str; 3] = ["HeadYaw", "HeadPitch", "LShoulderPitch"];
/// Of the images.
const WIDTH: i32 = 320;
const HEIGHT: i32 = 240;
