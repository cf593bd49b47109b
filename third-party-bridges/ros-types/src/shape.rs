//! What a value is on both sides: the fields that ROS sees, and the type that the directory's services see.

mod of_definition;

use std::sync::{Arc, LazyLock};

use keyway_value::{OptionalValue, Signature, Type, Value};

use crate::{Primitive, TypeName};

/// The type of a field in ROS, and of the same value in the directory (spec 6.2). Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// One that ROS has a word for, and the directory has the same.
    Primitive(Primitive),
    /// `uint8[]`, `uint8[N]`: a buffer.
    Raw {
        /// `N`
        length: Option<usize>,
    },
    /// `string`: the JSON of a value of any type (spec 6.4).
    Json,
    /// `T[]`, `T[N]`
    List(Arc<ListShape>),
    /// `T[]` of entries with the fields `key` and `value`.
    Map(Arc<MapShape>),
    /// `T[]` with one element or none.
    Optional(Arc<ListShape>),
    /// Another message.
    Message(Arc<MessageShape>),
    /// A message whose only field `data` is an array: what arrays hold in place of arrays.
    Wrapper(Arc<WrapperShape>),
}

/// An array.
#[derive(Debug, Clone, PartialEq)]
pub struct ListShape {
    /// Of its elements.
    pub element: Shape,
    /// How many there are, if that is fixed.
    pub length: Option<usize>,
    pub(crate) signature: Signature,
}

/// A map as an array of entries.
#[derive(Debug, Clone, PartialEq)]
pub struct MapShape {
    /// The entry's message: `key` and `value`.
    pub entry: Arc<MessageShape>,
    pub(crate) signature: Signature,
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageShape {
    /// Its type.
    pub name: TypeName,
    /// In the order of the wire.
    pub fields: Vec<FieldShape>,
    pub(crate) signature: Signature,
    pub(crate) min_size: usize,
}

/// A field of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldShape {
    /// Its name in ROS.
    pub name: String,
    /// What it holds.
    pub shape: Shape,
}

/// An array in a message of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct WrapperShape {
    /// The message's type.
    pub name: TypeName,
    /// The field `data`.
    pub data: Shape,
}

impl Shape {
    /// The type in the directory.
    pub fn signature(&self) -> Signature {
        match self {
            Self::Primitive(primitive) => primitive_signature(*primitive),
            Self::Raw { .. } => Signature::raw(),
            Self::Json => Signature::dynamic(),
            Self::List(list) | Self::Optional(list) => list.signature.clone(),
            Self::Map(map) => map.signature.clone(),
            Self::Message(message) => message.signature.clone(),
            Self::Wrapper(wrapper) => wrapper.data.signature(),
        }
    }

    /// The type in ROS, as definitions write it.
    pub fn type_text(&self) -> String {
        let array = |length: Option<usize>| length.map_or_else(|| "[]".to_owned(), |length| format!("[{length}]"));
        match self {
            Self::Primitive(primitive) => primitive.as_str().to_owned(),
            Self::Raw { length } => format!("uint8{}", array(*length)),
            Self::Json => "string".to_owned(),
            Self::List(list) | Self::Optional(list) => list.element.type_text() + &array(list.length),
            Self::Map(map) => format!("{}[]", map.entry.name),
            Self::Message(message) => message.name.to_string(),
            Self::Wrapper(wrapper) => wrapper.name.to_string(),
        }
    }

    /// Whether ROS sees an array, which may not be the element of an array.
    pub const fn is_array(&self) -> bool {
        matches!(self, Self::Raw { .. } | Self::List(_) | Self::Map(_) | Self::Optional(_))
    }

    /// The least number of bytes it takes in a ROS 1 body.
    pub fn min_size(&self) -> usize {
        match self {
            Self::Primitive(primitive) => primitive_size(*primitive),
            Self::Raw { length } => length.unwrap_or(4),
            Self::Json | Self::Map(_) | Self::Optional(_) => 4,
            Self::List(list) => list.length.map_or(4, |length| list.element.min_size().saturating_mul(length)),
            Self::Message(message) => message.min_size,
            Self::Wrapper(wrapper) => wrapper.data.min_size(),
        }
    }

    /// What ROS has in fields that nobody set: zeros, empty texts, empty arrays.
    pub fn default_value(&self) -> Value {
        match self {
            Self::Primitive(primitive) => primitive_default(*primitive),
            Self::Raw { length } => Value::Raw(vec![0; length.unwrap_or(0)].into()),
            Self::Json => Value::Dynamic(Box::new(Value::Void)),
            Self::List(list) => Value::List(keyway_value::List {
                signature: list.signature.clone(),
                items: (0..list.length.unwrap_or(0)).map(|_| list.element.default_value()).collect(),
            }),
            Self::Map(map) => Value::Map(keyway_value::Map { signature: map.signature.clone(), entries: Vec::new() }),
            Self::Optional(list) => Value::Optional(OptionalValue { signature: list.signature.clone(), value: None }),
            Self::Message(message) => message.default_value(),
            Self::Wrapper(wrapper) => wrapper.data.default_value(),
        }
    }

    pub(crate) fn list(element: Self, length: Option<usize>) -> Self {
        let signature = Signature::list(element.signature());
        Self::List(Arc::new(ListShape { element, length, signature }))
    }
}

