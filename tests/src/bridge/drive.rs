//! A robot that is driven over `/cmd_vel`, whatever carries the topic.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use keyway::{Object, Session};
use keyway_ros_types::rules::{CallRule, Condition, Expression, Rule, Source};
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::eventually;

/// The service `Mover`, registered: it notes how it is moved, and knows where its joints are. It leaves with the session.
#[derive(Debug)]
pub struct Mover {
    noted: Arc<Mutex<Vec<Note>>>,
    asked: Arc<AtomicBool>,
    began: Instant,
    _session: Session,
}

/// What it was told.
#[derive(Debug, Clone, PartialEq)]
enum Note {
    Move(f64, f64, f64),
    Stop,
}

impl Mover {
    /// The rule that drives it: 20 times a second, and it stops after half a second of silence.
    ///
    /// # Panics
    ///
    /// Never.
    pub fn rule() -> Rule {
        let arguments = ["linear.x", "linear.y", "-angular.z"].map(|text| Expression::parse(text).expect("a field"));
        Rule::Call(CallRule {
            topic: "/cmd_vel".to_owned(),
            message: "geometry_msgs/Twist".parse().expect("a type"),
            when: Condition::default(),
            call: Source::new("Mover.move", arguments.into()).expect("a method"),
            max_rate: Some(20.0),
            timeout: Some(Duration::from_millis(500)),
            on_timeout: Some(Source::new("Mover.stop", Vec::new()).expect("a method")),
            float_seconds: false,
        })
    }

    /// Registers it at a directory.
    ///
    /// # Panics
    ///
    /// When that does not work.
    pub async fn register(url: &str) -> Self {
        let session = Session::connect(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        let noted = Arc::new(Mutex::new(Vec::new()));
        let (moved, stopped) = (noted.clone(), noted.clone());
        let asked = Arc::<AtomicBool>::default();
        let names = asked.clone();
        let mut mover = Object::builder();
        mover
            .method("move", move |(x, y, theta): (f64, f64, f64)| moved.lock().push(Note::Move(x, y, theta)))
            .method("stop", move |(): ()| stopped.lock().push(Note::Stop))
            .method("names", move |(body,): (String,)| {
                names.store(true, Relaxed);
                vec![format!("{body}Left"), format!("{body}Right")]
            })
            .method("angles", |(): ()| vec![0.5_f32, -0.5])
            .method("position", |(): ()| (0.5, -0.5, 1.0));
        session.register("Mover", mover).await.unwrap_or_else(|error| panic!("Mover: {error}"));
        Self { noted, asked, began: Instant::now(), _session: session }
    }

    /// Waits until somebody has asked for its joints' names.
    ///
    /// # Panics
    ///
    /// When nobody does.
    pub async fn is_asked_for_names(&self) {
        eventually("a call of names", async {
            while !self.asked.load(Relaxed) {
                sleep(AGAIN).await;
            }
        })
        .await;
    }

    /// Whether nobody has moved it.
    pub fn is_idle(&self) -> bool {
        self.noted.lock().is_empty()
    }

    /// Waits until it has been driven for a while by somebody who says `0.1` forward and `0.5` to the left a hundred times a second.
    ///
    /// # Panics
    ///
    /// When it is driven otherwise, or more often than the rule says.
    pub async fn is_driven(&self) {
        eventually("the robot's moves", async {
            while self.noted.lock().len() < MOVES {
                sleep(AGAIN).await;
            }
        })
        .await;
        // However slow everything is: no two calls have less than 50 ms between them.
        let (took, moves) = (self.began.elapsed(), self.noted.lock().len());
        let least = Duration::from_millis(50) * u32::try_from(moves - 1).unwrap_or(u32::MAX);
        assert!(took >= least, "{moves} calls in {took:?}");
    }

    /// Waits until it has stopped: once, after the last move. Nobody may drive it any more.
    ///
    /// # Panics
    ///
    /// When it is stopped twice, or moved otherwise than it was told.
    pub async fn has_stopped(&self) {
        eventually("the stop", async {
            while self.noted.lock().last() != Some(&Note::Stop) {
                sleep(AGAIN).await;
            }
        })
        .await;
        // A second stop would come within another limit.
        sleep(Duration::from_millis(800)).await;
        let noted = self.noted.lock();
        let is_twice = noted.windows(2).any(|pair| pair == [Note::Stop, Note::Stop]);
        assert!(noted.last() == Some(&Note::Stop) && !is_twice, "{noted:?}");
        let is_right = |note: &Note| matches!(note, Note::Stop | Note::Move(0.1, 0.0, -0.5));
        assert!(noted.iter().all(is_right), "{noted:?}");
    }
}

/// So many that they take two seconds.
const MOVES: usize = 40;
const AGAIN: Duration = Duration::from_millis(20);
