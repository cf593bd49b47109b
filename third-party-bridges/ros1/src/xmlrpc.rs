//! XML-RPC as ROS's master and nodes speak it (spec 2), without I/O.

mod read;
mod write;

pub use read::{read_call, read_response};
pub use write::{write_call, write_fault, write_response};

/// A parameter or result.
#[derive(Debug, Clone, PartialEq)]
pub enum XmlValue {
    /// `<array>`
    Array(Vec<Self>),
    /// `<base64>`
    Base64(Vec<u8>),
    /// `<boolean>`
    Bool(bool),
    /// `<dateTime.iso8601>`, as it is written.
    DateTime(String),
    /// `<double>`
    Double(f64),
    /// `<int>` or `<i4>`
    Int(i32),
    /// `<string>`, or text without a type.
    String(String),
    /// `<struct>`
    Struct(Vec<(String, Self)>),
}

/// A method and its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct XmlCall {
    /// The method.
    pub method: String,
    /// Its parameters.
    pub params: Vec<XmlValue>,
}

/// What a call did not give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlFault {
    /// 1 from a master, -1 from a node of roscpp, where the method is unknown.
    pub code: i32,
    /// Why.
    pub text: String,
}

/// A text that is not XML-RPC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// It is not well-formed.
    #[error("bad XML: {0}")]
    Syntax(String),
    /// A document type: it could define entities, and nobody needs it.
    #[error("a document type is refused")]
    DocumentType,
    /// An entity that XML does not define.
    #[error("the entity &{0}; is not known")]
    Entity(String),
    /// Nested deeper than anybody needs.
    #[error("values nest deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// Another element is wanted.
    #[error("{wanted} is wanted, not {found}")]
    Unexpected {
        /// What should be there.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// A text that is not of its type.
    #[error("{text:?} is no {kind}")]
    Text {
        /// The type.
        kind: &'static str,
        /// The text.
        text: String,
    },
}

/// How deep values may nest.
pub const MAX_DEPTH: usize = 16;
/// How large a request or response may be.
pub const MAX_BODY: usize = 1 << 20;

impl XmlValue {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// An integer; a bool counts as one.
    pub const fn as_int(&self) -> Option<i32> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(value) => Some(*value as i32),
            _ => None,
        }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The texts in an array of texts.
    pub fn texts(&self) -> Vec<String> {
        let items = self.as_array().unwrap_or_default().iter();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests;
