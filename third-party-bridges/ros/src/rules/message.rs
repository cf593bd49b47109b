//! Messages that a rule fills in.

use std::{collections::BTreeMap, sync::Arc};

use keyway_bridge::keyway::{
    Value,
    value::{List, convert::convert},
};
use keyway_ros_types::{MessageShape, Shape, Stamp, rules::Expression};

use super::{caller::RuleError, is_header};
use crate::StartError;

/// How a rule's messages are made.
#[derive(Debug)]
pub(super) struct Form {
    shape: MessageShape,
    fields: BTreeMap<String, Expression>,
    frame_id: String,
}

impl Form {
    /// Fails for fields that the message does not have.
    pub(super) fn new(
        shape: &MessageShape,
        fields: &BTreeMap<String, Expression>,
        frame_id: &str,
    ) -> Result<Self, StartError> {
        let whole = Shape::Message(Arc::new(shape.clone()));
        for path in fields.keys() {
            if path.is_empty() || !has(&whole, path) {
                return Err(StartError::Refused(format!("{} has no field {path}", shape.name)));
            }
        }
        Ok(Self { shape: shape.clone(), fields: fields.clone(), frame_id: frame_id.to_owned() })
    }

    /// The message of these values. What nobody set is zero, but for the header.
    pub(super) fn message(&self, values: &Value, stamp: Stamp) -> Result<Value, RuleError> {
        self.fill(&self.shape, "", values, stamp)
    }

    fn fill(&self, shape: &MessageShape, path: &str, values: &Value, stamp: Stamp) -> Result<Value, RuleError> {
        let mut items = Vec::with_capacity(shape.fields.len());
        for field in &shape.fields {
            let path = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
            items.push(match self.fields.contains_key(&path) {
                false if is_header(field) => stamp.header(&self.frame_id),
                _ => self.part(&field.shape, &path, values, stamp)?,
            });
        }
        Ok(shape.value(items))
    }

    /// A field, or an element of one.
    fn part(&self, shape: &Shape, path: &str, values: &Value, stamp: Stamp) -> Result<Value, RuleError> {
        if let Some(expression) = self.fields.get(path) {
            let fitted = convert(expression.evaluate(values)?, &shape.signature());
            return fitted.map_err(|error| RuleError::Message(format!("{path}: {error}")));
        }
        match shape {
            Shape::Message(inner) if self.sets_within(path, '.') => self.fill(inner, path, values, stamp),
            Shape::List(list) if self.sets_within(path, '[') => {
                let count = list.length.unwrap_or_else(|| self.elements(path));
                let items = (0..count).map(|at| self.part(&list.element, &format!("{path}[{at}]"), values, stamp));
                Ok(Value::List(List { signature: shape.signature(), items: items.collect::<Result<_, _>>()? }))
            }
            shape => Ok(shape.default_value()),
        }
    }

    fn sets_within(&self, path: &str, next: char) -> bool {
        self.fields.keys().any(|set| set.strip_prefix(path).is_some_and(|rest| rest.starts_with(next)))
    }

    /// How many elements a list has that says nothing of it: up to the last that is set.
    fn elements(&self, path: &str) -> usize {
        let rests = self.fields.keys().filter_map(|set| set.strip_prefix(path));
        rests.filter_map(|rest| Some(index(rest)?.0 + 1)).max().unwrap_or_default()
    }
}

/// The number of an element, `[2]`, and what follows it.
fn index(path: &str) -> Option<(usize, &str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, rest))
}

/// Whether there is such a part, `linear.x` or `covariance[0]`.
fn has(shape: &Shape, path: &str) -> bool {
    match shape {
        _ if path.is_empty() => true,
        Shape::Message(message) => {
            // Of the message itself, nothing stands before the first field.
            let path = path.strip_prefix('.').unwrap_or(path);
            let (name, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
            let field = message.fields.iter().find(|field| field.name == name);
            field.is_some_and(|field| if is_header(field) { rest.is_empty() } else { has(&field.shape, rest) })
        }
        Shape::List(list) => index(path)
            .is_some_and(|(index, rest)| index < list.length.unwrap_or(MOST_ELEMENTS) && has(&list.element, rest)),
        _ => false,
    }
}

/// That are set one by one.
const MOST_ELEMENTS: usize = 1024;

#[cfg(test)]
mod tests {
    use keyway_ros_types::Registry;

    use super::*;

    fn form(kind: &str, fields: &[(&str, &str)]) -> Result<Form, StartError> {
        let registry = Registry::standard();
        let shape = MessageShape::of_definition(&registry, registry.message(&kind.parse().unwrap()).unwrap()).unwrap();
        let fields = fields.iter().map(|(path, text)| ((*path).to_owned(), Expression::parse(text).unwrap()));
        Form::new(&shape, &fields.collect(), "torso")
    }

    #[test]
    fn fields_of_fields_and_elements_of_lists_are_set_and_the_rest_is_zero() {
        let imu = [("angular_velocity.z", "0.5"), ("orientation_covariance[0]", "-1")];
        let message = form("sensor_msgs/Imu", &imu).unwrap().message(&Value::Void, Stamp::default()).unwrap();
        let told = message.field("orientation_covariance").unwrap().as_list().unwrap();
        assert_eq!((told.len(), told[0].as_f64(), told[8].as_f64()), (9, Some(-1.0), Some(0.0)));
        let turning = message.field("angular_velocity").unwrap();
        assert_eq!(turning.to_string(), r#"{"x":0,"y":0,"z":0.5}"#);
        assert!(message.field("header").unwrap().to_string().contains("torso"));

        let joints = [("name[1]", "\"HeadPitch\""), ("position[0]", "0.5")];
        let message = form("sensor_msgs/JointState", &joints).unwrap().message(&Value::Void, Stamp::default()).unwrap();
        assert_eq!(message.field("name").unwrap().to_string(), r#"["","HeadPitch"]"#);
        assert_eq!(message.field("position").unwrap().to_string(), "[0.5]");
        let path = [("poses[0].position.x", "3")];
        let message = form("geometry_msgs/PoseArray", &path).unwrap().message(&Value::Void, Stamp::default()).unwrap();
        assert!(message.to_string().contains(r#""position":{"x":3,"y":0,"z":0}"#), "{message}");
    }

    #[test]
    fn what_a_message_does_not_have_is_refused() {
        for path in [
            "orientation_covariance[9]",
            "orientation_covariance[x]",
            "orientation_covariance[0",
            "orientation[0]",
            "angular_velocity.w",
            "header.seq",
            "",
        ] {
            assert!(form("sensor_msgs/Imu", &[(path, "1")]).is_err(), "{path:?}");
        }
        assert!(form("sensor_msgs/JointState", &[("position[1000000]", "1")]).is_err());
    }
}
