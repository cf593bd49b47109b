//! Messages as JSON, and back (ROS spec 8): `uint8[]` is base64, numbers that JSON has none for are `null`, times are objects.

use base64::{Engine, engine::general_purpose::STANDARD};
use keyway_ros_types::{MessageShape, Primitive, Shape, Stamp, json};
use keyway_value::{List, Map, OptionalValue, Tuple, Value};
use serde_json::{Map as Object, Number, Value as Json};

/// Whose words are used for types and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavour {
    /// `std_msgs/String`, `secs`, `nsecs`.
    #[default]
    Ros1,
    /// `std_msgs/msg/String`, `sec`, `nanosec`.
    Ros2,
}

/// Which of ROS's types a type of services is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of topics.
    Message,
    /// Of services.
    Service,
}

impl Flavour {
    /// The name of a type.
    pub fn type_name(self, name: &keyway_ros_types::TypeName, kind: Kind) -> String {
        match (self, kind) {
            (Self::Ros1, _) => name.to_string(),
            (Self::Ros2, Kind::Message) => format!("{}/msg/{}", name.package(), name.name()),
            (Self::Ros2, Kind::Service) => format!("{}/srv/{}", name.package(), name.name()),
        }
    }

    /// The names of a time's two parts.
    pub const fn time_fields(self) -> [&'static str; 2] {
        match self {
            Self::Ros1 => ["secs", "nsecs"],
            Self::Ros2 => ["sec", "nanosec"],
        }
    }
}

/// A value as JSON.
pub fn to_json(shape: &Shape, value: &Value, flavour: Flavour) -> Json {
    match (shape, value) {
        (Shape::Primitive(Primitive::Time | Primitive::Duration), Value::Tuple(time)) => {
            let parts = flavour.time_fields().into_iter().zip(&time.items);
            Json::Object(parts.map(|(name, part)| (name.to_owned(), part.as_i64().into())).collect())
        }
        (Shape::Primitive(_), value) => scalar(value),
        (Shape::Raw { .. }, Value::Raw(bytes)) => STANDARD.encode(bytes).into(),
        (Shape::Json, value) => json::to_json(value).into(),
        (Shape::List(list), Value::List(items)) => {
            items.items.iter().map(|item| to_json(&list.element, item, flavour)).collect()
        }
        (Shape::Optional(list), Value::Optional(optional)) => {
            optional.value.iter().map(|value| to_json(&list.element, value, flavour)).collect()
        }
        (Shape::Map(map), Value::Map(entries)) => {
            let fields = &map.entry.fields;
            let entry = |(key, value): &(Value, Value)| {
                let parts = fields.iter().zip([key, value]);
                Json::Object(
                    parts.map(|(field, part)| (field.name.clone(), to_json(&field.shape, part, flavour))).collect(),
                )
            };
            entries.entries.iter().map(entry).collect()
        }
        (Shape::Message(message), value) => {
            let parts = message.fields.iter().zip(value.as_list().unwrap_or_default());
            Json::Object(
                parts.map(|(field, part)| (field.name.clone(), to_json(&field.shape, part, flavour))).collect(),
            )
        }
        (Shape::Wrapper(wrapper), value) => serde_json::json!({ "data": to_json(&wrapper.data, value, flavour) }),
        // A value of another type than its shape is none of ours.
        _ => Json::Null,
    }
}

fn scalar(value: &Value) -> Json {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Float(value) => Number::from_f64(f64::from(*value)).map_or(Json::Null, Json::Number),
        Value::Double(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Value::String(text) => text.to_string_lossy().into_owned().into(),
        Value::UInt64(value) => (*value).into(),
        other => other.as_i64().into(),
    }
}

/// What JSON holds that is not a message of the type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad argument {path}: {reason}")]
pub struct MessageError {
    /// The field, such as `poses[2].x`.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Reads a message. Fields that are missing are zero, and told about; stamps that are missing are `now`.
#[derive(Debug)]
pub struct Reader {
    now: Stamp,
    missing: Vec<String>,
}

impl Reader {
    /// For messages that are read now.
    pub const fn new(now: Stamp) -> Self {
        Self { now, missing: Vec::new() }
    }

    /// The fields that were missing.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// A message, by the names of its fields; or by their order, where a list says so.
    pub fn message(&mut self, message: &MessageShape, json: &Json) -> Result<Value, MessageError> {
        self.fields(message, json, "")
    }

