//! Where a value is written, and what its signature makes of it.

use std::fmt;

use serde::de::{Error as _, Expected, Unexpected};

use super::{Entries, Items};
use crate::{CodecError, Encoder, MAX_DEPTH, Signature, Type};

static BYTE: Signature = Signature::uint8();
static DYNAMIC: Signature = Signature::dynamic();
static STRING: Signature = Signature::string();

/// Writes what is serialized as a value of a type.
#[derive(Debug)]
pub struct ValueSerializer<'s, 'e, 'x> {
    pub(crate) signature: &'s Signature,
    pub(super) encoder: &'e mut Encoder<'x>,
    pub(super) depth: usize,
}

/// What a message says that nothing else fits.
impl Expected for ValueSerializer<'_, '_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value of type {}", self.signature)
    }
}

impl<'s, 'e, 'x> ValueSerializer<'s, 'e, 'x> {
    /// A value of type `signature`, into `encoder`.
    pub const fn new(signature: &'s Signature, encoder: &'e mut Encoder<'x>) -> Self {
        Self { signature, encoder, depth: 0 }
    }

    pub(super) fn wrong<T>(&self, found: Unexpected<'_>) -> Result<T, CodecError> {
        Err(match self.signature.kind() {
            Type::Object => CodecError::Custom("an object cannot be written down; pass a live one".into()),
            Type::Unknown | Type::KwArgs(_) => CodecError::CannotDeserialize(self.signature.clone()),
            _ => CodecError::invalid_type(found, self),
        })
    }

    /// One level down, as readers count them.
    pub(super) fn enter(self, signature: &'s Signature) -> Result<Self, CodecError> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH { Err(CodecError::TooDeep(MAX_DEPTH)) } else { Ok(Self { signature, depth, ..self }) }
    }

    /// Says that an option is set; what is no option stays as it is.
    pub(crate) fn some(self) -> Result<Self, CodecError> {
        let Type::Optional(element) = self.signature.kind() else {
            return Ok(self);
        };
        self.encoder.write_bool(true);
        self.enter(element)
    }

    /// What is not an option is one that is set (spec 3.4).
    #[inline]
    pub(super) fn set(self) -> Result<Self, CodecError> {
        let mut this = self;
        while let Type::Optional(_) = this.signature.kind() {
            this = this.some()?;
        }
        Ok(this)
    }

    /// Into a dynamic, as the type of this letter; elsewhere nothing.
    pub(super) fn letter(self, letter: u8) -> Result<Self, CodecError> {
        let this = self.set()?;
        if *this.signature.kind() == Type::Dynamic {
            this.encoder.write_letter(letter);
        }
        Ok(this)
    }

    pub(super) fn integer(self, value: i128) -> Result<(), CodecError> {
        let this = self.set()?;
        macro_rules! put {
            ($write:ident) => {
                match value.try_into() {
                    Ok(value) => this.encoder.$write(value),
                    Err(_) => return Err(this.out_of_range(value)),
                }
            };
        }
        match this.signature.kind() {
            Type::Int8 => put!(write_i8),
            Type::UInt8 => put!(write_u8),
            Type::Int16 => put!(write_i16),
            Type::UInt16 => put!(write_u16),
            Type::Int32 => put!(write_i32),
            Type::UInt32 => put!(write_u32),
            Type::Int64 => put!(write_i64),
            Type::UInt64 => put!(write_u64),
            Type::Bool if value == 0 || value == 1 => this.encoder.write_bool(value == 1),
            #[expect(clippy::cast_precision_loss, reason = "an integer becomes the nearest float")]
            Type::Float => this.encoder.write_f32(value as f32),
            #[expect(clippy::cast_precision_loss, reason = "an integer becomes the nearest float")]
            Type::Double => this.encoder.write_f64(value as f64),
            Type::Dynamic => match i64::try_from(value) {
                Ok(value) => {
                    this.encoder.write_letter(b'l');
                    this.encoder.write_i64(value);
                }
                Err(_) => {
                    this.encoder.write_letter(b'L');
                    put!(write_u64);
                }
            },
            _ => return this.wrong(Unexpected::Other(&format!("integer `{value}`"))),
        }
        Ok(())
    }

