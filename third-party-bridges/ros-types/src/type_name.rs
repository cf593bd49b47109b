//! Names of message and service types.

use std::{fmt, str::FromStr};

/// `package/Name`. ROS 2's `package/msg/Name` is read as the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeName {
    package: String,
    name: String,
}

/// A text that does not name a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a ROS type; write it as package/Name, for example std_msgs/String")]
pub struct TypeNameError(String);

impl TypeName {
    /// A name of two valid parts.
    pub fn new(package: &str, name: &str) -> Result<Self, TypeNameError> {
        if is_package(package) && is_message(name) {
            Ok(Self { package: package.to_owned(), name: name.to_owned() })
        } else {
            Err(TypeNameError(format!("{package}/{name}")))
        }
    }

    /// The package.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// The name within the package.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for TypeName {
    type Err = TypeNameError;

    fn from_str(text: &str) -> Result<Self, TypeNameError> {
        let error = || TypeNameError(text.chars().take(100).collect());
        let (package, rest) = text.split_once('/').ok_or_else(error)?;
        let name = match rest.split_once('/') {
            Some(("msg" | "srv", name)) => name,
            Some(_) => return Err(error()),
            None => rest,
        };
        Self::new(package, name).map_err(|_| error())
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.package, self.name)
    }
}

/// Names may not be longer, so that nothing built from them grows without limit.
const MAX_LENGTH: usize = 255;

fn is_package(text: &str) -> bool {
    text.len() <= MAX_LENGTH
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Underscores are not to be used in names, and some packages do.
fn is_message(text: &str) -> bool {
    is_field(text)
}

/// Whether a field or constant may be called that.
pub(crate) fn is_field(text: &str) -> bool {
    text.len() <= MAX_LENGTH
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_package_and_may_say_that_it_is_a_message() {
        for text in ["std_msgs/String", "std_msgs/msg/String", "std_msgs/srv/String"] {
            assert_eq!(text.parse::<TypeName>().map(|name| name.to_string()), Ok("std_msgs/String".to_owned()));
        }
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        for text in ["", "String", "/String", "std_msgs/", "Std/String", "a/b/c", "a/9", "a/msg/b/c", "a/é"] {
            assert!(text.parse::<TypeName>().is_err(), "{text:?}");
        }
    }
}
