//! Passing over values.

use std::ops::Range;

use super::{CodecError, Decoder};
use crate::{ObjectReference, Signature, Type};

/// Hears of an object and of where its metaobject stands; an empty range where it was not sent along.
type Visitor<'a> = &'a mut dyn FnMut(Range<usize>, ObjectReference) -> Result<(), CodecError>;

impl Decoder<'_> {
    /// Passes over a value, checking it as reading would. Objects are not imported.
    pub fn skip_value(&mut self, signature: &Signature) -> Result<(), CodecError> {
        self.visit_objects(signature, &mut |_, _| Ok(()))
    }

    /// Passes over a value likewise, and tells of the objects in it, in their order.
    pub fn visit_objects(&mut self, signature: &Signature, visitor: Visitor<'_>) -> Result<(), CodecError> {
        match signature.kind() {
            Type::Void | Type::None => self.spaceless()?,
            Type::String | Type::Raw => drop(self.read_str()?),
            Type::Dynamic => {
                let inner = self.read_dynamic_signature()?;
                self.enter()?;
                self.visit_objects(&inner, visitor)?;
                self.leave();
            }
            Type::Object => {
                let (metaobject, reference) = self.read_reference()?;
                visitor(metaobject, reference)?;
            }
            Type::List(element) | Type::VarArgs(element) => {
                let count = self.read_count_of(|| element.min_size())?;
                self.visit_many(count, &[element], visitor)?;
            }
            Type::Map(pair) => {
                let count = self.read_count_of(|| pair.0.min_size() + pair.1.min_size())?;
                self.visit_many(count, &[&pair.0, &pair.1], visitor)?;
            }
            Type::Tuple(elements) => {
                self.spaceless()?;
                self.enter()?;
                elements.iter().try_for_each(|element| self.visit_objects(element, visitor))?;
                self.leave();
            }
            Type::Optional(element) => {
                if self.read_bool()? {
                    self.visit_many(1, &[element], visitor)?;
                }
            }
            Type::Unknown | Type::KwArgs(_) => {
                return Err(CodecError::CannotDeserialize(signature.clone()));
            }
            _ => drop(self.take(signature.min_size())?),
        }
        Ok(())
    }

    fn visit_many(&mut self, count: usize, elements: &[&Signature], visitor: Visitor<'_>) -> Result<(), CodecError> {
        self.enter()?;
        for _ in 0..count {
            elements.iter().try_for_each(|element| self.visit_objects(element, visitor))?;
        }
        self.leave();
        Ok(())
    }
}