    fn fields(&mut self, message: &MessageShape, json: &Json, path: &str) -> Result<Value, MessageError> {
        let object = match json {
            Json::Object(object) => object,
            Json::Array(items) => return self.by_position(message, items, path),
            Json::Null => &Object::new(),
            _ => return Err(wrong(path, format!("an object of {} is wanted", message.name))),
        };
        let is_field = |name: &str| message.fields.iter().any(|field| field.name == name);
        if let Some(unknown) = object.keys().find(|name| !is_field(name)) {
            return Err(wrong(&join(path, unknown), format!("{} has no such field", message.name)));
        }
        let is_header = message.name.package() == "std_msgs" && message.name.name() == "Header";
        let mut items = Vec::with_capacity(message.fields.len());
        for field in &message.fields {
            let path = join(path, &field.name);
            items.push(match object.get(&field.name) {
                Some(json) => self.value(&field.shape, json, &path)?,
                None => self.left_out(&field.shape, &path, is_header && field.name == "stamp"),
            });
        }
        Ok(message.value(items))
    }

    fn by_position(&mut self, message: &MessageShape, items: &[Json], path: &str) -> Result<Value, MessageError> {
        if items.len() != message.fields.len() {
            let reason = format!("{} has {} fields, not {}", message.name, message.fields.len(), items.len());
            return Err(wrong(path, reason));
        }
        let fields = message.fields.iter().zip(items);
        let values = fields.map(|(field, json)| self.value(&field.shape, json, &join(path, &field.name)));
        Ok(message.value(values.collect::<Result<_, _>>()?))
    }

    /// A field that nobody has set.
    fn left_out(&mut self, shape: &Shape, path: &str, is_stamp: bool) -> Value {
        if let (true, Value::Tuple(mut time)) = (is_stamp, shape.default_value()) {
            time.items = vec![self.now.sec.into(), self.now.nsec.into()];
            return Value::Tuple(time);
        }
        if let Shape::Message(message) = shape {
            // Of a header that is missing, the stamp is not zero.
            return self.fields(message, &Json::Null, path).unwrap_or_else(|_| shape.default_value());
        }
        if self.missing.len() < MOST_TOLD {
            self.missing.push(path.to_owned());
        }
        shape.default_value()
    }

    fn value(&mut self, shape: &Shape, json: &Json, path: &str) -> Result<Value, MessageError> {
        match shape {
            Shape::Primitive(primitive) => self.primitive(*primitive, json, path),
            Shape::Raw { length } => {
                let bytes = raw(json).ok_or_else(|| wrong(path, "base64 or a list of bytes is wanted"))?;
                check_length(*length, bytes.len(), path)?;
                Ok(Value::Raw(bytes.into()))
            }
            Shape::Json => {
                let text = json.as_str().ok_or_else(|| wrong(path, "a string that holds JSON is wanted"))?;
                let value = json::from_json(text).map_err(|error| wrong(path, error.to_string()))?;
                Ok(value.into_dynamic())
            }
            Shape::List(list) => {
                let items = array(json, path)?;
                check_length(list.length, items.len(), path)?;
                let items = self.items(&list.element, items, path)?;
                Ok(Value::List(List { signature: shape.signature(), items }))
            }
            Shape::Optional(list) => {
                let mut items = self.items(&list.element, array(json, path)?, path)?;
                let value = items.pop().map(Box::new);
                if !items.is_empty() {
                    return Err(wrong(path, "one element or none is wanted"));
                }
                Ok(Value::Optional(OptionalValue { signature: shape.signature(), value }))
            }
            Shape::Map(map) => {
                let mut entries: Vec<(Value, Value)> = Vec::new();
                for (at, entry) in array(json, path)?.iter().enumerate() {
                    let Value::Tuple(Tuple { items, .. }) = self.fields(&map.entry, entry, &format!("{path}[{at}]"))?
                    else {
                        continue;
                    };
                    if let Ok([key, value]) = <[Value; 2]>::try_from(items) {
                        entries.push((key, value));
                    }
                }
                Ok(Value::Map(Map { signature: shape.signature(), entries }))
            }
            Shape::Message(message) => self.fields(message, json, path),
            Shape::Wrapper(wrapper) => {
                let data = json.get("data").ok_or_else(|| wrong(path, "an object with `data` is wanted"))?;
                self.value(&wrapper.data, data, &join(path, "data"))
            }
        }
    }

