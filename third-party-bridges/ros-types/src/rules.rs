//! Rules and imports, whatever the front: which topics call methods, which methods are polled for topics, and which topics and
//! services of ROS become services of the directory (spec 7).

mod condition;
mod expression;
mod sources;

use std::{collections::BTreeMap, time::Duration};

pub use condition::Condition;
pub use expression::{Emitter, EventSource, Expression, ExpressionError, Source};
pub use sources::Sources;

use crate::TypeName;

/// A topic that calls a method, or a topic of what methods return or signals tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// A topic that calls a method.
    Call(CallRule),
    /// A topic of what a signal tells.
    Event(EventRule),
    /// A topic of what methods return.
    Poll(PollRule),
}

/// A topic that calls a method.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRule {
    /// The topic.
    pub topic: String,
    /// Its type.
    pub message: TypeName,
    /// Which messages count.
    pub when: Condition,
    /// What is called for each message: fields of it, and literals.
    pub call: Source,
    /// Calls a second at most; the newest message counts. Without it every message calls, one after the other.
    pub max_rate: Option<f64>,
    /// When no message came for so long, `on_timeout` is called once.
    pub timeout: Option<Duration>,
    /// What is called then; literals only.
    pub on_timeout: Option<Source>,
    /// Whether times are numbers of seconds.
    pub float_seconds: bool,
}

/// A topic of what methods return.
#[derive(Debug, Clone, PartialEq)]
pub struct PollRule {
    /// The topic.
    pub topic: String,
    /// Its type.
    pub message: TypeName,
    /// Messages a second.
    pub rate: f64,
    /// The frame in the header.
    pub frame_id: String,
    /// What is called.
    pub sources: Sources,
    /// What is called when nobody listens any more, with what sources returned: it gives back what they took.
    pub finally: Option<Source>,
    /// Which source, or part of one, each field has, by its path (`linear.x`).
    pub fields: BTreeMap<String, Expression>,
    /// Whether messages may be lost on the way, as those of sensors may.
    pub is_sensor: bool,
}

/// A topic of what a signal tells.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRule {
    /// The topic.
    pub topic: String,
    /// Its type.
    pub message: TypeName,
    /// The signal.
    pub signal: EventSource,
    /// The frame in the header.
    pub frame_id: String,
    /// Which argument of the signal (`args[0]`), or part of one, each field has, by its path.
    pub fields: BTreeMap<String, Expression>,
    /// Whether messages may be lost on the way, as those of sensors may.
    pub is_sensor: bool,
}

/// A service of the directory that is made of topics and services of ROS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its name in the directory.
    pub service: String,
    /// Topics that become signals, with a property `last_<signal>`.
    pub subscribe: Vec<Imported>,
    /// Topics that methods publish on.
    pub publish: Vec<Imported>,
    /// Services that become methods.
    pub call: Vec<Imported>,
}

/// A topic or service of ROS, as a member of a service of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Its name in ROS.
    pub name: String,
    /// Its type.
    pub kind: TypeName,
    /// The member's name.
    pub member: String,
    /// How long a call may take, if not as long as others.
    pub timeout: Option<Duration>,
}
