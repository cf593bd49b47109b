//! Out: bytes are read as they are serialized.

use std::{cell::RefCell, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::{Decoder, Limits, ObjectLayout, ObjectReference, Signature, Type};

/// Bytes of a type, as something that serializes.
pub struct Transcode<'a> {
    bytes: &'a Bytes,
    signature: &'a Signature,
    layout: ObjectLayout,
    describe: Option<Describe<'a>>,
}

/// What is written for an object.
type Describe<'a> = &'a dyn Fn(ObjectReference) -> serde_json::Value;

impl<'a> Transcode<'a> {
    /// Of bytes in the usual layout.
    pub fn new(bytes: &'a Bytes, signature: &'a Signature) -> Self {
        Self::with(bytes, signature, ObjectLayout::default())
    }

    /// Of bytes from a connection.
    pub const fn with(bytes: &'a Bytes, signature: &'a Signature, layout: ObjectLayout) -> Self {
        Self { bytes, signature, layout, describe: None }
    }

    /// Writes for an object what `describe` makes of it, as `{"$object": …}`.
    #[must_use]
    pub const fn describing(self, describe: &'a dyn Fn(ObjectReference) -> serde_json::Value) -> Self {
        Self { describe: Some(describe), ..self }
    }
}

impl fmt::Debug for Transcode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcode").field("signature", self.signature).finish_non_exhaustive()
    }
}

impl Serialize for Transcode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let decoder = RefCell::new(Decoder::with(self.bytes, self.layout, Limits::default(), None));
        Element { decoder: &decoder, signature: self.signature, describe: self.describe }.serialize(serializer)
    }
}

/// The next value. Serde serializes by shared reference, and reading moves on: hence the cell.
struct Element<'d, 'b> {
    decoder: &'d RefCell<Decoder<'b>>,
    signature: &'d Signature,
    describe: Option<Describe<'d>>,
}

impl<'d, 'b> Element<'d, 'b> {
    fn next<T, E: Error>(&self, read: impl FnOnce(&mut Decoder<'b>) -> Result<T, crate::CodecError>) -> Result<T, E> {
        read(&mut self.decoder.borrow_mut()).map_err(E::custom)
    }

    fn of<'e>(&'e self, signature: &'e Signature) -> Element<'e, 'b> {
        Element { decoder: self.decoder, signature, describe: self.describe }
    }
}

impl Serialize for Element<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.signature.kind() {
            Type::Void | Type::None => {
                self.next::<_, S::Error>(Decoder::spaceless)?;
                serializer.serialize_unit()
            }
            Type::Bool => serializer.serialize_bool(self.next(Decoder::read_bool)?),
            Type::Int8 => serializer.serialize_i8(self.next(Decoder::read_i8)?),
            Type::UInt8 => serializer.serialize_u8(self.next(Decoder::read_u8)?),
            Type::Int16 => serializer.serialize_i16(self.next(Decoder::read_i16)?),
            Type::UInt16 => serializer.serialize_u16(self.next(Decoder::read_u16)?),
            Type::Int32 => serializer.serialize_i32(self.next(Decoder::read_i32)?),
            Type::UInt32 => serializer.serialize_u32(self.next(Decoder::read_u32)?),
            Type::Int64 => serializer.serialize_i64(self.next(Decoder::read_i64)?),
            Type::UInt64 => serializer.serialize_u64(self.next(Decoder::read_u64)?),
            Type::Float => serializer.serialize_f32(self.next(Decoder::read_f32)?),
            Type::Double => serializer.serialize_f64(self.next(Decoder::read_f64)?),
            Type::String => {
                let bytes = self.next::<_, S::Error>(Decoder::read_str)?;
                serializer.serialize_str(&String::from_utf8_lossy(bytes))
            }
            Type::Raw => {
                let bytes = self.next::<_, S::Error>(Decoder::read_str)?;
                if serializer.is_human_readable() {
                    serializer.serialize_str(&STANDARD.encode(bytes))
                } else {
                    serializer.serialize_bytes(bytes)
                }
            }
            Type::Dynamic => {
                let signature = self.next::<_, S::Error>(Decoder::read_signature)?;
                self.nested(|| self.of(&signature).serialize(serializer))
            }
            Type::Object => {
                let object = self.next::<_, S::Error>(Decoder::read_object)?;
                if object.is_null() {
                    return serializer.serialize_none();
                }
                let mut map = serializer.serialize_map(Some(1))?;
                if let Some(describe) = self.describe {
                    map.serialize_entry("$object", &describe(object.reference))?;
                    return map.end();
                }
                let uid = object.reference.uid.map(|uid| uid.to_string());
                let (service, id) = (object.reference.service.0, object.reference.object.0);
                map.serialize_entry("$object", &(service, id, uid))?;
                map.end()
            }
            Type::List(element) | Type::VarArgs(element) => {
                let count = self.next::<_, S::Error>(|decoder| decoder.read_count_of(|| element.min_size()))?;
                self.nested(|| self.sequence(serializer, std::iter::repeat_n(&**element, count)))
            }
            Type::Map(pair) => self.nested(|| self.map(serializer, &pair.0, &pair.1)),
            Type::Tuple(elements) => {
                self.next::<_, S::Error>(Decoder::spaceless)?;
                self.nested(|| match self.signature.field_names() {
                    Some(names) => {
                        let mut map = serializer.serialize_map(Some(names.len()))?;
                        for (name, element) in names.into_iter().zip(elements.iter()) {
                            map.serialize_entry(name, &self.of(element))?;
                        }
                        map.end()
                    }
                    None => self.sequence(serializer, elements.iter()),
                })
            }
            Type::Optional(element) => {
                if self.next::<_, S::Error>(Decoder::read_bool)? {
                    self.nested(|| serializer.serialize_some(&self.of(element)))
                } else {
                    serializer.serialize_none()
                }
            }
            Type::Unknown | Type::KwArgs(_) => {
                Err(S::Error::custom(crate::CodecError::CannotDeserialize(self.signature.clone())))
            }
        }
    }
}

impl Element<'_, '_> {
    fn nested<T, E: Error>(&self, inside: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.next(|decoder| decoder.enter())?;
        let done = inside()?;
        self.decoder.borrow_mut().leave();
        Ok(done)
    }

    fn sequence<'e, S: Serializer>(
        &self,
        serializer: S,
        elements: impl ExactSizeIterator<Item = &'e Signature>,
    ) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
        for element in elements {
            sequence.serialize_element(&self.of(element))?;
        }
        sequence.end()
    }

    fn map<S: Serializer>(&self, serializer: S, key: &Signature, value: &Signature) -> Result<S::Ok, S::Error> {
        let count = self.next::<_, S::Error>(|decoder| decoder.read_count_of(|| key.min_size() + value.min_size()))?;
        if *key.kind() == Type::String {
            let mut map = serializer.serialize_map(Some(count))?;
            for _ in 0..count {
                map.serialize_entry(&self.of(key), &self.of(value))?;
            }
            return map.end();
        }
        let pair = Signature::tuple([key.clone(), value.clone()]);
        self.sequence(serializer, std::iter::repeat_n(&pair, count))
    }
}
