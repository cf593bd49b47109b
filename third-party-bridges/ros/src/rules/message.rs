//! Messages that a rule fills in.

use std::collections::BTreeMap;

use keyway_bridge::keyway::{Value, value::convert::convert};
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
        for path in fields.keys() {
            if !has(shape, path) {
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
            items.push(match (self.fields.get(&path), &field.shape) {
                (Some(expression), shape) => {
                    let value = expression.evaluate(values)?;
                    let fitted = convert(value, &shape.signature());
                    fitted.map_err(|error| RuleError::Message(format!("{path}: {error}")))?
                }
                (None, _) if is_header(field) => stamp.header(&self.frame_id),
                (None, Shape::Message(inner)) if self.sets_within(&path) => self.fill(inner, &path, values, stamp)?,
                (None, shape) => shape.default_value(),
            });
        }
        Ok(shape.value(items))
    }

    fn sets_within(&self, path: &str) -> bool {
        self.fields.keys().any(|set| set.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    }
}

/// Whether a message has a field of this path.
fn has(shape: &MessageShape, path: &str) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(field) = shape.fields.iter().find(|field| field.name == name) else { return false };
    match (rest, &field.shape) {
        (None, _) => true,
        (Some(rest), Shape::Message(inner)) => !is_header(field) && has(inner, rest),
        _ => false,
    }
}
