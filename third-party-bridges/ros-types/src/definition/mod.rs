//! Definitions of messages and services as they are written in `.msg` and `.srv` files (spec 4.3).

mod parse;

use crate::TypeName;

pub use parse::DefinitionError;

/// A `.msg` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageDefinition {
    /// What it defines.
    pub name: TypeName,
    /// The file as it is.
    pub text: String,
    /// In the order of the file.
    pub constants: Vec<Constant>,
    /// In the order of the file, which is that of the wire.
    pub fields: Vec<FieldDefinition>,
}

/// A `.srv` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceDefinition {
    /// What it defines.
    pub name: TypeName,
    /// What is asked, of the type `package/NameRequest`.
    pub request: MessageDefinition,
    /// What is answered, of the type `package/NameResponse`.
    pub response: MessageDefinition,
}

/// A named number or text that is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Never a message or time.
    pub kind: Primitive,
    /// Its name.
    pub name: String,
    /// Its value as it is written.
    pub value: String,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDefinition {
    /// Its name.
    pub name: String,
    /// Of one element.
    pub kind: FieldType,
    /// How many elements.
    pub array: Array,
}

/// The type of a field's elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// One that every ROS program knows.
    Primitive(Primitive),
    /// Another message.
    Message(TypeName),
}

/// How many elements a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Array {
    /// One, `T`.
    None,
    /// As many as there are, `T[]`.
    Variable,
    /// So many, `T[N]`.
    Fixed(usize),
}

macro_rules! primitives {
    ($($(#[$doc:meta])* $variant:ident = $text:literal;)*) => {
        /// The types that every ROS program knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Primitive {
            $($(#[$doc])* $variant,)*
        }

        impl Primitive {
            /// Its name in definitions.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            fn parse(text: &str) -> Option<Self> {
                Some(match text {
                    $($text => Self::$variant,)*
                    _ => return None,
                })
            }
        }
    };
}

primitives! {
    /// One byte, 0 or 1.
    Bool = "bool";
    /// Signed, another word for `int8`.
    Byte = "byte";
    /// Unsigned, another word for `uint8`.
    Char = "char";
    /// Seconds and nanoseconds, both signed.
    Duration = "duration";
    /// Single precision.
    Float32 = "float32";
    /// Double precision.
    Float64 = "float64";
    /// Signed, 16 bits.
    Int16 = "int16";
    /// Signed, 32 bits.
    Int32 = "int32";
    /// Signed, 64 bits.
    Int64 = "int64";
    /// Signed, 8 bits.
    Int8 = "int8";
    /// Text.
    String = "string";
    /// Seconds and nanoseconds since 1970, both unsigned.
    Time = "time";
    /// Unsigned, 16 bits.
    Uint16 = "uint16";
    /// Unsigned, 32 bits.
    Uint32 = "uint32";
    /// Unsigned, 64 bits.
    Uint64 = "uint64";
    /// Unsigned, 8 bits.
    Uint8 = "uint8";
}

impl FieldDefinition {
    /// The type as it is written, `string[]` for example.
    pub fn type_text(&self) -> String {
        let element = match &self.kind {
            FieldType::Primitive(primitive) => primitive.as_str().to_owned(),
            FieldType::Message(name) => name.to_string(),
        };
        match self.array {
            Array::None => element,
            Array::Variable => element + "[]",
            Array::Fixed(count) => format!("{element}[{count}]"),
        }
    }
}
