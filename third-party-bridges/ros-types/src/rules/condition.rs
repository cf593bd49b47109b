//! Which messages a rule is about.

use std::collections::BTreeMap;

use keyway_value::{Value, convert::convert};

use super::{Expression, ExpressionError};

/// Fields that have to have certain values, all of them. Without any, every message counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Condition(Vec<(Expression, Value)>);

impl Condition {
    /// Reads fields, such as `header.frame_id` or `buttons[0]`, and the literals that they are to equal.
    pub fn parse(fields: &BTreeMap<String, String>) -> Result<Self, ExpressionError> {
        let read =
            fields.iter().map(|(field, literal)| match (Expression::parse(field)?, Expression::parse(literal)?) {
                (Expression::Literal(_), _) => Err(ExpressionError::NotField(field.clone())),
                (_, Expression::Path { .. }) => Err(ExpressionError::NotLiteral(literal.clone())),
                (field, Expression::Literal(value)) => Ok((field, value)),
            });
        Ok(Self(read.collect::<Result<_, _>>()?))
    }

    /// Whether a message has them. One that has no such field has not.
    pub fn holds(&self, message: &Value) -> bool {
        self.0.iter().all(|(field, wanted)| {
            let found = field.evaluate(message).ok();
            found.is_some_and(|found| convert(wanted.clone(), &found.signature()).is_ok_and(|wanted| wanted == found))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Registry, Shape};

    fn joy(button: i32) -> Value {
        let registry = Registry::standard();
        let Ok(Shape::Message(joy)) = Shape::of_message(&registry, &"sensor_msgs/Joy".parse().unwrap()) else {
            panic!("a message");
        };
        let header = joy.fields[0].shape.default_value();
        let axes = Value::from(Vec::<Value>::new());
        joy.value(vec![header, axes, Value::from(vec![Value::from(button), Value::from(7)])])
    }

    fn condition(fields: &[(&str, &str)]) -> Result<Condition, ExpressionError> {
        Condition::parse(&fields.iter().map(|(field, literal)| ((*field).to_owned(), (*literal).to_owned())).collect())
    }

    #[test]
    fn all_fields_have_to_have_their_values() {
        assert!(Condition::default().holds(&joy(1)));
        let pressed = condition(&[("buttons[0]", "1"), ("header.frame_id", "\"\"")]).unwrap();
        assert!(pressed.holds(&joy(1)) && !pressed.holds(&joy(0)));
        assert!(!condition(&[("buttons[2]", "7")]).unwrap().holds(&joy(1)), "there is none");
        assert!(!condition(&[("buttons[0]", "\"1\"")]).unwrap().holds(&joy(1)), "a text is no number");
    }

    #[test]
    fn fields_are_compared_with_literals_only() {
        assert!(condition(&[("1", "1")]).is_err());
        let error = condition(&[("buttons[0]", "buttons[1]")]).unwrap_err().to_string();
        assert!(error.contains("buttons[1]"), "{error}");
    }
}
