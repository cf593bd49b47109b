//! What is published: signals and properties become messages (spec 6.2, 6.3).

use std::time::{SystemTime, UNIX_EPOCH};

use keyway_value::{ActionId, Signature, Value};

use crate::{Shape, TypeName, json, shape};

/// A signal, or a property, as a topic of ROS.
#[derive(Debug, Clone)]
pub struct Topic {
    /// Its name in ROS, `/qi/S/e`.
    pub name: String,
    /// The service in the directory.
    pub service: String,
    /// The signal or property.
    pub member: String,
    /// Its id.
    pub action: ActionId,
    /// The tuple of a signal's arguments, or the type of a property.
    pub signature: Signature,
    /// Its type in ROS.
    pub type_name: TypeName,
    /// The checksum of the type.
    pub md5: String,
    /// What publishers say of the type.
    pub definition: String,
    /// The message.
    pub shape: Shape,
    /// Whether it is a property, whose last message every new subscriber gets.
    pub is_latched: bool,
    pub(super) form: TopicForm,
}

/// How events are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopicForm {
    /// `std_msgs`: the only argument, or the value.
    Data,
    /// `std_msgs/Empty`
    Empty,
    /// A header, then a field for each argument.
    Event,
    /// `std_msgs/String`: the list of arguments, or the value, as JSON.
    Json,
    /// A header, then the value.
    Value,
}

/// What the header of a message says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Counts the messages of a topic, from 0.
    pub seq: u32,
    /// Seconds since 1970.
    pub sec: u32,
    /// And nanoseconds.
    pub nsec: u32,
}

impl Topic {
    /// The message for an emission of the signal (the tuple of its arguments), or a value of the property.
    pub fn message(&self, value: Value, stamp: Stamp) -> Value {
        let Shape::Message(message) = &self.shape else {
            return Value::Void;
        };
        let arguments = |value: Value| match value {
            Value::Tuple(tuple) if !self.is_latched => tuple.items,
            other => vec![other],
        };
        let items = match self.form {
            TopicForm::Empty => Vec::new(),
            TopicForm::Data => arguments(value),
            TopicForm::Event => std::iter::once(stamp.header("")).chain(arguments(value)).collect(),
            TopicForm::Value => vec![stamp.header(""), value],
            TopicForm::Json => {
                let value = if self.is_latched { value } else { Value::from(arguments(value)) };
                vec![json::to_json(&value).into()]
            }
        };
        message.value(items)
    }
}

impl Stamp {
    /// A moment of the wall clock; `seq` counts the messages, where that is done.
    pub fn at(seq: u32, moment: SystemTime) -> Self {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Until 2106.
        Self { seq, sec: u32::try_from(since.as_secs()).unwrap_or(u32::MAX), nsec: since.subsec_nanos() }
    }

    /// `std_msgs/Header`
    pub fn header(self, frame_id: &str) -> Value {
        let stamp = vec![self.sec.into(), self.nsec.into()];
        let stamp = Value::Tuple(keyway_value::Tuple { signature: shape::time().clone(), items: stamp });
        Value::Tuple(keyway_value::Tuple {
            signature: shape::header().clone(),
            items: vec![self.seq.into(), stamp, frame_id.into()],
        })
    }
}
