//! From types to text.

use super::{Signature, Type};

impl Signature {
    /// Appends the text, annotations included.
    pub(crate) fn write_text(&self, text: &mut Vec<u8>) {
        match self.kind() {
            Type::List(element) => {
                text.push(b'[');
                element.write_text(text);
                text.push(b']');
            }
            Type::Map(pair) => {
                text.push(b'{');
                pair.0.write_text(text);
                pair.1.write_text(text);
                text.push(b'}');
            }
            Type::Tuple(elements) => {
                text.push(b'(');
                elements.iter().for_each(|element| element.write_text(text));
                text.push(b')');
            }
            Type::VarArgs(element) => {
                text.push(b'#');
                element.write_text(text);
            }
            Type::KwArgs(element) => {
                text.push(b'~');
                element.write_text(text);
            }
            Type::Optional(element) => {
                text.push(b'+');
                element.write_text(text);
            }
            basic => text.push(letter(basic)),
        }
        if let Some(annotation) = self.annotation() {
            text.push(b'<');
            text.extend_from_slice(annotation.as_bytes());
            text.push(b'>');
        }
    }
}

/// The letter of a type without children; compound types never come here.
const fn letter(kind: &Type) -> u8 {
    match kind {
        Type::Void => b'v',
        Type::Bool => b'b',
        Type::Int8 => b'c',
        Type::UInt8 => b'C',
        Type::Int16 => b'w',
        Type::UInt16 => b'W',
        Type::Int32 => b'i',
        Type::UInt32 => b'I',
        Type::Int64 => b'l',
        Type::UInt64 => b'L',
        Type::Float => b'f',
        Type::Double => b'd',
        Type::String => b's',
        Type::Raw => b'r',
        Type::Dynamic => b'm',
        Type::Object => b'o',
        Type::Unknown => b'X',
        Type::None => b'_',
        Type::List(_) | Type::Map(_) | Type::Tuple(_) | Type::VarArgs(_) | Type::KwArgs(_) | Type::Optional(_) => b'*',
    }
}
