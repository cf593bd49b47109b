//! Reading definitions. Publishers send theirs, so nobody vouches for the texts.

use super::{Array, Constant, FieldDefinition, FieldType, MessageDefinition, Primitive, ServiceDefinition};
use crate::{TypeName, TypeNameError, type_name::is_field};

/// A definition that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// A line is neither a field nor a constant.
    #[error("{name}, line {line}: {text:?} is neither `type name` nor `type NAME=value`")]
    Line {
        /// The type that is defined.
        name: TypeName,
        /// Counted from 1, within the message.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A service without the line that ends its request.
    #[error("{0}: a service is defined by a request, a line ---, and a response")]
    NoResponse(TypeName),
    /// Two fields have one name.
    #[error("{name}: the field {field} is there twice")]
    Twice {
        /// The type that is defined.
        name: TypeName,
        /// The field.
        field: String,
    },
    /// The type itself has no usable name.
    #[error(transparent)]
    Name(#[from] TypeNameError),
}

/// The most elements an array of a fixed length may have.
const MAX_FIXED: usize = 1 << 24;

impl MessageDefinition {
    /// Reads a `.msg` file.
    pub fn parse(name: TypeName, text: &str) -> Result<Self, DefinitionError> {
        let mut definition =
            Self { text: text.to_owned(), constants: Vec::new(), fields: Vec::<FieldDefinition>::new(), name };
        let mut names = std::collections::HashSet::new();
        for (number, line) in text.lines().enumerate() {
            match parse_line(definition.name.package(), line) {
                Some(Line::Empty) => {}
                Some(Line::Constant(constant)) => definition.constants.push(constant),
                Some(Line::Field(field)) => {
                    if !names.insert(field.name.clone()) {
                        return Err(DefinitionError::Twice { name: definition.name, field: field.name });
                    }
                    definition.fields.push(field);
                }
                None => {
                    let text = line.trim().chars().take(100).collect();
                    return Err(DefinitionError::Line { name: definition.name, line: number + 1, text });
                }
            }
        }
        Ok(definition)
    }
}

impl ServiceDefinition {
    /// Reads a `.srv` file.
    pub fn parse(name: TypeName, text: &str) -> Result<Self, DefinitionError> {
        let mut end_of_request = None;
        let mut position = 0;
        for line in text.split_inclusive('\n') {
            if line.trim() == "---" {
                end_of_request = Some((position, position + line.len()));
                break;
            }
            position += line.len();
        }
        let Some((end, start)) = end_of_request else {
            return Err(DefinitionError::NoResponse(name));
        };
        let part = |suffix: &str, text: &str| {
            MessageDefinition::parse(TypeName::new(name.package(), &format!("{}{suffix}", name.name()))?, text)
        };
        let (request, response) = (part("Request", &text[..end])?, part("Response", &text[start..])?);
        Ok(Self { request, response, name })
    }
}

enum Line {
    Empty,
    Constant(Constant),
    Field(FieldDefinition),
}

fn parse_line(package: &str, line: &str) -> Option<Line> {
    let bare = line.split('#').next().unwrap_or_default().trim();
    if bare.is_empty() {
        return Some(Line::Empty);
    }
    let (kind, rest) = bare.split_once(char::is_whitespace)?;
    if let Some((name, value)) = rest.split_once('=') {
        let kind = Primitive::parse(kind)?;
        // A text may hold what begins a comment elsewhere.
        let value = if kind == Primitive::String { line.split_once('=')?.1 } else { value };
        let (name, value) = (name.trim(), value.trim());
        let may_be_constant = !matches!(kind, Primitive::Time | Primitive::Duration);
        return (may_be_constant && is_field(name))
            .then(|| Line::Constant(Constant { kind, name: name.to_owned(), value: value.to_owned() }));
    }
    let name = rest.trim();
    let (kind, array) = match kind.strip_suffix(']') {
        Some(kind) => {
            let (kind, count) = kind.split_once('[')?;
            let array = match count {
                "" => Array::Variable,
                count => Array::Fixed(count.parse().ok().filter(|count| *count <= MAX_FIXED)?),
            };
            (kind, array)
        }
        None => (kind, Array::None),
    };
    let kind = match Primitive::parse(kind) {
        Some(primitive) => FieldType::Primitive(primitive),
        None if kind == "Header" => FieldType::Message(TypeName::new("std_msgs", "Header").ok()?),
        None if kind.contains('/') => FieldType::Message(kind.parse().ok()?),
        None => FieldType::Message(TypeName::new(package, kind).ok()?),
    };
    is_field(name).then(|| Line::Field(FieldDefinition { name: name.to_owned(), kind, array }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Result<MessageDefinition, DefinitionError> {
        MessageDefinition::parse(TypeName::new("pkg", "Name").unwrap(), text)
    }

    #[test]
    fn a_text_constant_keeps_what_looks_like_a_comment() {
        let definition =
            message("string A =  \"x\" # no comment  \nint8 B= 3 # comment\nint8[] c # comment\n").unwrap();
        assert_eq!(definition.constants[0].value, "\"x\" # no comment");
        assert_eq!(definition.constants[1].value, "3");
        assert_eq!(definition.fields[0].type_text(), "int8[]");
    }

    #[test]
    fn a_type_without_a_package_is_of_the_same_package() {
        let definition = message("Header header\nOther[3]\tother\nstd_msgs/Bool yes\r\n").unwrap();
        let types: Vec<String> = definition.fields.iter().map(FieldDefinition::type_text).collect();
        assert_eq!(types, ["std_msgs/Header", "pkg/Other[3]", "std_msgs/Bool"]);
    }

    #[test]
    fn what_is_no_definition_is_refused_with_its_line() {
        for text in
            ["int32", "int32 a b", "int32 9", "int32[ a", "int32[x] a", "time T=1", "int32[99999999999] a", "A/b c"]
        {
            let error = message(&format!("\n{text}")).unwrap_err();
            assert!(matches!(&error, DefinitionError::Line { line: 2, .. }), "{text}: {error}");
        }
        assert!(matches!(message("int8 a\nint8 a"), Err(DefinitionError::Twice { .. })));
    }

    #[test]
    fn a_service_has_two_parts() {
        let name = TypeName::new("pkg", "Do").unwrap();
        let service = ServiceDefinition::parse(name.clone(), "int8 a\n---\nint8 b").unwrap();
        assert_eq!(service.request.text, "int8 a\n");
        assert_eq!(service.response.name.to_string(), "pkg/DoResponse");
        assert!(matches!(ServiceDefinition::parse(name, "int8 a"), Err(DefinitionError::NoResponse(_))));
    }
}
