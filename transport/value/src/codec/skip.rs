//! Passing over values.

use super::{CodecError, Decoder};
use crate::{Signature, Type};

impl Decoder<'_> {
    /// Passes over a value, checking it as reading would. Objects are not imported.
    pub fn skip_value(&mut self, signature: &Signature) -> Result<(), CodecError> {
        match signature.kind() {
            Type::Void | Type::None => self.spaceless()?,
            Type::String | Type::Raw => drop(self.read_str()?),
            Type::Dynamic => {
                let inner = self.read_dynamic_signature()?;
                self.enter()?;
                self.skip_value(&inner)?;
                self.leave();
            }
            Type::Object => {
                let importer = self.importer.take();
                let skipped = self.read_object();
                self.importer = importer;
                skipped?;
            }
            Type::List(element) | Type::VarArgs(element) => {
                let count = self.read_count_of(|| element.min_size())?;
                self.skip_many(count, &[element])?;
            }
            Type::Map(pair) => {
                let count = self.read_count_of(|| pair.0.min_size() + pair.1.min_size())?;
                self.skip_many(count, &[&pair.0, &pair.1])?;
            }
            Type::Tuple(elements) => {
                self.spaceless()?;
                self.enter()?;
                elements.iter().try_for_each(|element| self.skip_value(element))?;
                self.leave();
            }
            Type::Optional(element) => {
                if self.read_bool()? {
                    self.skip_many(1, &[element])?;
                }
            }
            Type::Unknown | Type::KwArgs(_) => {
                return Err(CodecError::CannotDeserialize(signature.clone()));
            }
            _ => drop(self.take(signature.min_size())?),
        }
        Ok(())
    }

    fn skip_many(&mut self, count: usize, elements: &[&Signature]) -> Result<(), CodecError> {
        self.enter()?;
        for _ in 0..count {
            elements.iter().try_for_each(|element| self.skip_value(element))?;
        }
        self.leave();
        Ok(())
    }
}