impl MessageShape {
    pub(crate) fn new(name: TypeName, fields: Vec<FieldShape>, signature: Signature) -> Self {
        let min_size = fields.iter().fold(0_usize, |size, field| size.saturating_add(field.shape.min_size()));
        Self { name, fields, signature, min_size }
    }

    /// The type in the directory: a tuple with an element for each field.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Whether a field is the one of a header that ROS 2 does not have.
    pub(crate) fn is_sequence_number(&self, field: &FieldShape) -> bool {
        field.name == "seq" && self.name.name() == "Header" && self.name.package() == "std_msgs"
    }

    /// A message whose fields nobody set.
    pub fn default_value(&self) -> Value {
        self.value(self.fields.iter().map(|field| field.shape.default_value()).collect())
    }

    /// The message with these values in its fields.
    pub fn value(&self, items: Vec<Value>) -> Value {
        Value::Tuple(keyway_value::Tuple { signature: self.signature.clone(), items })
    }
}

/// `(II)<Time,sec,nsec>` (spec 6.3).
pub(crate) fn time() -> &'static Signature {
    static TIME: LazyLock<Signature> =
        LazyLock::new(|| Signature::named_tuple("Time", &["sec", "nsec"], [Signature::uint32(), Signature::uint32()]));
    &TIME
}

/// `(ii)<Duration,sec,nsec>` (spec 6.3).
pub(crate) fn duration() -> &'static Signature {
    static DURATION: LazyLock<Signature> = LazyLock::new(|| {
        Signature::named_tuple("Duration", &["sec", "nsec"], [Signature::int32(), Signature::int32()])
    });
    &DURATION
}

/// `(I(II)<Time,sec,nsec>s)<Header,seq,stamp,frame_id>`: `std_msgs/Header`.
pub(crate) fn header() -> &'static Signature {
    static HEADER: LazyLock<Signature> = LazyLock::new(|| {
        let types = [Signature::uint32(), time().clone(), Signature::string()];
        Signature::named_tuple("Header", &["seq", "stamp", "frame_id"], types)
    });
    &HEADER
}

fn primitive_signature(primitive: Primitive) -> Signature {
    match primitive {
        Primitive::Bool => Signature::bool(),
        Primitive::Byte | Primitive::Int8 => Signature::int8(),
        Primitive::Char | Primitive::Uint8 => Signature::uint8(),
        Primitive::Duration => duration().clone(),
        Primitive::Float32 => Signature::float(),
        Primitive::Float64 => Signature::double(),
        Primitive::Int16 => Signature::int16(),
        Primitive::Int32 => Signature::int32(),
        Primitive::Int64 => Signature::int64(),
        Primitive::String => Signature::string(),
        Primitive::Time => time().clone(),
        Primitive::Uint16 => Signature::uint16(),
        Primitive::Uint32 => Signature::uint32(),
        Primitive::Uint64 => Signature::uint64(),
    }
}

const fn primitive_size(primitive: Primitive) -> usize {
    match primitive {
        Primitive::Bool | Primitive::Byte | Primitive::Char | Primitive::Int8 | Primitive::Uint8 => 1,
        Primitive::Int16 | Primitive::Uint16 => 2,
        Primitive::Int32 | Primitive::Uint32 | Primitive::Float32 | Primitive::String => 4,
        Primitive::Int64 | Primitive::Uint64 | Primitive::Float64 | Primitive::Time | Primitive::Duration => 8,
    }
}

fn primitive_default(primitive: Primitive) -> Value {
    let pair = |signature: &Signature, zero: Value| {
        Value::Tuple(keyway_value::Tuple { signature: signature.clone(), items: vec![zero.clone(), zero] })
    };
    match primitive {
        Primitive::Bool => Value::Bool(false),
        Primitive::Byte | Primitive::Int8 => Value::Int8(0),
        Primitive::Char | Primitive::Uint8 => Value::UInt8(0),
        Primitive::Duration => pair(duration(), Value::Int32(0)),
        Primitive::Float32 => Value::Float(0.0),
        Primitive::Float64 => Value::Double(0.0),
        Primitive::Int16 => Value::Int16(0),
        Primitive::Int32 => Value::Int32(0),
        Primitive::Int64 => Value::Int64(0),
        Primitive::String => Value::from(""),
        Primitive::Time => pair(time(), Value::UInt32(0)),
        Primitive::Uint16 => Value::UInt16(0),
        Primitive::Uint32 => Value::UInt32(0),
        Primitive::Uint64 => Value::UInt64(0),
    }
}

/// The word that ROS has for a type of the directory.
pub(crate) const fn primitive_of(kind: &Type) -> Option<Primitive> {
    Some(match kind {
        Type::Bool => Primitive::Bool,
        Type::Int8 => Primitive::Int8,
        Type::UInt8 => Primitive::Uint8,
        Type::Int16 => Primitive::Int16,
        Type::UInt16 => Primitive::Uint16,
        Type::Int32 => Primitive::Int32,
        Type::UInt32 => Primitive::Uint32,
        Type::Int64 => Primitive::Int64,
        Type::UInt64 => Primitive::Uint64,
        Type::Float => Primitive::Float32,
        Type::Double => Primitive::Float64,
        Type::String => Primitive::String,
        _ => return None,
    })
}
