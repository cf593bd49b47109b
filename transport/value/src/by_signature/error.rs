//! Serde's errors as those of the codec, with the place in the value.

use std::fmt;

use crate::CodecError;

impl serde::ser::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

impl serde::de::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

impl CodecError {
    /// The same in a field.
    #[cold]
    pub(crate) fn in_field(self, name: &str) -> Self {
        self.inside(name.to_owned())
    }

    /// The same in an element.
    #[cold]
    pub(crate) fn in_element(self, position: usize) -> Self {
        self.inside(format!("[{position}]"))
    }

    fn inside(self, outer: String) -> Self {
        match self {
            Self::At { path, error } => {
                let dot = if path.starts_with('[') { "" } else { "." };
                Self::At { path: format!("{outer}{dot}{path}"), error }
            }
            error => Self::At { path: outer, error: Box::new(error) },
        }
    }
}
