//! The checksums by which ROS programs know whether they mean the same type (spec 4.3).

use md5::{Digest, Md5};

use crate::{FieldType, MessageDefinition, TypeName};

/// The text of which a message's checksum is made: constants first, then fields, with the checksums of other messages in
/// place of their names.
pub(crate) fn text<E>(
    definition: &MessageDefinition,
    mut md5_of: impl FnMut(&TypeName) -> Result<String, E>,
) -> Result<String, E> {
    let mut lines = Vec::with_capacity(definition.constants.len() + definition.fields.len());
    for constant in &definition.constants {
        lines.push(format!("{} {}={}", constant.kind.as_str(), constant.name, constant.value));
    }
    for field in &definition.fields {
        lines.push(match &field.kind {
            FieldType::Primitive(_) => format!("{} {}", field.type_text(), field.name),
            // That it is an array does not count.
            FieldType::Message(name) => format!("{} {}", md5_of(name)?, field.name),
        });
    }
    Ok(lines.join("\n"))
}

/// MD5 in hexadecimal digits.
pub(crate) fn hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
