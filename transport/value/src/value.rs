//! Values whose types are known at run time only.

use std::fmt;

use bytes::Bytes;

use crate::{ObjectValue, QiString, Signature, Type};

/// A value and, through [`signature`](Self::signature), its exact type: what is read is written again byte for byte.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Value {
    /// `v`
    #[default]
    Void,
    /// `b`
    Bool(bool),
    /// `c`
    Int8(i8),
    /// `C`
    UInt8(u8),
    /// `w`
    Int16(i16),
    /// `W`
    UInt16(u16),
    /// `i`
    Int32(i32),
    /// `I`
    UInt32(u32),
    /// `l`
    Int64(i64),
    /// `L`
    UInt64(u64),
    /// `f`
    Float(f32),
    /// `d`
    Double(f64),
    /// `s`
    String(QiString),
    /// `r`
    Raw(Bytes),
    /// `[T]`
    List(List),
    /// `{KV}`
    Map(Map),
    /// `(ABC)`
    Tuple(Tuple),
    /// `+T`
    Optional(OptionalValue),
    /// `m`, holding a value
    Dynamic(Box<Self>),
    /// `o`
    Object(ObjectValue),
}

/// Elements of one type.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// `[T]` or `#T`
    pub signature: Signature,
    /// All of type `T`.
    pub items: Vec<Value>,
}

/// Pairs of one type, in the order in which they came.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// `{KV}`
    pub signature: Signature,
    /// Keys and values.
    pub entries: Vec<(Value, Value)>,
}

/// Elements of types of their own; with an annotation, a struct.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuple {
    /// `(ABC)`, with the annotation
    pub signature: Signature,
    /// One value for each element.
    pub items: Vec<Value>,
}

/// A value or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionalValue {
    /// `+T`
    pub signature: Signature,
    /// The value, of type `T`.
    pub value: Option<Box<Value>>,
}

impl Value {
    /// The type, annotations included.
    pub fn signature(&self) -> Signature {
        match self {
            Self::Void => Signature::void(),
            Self::Bool(_) => Signature::bool(),
            Self::Int8(_) => Signature::int8(),
            Self::UInt8(_) => Signature::uint8(),
            Self::Int16(_) => Signature::int16(),
            Self::UInt16(_) => Signature::uint16(),
            Self::Int32(_) => Signature::int32(),
            Self::UInt32(_) => Signature::uint32(),
            Self::Int64(_) => Signature::int64(),
            Self::UInt64(_) => Signature::uint64(),
            Self::Float(_) => Signature::float(),
            Self::Double(_) => Signature::double(),
            Self::String(_) => Signature::string(),
            Self::Raw(_) => Signature::raw(),
            Self::List(list) => list.signature.clone(),
            Self::Map(map) => map.signature.clone(),
            Self::Tuple(tuple) => tuple.signature.clone(),
            Self::Optional(optional) => optional.signature.clone(),
            Self::Dynamic(_) => Signature::dynamic(),
            Self::Object(_) => Signature::object(),
        }
    }

    /// A tuple of these, each with its own type.
    pub fn tuple(items: Vec<Self>) -> Self {
        let signature = Signature::tuple(items.iter().map(Self::signature));
        Self::Tuple(Tuple { signature, items })
    }

    /// A list of these; they must all have the type `element`.
    pub fn list(element: Signature, items: Vec<Self>) -> Self {
        Self::List(List { signature: Signature::list(element), items })
    }

    /// A map of these; they must all have the types `key` and `value`.
    pub fn map(key: Signature, value: Signature, entries: Vec<(Self, Self)>) -> Self {
        Self::Map(Map { signature: Signature::map(key, value), entries })
    }

    /// This value in a dynamic, unless it is one.
    pub fn into_dynamic(self) -> Self {
        match self {
            dynamic @ Self::Dynamic(_) => dynamic,
            other => Self::Dynamic(Box::new(other)),
        }
    }

    /// What is inside all dynamics around it (spec 4.1).
    pub fn unwrap_dynamic(self) -> Self {
        let mut value = self;
        while let Self::Dynamic(inner) = value {
            value = *inner;
        }
        value
    }

    /// What is inside all dynamics around it, by reference.
    pub fn peel(&self) -> &Self {
        let mut value = self;
        while let Self::Dynamic(inner) = value {
            value = inner;
        }
        value
    }

    /// An integer or bool, if it fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_i128().and_then(|value| i64::try_from(value).ok())
    }

    /// An integer or bool, if it fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_i128().and_then(|value| u64::try_from(value).ok())
    }

    pub(crate) fn as_i128(&self) -> Option<i128> {
        Some(match self.peel() {
            Self::Bool(value) => i128::from(*value),
            Self::Int8(value) => i128::from(*value),
            Self::UInt8(value) => i128::from(*value),
            Self::Int16(value) => i128::from(*value),
            Self::UInt16(value) => i128::from(*value),
            Self::Int32(value) => i128::from(*value),
            Self::UInt32(value) => i128::from(*value),
            Self::Int64(value) => i128::from(*value),
            Self::UInt64(value) => i128::from(*value),
            _ => return None,
        })
    }

    /// Any number as a float.
    pub fn as_f64(&self) -> Option<f64> {
        match self.peel() {
            Self::Float(value) => Some(f64::from(*value)),
            Self::Double(value) => Some(*value),
            #[expect(clippy::cast_precision_loss, reason = "asked for as a float")]
            other => other.as_i128().map(|value| value as f64),
        }
    }

    /// The text of a string that is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self.peel() {
            Self::String(text) => text.to_str().ok(),
            _ => None,
        }
    }

    /// A bool.
    pub fn as_bool(&self) -> Option<bool> {
        match self.peel() {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements of a list or tuple.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self.peel() {
            Self::List(list) => Some(&list.items),
            Self::Tuple(tuple) => Some(&tuple.items),
            _ => None,
        }
    }

    /// A field of a struct, or an entry of a map, by name.
    pub fn field(&self, name: &str) -> Option<&Self> {
        match self.peel() {
            Self::Tuple(tuple) => {
                let position = tuple.signature.field_names()?.iter().position(|field| *field == name)?;
                tuple.items.get(position)
            }
            Self::Map(map) => map.entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! {
    bool => Bool;
    i8 => Int8;
    u8 => UInt8;
    i16 => Int16;
    u16 => UInt16;
    i32 => Int32;
    u32 => UInt32;
    i64 => Int64;
    u64 => UInt64;
    f32 => Float;
    f64 => Double;
    &str => String;
    String => String;
    QiString => String;
    Bytes => Raw;
    ObjectValue => Object;
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Void
    }
}

impl From<Vec<Self>> for Value {
    /// A list of dynamics, or of the one type that all items have.
    fn from(items: Vec<Self>) -> Self {
        let first = items.first().map(Self::signature);
        match first {
            Some(element)
                if *element.kind() != Type::Dynamic && items.iter().all(|item| item.signature() == element) =>
            {
                Self::list(element, items)
            }
            _ => Self::list(Signature::dynamic(), items.into_iter().map(Self::into_dynamic).collect()),
        }
    }
}

impl fmt::Display for Value {
    /// As JSON, for people: raw buffers as their length, objects by their uid.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Void => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Double(value) => value.fmt(f),
            Self::String(text) => write!(f, "{:?}", text.to_string_lossy()),
            Self::Raw(bytes) => write!(f, "<{} bytes>", bytes.len()),
            Self::List(list) => sequence(f, &list.items),
            Self::Map(map) => {
                f.write_str("{")?;
                for (position, (key, value)) in map.entries.iter().enumerate() {
                    write!(f, "{}{key}:{value}", if position == 0 { "" } else { "," })?;
                }
                f.write_str("}")
            }
            Self::Tuple(tuple) => match tuple.signature.field_names() {
                Some(names) => {
                    f.write_str("{")?;
                    for (position, (name, value)) in names.iter().zip(&tuple.items).enumerate() {
                        write!(f, "{}{name:?}:{value}", if position == 0 { "" } else { "," })?;
                    }
                    f.write_str("}")
                }
                None => sequence(f, &tuple.items),
            },
            Self::Optional(optional) => match &optional.value {
                Some(value) => value.fmt(f),
                None => f.write_str("null"),
            },
            Self::Dynamic(inner) => inner.fmt(f),
            Self::Object(object) => match &object.reference.uid {
                Some(uid) if !object.is_null() => write!(f, "<object {uid}>"),
                _ if object.is_null() => f.write_str("null"),
                _ => f.write_str("<object>"),
            },
            other => match other.as_i128() {
                Some(value) => value.fmt(f),
                None => f.write_str("null"),
            },
        }
    }
}

fn sequence(f: &mut fmt::Formatter<'_>, items: &[Value]) -> fmt::Result {
    f.write_str("[")?;
    for (position, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if position == 0 { "" } else { "," })?;
    }
    f.write_str("]")
}