    fn out_of_range(&self, value: i128) -> CodecError {
        CodecError::invalid_value(Unexpected::Other(&format!("integer `{value}`")), self)
    }

    pub(super) fn items(self) -> Result<Items<'s, 'e, 'x>, CodecError> {
        let this = self.set()?;
        match this.signature.kind() {
            Type::Tuple(elements) => this.fields(elements),
            Type::List(element) | Type::VarArgs(element) => this.counted(element),
            Type::Raw => this.counted(&BYTE),
            Type::Map(pair) => {
                let pair = Signature::tuple([pair.0.clone(), pair.1.clone()]);
                Ok(Items::counted_owned(this.enter(&DYNAMIC)?, pair))
            }
            Type::Dynamic => {
                this.encoder.write_signature(&Signature::list(Signature::dynamic()));
                this.enter(&DYNAMIC)?.counted(&DYNAMIC)
            }
            _ => this.wrong(Unexpected::Seq),
        }
    }

    fn counted(self, element: &'s Signature) -> Result<Items<'s, 'e, 'x>, CodecError> {
        Ok(Items::counted(self.enter(element)?))
    }

    fn fields(self, elements: &'s [Signature]) -> Result<Items<'s, 'e, 'x>, CodecError> {
        let signature = self.signature;
        Ok(Items::fields(self.enter(signature)?, elements))
    }

    pub(super) fn entries(self) -> Result<Entries<'s, 'e, 'x>, CodecError> {
        let this = self.set()?;
        let signature = this.signature;
        match signature.kind() {
            Type::Map(pair) => Ok(Entries::counted(this.enter(signature)?, &pair.0, &pair.1)),
            Type::List(element) | Type::VarArgs(element) => match element.kind() {
                Type::Tuple(pair) if pair.len() == 2 => {
                    Ok(Entries::counted(this.enter(element)?.enter(element)?, &pair[0], &pair[1]))
                }
                _ => this.wrong(Unexpected::Map),
            },
            Type::Tuple(elements) => match signature.names() {
                Some(names) => Ok(Entries::named(this.enter(signature)?, elements, names)),
                None => this.wrong(Unexpected::Map),
            },
            Type::Dynamic => Ok(Entries::dynamic(this.enter(&DYNAMIC)?.enter(&DYNAMIC)?, &STRING, &DYNAMIC)),
            _ => this.wrong(Unexpected::Map),
        }
    }

    /// A struct: by name where there are names, else by position.
    pub(super) fn record(self) -> Result<Entries<'s, 'e, 'x>, CodecError> {
        let this = self.set()?;
        match this.signature.kind() {
            Type::Tuple(elements) if this.signature.names().is_none() => {
                let signature = this.signature;
                Ok(Entries::positional(this.enter(signature)?, elements))
            }
            _ => this.entries(),
        }
    }

    /// The content of a variant that has some, in a map of its own.
    pub(super) fn variant(self, name: &str) -> Result<Self, CodecError> {
        let mut this = self.set()?;
        let signature = this.signature;
        let value = match signature.kind() {
            Type::Map(pair) if *pair.0.kind() == Type::String => &pair.1,
            Type::Dynamic => {
                this.encoder.write_signature(&Signature::map(Signature::string(), Signature::dynamic()));
                this = this.enter(&DYNAMIC)?;
                &DYNAMIC
            }
            _ => return this.wrong(Unexpected::Other(&format!("the variant {name} with content"))),
        };
        this.encoder.write_count(1)?;
        this.encoder.write_str(name.as_bytes())?;
        this.enter(value)
    }
}