    fn items(&mut self, element: &Shape, items: &[Json], path: &str) -> Result<Vec<Value>, MessageError> {
        items.iter().enumerate().map(|(at, item)| self.value(element, item, &format!("{path}[{at}]"))).collect()
    }

    fn primitive(&mut self, primitive: Primitive, json: &Json, path: &str) -> Result<Value, MessageError> {
        let is_not = || wrong(path, format!("a value of {} is wanted", primitive.as_str()));
        Ok(match primitive {
            Primitive::Bool => Value::Bool(match json {
                Json::Bool(value) => *value,
                json => integer(json).ok_or_else(is_not)? != 0,
            }),
            Primitive::Byte | Primitive::Int8 => Value::Int8(fits(json, path, primitive)?),
            Primitive::Char | Primitive::Uint8 => Value::UInt8(fits(json, path, primitive)?),
            Primitive::Int16 => Value::Int16(fits(json, path, primitive)?),
            Primitive::Uint16 => Value::UInt16(fits(json, path, primitive)?),
            Primitive::Int32 => Value::Int32(fits(json, path, primitive)?),
            Primitive::Uint32 => Value::UInt32(fits(json, path, primitive)?),
            Primitive::Int64 => Value::Int64(fits(json, path, primitive)?),
            Primitive::Uint64 => Value::UInt64(fits(json, path, primitive)?),
            #[expect(clippy::cast_possible_truncation, reason = "the nearest is what a float has")]
            Primitive::Float32 => Value::Float(float(json).ok_or_else(is_not)? as f32),
            Primitive::Float64 => Value::Double(float(json).ok_or_else(is_not)?),
            Primitive::String => json.as_str().ok_or_else(is_not)?.into(),
            Primitive::Time | Primitive::Duration => {
                let object = json.as_object().ok_or_else(is_not)?;
                let part = |names: [&str; 2]| names.iter().find_map(|name| object.get(*name)).unwrap_or(&Json::Null);
                let parts = [part(["secs", "sec"]), part(["nsecs", "nanosec"])];
                let number = |part: &Json| match (part, primitive) {
                    (Json::Null, Primitive::Time) => Ok(Value::UInt32(0)),
                    (Json::Null, _) => Ok(Value::Int32(0)),
                    (part, Primitive::Time) => fits(part, path, Primitive::Uint32).map(Value::UInt32),
                    (part, _) => fits(part, path, Primitive::Int32).map(Value::Int32),
                };
                let items = parts.into_iter().map(number).collect::<Result<_, _>>()?;
                Value::Tuple(Tuple { signature: Shape::Primitive(primitive).signature(), items })
            }
        })
    }
}

fn array<'j>(json: &'j Json, path: &str) -> Result<&'j [Json], MessageError> {
    json.as_array().map(Vec::as_slice).ok_or_else(|| wrong(path, "a list is wanted"))
}

fn check_length(wanted: Option<usize>, found: usize, path: &str) -> Result<(), MessageError> {
    match wanted {
        Some(wanted) if wanted != found => Err(wrong(path, format!("{wanted} elements are wanted, not {found}"))),
        _ => Ok(()),
    }
}

/// Base64, or numbers.
fn raw(json: &Json) -> Option<Vec<u8>> {
    match json {
        Json::String(text) => STANDARD.decode(text).ok(),
        Json::Array(items) => items.iter().map(|item| u8::try_from(integer(item)?).ok()).collect(),
        _ => None,
    }
}

/// A number without a fraction.
fn integer(json: &Json) -> Option<i128> {
    let number = json.as_number()?;
    let exact = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction, and too large ones are refused later")]
    exact.or_else(|| number.as_f64().filter(|float| float.fract() == 0.0).map(|float| float as i128))
}

/// A number, or `null` for what is none.
fn float(json: &Json) -> Option<f64> {
    if json.is_null() { Some(f64::NAN) } else { json.as_f64() }
}

fn fits<T: TryFrom<i128>>(json: &Json, path: &str, primitive: Primitive) -> Result<T, MessageError> {
    let number = integer(json).ok_or_else(|| wrong(path, format!("a value of {} is wanted", primitive.as_str())))?;
    T::try_from(number).map_err(|_| wrong(path, format!("{number} does not fit into {}", primitive.as_str())))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn wrong(path: &str, reason: impl Into<String>) -> MessageError {
    let path = if path.is_empty() { "message" } else { path };
    MessageError { path: path.to_owned(), reason: reason.into() }
}

/// Missing fields that are named.
const MOST_TOLD: usize = 16;
