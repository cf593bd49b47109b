//! What has elements, on its way out.

use std::borrow::Cow;

use serde::{Serialize, ser};

use super::ValueSerializer;
use crate::{CodecError, Encoder, Limits, Payload, Signature, Type, codec::CountMark, signature::Names};

/// Writes the elements of a list, tuple or buffer, one after the other.
#[derive(Debug)]
pub struct Items<'s, 'e, 'x> {
    target: ValueSerializer<'s, 'e, 'x>,
    shape: Shape<'s>,
    written: usize,
}

#[derive(Debug)]
enum Shape<'s> {
    Counted(CountMark, Cow<'s, Signature>),
    Fields(&'s [Signature]),
}

impl<'s, 'e, 'x> Items<'s, 'e, 'x> {
    /// Elements of the target's signature.
    pub(super) fn counted(target: ValueSerializer<'s, 'e, 'x>) -> Self {
        let mark = target.encoder.begin_count();
        Self { shape: Shape::Counted(mark, Cow::Borrowed(target.signature)), target, written: 0 }
    }

    pub(super) fn counted_owned(target: ValueSerializer<'s, 'e, 'x>, element: Signature) -> Self {
        let mark = target.encoder.begin_count();
        Self { target, shape: Shape::Counted(mark, Cow::Owned(element)), written: 0 }
    }

    pub(super) const fn fields(target: ValueSerializer<'s, 'e, 'x>, elements: &'s [Signature]) -> Self {
        Self { target, shape: Shape::Fields(elements), written: 0 }
    }

    /// Where the next one is written.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<ValueSerializer<'_, '_, 'x>, CodecError> {
        let signature = match &self.shape {
            Shape::Counted(_, element) => &**element,
            Shape::Fields(elements) => elements.get(self.written).ok_or_else(|| self.wrong_number(self.written + 1))?,
        };
        self.written += 1;
        Ok(ValueSerializer { signature, encoder: self.target.encoder, depth: self.target.depth })
    }

    fn wrong_number(&self, found: usize) -> CodecError {
        <CodecError as serde::de::Error>::invalid_length(found, &self.target)
    }

    /// All are written.
    pub(crate) fn finish(self) -> Result<(), CodecError> {
        match &self.shape {
            Shape::Counted(mark, element) => end_count(self.target.encoder, *mark, self.written, element.min_size()),
            Shape::Fields(elements) if elements.len() != self.written => Err(self.wrong_number(self.written)),
            Shape::Fields(_) => Ok(()),
        }
    }

    fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        let position = self.written;
        value.serialize(self.next()?).map_err(|error| error.in_element(position))
    }
}

/// What readers refuse is not written.
fn end_count(encoder: &mut Encoder<'_>, mark: CountMark, count: usize, min_size: usize) -> Result<(), CodecError> {
    if min_size == 0 && count > Limits::default().zero_size_count {
        return Err(CodecError::CountTooLarge(count));
    }
    encoder.end_count(mark, count)
}

/// Writes keys and values, or fields.
#[derive(Debug)]
pub struct Entries<'s, 'e, 'x> {
    target: ValueSerializer<'s, 'e, 'x>,
    form: Form<'s>,
    written: usize,
}

#[derive(Debug)]
enum Form<'s> {
    Counted { count: CountMark, key: &'s Signature, value: &'s Signature },
    Dynamic { signature: CountMark, count: CountMark, string: &'s Signature, dynamic: &'s Signature, strings: bool },
    Positional(&'s [Signature]),
    Named { elements: &'s [Signature], rest: Names<'s>, early: Vec<(usize, Payload)>, field: String },
}

impl<'s, 'e, 'x> Entries<'s, 'e, 'x> {
    pub(super) fn counted(target: ValueSerializer<'s, 'e, 'x>, key: &'s Signature, value: &'s Signature) -> Self {
        let count = target.encoder.begin_count();
        Self { target, form: Form::Counted { count, key, value }, written: 0 }
    }

    /// A map of `{sm}`, or of `{mm}` if its first key is no string.
    pub(super) fn dynamic(target: ValueSerializer<'s, 'e, 'x>, string: &'s Signature, dynamic: &'s Signature) -> Self {
        let signature = target.encoder.begin_count();
        target.encoder.write_encoded(b"{sm}");
        target.encoder.amend(signature, 0, &[4]);
        let count = target.encoder.begin_count();
        Self { target, form: Form::Dynamic { signature, count, string, dynamic, strings: true }, written: 0 }
    }

    pub(super) const fn positional(target: ValueSerializer<'s, 'e, 'x>, elements: &'s [Signature]) -> Self {
        Self { target, form: Form::Positional(elements), written: 0 }
    }

    pub(super) fn named(target: ValueSerializer<'s, 'e, 'x>, elements: &'s [Signature], rest: Names<'s>) -> Self {
        Self { target, form: Form::Named { elements, rest, early: Vec::new(), field: String::new() }, written: 0 }
    }

