//! Signatures: types written as text (spec 3).

mod error;
mod parse;
mod text;

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use error::SignatureError;

/// How deep signatures and dynamic values may nest (spec 2.9).
pub const MAX_DEPTH: usize = 64;

/// How long the text of a signature may be, in bytes.
pub const MAX_LENGTH: usize = 64 << 10;

/// A type of the protocol, parsed once; clones share it.
///
/// Equality ignores annotations, as libqi does (spec 3.1); the text keeps them.
///
/// ```
/// use keyway_value::Signature;
/// let point: Signature = "(is)<Point,x,label>".parse()?;
/// assert_eq!(point, Signature::tuple([Signature::int32(), Signature::string()]));
/// assert_eq!(point.field_names().unwrap(), ["x", "label"]);
/// # Ok::<(), keyway_value::SignatureError>(())
/// ```
#[derive(Clone)]
pub struct Signature {
    kind: Type,
    annotation: Option<Arc<str>>,
}

/// The names of a struct's fields.
pub(crate) type Names<'a> = std::iter::Skip<std::str::Split<'a, char>>;

/// The kinds of types (spec 3.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// `v`
    Void,
    /// `b`
    Bool,
    /// `c`
    Int8,
    /// `C`
    UInt8,
    /// `w`
    Int16,
    /// `W`
    UInt16,
    /// `i`
    Int32,
    /// `I`
    UInt32,
    /// `l`
    Int64,
    /// `L`
    UInt64,
    /// `f`
    Float,
    /// `d`
    Double,
    /// `s`
    String,
    /// `r`
    Raw,
    /// `m`
    Dynamic,
    /// `o`
    Object,
    /// `X`
    Unknown,
    /// `_`
    None,
    /// `[T]`
    List(Arc<Signature>),
    /// `{KV}`
    Map(Arc<(Signature, Signature)>),
    /// `(ABC)`
    Tuple(Arc<[Signature]>),
    /// `#T`
    VarArgs(Arc<Signature>),
    /// `~T`
    KwArgs(Arc<Signature>),
    /// `+T`
    Optional(Arc<Signature>),
}

impl Type {
    /// Whether it is one of the integers; `b` is not.
    pub const fn is_integer(&self) -> bool {
        matches!(
            self,
            Self::Int8
                | Self::UInt8
                | Self::Int16
                | Self::UInt16
                | Self::Int32
                | Self::UInt32
                | Self::Int64
                | Self::UInt64
        )
    }
}

macro_rules! basic {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        pub const fn $name() -> Self {
            Self::of(Type::$kind)
        }
    )*};
}

impl Signature {
    const fn of(kind: Type) -> Self {
        Self { kind, annotation: None }
    }

    basic! {
        /// `v`
        void => Void;
        /// `b`
        bool => Bool;
        /// `c`
        int8 => Int8;
        /// `C`
        uint8 => UInt8;
        /// `w`
        int16 => Int16;
        /// `W`
        uint16 => UInt16;
        /// `i`
        int32 => Int32;
        /// `I`
        uint32 => UInt32;
        /// `l`
        int64 => Int64;
        /// `L`
        uint64 => UInt64;
        /// `f`
        float => Float;
        /// `d`
        double => Double;
        /// `s`
        string => String;
        /// `r`
        raw => Raw;
        /// `m`
        dynamic => Dynamic;
        /// `o`
        object => Object;
        /// `X`
        unknown => Unknown;
        /// `_`
        none => None;
    }

    /// `[T]`
    pub fn list(element: Self) -> Self {
        Self::of(Type::List(Arc::new(element)))
    }

    /// `{KV}`
    pub fn map(key: Self, value: Self) -> Self {
        Self::of(Type::Map(Arc::new((key, value))))
    }

    /// `(ABC)`
    pub fn tuple(elements: impl IntoIterator<Item = Self>) -> Self {
        Self::of(Type::Tuple(elements.into_iter().collect()))
    }

    /// `(AB)<Name,a,b>`: a struct, with a name for each element (spec 3.2).
    pub fn named_tuple(name: &str, fields: &[&str], elements: impl IntoIterator<Item = Self>) -> Self {
        let mut annotation = name.to_owned();
        for field in fields {
            annotation.push(',');
            annotation.push_str(field);
        }
        Self { annotation: Some(annotation.into()), ..Self::tuple(elements) }
    }

    /// `+T`
    pub fn optional(element: Self) -> Self {
        Self::of(Type::Optional(Arc::new(element)))
    }

    /// `#T`
    pub fn var_args(element: Self) -> Self {
        Self::of(Type::VarArgs(Arc::new(element)))
    }

    /// The kind of type, with its children.
    pub const fn kind(&self) -> &Type {
        &self.kind
    }

    /// The children: a list's element, a map's key and value, a tuple's elements.
    pub fn elements(&self) -> Cow<'_, [Self]> {
        match &self.kind {
            Type::Tuple(elements) => Cow::Borrowed(elements),
            Type::List(element) | Type::VarArgs(element) | Type::KwArgs(element) | Type::Optional(element) => {
                Cow::Owned(vec![Self::clone(element)])
            }
            Type::Map(pair) => Cow::Owned(vec![pair.0.clone(), pair.1.clone()]),
            _ => Cow::Borrowed(&[]),
        }
    }

    /// What stands between `<` and `>`.
    pub fn annotation(&self) -> Option<&str> {
        self.annotation.as_deref()
    }

    /// The name of a struct.
    pub fn struct_name(&self) -> Option<&str> {
        let Type::Tuple(_) = self.kind else {
            return None;
        };
        self.annotation().map(|annotation| annotation.split(',').next().unwrap_or_default())
    }

    /// The names of a struct's fields, if there are as many as fields (spec 3.2).
    pub fn field_names(&self) -> Option<Vec<&str>> {
        self.names().map(Iterator::collect)
    }

    /// The same without a list of them.
    pub(crate) fn names(&self) -> Option<Names<'_>> {
        let Type::Tuple(elements) = &self.kind else {
            return None;
        };
        let annotation = self.annotation()?;
        let count = annotation.bytes().filter(|byte| *byte == b',').count();
        (count == elements.len()).then(|| annotation.split(',').skip(1))
    }

    /// The least number of bytes a value takes on the wire; what a list's count is checked against (H4).
    pub fn min_size(&self) -> usize {
        match &self.kind {
            Type::Void | Type::None | Type::Unknown | Type::KwArgs(_) => 0,
            Type::Bool | Type::Int8 | Type::UInt8 | Type::Optional(_) => 1,
            Type::Int16 | Type::UInt16 => 2,
            Type::Int32 | Type::UInt32 | Type::Float => 4,
            Type::Int64 | Type::UInt64 | Type::Double => 8,
            Type::String | Type::Raw | Type::Dynamic | Type::List(_) | Type::Map(_) | Type::VarArgs(_) => 4,
            // Three counts and a description of an empty metaobject, two ids; cached forms are shorter.
            Type::Object => 13,
            Type::Tuple(elements) => elements.iter().map(Self::min_size).sum(),
        }
    }

    /// Whether a value may hold object references, which mean something on their own connection only (spec 12.6).
    pub fn contains_object_or_dynamic(&self) -> bool {
        match &self.kind {
            Type::Dynamic | Type::Object => true,
            Type::List(element) | Type::VarArgs(element) | Type::KwArgs(element) | Type::Optional(element) => {
                element.contains_object_or_dynamic()
            }
            Type::Map(pair) => pair.0.contains_object_or_dynamic() || pair.1.contains_object_or_dynamic(),
            Type::Tuple(elements) => elements.iter().any(Self::contains_object_or_dynamic),
            _ => false,
        }
    }

    pub(crate) fn with_annotation(self, annotation: Option<Arc<str>>) -> Self {
        Self { annotation, ..self }
    }
}

impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Eq for Signature {}

impl std::hash::Hash for Signature {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write_text(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl FromStr for Signature {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        Self::parse(text)
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}
