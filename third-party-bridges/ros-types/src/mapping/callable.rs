//! What can be called: requests become arguments, results become responses (spec 6.2, 6.5).

use keyway_value::{ActionId, Signature, Value};

use crate::{Shape, TypeName, json};

/// A method, or the reading or writing of a property, as a service of ROS.
#[derive(Debug, Clone)]
pub struct Callable {
    /// Its name in ROS, `/qi/S/m`.
    pub name: String,
    /// The service in the directory.
    pub service: String,
    /// The method or property.
    pub member: String,
    /// The method's or property's id.
    pub action: ActionId,
    /// What is done.
    pub kind: CallableKind,
    /// The tuple of arguments in the directory.
    pub parameters: Signature,
    /// The result in the directory.
    pub returns: Signature,
    /// Its type in ROS.
    pub type_name: TypeName,
    /// The checksum of the type.
    pub md5: String,
    /// A message that holds the arguments.
    pub request: Shape,
    /// A message that holds the result.
    pub response: Shape,
    pub(super) form: CallForm,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallableKind {
    /// Calls a method.
    Method,
    /// Reads a property.
    Get,
    /// Sets a property.
    Set,
}

/// How arguments and results are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallForm {
    /// A field for each argument; `ok`, `error` and `value`.
    Generated,
    /// `qi_bridge_msgs/Call`, of which the names are not looked at.
    Json,
    /// `std_srvs/SetBool`
    SetBool,
    /// `std_srvs/Trigger`
    Trigger,
}

/// A field of a request that holds no argument.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad argument {name}: {reason}")]
pub struct BadArgument {
    /// The field.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Callable {
    /// The arguments that a request holds.
    pub fn arguments(&self, request: Value) -> Result<Vec<Value>, BadArgument> {
        let Value::Tuple(request) = request else {
            return Err(BadArgument { name: "request".to_owned(), reason: "a message is wanted".to_owned() });
        };
        if let Shape::Message(message) = &self.request {
            for (field, value) in message.fields.iter().zip(&request.items) {
                if !is_text(value) {
                    return Err(BadArgument { name: field.name.clone(), reason: "not UTF-8".to_owned() });
                }
            }
        }
        let items = request.items;
        match self.form {
            CallForm::Json => {
                let text = items.get(2).and_then(Value::as_str).unwrap_or_default();
                json_arguments(if text.is_empty() { "[]" } else { text }, &self.parameters)
            }
            // Whatever comes.
            CallForm::Generated if self.takes_anything() => {
                let list = items.into_iter().next().map(Value::unwrap_dynamic);
                match list {
                    Some(Value::List(list)) => Ok(list.items),
                    _ => Err(BadArgument { name: "args".to_owned(), reason: "a list is wanted".to_owned() }),
                }
            }
            CallForm::Generated | CallForm::SetBool | CallForm::Trigger => Ok(items),
        }
    }

    /// The response that holds a result, or the text of an error; at most 4 KiB of it.
    pub fn answer(&self, result: Result<Value, &str>) -> Value {
        let result = result.map_err(shortened);
        let Shape::Message(message) = &self.response else {
            return Value::Void;
        };
        let items = match self.form {
            CallForm::Trigger | CallForm::SetBool => match result {
                Ok(Value::Bool(success)) => vec![success.into(), "".into()],
                Ok(text @ Value::String(_)) => vec![true.into(), text],
                Ok(_) => vec![true.into(), "".into()],
                Err(error) => vec![false.into(), error.into()],
            },
            CallForm::Json => match result {
                Ok(value) => vec![true.into(), json::to_json(&value).into(), "".into()],
                Err(error) => vec![false.into(), "".into(), error.into()],
            },
            CallForm::Generated => {
                let (ok, error, value) = match result {
                    Ok(value) => (true, "", Some(value)),
                    Err(error) => (false, error, None),
                };
                let field = message.fields.get(2).map(|field| value.unwrap_or_else(|| field.shape.default_value()));
                [ok.into(), error.into()].into_iter().chain(field).collect()
            }
        };
        message.value(items)
    }

    /// Whether failures are told in the response too, as `std_srvs` does it.
    pub const fn is_standard(&self) -> bool {
        matches!(self.form, CallForm::SetBool | CallForm::Trigger)
    }

    fn takes_anything(&self) -> bool {
        *self.parameters.kind() == keyway_value::Type::Dynamic
    }
}

/// Arguments as a JSON array, of the types of a method's parameters.
pub(super) fn json_arguments(text: &str, parameters: &Signature) -> Result<Vec<Value>, BadArgument> {
    let bad = |error: json::JsonError| BadArgument { name: "args_json".to_owned(), reason: error.to_string() };
    match json::from_json_as(text, parameters).map_err(bad)?.unwrap_dynamic() {
        Value::Tuple(tuple) => Ok(tuple.items),
        Value::List(list) => Ok(list.items),
        _ => Err(BadArgument { name: "args_json".to_owned(), reason: "a list is wanted".to_owned() }),
    }
}

/// At most 4 KiB of an error's text.
pub(super) fn shortened(text: &str) -> &str {
    let end = (0..=MAX_ERROR.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

const MAX_ERROR: usize = 4 << 10;

/// Whether all texts in a value are UTF-8.
fn is_text(value: &Value) -> bool {
    match value {
        Value::String(text) => text.to_str().is_ok(),
        Value::List(list) => list.items.iter().all(is_text),
        Value::Tuple(tuple) => tuple.items.iter().all(is_text),
        Value::Map(map) => map.entries.iter().all(|(key, value)| is_text(key) && is_text(value)),
        Value::Optional(optional) => optional.value.as_deref().is_none_or(is_text),
        Value::Dynamic(inner) => is_text(inner),
        _ => true,
    }
}