    /// Writes the next key. `own` makes an error of one that occurs here.
    pub(crate) fn key<E>(
        &mut self,
        own: fn(CodecError) -> E,
        write: impl FnOnce(ValueSerializer<'_, '_, '_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let depth = self.target.depth;
        let encoder = &mut *self.target.encoder;
        match &mut self.form {
            Form::Counted { key, .. } => write(ValueSerializer { signature: key, encoder, depth }),
            Form::Dynamic { signature, dynamic, strings, .. } if self.written == 0 => {
                // Written as a dynamic first, to see what it is.
                let mut aside = Encoder::new();
                write(ValueSerializer { signature: dynamic, encoder: &mut aside, depth })?;
                let aside = aside.finish().into_bytes();
                match aside.strip_prefix(b"\x01\0\0\0s") {
                    Some(text) => encoder.write_encoded(text),
                    None => {
                        *strings = false;
                        encoder.amend(*signature, 5, b"m");
                        encoder.write_encoded(&aside);
                    }
                }
                Ok(())
            }
            Form::Dynamic { string, dynamic, strings, .. } => {
                write(ValueSerializer { signature: if *strings { string } else { dynamic }, encoder, depth })
            }
            Form::Named { field, .. } => {
                let mut aside = Encoder::new();
                write(ValueSerializer { signature: &Signature::string(), encoder: &mut aside, depth })?;
                let aside = aside.finish().into_bytes();
                *field = String::from_utf8_lossy(aside.get(4..).unwrap_or_default()).into_owned();
                Ok(())
            }
            Form::Positional(_) => Err(own(CodecError::Custom("fields by position have no keys".into()))),
        }
    }

    /// Writes the value of the last key.
    pub(crate) fn value<E>(
        &mut self,
        own: fn(CodecError) -> E,
        write: impl FnOnce(ValueSerializer<'_, '_, '_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let depth = self.target.depth;
        let encoder = &mut *self.target.encoder;
        match &mut self.form {
            Form::Counted { value: signature, .. } | Form::Dynamic { dynamic: signature, .. } => {
                self.written += 1;
                write(ValueSerializer { signature, encoder, depth })
            }
            Form::Named { field, .. } => {
                let field = std::mem::take(field);
                self.field(&field, own, write)
            }
            Form::Positional(_) => self.field("", own, write),
        }
    }

    /// Writes a field of a struct; those that come early wait.
    fn field<E>(
        &mut self,
        name: &str,
        own: fn(CodecError) -> E,
        write: impl FnOnce(ValueSerializer<'_, '_, '_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let depth = self.target.depth;
        let encoder = &mut *self.target.encoder;
        match &mut self.form {
            Form::Named { elements, rest, early, .. } => {
                if rest.clone().next() == Some(name) {
                    write(ValueSerializer { signature: &elements[self.written], encoder, depth })?;
                    rest.next();
                    self.written += 1;
                    while let Some(found) = early.iter().position(|(position, _)| *position == self.written) {
                        encoder.append(&early.swap_remove(found).1);
                        rest.next();
                        self.written += 1;
                    }
                    return Ok(());
                }
                let position = rest.clone().position(|other| other == name).map(|offset| self.written + offset);
                match position {
                    Some(position) if early.iter().all(|(other, _)| *other != position) => {
                        let mut aside = Encoder::new();
                        write(ValueSerializer { signature: &elements[position], encoder: &mut aside, depth })?;
                        early.push((position, aside.finish()));
                        Ok(())
                    }
                    _ => Err(own(self.unknown(name))),
                }
            }
            Form::Positional(elements) => {
                let Some(signature) = elements.get(self.written) else {
                    return Err(own(self.unknown(name)));
                };
                self.written += 1;
                write(ValueSerializer { signature, encoder, depth })
            }
            Form::Counted { .. } | Form::Dynamic { .. } => {
                self.key(own, |key| ser::Serializer::serialize_str(key, name).map_err(own))?;
                self.value(own, write)
            }
        }
    }

    fn unknown(&self, name: &str) -> CodecError {
        CodecError::Custom(format!("no place for the field {name:?} in a value of type {}", self.target.signature))
    }

    /// All are written.
    pub(crate) fn finish(self) -> Result<(), CodecError> {
        let encoder = self.target.encoder;
        match self.form {
            Form::Counted { count, key, value } => {
                end_count(encoder, count, self.written, key.min_size() + value.min_size())
            }
            Form::Dynamic { count, .. } => encoder.end_count(count, self.written),
            Form::Positional(elements) => missing(encoder, &elements[self.written..], std::iter::repeat("")),
            Form::Named { elements, rest, early, .. } => {
                for ((position, element), name) in elements.iter().enumerate().skip(self.written).zip(rest) {
                    match early.iter().find(|(other, _)| *other == position) {
                        Some((_, payload)) => encoder.append(payload),
                        None => missing(encoder, std::slice::from_ref(element), std::iter::once(name))?,
                    }
                }
                Ok(())
            }
        }
    }
}

/// Only options may be left out.
fn missing<'n>(
    encoder: &mut Encoder<'_>,
    elements: &[Signature],
    names: impl Iterator<Item = &'n str>,
) -> Result<(), CodecError> {
    for (element, name) in elements.iter().zip(names) {
        match element.kind() {
            Type::Optional(_) => encoder.write_bool(false),
            _ => return Err(CodecError::Custom(format!("the field {name:?} is missing, of type {element}"))),
        }
    }
    Ok(())
}

macro_rules! items {
    ($($trait:ident $method:ident;)*) => {$(
        impl ser::$trait for Items<'_, '_, '_> {
            type Ok = ();
            type Error = CodecError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
                self.write(value)
            }

            fn end(self) -> Result<(), CodecError> {
                self.finish()
            }
        }
    )*};
}

items! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

impl ser::SerializeMap for Entries<'_, '_, '_> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CodecError> {
        let position = self.written;
        self.key(|error| error, |target| key.serialize(target)).map_err(|error| error.in_element(position))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        let position = self.written;
        self.value(|error| error, |target| value.serialize(target)).map_err(|error| error.in_element(position))
    }

    fn end(self) -> Result<(), CodecError> {
        self.finish()
    }
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Entries<'_, '_, '_> {
            type Ok = ();
            type Error = CodecError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CodecError> {
                self.field(name, |error| error, |target| value.serialize(target)).map_err(|error| error.in_field(name))
            }

            fn end(self) -> Result<(), CodecError> {
                self.finish()
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }
